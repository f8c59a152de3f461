package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.CompactRangeOptions;
import org.rocksdb.CompressionType;
import org.rocksdb.FlushOptions;
import org.rocksdb.InfoLogLevel;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import org.rocksdb.RocksDB;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.rocksdb.RocksObject;
import org.rocksdb.WriteBatch;
import org.rocksdb.WriteOptions;

/**
 * An ordered map on disk for what can be derived again from a capsule. It has no log of its own:
 * after a crash it is as it was after some earlier batch, whole batches only, and its user brings
 * it up to date from there. Keys are ordered by unsigned bytes.
 *
 * <p>There is one column family on purpose. What it holds reaches the disk in the order of the
 * batches, so that a mark written with a batch tells which batches are there.
 *
 * <p>Safe for use by several threads; one thread at a time makes batches.
 */
public final class DerivedTable implements AutoCloseable {
  static {
    RocksDB.loadLibrary();
  }

  private final RocksDB db;
  private final WriteOptions unlogged;
  private final List<RocksObject> owned;

  /** Held by those who use the database; closing waits for them. */
  private final ReentrantReadWriteLock use = new ReentrantReadWriteLock();

  private boolean closed;

  private DerivedTable(RocksDB db, WriteOptions unlogged, List<RocksObject> owned) {
    this.db = db;
    this.unlogged = unlogged;
    this.owned = owned;
  }

  /**
   * Opens the table in a folder, which is made if it is not there. What cannot be opened is thrown
   * away: the table begins empty then, and its user derives it anew.
   *
   * @param memtableBytes what is gathered in memory before it is written
   * @param cacheBytes blocks kept in memory
   */
  public static DerivedTable open(Path folder, long memtableBytes, long cacheBytes) {
    try {
      return tryOpen(folder, memtableBytes, cacheBytes);
    } catch (RocksDBException e) {
      HoldfastException failure = Tables.failure("cannot open " + folder, e);
      if (failure.code() != ErrorCode.DAMAGED) {
        throw failure;
      }
      delete(folder);
      try {
        return tryOpen(folder, memtableBytes, cacheBytes);
      } catch (RocksDBException again) {
        throw Tables.failure("cannot open " + folder, again);
      }
    }
  }

