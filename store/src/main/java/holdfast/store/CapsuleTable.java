package holdfast.store;

import holdfast.capsule.OrderedMap;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.rocksdb.ByteBufferGetStatus;
import org.rocksdb.ColumnFamilyHandle;
import org.rocksdb.ReadOptions;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.rocksdb.Slice;
import org.rocksdb.Status;
import org.rocksdb.WriteBatch;

/**
 * The part of the database in which one capsule's record graph lives. Reads see what is committed;
 * writes go into the write batch that the committer has lent for the moment.
 */
final class CapsuleTable implements OrderedMap {
  private static final byte NAMES = 'N';

  /** Bytes of room for a value when many are read; longer ones are read singly. */
  private static final int VALUE = 8;

  private static final ThreadLocal<ByteBuffer> ROOM =
      ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect(1 << 14));

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
    // Not multiGetAsList: that gives null for what cannot be read as for what is not there.
    ByteBuffer room = room(keys);
    List<ByteBuffer> wholeKeys = new ArrayList<>(keys.length);
    List<ByteBuffer> values = new ArrayList<>(keys.length);
    for (byte[] key : keys) {
      byte[] whole = whole(key);
      int at = room.position();
      room.put(whole);
      wholeKeys.add(room.slice(at, whole.length));
      values.add(room.slice(room.position(), VALUE));
      room.position(room.position() + VALUE);
    }
    byte[] @Nullable [] found = new byte[keys.length] @Nullable [];
    try {
      List<ByteBufferGetStatus> statuses =
          tables.db.multiGetByteBuffers(List.of(family(keys[0])), wholeKeys, values);
      for (int i = 0; i < keys.length; i++) {
        ByteBufferGetStatus one = statuses.get(i);
        if (one.status.getCode() == Status.Code.Ok && one.requiredSize <= VALUE) {
          byte[] value = new byte[one.requiredSize];
          one.value.get(value);
          found[i] = value;
        } else if (one.status.getCode() != Status.Code.NotFound) {
          found[i] = get(keys[i]);
        }
      }
    } catch (RocksDBException e) {
      throw Tables.failure("cannot read the record graph", e);
    }
    return found;
  }

  /** Memory outside the heap for keys and values, one piece per thread, used again and again. */
  private static ByteBuffer room(byte[][] keys) {
    int size = keys.length * VALUE;
    for (byte[] key : keys) {
      size += key.length + 4;
    }
    ByteBuffer mine = ROOM.get();
    if (mine.capacity() < size) {
      mine = ByteBuffer.allocateDirect(Math.max(size, 2 * mine.capacity()));
      ROOM.set(mine);
    }
    return mine.clear();
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
    if (from[0] == NAMES) {
      throw new AssertionError("names are looked up, not scanned");
    }
    // The end may be the first key of the names table; here it only bounds the graph's.
    try (Slice end = new Slice(Keys.within(capsule, to, 0));
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
