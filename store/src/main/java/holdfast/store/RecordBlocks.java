package holdfast.store;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Body;
import holdfast.capsule.RecordHeader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.rocksdb.ReadOptions;
import org.rocksdb.RocksDB;
import org.rocksdb.RocksDBException;
import org.rocksdb.WriteBatch;

/**
 * Headers, and the bodies of small records beside them, in blocks of 16 consecutive arrivals: one
 * database entry serves 16 records, which is what makes small records cheap to write and to keep.
 *
 * <p>A block is: u8 number of records, then per record: u32 length and header ‖ u8 1 and u32 length
 * and body, or u8 0 where the body is kept in chunks or gone. A header of no bytes stands for a
 * record that was lost when the block rotted. The last block of a capsule is written again as it
 * fills.
 */
final class RecordBlocks {
  static final int SHIFT = 4;
  static final int SIZE = 1 << SHIFT;
  private static final int INLINE_BYTES = 1024;
  private static final String WHAT = "block of records";

  /**
   * A stored record: its header, and its body where that is kept beside it.
   *
   * @param known the header; null where it rotted with its block and only its neighbours came back
   */
  record Stored(@Nullable RecordHeader known, @Nullable Body body) {
    /** A place in a block whose record is lost until it is repaired. */
    static final Stored LOST = new Stored(null, null);

    RecordHeader header() {
      if (known == null) {
        throw lost();
      }
      return known;
    }
  }

  static HoldfastException lost() {
    return new HoldfastException(
        ErrorCode.DAMAGED, "a record's header is lost, until it is repaired from a copy");
  }

  /** Blocks that the group of batches staged now fills or rewrites. */
  static final class Filling {
    private final Map<StoredCapsule, SortedMap<Long, List<Stored>>> blocks = new HashMap<>();

    /** The block that was added to last, to which the next record mostly belongs too. */
    private @Nullable List<Stored> last;

    private @Nullable StoredCapsule lastCapsule;
    private long lastIndex;

    private SortedMap<Long, List<Stored>> of(StoredCapsule capsule) {
      return blocks.computeIfAbsent(capsule, none -> new TreeMap<>());
    }
  }

  private final Tables tables;
  private final ReadOptions reads;

  RecordBlocks(Tables tables) {
    this(tables, tables.reads);
  }

  RecordBlocks(Tables tables, ReadOptions reads) {
    this.tables = tables;
    this.reads = reads;
  }

  /** Whether a body is small enough to be kept beside its header. */
  static boolean inline(RecordHeader header) {
    return header.sealedSize() + 4L * header.leafCount() <= INLINE_BYTES;
  }

  /** Adds a record to its block. */
  void add(
      Filling filling,
      StoredCapsule capsule,
      long arrival,
      RecordHeader header,
      @Nullable Body body) {
    long index = arrival >>> SHIFT;
    List<Stored> last = filling.last;
    if (slot(arrival) != 0
        && last != null
        && filling.lastIndex == index
        && capsule.equals(filling.lastCapsule)) {
      last.add(new Stored(header, body));
      return;
    }
    SortedMap<Long, List<Stored>> blocks = filling.of(capsule);
    List<Stored> block = blocks.get(index);
    if (block == null) {
      int before = slot(arrival);
      block = new ArrayList<>(SIZE);
      if (before > 0) {
        block.addAll(read(capsule.number(), index).subList(0, before));
      }
      blocks.put(index, block);
    }
    block.add(new Stored(header, body));
    filling.last = block;
    filling.lastIndex = index;
    filling.lastCapsule = capsule;
  }

  /** Takes away, or replaces, the body of a record. */
  void rewrite(Filling filling, StoredCapsule capsule, long arrival, @Nullable Body body) {
    List<Stored> block =
        filling
            .of(capsule)
            .computeIfAbsent(
                arrival >>> SHIFT, index -> new ArrayList<>(read(capsule.number(), index)));
    Stored before = block.get(slot(arrival));
    block.set(slot(arrival), new Stored(before.header(), body));
  }

  /** Writes all blocks of the group. */
  void finish(WriteBatch out, Filling filling) throws RocksDBException {
    for (Map.Entry<StoredCapsule, SortedMap<Long, List<Stored>>> entry :
        filling.blocks.entrySet()) {
      for (Map.Entry<Long, List<Stored>> block : entry.getValue().entrySet()) {
        out.put(
            tables.headers,
            Keys.record(entry.getKey().number(), block.getKey()),
            encode(block.getValue()));
      }
    }
  }

  /** The key of the block of a record, given the key of a chunk of its body. */
  static byte[] keyAt(byte[] chunkKey) {
    ByteBuffer key = ByteBuffer.wrap(chunkKey);
    return Keys.record(key.getInt(), key.getLong() >>> SHIFT);
  }

  /** The place of a record in its block. */
  static int slot(long arrival) {
    return (int) (arrival & (SIZE - 1));
  }

