package holdfast.node.replication;

import java.util.Comparator;
import java.util.List;

/**
 * What is here and not known to be with a peer.
 *
 * @param records number of records
 * @param bytes of their headers and sealed bodies
 * @param oldestMillis how long ago the oldest says that it was made; 0 when there is none
 */
public record Backlog(long records, long bytes, long oldestMillis) {
  /** Nothing waits. */
  public static final Backlog NONE = new Backlog(0, 0, 0);

  /**
   * What is not known to be on so many of the peers: the backlog of the peer that is the last of
   * the {@code copies} best. Never too little; too much only where peers hold different parts.
   *
   * @param copies how many peers are to hold each record; with fewer peers, all of them
   */
  public static Backlog toReach(int copies, List<Backlog> ofPeers) {
    if (copies < 1) {
      throw new IllegalArgumentException("records are copied to one peer at least, not " + copies);
    }
    return ofPeers.stream()
        .sorted(Comparator.comparingLong(Backlog::records).thenComparingLong(Backlog::bytes))
        .skip(Math.max(0, Math.min(copies, ofPeers.size()) - 1))
        .findFirst()
        .orElse(NONE);
  }
}
