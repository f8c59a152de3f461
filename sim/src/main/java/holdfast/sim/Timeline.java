package holdfast.sim;

import java.util.Comparator;
import java.util.PriorityQueue;

/** The clock of a simulated world: what is to happen, in the order of its time. */
final class Timeline {
  private record Event(long at, long sequence, Runnable action) {}

  private final PriorityQueue<Event> queue =
      new PriorityQueue<>(Comparator.comparingLong(Event::at).thenComparingLong(Event::sequence));
  private long now;
  private long sequence;
  private long happened;
  private long trace = 0x9E3779B97F4A7C15L;

  /** Milliseconds since the world began. */
  long now() {
    return now;
  }

  /** Events so far. */
  long happened() {
    return happened;
  }

  /** Lets something happen after a delay. */
  void after(long delayMillis, Runnable action) {
    queue.add(new Event(now + delayMillis, sequence++, action));
  }

  /** Lets the next thing happen; false if there is none. */
  boolean step() {
    Event event = queue.poll();
    if (event == null) {
      return false;
    }
    now = event.at();
    happened++;
    note(event.sequence());
    event.action().run();
    return true;
  }

  /** Time of the next event, or a time that never comes. */
  long next() {
    Event event = queue.peek();
    return event == null ? Long.MAX_VALUE : event.at();
  }

  /** Makes something part of the trace. */
  void note(long value) {
    trace = (trace ^ value ^ now) * 0xBF58476D1CE4E5B9L;
    trace ^= trace >>> 29;
  }

  /** Makes bytes part of the trace. */
  void note(byte[] bytes) {
    long sum = bytes.length;
    for (byte one : bytes) {
      sum = sum * 31 + one;
    }
    note(sum);
  }

  /** What tells two different histories apart. */
  long trace() {
    return trace;
  }
}
