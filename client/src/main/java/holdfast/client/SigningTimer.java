package holdfast.client;

import holdfast.base.ProofException;

/**
 * Signs and sends for a writer when its time has come and nothing is appended that would do it; see
 * {@link SigningPolicy.EveryT}. Works under the writer's monitor, so never within one of its calls.
 */
final class SigningTimer implements Runnable {
  private final CapsuleWriter writer;

  private SigningTimer(CapsuleWriter writer) {
    this.writer = writer;
  }

  /** Starts a timer, which ends when the writer is closed. */
  static void start(CapsuleWriter writer) {
    Thread.ofPlatform().daemon().name("holdfast-sign").start(new SigningTimer(writer));
  }

  @Override
  public void run() {
    synchronized (writer) {
      try {
        while (!writer.closed()) {
          long waitMillis = writer.untilDueMillis();
          if (waitMillis > 0) {
            // A record that is appended, and the end, wake it.
            writer.wait(waitMillis);
          } else {
            writer.signAndSend();
          }
        }
      } catch (ProofException | RuntimeException e) {
        writer.failed(e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
