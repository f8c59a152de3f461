package holdfast.base;

import java.util.function.Consumer;

/**
 * A protocol without its surroundings: it takes one input at a time and says what is to be done.
 * Whoever drives it performs the effects in their order. An effect that must wait for another one
 * to become durable is asked for only in answer to the input that says so. Nothing but its inputs,
 * and the read-only ports given to its constructor, decides what a machine does; so a run can be
 * repeated from its seed.
 *
 * <p>Machines are not safe for use by several threads.
 *
 * @param <I> inputs: messages, time, the outcome of earlier effects
 * @param <E> effects: messages to send, things to store, timers
 */
public interface Machine<I, E> {
  /** Takes an input; hands the effects it calls for to {@code out}, in order. */
  void step(I input, Consumer<? super E> out);
}