  static byte[] encode(List<Stored> records) {
    int size = 1;
    for (Stored stored : records) {
      if (stored.known() == null) {
        size += 5;
        continue;
      }
      Body body = stored.body();
      size += 5 + stored.header().size() + (body == null ? 0 : 4 + body.unsafeBytes().length);
    }
    Encoder out = new Encoder(size).u8(records.size());
    for (Stored stored : records) {
      if (stored.known() == null) {
        out.u32(0).u8(0);
        continue;
      }
      out.bytes32(stored.header().unsafeBytes());
      Body body = stored.body();
      if (body == null) {
        out.u8(0);
      } else {
        out.u8(1).bytes32(body.unsafeBytes());
      }
    }
    return out.toBytes();
  }

  /** The records of a block. */
  List<Stored> read(int capsule, long index) {
    byte[] bytes;
    try {
      bytes = tables.db.get(tables.headers, reads, Keys.record(capsule, index));
    } catch (RocksDBException e) {
      throw unreadable(index, e);
    }
    if (bytes == null) {
      throw absent(index);
    }
    try {
      Decoder in = new Decoder(bytes, WHAT);
      int count = in.u8();
      List<Stored> records = new ArrayList<>(count);
      for (int i = 0; i < count; i++) {
        byte[] encoded = in.bytes32(bytes.length);
        if (encoded.length == 0 && in.u8() == 0) {
          records.add(Stored.LOST);
          continue;
        }
        RecordHeader header = RecordHeader.decode(encoded);
        Body body = in.u8() == 0 ? null : Body.decode(in.bytes32(bytes.length), header.leafCount());
        records.add(new Stored(header, body));
      }
      in.end();
      return records;
    } catch (ProofException e) {
      throw damaged(index, e);
    }
  }

  /**
   * A block in its stored form, of which a record is decoded when it is asked for: whoever wants
   * only names pays for hashing them in place. Holds one block at a time, in memory that serves the
   * next one too.
   */
  final class Encoded {
    private byte[] bytes = new byte[8 << 10];
    private int count;
    private int[] headers = new int[SIZE + 1];
    private int[] headerEnds = new int[SIZE + 1];

    /** Reads a block and looks where its records stand; fails as {@link RecordBlocks#read} does. */
    void read(int capsule, long index) {
      count = 0;
      int size = fetch(Keys.record(capsule, index), index);
      try {
        locate(size);
      } catch (ProofException e) {
        count = 0;
        throw damaged(index, e);
      }
    }

    private int fetch(byte[] key, long index) {
      try {
        int size = tables.db.get(tables.headers, reads, key, bytes);
        while (size > bytes.length) {
          bytes = new byte[Math.max(size, 2 * bytes.length)];
          size = tables.db.get(tables.headers, reads, key, bytes);
        }
        if (size == RocksDB.NOT_FOUND) {
          throw absent(index);
        }
        return size;
      } catch (RocksDBException e) {
        throw unreadable(index, e);
      }
    }

    private void locate(int size) throws ProofException {
      Decoder in = new Decoder(bytes, 0, size, WHAT);
      int records = in.u8();
      if (records >= headers.length) {
        headers = new int[records + 1];
        headerEnds = new int[records + 1];
      }
      for (int i = 0; i < records; i++) {
        int length = in.u32(size);
        headers[i] = in.skip(length);
        headerEnds[i] = in.position();
        if (in.u8() != 0) {
          in.skip(in.u32(size));
        }
      }
      headers[records] = in.position();
      in.end();
      count = records;
    }

    /** Number of records that the block holds. */
    int count() {
      return count;
    }

    /** Whether a record of the block is lost until it is repaired. */
    boolean lost(int slot) {
      return headers[slot] == headerEnds[slot] && bytes[headerEnds[slot]] == 0;
    }

    /** The name of a record, of which nothing else is taken out. */
    Hash name(int slot) throws ProofException {
      return RecordHeader.nameOf(bytes, headers[slot], headerEnds[slot] - headers[slot]);
    }

    /** The header of a record. */
    RecordHeader header(int slot) throws ProofException {
      return RecordHeader.decode(Arrays.copyOfRange(bytes, headers[slot], headerEnds[slot]));
    }

    /** The body of a record; null where it is kept in chunks, or gone. */
    @Nullable Body body(int slot, RecordHeader header) throws ProofException {
      int at = headerEnds[slot];
      if (bytes[at] == 0) {
        return null;
      }
      // After the flag and the length; the length of the next header follows.
      int end = slot + 1 == count ? headers[count] : headers[slot + 1] - 4;
      return Body.decode(Arrays.copyOfRange(bytes, at + 5, end), header.leafCount());
    }
  }

  private static HoldfastException unreadable(long index, RocksDBException e) {
    return Tables.failure("cannot read block " + index + " of records", e);
  }

  private static HoldfastException absent(long index) {
    return new HoldfastException(ErrorCode.DAMAGED, "block " + index + " of records is not there");
  }

  static HoldfastException damaged(long index, ProofException e) {
    return new HoldfastException(
        ErrorCode.DAMAGED, "block " + index + " of records is damaged: " + e.getMessage(), e);
  }

  /** One record; {@link ErrorCode#DAMAGED} when its block does not hold it. */
  Stored readOne(int capsule, long arrival) {
    List<Stored> records = read(capsule, arrival >>> SHIFT);
    int at = slot(arrival);
    if (at >= records.size()) {
      throw new HoldfastException(
          ErrorCode.DAMAGED, "record number " + arrival + " is not in its block");
    }
    return records.get(at);
  }
}
