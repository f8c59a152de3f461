package holdfast.client;

import holdfast.base.Limits;
import holdfast.capsule.Backpointers;
import holdfast.capsule.Receipt;

/**
 * How a writer writes.
 *
 * @param links which backpointers records get
 * @param signing when records are signed
 * @param level how durable a batch must be before it counts as stored
 * @param batchRecords records sent together
 * @param batchBytes sealed bytes after which a batch is sent, however few records it has
 * @param inFlight batches that may be under way before {@code append} waits
 * @param retryMillis how long a batch is sent again after failures before it counts as unknown
 * @param timeoutMillis how long to wait for a receipt before the session counts as broken
 */
public record WriterOptions(
    Backpointers.Strategy links,
    SigningPolicy signing,
    Receipt.Level level,
    int batchRecords,
    int batchBytes,
    int inFlight,
    long retryMillis,
    long timeoutMillis) {

  /** Checks the numbers. */
  public WriterOptions {
    if (batchRecords < 1 || batchRecords > Limits.RECORDS_PER_BATCH / 2) {
      throw new IllegalArgumentException(
          "a batch has 1 to " + Limits.RECORDS_PER_BATCH / 2 + " records, not " + batchRecords);
    }
  }

  /** Skip pointers, a signature per batch, SYNCED, 1,000 records a batch. */
  public static WriterOptions defaults() {
    return new WriterOptions(
        new Backpointers.Strategy.Skip(),
        new SigningPolicy.EachBatch(),
        Receipt.Level.SYNCED,
        1000,
        1 << 20,
        8,
        10_000,
        30_000);
  }

  /** With other backpointers. */
  public WriterOptions withLinks(Backpointers.Strategy strategy) {
    return new WriterOptions(
        strategy, signing, level, batchRecords, batchBytes, inFlight, retryMillis, timeoutMillis);
  }

  /** With another signing policy. */
  public WriterOptions withSigning(SigningPolicy policy) {
    return new WriterOptions(
        links, policy, level, batchRecords, batchBytes, inFlight, retryMillis, timeoutMillis);
  }

  /** With another level. */
  public WriterOptions withLevel(Receipt.Level least) {
    return new WriterOptions(
        links, signing, least, batchRecords, batchBytes, inFlight, retryMillis, timeoutMillis);
  }

  /** With batches of another size. */
  public WriterOptions withBatchRecords(int records) {
    return new WriterOptions(
        links, signing, level, records, batchBytes, inFlight, retryMillis, timeoutMillis);
  }

  /** With more or fewer batches under way. */
  public WriterOptions withInFlight(int batches) {
    return new WriterOptions(
        links, signing, level, batchRecords, batchBytes, batches, retryMillis, timeoutMillis);
  }

  /** With other patience. */
  public WriterOptions withRetry(long retry, long timeout) {
    return new WriterOptions(
        links, signing, level, batchRecords, batchBytes, inFlight, retry, timeout);
  }
}
