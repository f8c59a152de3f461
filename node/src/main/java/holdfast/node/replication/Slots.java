package holdfast.node.replication;

import holdfast.crypto.VerifyKey;
import java.util.HashMap;
import java.util.Map;

/**
 * How many rounds are held at once, in one direction. Each peer can have one, whatever other peers
 * have; what is left of the number is shared, and no peer gets more than a part of it. So whoever
 * keeps its rounds from ending keeps out nobody but itself. An owner decides who the peers are, and
 * may name as many identities as it likes: hence rounds about the capsules of one owner have a
 * bound too, and all rounds together.
 */
final class Slots {
  /** Each peer gets one part in so many of what is shared, and one at least. */
  private static final int PARTS = 2;

  /** Rounds about capsules of one owner: as many as a placement has members. */
  static final int OF_AN_OWNER = 64;

  /** All rounds. */
  static final int IN_ALL = 512;

  private final int shared;
  private final Map<VerifyKey, Integer> ofPeers = new HashMap<>();
  private final Map<VerifyKey, Integer> ofOwners = new HashMap<>();
  private int all;

  /**
   * None are taken yet.
   *
   * @param shared rounds at once, beyond the first of each peer; 0 for no rounds at all
   */
  Slots(int shared) {
    this.shared = shared;
  }

  /** Takes one for a round with a peer, about a capsule of an owner; false when it has to wait. */
  synchronized boolean take(VerifyKey peer, VerifyKey owner) {
    int taken = ofPeers.getOrDefault(peer, 0);
    boolean free = taken == 0 || (all < shared && taken < Math.max(1, shared / PARTS));
    if (shared == 0 || !free || all >= IN_ALL || ofOwners.getOrDefault(owner, 0) >= OF_AN_OWNER) {
      return false;
    }
    ofPeers.merge(peer, 1, Integer::sum);
    ofOwners.merge(owner, 1, Integer::sum);
    all++;
    return true;
  }

  /** Gives one back that was taken for a round with a peer, about a capsule of an owner. */
  synchronized void free(VerifyKey peer, VerifyKey owner) {
    if (!ofPeers.containsKey(peer) || !ofOwners.containsKey(owner)) {
      throw new IllegalStateException("peer " + peer + " holds no round");
    }
    ofPeers.computeIfPresent(peer, (key, taken) -> taken == 1 ? null : taken - 1);
    ofOwners.computeIfPresent(owner, (key, taken) -> taken == 1 ? null : taken - 1);
    all--;
  }
}
