package holdfast.edge;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * What somebody waits for while the flusher works: the outcome of a task, or why there is none.
 *
 * <p>Who waits parks without a time limit, and is woken by {@link #remind} when its patience is at
 * an end. A virtual thread that parks for a time has the JDK wake a thread of its own to note that
 * time, and again to forget it: for each change more than all else that the change costs here.
 */
final class Ticket {
  private final Runnable tell;

  /** Who waits; null when it is no thread. */
  private final @Nullable Thread waiting;

  /** When that thread waits no longer, by the nanosecond clock; 0 before it begins to. */
  private volatile long deadlineNanos;

  private volatile @Nullable Outcome outcome;
  private volatile @Nullable Problem problem;

  /** A ticket that the thread which makes it will wait for. */
  Ticket() {
    Thread here = Thread.currentThread();
    this.waiting = here;
    this.tell = () -> LockSupport.unpark(here);
  }

  /**
   * A ticket that no thread waits for.
   *
   * @param tell called, perhaps more than once, when it is settled; by the flusher's thread, so it
   *     must take no time and must not fail
   */
  Ticket(Runnable tell) {
    this.waiting = null;
    this.tell = tell;
  }

  void done(Outcome what) {
    outcome = what;
    tell.run();
  }

  void failed(Problem why) {
    problem = why;
    tell.run();
  }

  /** Whether it is known what became of the task. */
  boolean settled() {
    return outcome != null || problem != null;
  }

  /** Why the task of a settled ticket was not done; null when it was. */
  @Nullable Problem problem() {
    return outcome == null ? problem : null;
  }

  /** Wakes who has waited for as long as it wanted to. */
  void remind(long nowNanos) {
    long deadline = deadlineNanos;
    if (waiting != null && deadline != 0 && nowNanos - deadline >= 0) {
      LockSupport.unpark(waiting);
    }
  }

  /**
   * Waits; to be called by the thread that made the ticket, after it was handed to the flusher.
   *
   * @param timeoutMillis how long; up to {@link Flusher#REMINDER_MILLIS} more
   */
  Outcome await(long timeoutMillis) {
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis) | 1;
    deadlineNanos = deadline;
    while (true) {
      Outcome done = outcome;
      if (done != null) {
        return done;
      }
      Problem failed = problem;
      if (failed != null) {
        throw failed;
      }
      if (System.nanoTime() - deadline >= 0) {
        throw new Problem(
            Problem.Code.UNKNOWN, "the change was not confirmed in time; it may be made yet", 1);
      }
      LockSupport.park(this);
      if (Thread.interrupted()) {
        throw new Problem(Problem.Code.UNKNOWN, "the edge is stopping; the change may be made", 1);
      }
    }
  }
}
