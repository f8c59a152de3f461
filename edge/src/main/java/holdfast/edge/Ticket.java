package holdfast.edge;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** What somebody waits for while the flusher works: the outcome of a task, or why there is none. */
final class Ticket {
  private final Runnable tell;
  private volatile @Nullable Outcome outcome;
  private volatile @Nullable Problem problem;

  /** A ticket that the thread which makes it will wait for. */
  Ticket() {
    Thread waiting = Thread.currentThread();
    this.tell = () -> LockSupport.unpark(waiting);
  }

  /**
   * A ticket that no thread waits for.
   *
   * @param tell called, perhaps more than once, when it is settled; by the flusher's thread, so it
   *     must take no time and must not fail
   */
  Ticket(Runnable tell) {
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

  /** Waits; to be called by the thread that made the ticket. */
  Outcome await(long timeoutMillis) {
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
    while (true) {
      Outcome done = outcome;
      if (done != null) {
        return done;
      }
      Problem failed = problem;
      if (failed != null) {
        throw failed;
      }
      long left = deadline - System.nanoTime();
      if (left <= 0) {
        throw new Problem(
            Problem.Code.UNKNOWN, "the change was not confirmed in time; it may be made yet", 1);
      }
      LockSupport.parkNanos(this, left);
      if (Thread.interrupted()) {
        throw new Problem(Problem.Code.UNKNOWN, "the edge is stopping; the change may be made", 1);
      }
    }
  }
}
