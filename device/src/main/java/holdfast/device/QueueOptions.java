package holdfast.device;

import java.time.Duration;

/**
 * The bounds of a queue, and what it does when it meets them.
 *
 * @param maxBytes most bytes of operations that wait; the file may for a while be twice as large
 *     and 1 MiB, and compaction needs room for a copy of what waits
 * @param maxOperations most operations that wait; each takes about 36 bytes of memory
 * @param maxAge operations older than this expire; zero for never. Counted as {@link AgeClock}
 *     does, which does not believe a clock that jumps
 * @param overflow what happens with a new operation when the queue is full
 * @param syncing when operations are made safe from loss of power
 * @param syncInterval how long that may take with {@link Syncing#INTERVAL}
 * @param batchOperations most operations of a batch
 * @param batchBytes most bytes of the operations of a batch, unless a single one is larger
 */
public record QueueOptions(
    long maxBytes,
    int maxOperations,
    Duration maxAge,
    Overflow overflow,
    Syncing syncing,
    Duration syncInterval,
    int batchOperations,
    int batchBytes) {
  /** 256 MiB, 500,000 operations, no age, waiting when full, synced within a second. */
  public static final QueueOptions DEFAULTS =
      new QueueOptions(
          256L << 20,
          500_000,
          Duration.ZERO,
          Overflow.BLOCK,
          Syncing.INTERVAL,
          Duration.ofSeconds(1),
          1000,
          1 << 20);

  private static final long LEAST_BYTES = 4L << 20;

  /** Checks that a batch always leaves room for what comes while it is sent. */
  public QueueOptions {
    if (maxBytes < LEAST_BYTES || batchBytes < 1 || batchBytes > maxBytes / 4) {
      throw new IllegalArgumentException(
          "a queue has at least 4 MiB, and a batch a quarter of that, not "
              + maxBytes
              + " and "
              + batchBytes
              + " bytes");
    }
    if (batchBytes > Batch.MAX_BYTES / 2) {
      throw new IllegalArgumentException("a batch has at most 4 MiB of operations");
    }
    if (batchOperations < 1 || batchOperations > Claim.MAX_ITEMS) {
      throw new IllegalArgumentException(
          "a batch has 1 to " + Claim.MAX_ITEMS + " operations, not " + batchOperations);
    }
    if (maxOperations < 2 * batchOperations) {
      throw new IllegalArgumentException(
          "a queue has room for two batches of "
              + batchOperations
              + " operations, and not only for "
              + maxOperations);
    }
    if (maxAge.isNegative() || syncInterval.isNegative()) {
      throw new IllegalArgumentException("ages and intervals are not negative");
    }
  }

  /** The same with another bound on bytes. */
  public QueueOptions withMaxBytes(long bytes) {
    return new QueueOptions(
        bytes,
        maxOperations,
        maxAge,
        overflow,
        syncing,
        syncInterval,
        batchOperations,
        (int) Math.min(batchBytes, bytes / 4));
  }

  /** The same with another bound on operations. */
  public QueueOptions withMaxOperations(int operations) {
    return new QueueOptions(
        maxBytes, operations, maxAge, overflow, syncing, syncInterval, batchOperations, batchBytes);
  }

  /** The same with another age. */
  public QueueOptions withMaxAge(Duration age) {
    return new QueueOptions(
        maxBytes, maxOperations, age, overflow, syncing, syncInterval, batchOperations, batchBytes);
  }

  /** The same with another policy. */
  public QueueOptions withOverflow(Overflow policy) {
    return new QueueOptions(
        maxBytes,
        maxOperations,
        maxAge,
        policy,
        syncing,
        syncInterval,
        batchOperations,
        batchBytes);
  }

  /** The same with another way of syncing. */
  public QueueOptions withSyncing(Syncing when) {
    return new QueueOptions(
        maxBytes, maxOperations, maxAge, overflow, when, syncInterval, batchOperations, batchBytes);
  }

  /** The same with other batches. */
  public QueueOptions withBatches(int operations, int bytes) {
    return new QueueOptions(
        maxBytes, maxOperations, maxAge, overflow, syncing, syncInterval, operations, bytes);
  }
}
