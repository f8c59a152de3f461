package holdfast.node.replication;

/**
 * How a node meets its peers.
 *
 * @param meetings rounds that this side opens at once at most
 * @param periodMillis how long after a round the next one begins when nothing is new; jitter of
 *     half of it either way is added
 * @param retryMillis how long after a failure the next attempt is made; doubles with each
 */
public record ReplicationOptions(int meetings, long periodMillis, long retryMillis) {
  /** What a server uses. */
  public static ReplicationOptions defaults() {
    return new ReplicationOptions(8, 5000, 100);
  }
}
