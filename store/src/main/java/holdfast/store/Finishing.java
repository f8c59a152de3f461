package holdfast.store;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.TimeUnit;

/** Waits for threads that use the database, before it closes. */
final class Finishing {
  private Finishing() {}

  /**
   * Takes nothing new and returns when all that was taken is done, also when this thread is
   * interrupted meanwhile: a database that is closed below its user takes the process with it.
   */
  static void finish(ExecutorService thread) {
    thread.shutdown();
    boolean interrupted = false;
    while (!thread.isTerminated()) {
      try {
        if (thread.awaitTermination(1, TimeUnit.MINUTES)) {
          break;
        }
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
