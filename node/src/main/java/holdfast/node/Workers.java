package holdfast.node;

import holdfast.base.Closing;
import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** The threads that run sessions and rounds: how they begin, and what their end goes before. */
final class Workers {
  private Workers() {}

  /** Threads that are begun as they are needed. */
  static ExecutorService pool() {
    int threads = Math.max(4, 2 * Runtime.getRuntime().availableProcessors());
    return new ThreadPoolExecutor(
        threads,
        threads,
        0,
        TimeUnit.SECONDS,
        new LinkedBlockingQueue<>(),
        Thread.ofPlatform().name("holdfast-work-", 0).daemon(true).factory(),
        // The store still finishes batches when sessions and workers have ended; what it
        // would have them say reaches nobody.
        new ThreadPoolExecutor.DiscardPolicy());
  }

  /**
   * Ends the threads, then closes what they use. Never sooner, also when this thread is
   * interrupted: a database that is closed below whoever reads it takes the whole process with it.
   *
   * @param graceMillis after which they are interrupted
   * @param patienceMillis how long is waited then
   * @param used by them, in the order in which it is to be closed
   * @throws HoldfastException {@link ErrorCode#INTERNAL} when they have not ended; nothing is
   *     closed then, and the process should end
   */
  static void end(
      ExecutorService pool, long graceMillis, long patienceMillis, AutoCloseable... used) {
    pool.shutdown();
    if (!ended(pool, graceMillis)) {
      pool.shutdownNow();
      if (!ended(pool, patienceMillis)) {
        throw new HoldfastException(
            ErrorCode.INTERNAL,
            "something is still being done after "
                + (graceMillis + patienceMillis)
                + " ms; the store stays open below it, end the process");
      }
    }
    Closing.inTurn(used);
  }

  private static boolean ended(ExecutorService pool, long millis) {
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return pool.awaitTermination(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
