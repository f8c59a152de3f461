package holdfast.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Options;
import org.rocksdb.RocksDB;
import org.rocksdb.RocksDBException;
import org.rocksdb.WriteBatch;
import org.rocksdb.WriteOptions;

/** RocksDB, embedded, one thread, on the same trace: the peer. */
final class RocksPeer {
  private static final int VALUE_SIZE = 16;

  private RocksPeer() {}

  /** How the peer is used. */
  enum Mode {
    /** Every operation by itself, log not synced. */
    POINT,
    /** Writes of a batch in one write, reads of a batch in one multi-get, log not synced. */
    BATCHED,
    /** Like {@link #BATCHED}, log synced with every batch. */
    BATCHED_SYNCED
  }

  /** Operations per second. */
  static double run(Trace trace, Mode mode, int batch) throws IOException, RocksDBException {
    RocksDB.loadLibrary();
    Path folder = Files.createTempDirectory("holdfast-peer");
    try (BloomFilter bloom = new BloomFilter(10, false);
        Options options =
            new Options()
                .setCreateIfMissing(true)
                .setTableFormatConfig(new BlockBasedTableConfig().setFilterPolicy(bloom));
        RocksDB db = RocksDB.open(options, folder.toString());
        WriteOptions write = new WriteOptions().setSync(mode == Mode.BATCHED_SYNCED)) {
      SplittableRandom random = new SplittableRandom(1);
      for (int i = 0; i < trace.load; i++) {
        db.put(trace.names.get(i), value(random));
      }
      long begin = System.nanoTime();
      if (mode == Mode.POINT) {
        for (int i = 0; i < trace.operations(); i++) {
          if (trace.writes[i]) {
            db.put(trace.names.get(trace.keys[i]), value(random));
          } else {
            require(db.get(trace.names.get(trace.keys[i])));
          }
        }
      } else {
        batched(trace, batch, db, write, random);
      }
      return trace.operations() / ((System.nanoTime() - begin) / 1e9);
    } finally {
      Bed.delete(folder);
    }
  }

  private static void batched(
      Trace trace, int batch, RocksDB db, WriteOptions options, SplittableRandom random)
      throws RocksDBException {
    for (int from = 0; from < trace.operations(); from += batch) {
      List<byte[]> reads = new ArrayList<>();
      try (WriteBatch writes = new WriteBatch()) {
        for (int i = from; i < Math.min(trace.operations(), from + batch); i++) {
          byte[] key = trace.names.get(trace.keys[i]);
          if (trace.writes[i]) {
            writes.put(key, value(random));
          } else {
            reads.add(key);
          }
        }
        if (writes.count() > 0) {
          db.write(options, writes);
        }
      }
      if (!reads.isEmpty()) {
        db.multiGetAsList(reads).forEach(RocksPeer::require);
      }
    }
  }

  private static void require(byte[] value) {
    if (value == null || value.length != VALUE_SIZE) {
      throw new AssertionError("the peer lost a value");
    }
  }

  static byte[] value(SplittableRandom random) {
    byte[] value = new byte[VALUE_SIZE];
    random.nextBytes(value);
    return value;
  }
}
