package holdfast.store;

import holdfast.capsule.OrderedMap;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.rocksdb.ColumnFamilyHandle;
import org.rocksdb.ReadOptions;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.rocksdb.Slice;
import org.rocksdb.WriteBatch;

/**
 * The part of the database in which one capsule's record graph lives. Reads see what is committed;
 * writes go into the write batch that the committer has lent for the moment.
 */
final class CapsuleTable implements OrderedMap {
  private static final byte NAMES = 'N';

  private final Tables tables;
  private final int capsule;
  private @Nullable WriteBatch batch;

  CapsuleTable(Tables tables, int capsule) {
    this.tables = tables;
    this.capsule = capsule;
  }

  void lend(@Nullable WriteBatch writeBatch) {
    batch = writeBatch;
  }

  private WriteBatch batch() {
    WriteBatch lent = batch;
    if (lent == null) {
      throw new AssertionError("a graph writes only while it is being committed");
    }
    return lent;
  }

  private ColumnFamilyHandle family(byte[] key) {
    return key[0] == NAMES ? tables.names : tables.graph;
  }

  private byte[] whole(byte[] key) {
    return Keys.within(capsule, key, key[0] == NAMES ? 1 : 0);
  }

  @Override
  public byte @Nullable [] get(byte[] key) {
    try {
      return tables.db.get(family(key), whole(key));
    } catch (RocksDBException e) {
      throw Tables.failure("cannot read the record graph", e);
    }
  }

  @Override
  public byte[] @Nullable [] getAll(byte[][] keys) {
    if (keys.length == 1) {
      return new byte[] @Nullable [] {get(keys[0])};
    }
    ColumnFamilyHandle family = family(keys[0]);
    byte[][] wholeKeys = new byte[keys.length][];
    for (int i = 0; i < keys.length; i++) {
      wholeKeys[i] = whole(keys[i]);
    }
    try {
      List<byte[]> values =
          tables.db.multiGetAsList(
              Collections.nCopies(keys.length, family), Arrays.asList(wholeKeys));
      return values.toArray(new byte[0] @Nullable []);
    } catch (RocksDBException e) {
      throw Tables.failure("cannot read the record graph", e);
    }
  }

  @Override
  public void put(byte[] key, byte[] value) {
    try {
      batch().put(family(key), whole(key), value);
    } catch (RocksDBException e) {
      throw Tables.failure("cannot stage a write", e);
    }
  }

  @Override
  public void remove(byte[] key) {
    try {
      batch().delete(family(key), whole(key));
    } catch (RocksDBException e) {
      throw Tables.failure("cannot stage a write", e);
    }
  }

  @Override
  public void scan(byte[] from, byte[] to, Visitor visitor) {
    try (Slice end = new Slice(whole(to));
        ReadOptions options = new ReadOptions().setIterateUpperBound(end);
        RocksIterator entries = tables.db.newIterator(family(from), options)) {
      for (entries.seek(whole(from)); entries.isValid(); entries.next()) {
        byte[] key = entries.key();
        if (!visitor.visit(Arrays.copyOfRange(key, 4, key.length), entries.value())) {
          return;
        }
      }
      entries.status();
    } catch (RocksDBException e) {
      throw Tables.failure("cannot read the record graph", e);
    }
  }
}
