package holdfast.edge;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * What one thread waits for while the flusher works: the outcome of a task, or why there is none.
 */
final class Ticket {
  private final Thread waiting = Thread.currentThread();
  private volatile @Nullable Outcome outcome;
  private volatile @Nullable Problem problem;

  void done(Outcome what) {
    outcome = what;
    LockSupport.unpark(waiting);
  }

  void failed(Problem why) {
    problem = why;
    LockSupport.unpark(waiting);
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
