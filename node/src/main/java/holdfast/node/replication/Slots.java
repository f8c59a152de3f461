package holdfast.node.replication;

import holdfast.crypto.VerifyKey;
import java.util.HashMap;
import java.util.Map;

/**
 * How many rounds are held at once, in one direction. Each peer can have one, whatever the others
 * have; what is left of the number is shared, and no peer gets more than a part of it. So whoever
 * keeps its rounds from ending keeps out nobody but itself. There are only as many peers as owners
 * have placed capsules with.
 */
final class Slots {
  /** Each peer gets one part in so many of what is shared, and one at least. */
  private static final int PARTS = 2;

  private final int shared;
  private final Map<VerifyKey, Integer> held = new HashMap<>();
  private int all;

  /**
   * None are taken yet.
   *
   * @param shared rounds at once, beyond the first of each peer; 0 for no rounds at all
   */
  Slots(int shared) {
    this.shared = shared;
  }

  /** Takes one for a round with a peer; false when the peer has to wait. */
  synchronized boolean take(VerifyKey peer) {
    int taken = held.getOrDefault(peer, 0);
    boolean free = taken == 0 || (all < shared && taken < Math.max(1, shared / PARTS));
    if (shared == 0 || !free) {
      return false;
    }
    held.put(peer, taken + 1);
    all++;
    return true;
  }

  /** Gives one back that was taken for a round with a peer. */
  synchronized void free(VerifyKey peer) {
    Integer taken = held.remove(peer);
    if (taken == null) {
      throw new IllegalStateException("peer " + peer + " holds no round");
    }
    if (taken > 1) {
      held.put(peer, taken - 1);
    }
    all--;
  }
}
