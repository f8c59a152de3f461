package holdfast.store;

/**
 * How a store uses its machine.
 *
 * @param blockCacheBytes memory for blocks read from disk
 * @param recordCacheBytes memory for decoded records
 * @param memtableBytes memory for one table of writes not yet flushed
 * @param pendingBytes bytes of batches that may wait to be committed before more are refused
 * @param reserveBytes free disk space below which writes are refused
 * @param graphBlocks blocks of 256 records that each open capsule keeps decoded at most
 * @param capsuleBytes memory for all open capsules together, beyond which those that were used
 *     longest ago are let go
 */
public record StoreOptions(
    long blockCacheBytes,
    long recordCacheBytes,
    long memtableBytes,
    long pendingBytes,
    long reserveBytes,
    int graphBlocks,
    long capsuleBytes) {

  /** What a server uses when nothing is configured. */
  public static StoreOptions defaults() {
    long heap = Runtime.getRuntime().maxMemory();
    return new StoreOptions(
        256L << 20,
        Math.min(256L << 20, heap / 8),
        64L << 20,
        Math.min(256L << 20, heap / 8),
        64L << 20,
        4096,
        Math.min(512L << 20, heap / 8));
  }

  /** The same with another reserve of disk space. */
  public StoreOptions withReserveBytes(long bytes) {
    return new StoreOptions(
        blockCacheBytes,
        recordCacheBytes,
        memtableBytes,
        pendingBytes,
        bytes,
        graphBlocks,
        capsuleBytes);
  }

  /** The same with another budget for open capsules. */
  public StoreOptions withCapsuleBytes(long bytes) {
    return new StoreOptions(
        blockCacheBytes,
        recordCacheBytes,
        memtableBytes,
        pendingBytes,
        reserveBytes,
        graphBlocks,
        bytes);
  }
}
