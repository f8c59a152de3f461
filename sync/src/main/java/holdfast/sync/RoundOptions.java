package holdfast.sync;

/**
 * What bounds a round.
 *
 * @param strategy how differences are found; the side that opens the round decides
 * @param batchRecords records in one push at most
 * @param batchBytes bytes after which a push is closed
 * @param window pushes under way to the peer
 * @param stagingBytes memory for records that nothing proves yet
 * @param lateEntries entries told of one by one when a round is confirmed; more call for another
 *     pass
 */
public record RoundOptions(
    Strategy strategy,
    int batchRecords,
    int batchBytes,
    int window,
    long stagingBytes,
    int lateEntries) {
  /** What servers use. */
  public static RoundOptions defaults() {
    return new RoundOptions(Strategy.ADAPTIVE, 4096, 1 << 20, 8, 64L << 20, 1 << 14);
  }

  /** The same with another strategy. */
  public RoundOptions withStrategy(Strategy other) {
    return new RoundOptions(other, batchRecords, batchBytes, window, stagingBytes, lateEntries);
  }
}
