package holdfast.sync;

import java.util.function.Consumer;

/**
 * Where a step of a round puts what it asks for.
 *
 * @param traffic counts what is sent, over all steps
 * @param effects takes what is asked for, in order
 */
record Outbox(Traffic traffic, Consumer<? super Effect> effects) {
  /** What one side has sent. */
  static final class Traffic {
    long messages;
    long bytes;
  }

  void send(Message message) {
    byte[] bytes = message.encode();
    traffic.messages++;
    traffic.bytes += bytes.length;
    effects.accept(new Effect.Send(bytes));
  }

  void ask(Effect effect) {
    effects.accept(effect);
  }
}