  private static DerivedTable tryOpen(Path folder, long memtableBytes, long cacheBytes)
      throws RocksDBException {
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "cannot make the folder " + folder, e);
    }
    Cache cache = new LRUCache(cacheBytes);
    BloomFilter filter = new BloomFilter(10, false);
    Options options =
        new Options()
            .setCreateIfMissing(true)
            .setWriteBufferSize(memtableBytes)
            .setMaxWriteBufferNumber(3)
            .setMaxBackgroundJobs(2)
            .setInfoLogLevel(InfoLogLevel.WARN_LEVEL)
            .setKeepLogFileNum(4)
            .setMaxOpenFiles(256)
            .setBytesPerSync(1 << 20)
            .setLevelCompactionDynamicLevelBytes(true)
            .setMemtablePrefixBloomSizeRatio(0.05)
            .setMemtableWholeKeyFiltering(true)
            .setCompressionType(CompressionType.LZ4_COMPRESSION)
            .setTableFormatConfig(
                new BlockBasedTableConfig()
                    .setBlockCache(cache)
                    .setFormatVersion(6)
                    .setFilterPolicy(filter)
                    .setBlockSize(8 << 10)
                    .setCacheIndexAndFilterBlocks(true)
                    .setCacheIndexAndFilterBlocksWithHighPriority(true)
                    .setPinL0FilterAndIndexBlocksInCache(true));
    WriteOptions unlogged =
        new WriteOptions().setDisableWAL(true).setMemtableInsertHintPerBatch(true);
    List<RocksObject> owned = List.of(unlogged, options, filter, cache);
    try {
      return new DerivedTable(RocksDB.open(options, folder.toString()), unlogged, owned);
    } catch (RocksDBException | RuntimeException | Error e) {
      owned.forEach(RocksObject::close);
      throw e;
    }
  }

  /** Deletes a table that is not open. */
  public static void delete(Path folder) {
    if (!Files.isDirectory(folder)) {
      return;
    }
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "cannot delete " + folder, e);
    }
  }

  /** Something done with the open database. */
  private interface Use<T extends @Nullable Object> {
    T with(RocksDB db) throws RocksDBException;
  }

  private <T extends @Nullable Object> T use(Use<T> how) {
    use.readLock().lock();
    try {
      if (closed) {
        throw new HoldfastException(ErrorCode.STOPPING, "the view is closed");
      }
      return how.with(db);
    } catch (RocksDBException e) {
      throw Tables.failure("the view cannot be used", e);
    } finally {
      use.readLock().unlock();
    }
  }

  /** The value of a key, or null. */
  public byte @Nullable [] get(byte[] key) {
    return use(open -> open.get(key));
  }

  /** Takes an entry of a scan; false ends it. */
  public interface Visitor {
    /** Takes one entry. */
    boolean visit(byte[] key, byte[] value);
  }

  /** Visits {@code from ≤ key < to}, ascending, as it was when the scan began. */
  public void scan(byte[] from, byte[] to, Visitor visitor) {
    use(open -> {
      try (RocksIterator at = open.newIterator()) {
        for (at.seek(from); at.isValid(); at.next()) {
          byte[] key = at.key();
          if (java.util.Arrays.compareUnsigned(key, to) >= 0 || !visitor.visit(key, at.value())) {
            break;
          }
        }
        at.status();
      }
      return true;
    });
  }

  /**
   * Changes that are made together or not at all; of several of one key the last. Kept in the order
   * of the keys: neighbours are cheaper to insert one after the other.
   */
  public static final class Batch {
    private final TreeMap<byte[], byte @Nullable []> changes =
        new TreeMap<>(Arrays::compareUnsigned);

    /** Sets a value. */
    public void put(byte[] key, byte[] value) {
      changes.put(key, value);
    }

    /** Removes a key; nothing happens when it is absent. */
    public void remove(byte[] key) {
      changes.put(key, null);
    }

    /** Whether it sets or removes a key. */
    public boolean changes(byte[] key) {
      return changes.containsKey(key);
    }

    /** The value that it sets; null when it removes the key, or leaves it alone. */
    public byte @Nullable [] get(byte[] key) {
      return changes.get(key);
    }
  }

  /** Makes the changes of a batch visible; durable after {@link #flush}, or some time later. */
  public void commit(Batch batch) {
    use(open -> {
      try (WriteBatch changes = new WriteBatch()) {
        for (Map.Entry<byte[], byte @Nullable []> change : batch.changes.entrySet()) {
          byte[] value = change.getValue();
          if (value == null) {
            changes.delete(change.getKey());
          } else {
            changes.put(change.getKey(), value);
          }
        }
        open.write(unlogged, changes);
      }
      return true;
    });
  }

  /** Makes everything committed durable. */
  public void flush() {
    use(open -> {
      try (FlushOptions wait = new FlushOptions().setWaitForFlush(true)) {
        open.flush(wait);
      }
      return true;
    });
  }

  /** Frees what removed and replaced entries still take on the disk; goes through all of it. */
  public void compact() {
    flush();
    use(open -> {
      try (CompactRangeOptions all =
          new CompactRangeOptions()
              .setBottommostLevelCompaction(CompactRangeOptions.BottommostLevelCompaction.kForce)) {
        open.compactRange(open.getDefaultColumnFamily(), null, null, all);
      }
      return true;
    });
  }

  @Override
  public void close() {
    use.writeLock().lock();
    try {
      if (!closed) {
        closed = true;
        db.close();
        owned.forEach(RocksObject::close);
      }
    } finally {
      use.writeLock().unlock();
    }
  }
}
