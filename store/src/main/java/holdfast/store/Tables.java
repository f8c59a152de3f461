package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Properties;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.ColumnFamilyDescriptor;
import org.rocksdb.ColumnFamilyHandle;
import org.rocksdb.ColumnFamilyOptions;
import org.rocksdb.CompressionType;
import org.rocksdb.DBOptions;
import org.rocksdb.InfoLogLevel;
import org.rocksdb.LRUCache;
import org.rocksdb.ReadOptions;
import org.rocksdb.RocksDB;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksObject;
import org.rocksdb.Status;
import org.rocksdb.WALRecoveryMode;

/** The opened database and its column families. */
final class Tables implements AutoCloseable {
  static final String SETTINGS = "default";
  static final String NAMES = "names";
  static final String GRAPH = "graph";
  static final String HEADERS = "headers";
  static final String BODIES = "bodies";
  static final String STATEMENTS = "statements";

  private static final List<String> FAMILIES =
      List.of(SETTINGS, NAMES, GRAPH, HEADERS, BODIES, STATEMENTS);

  static {
    RocksDB.loadLibrary();
  }

  final RocksDB db;
  final ColumnFamilyHandle settings;
  final ColumnFamilyHandle names;
  final ColumnFamilyHandle graph;
  final ColumnFamilyHandle headers;
  final ColumnFamilyHandle bodies;
  final ColumnFamilyHandle statements;

  /** For reads on behalf of somebody. */
  final ReadOptions reads;

  /** For reads that only pass by, and leave the block cache to the others. */
  final ReadOptions passing;

  private final List<ColumnFamilyHandle> handles;
  private final List<RocksObject> owned;

  private Tables(RocksDB db, List<ColumnFamilyHandle> handles, List<RocksObject> owned) {
    this.db = db;
    this.handles = handles;
    this.owned = owned;
    this.settings = handles.get(0);
    this.names = handles.get(1);
    this.graph = handles.get(2);
    this.headers = handles.get(3);
    this.bodies = handles.get(4);
    this.statements = handles.get(5);
    this.reads = own(owned, new ReadOptions());
    this.passing = own(owned, new ReadOptions()).setFillCache(false);
  }

  /** All families, for flushing. */
  List<ColumnFamilyHandle> all() {
    return handles;
  }

  /** The family of a name. */
  ColumnFamilyHandle family(String name) {
    return handles.get(FAMILIES.indexOf(name));
  }

  static Tables open(Path folder, StoreOptions options, boolean readOnly) {
    return open(folder, options, readOnly, false);
  }

  /** Opens the database so that it merges no tables: it is known to be rotten. */
  static Tables openResting(Path folder, StoreOptions options) {
    return open(folder, options, false, true);
  }

  private static Tables open(Path folder, StoreOptions options, boolean readOnly, boolean resting) {
    List<RocksObject> owned = new ArrayList<>();
    Cache cache = own(owned, new LRUCache(options.blockCacheBytes()));
    List<ColumnFamilyDescriptor> descriptors = new ArrayList<>();
    for (String family : FAMILIES) {
      descriptors.add(
          new ColumnFamilyDescriptor(
              family.getBytes(StandardCharsets.US_ASCII),
              familyOptions(family, options, cache, owned).setDisableAutoCompactions(resting)));
    }
    // Each log file notes how the one before it ended, so that a missing or shortened one shows.
    Properties properties = new Properties();
    properties.setProperty("track_and_verify_wals", "true");
    DBOptions dbOptions =
        own(owned, Objects.requireNonNull(DBOptions.getDBOptionsFromProps(properties)))
            .setCreateIfMissing(!readOnly)
            .setCreateMissingColumnFamilies(!readOnly)
            .setMaxTotalWalSize(8 * options.memtableBytes())
            .setMaxBackgroundJobs(2)
            .setBytesPerSync(1 << 20)
            .setInfoLogLevel(InfoLogLevel.WARN_LEVEL)
            .setKeepLogFileNum(4)
            .setWalRecoveryMode(WALRecoveryMode.PointInTimeRecovery)
            .setMaxOpenFiles(512);
    List<ColumnFamilyHandle> handles = new ArrayList<>();
    try {
      RocksDB db =
          readOnly
              ? RocksDB.openReadOnly(dbOptions, folder.toString(), descriptors, handles)
              : RocksDB.open(dbOptions, folder.toString(), descriptors, handles);
      return new Tables(db, handles, owned);
    } catch (RocksDBException e) {
      owned.reversed().forEach(RocksObject::close);
      throw failure("cannot open the database in " + folder, e);
    } catch (RuntimeException | Error e) {
      owned.reversed().forEach(RocksObject::close);
      throw e;
    }
  }

  private static ColumnFamilyOptions familyOptions(
      String family, StoreOptions options, Cache cache, List<RocksObject> owned) {
    BlockBasedTableConfig table =
        new BlockBasedTableConfig()
            .setBlockCache(cache)
            .setFormatVersion(6)
            .setCacheIndexAndFilterBlocks(true)
            .setCacheIndexAndFilterBlocksWithHighPriority(true)
            .setPinL0FilterAndIndexBlocksInCache(true);
    ColumnFamilyOptions made = own(owned, new ColumnFamilyOptions());
    made.setWriteBufferSize(options.memtableBytes());
    made.setMaxWriteBufferNumber(3);
    made.setTargetFileSizeBase(64L << 20);
    made.setMaxBytesForLevelBase(512L << 20);
    made.setLevelCompactionDynamicLevelBytes(true);
    switch (family) {
      case "names" -> {
        // Keys are hashes: nothing to compress, and most look-ups ask for what is not there.
        table.setFilterPolicy(own(owned, new BloomFilter(10, false)));
        table.setBlockSize(4 << 10);
        made.setCompressionType(CompressionType.NO_COMPRESSION);
        made.setMemtablePrefixBloomSizeRatio(0.05).setMemtableWholeKeyFiltering(true);
      }
      case "bodies" -> {
        table.setBlockSize(8 << 10);
        made.setCompressionType(CompressionType.NO_COMPRESSION);
      }
      default -> {
        table.setBlockSize(8 << 10);
        made.setCompressionType(CompressionType.LZ4_COMPRESSION);
      }
    }
    made.setTableFormatConfig(table);
    return made;
  }

  private static <T extends RocksObject> T own(List<RocksObject> owned, T object) {
    owned.add(object);
    return object;
  }

  /** Names a failure at the database in the terms of the error table. */
  static HoldfastException failure(String what, Throwable e) {
    String detail = what + ": " + e.getMessage();
    Status status = e instanceof RocksDBException of ? of.getStatus() : null;
    if (status == null) {
      return new HoldfastException(ErrorCode.INTERNAL, detail, e);
    }
    if (status.getSubCode() == Status.SubCode.NoSpace) {
      return new HoldfastException(ErrorCode.DISK_FULL, detail, e);
    }
    return switch (status.getCode()) {
      case Corruption -> new HoldfastException(ErrorCode.DAMAGED, detail, e);
      case Busy, TryAgain -> new HoldfastException(ErrorCode.BUSY, detail, e);
      default -> new HoldfastException(ErrorCode.INTERNAL, detail, e);
    };
  }

  @Override
  public void close() {
    handles.forEach(ColumnFamilyHandle::close);
    db.close();
    owned.reversed().forEach(RocksObject::close);
  }
}
