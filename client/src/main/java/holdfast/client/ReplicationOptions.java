package holdfast.client;

import holdfast.capsule.Statement;

/**
 * How a capsule is written to several servers.
 *
 * @param needed members whose receipts are waited for; 0 for more than half of them
 * @param queueBatches batches that may wait for one member before it misses some; more than a
 *     writer has under way, so that a member that is waited for misses none
 * @param queueBytes bytes of such batches
 * @param lingerMillis how long closing waits for connected members that nobody waits for otherwise
 * @param lookMillis how often a member is asked whether the owner has placed the capsule elsewhere
 */
public record ReplicationOptions(
    int needed, int queueBatches, long queueBytes, long lingerMillis, long lookMillis) {
  /** Checks the numbers. */
  public ReplicationOptions {
    if (needed < 0 || queueBatches < 1 || queueBytes < 1 || lingerMillis < 0 || lookMillis < 1) {
      throw new IllegalArgumentException("numbers of replication are not negative");
    }
  }

  /** More than half of the members; 64 batches or 64 MiB may wait for one. */
  public static ReplicationOptions majority() {
    return new ReplicationOptions(0, 64, 64L << 20, 2000, 5000);
  }

  /** With another number of members to wait for. */
  public ReplicationOptions withNeeded(int members) {
    return new ReplicationOptions(members, queueBatches, queueBytes, lingerMillis, lookMillis);
  }

  /** With other bounds on what may wait for one member. */
  public ReplicationOptions withQueue(int batches, long bytes) {
    return new ReplicationOptions(needed, batches, bytes, lingerMillis, lookMillis);
  }

  /** With another time between two looks for a newer placement. */
  public ReplicationOptions withLookMillis(long millis) {
    return new ReplicationOptions(needed, queueBatches, queueBytes, lingerMillis, millis);
  }

  /** The number of members to wait for. */
  int neededOf(Statement.Placement placement) {
    int all = placement.members().size();
    if (needed > all) {
      throw new IllegalArgumentException(
          "the placement has " + all + " members; " + needed + " cannot acknowledge");
    }
    return needed == 0 ? placement.majority() : needed;
  }
}
