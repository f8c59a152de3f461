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
 * @param ownerBytes bytes of records that one owner may have here: headers, and sealed bodies that
 *     are not erased; {@link #UNLIMITED} for as many as there is room for
 */
public record StoreOptions(
    long blockCacheBytes,
    long recordCacheBytes,
    long memtableBytes,
    long pendingBytes,
    long reserveBytes,
    int graphBlocks,
    long capsuleBytes,
    long ownerBytes) {
  /** No limit for owners. */
  public static final long UNLIMITED = Long.MAX_VALUE;

  /** Checks the limit of owners. */
  public StoreOptions {
    if (ownerBytes < 1) {
      throw new IllegalArgumentException("an owner may have 1 byte at least, not " + ownerBytes);
    }
  }

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
        Math.min(512L << 20, heap / 8),
        UNLIMITED);
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
        capsuleBytes,
        ownerBytes);
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
        bytes,
        ownerBytes);
  }

  /** The same with another limit for each owner. */
  public StoreOptions withOwnerBytes(long bytes) {
    return new StoreOptions(
        blockCacheBytes,
        recordCacheBytes,
        memtableBytes,
        pendingBytes,
        reserveBytes,
        graphBlocks,
        capsuleBytes,
        bytes);
  }
}
