package holdfast.client;

import holdfast.base.Hash;
import holdfast.capsule.Statement;
import java.util.List;

/**
 * Looks, while a writer is open, for a newer placement: asks one member after the other for the
 * owner's statements, which verify by themselves. A member that keeps one back delays it until the
 * next is asked; a member can only make up none. While placements hold jointly it also finds out
 * when the old ones are over ({@link JointPlacement}).
 */
final class PlacementWatch implements Runnable {
  private final ReplicatedDelivery whole;
  private final Hash capsule;
  private final long periodMillis;
  private final Thread thread =
      Thread.ofPlatform().daemon().name("holdfast-placement").unstarted(this);

  /** The place of the member that was asked last. */
  private int turn;

  PlacementWatch(ReplicatedDelivery whole, Hash capsule, long periodMillis) {
    this.whole = whole;
    this.capsule = capsule;
    this.periodMillis = periodMillis;
  }

  void start() {
    thread.start();
  }

  /** Ends; what is being asked is given up. */
  void close() {
    thread.interrupt();
  }

  @Override
  public void run() {
    try {
      while (true) {
        Thread.sleep(periodMillis);
        try {
          look();
          List<Statement.Placement> joint = whole.joint();
          if (joint.size() > 1) {
            JointPlacement.over(joint, whole::needed).forEach(whole::leave);
          }
        } catch (RuntimeException | Error e) {
          // Told as what ends a thread is told, but it ends nothing: who writes would wait for
          // placements that are over.
          thread.getUncaughtExceptionHandler().uncaughtException(thread, e);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void look() {
    List<Server> connected = whole.connected();
    if (!connected.isEmpty()) {
      turn = (turn + 1) % connected.size();
      whole.adopt(JointPlacement.shownBy(connected.get(turn), capsule));
    }
  }
}
