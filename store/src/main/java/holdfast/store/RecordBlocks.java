package holdfast.store;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Body;
import holdfast.capsule.RecordHeader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.rocksdb.RocksDBException;
import org.rocksdb.WriteBatch;

/**
 * Headers, and the bodies of small records beside them, in blocks of 16 consecutive arrivals: one
 * database entry serves 16 records, which is what makes small records cheap to write and to keep.
 *
 * <p>A block is: u8 number of records, then per record: u32 length and header ‖ u8 1 and u32 length
 * and body, or u8 0 where the body is kept in chunks or gone. The last block of a capsule is
 * written again as it fills.
 */
final class RecordBlocks {
  static final int SHIFT = 4;
  private static final int SIZE = 1 << SHIFT;
  private static final int INLINE_BYTES = 1024;

  /** A stored record: its header, and its body where that is kept beside it. */
  record Stored(RecordHeader header, @Nullable Body body) {}

  /** Blocks being filled by the group of batches that is staged now. */
  static final class Filling {
    private final Map<StoredCapsule, Block> blocks = new HashMap<>();
  }

  private static final class Block {
    final long index;
    final List<Stored> records;

    Block(long index, List<Stored> records) {
      this.index = index;
      this.records = records;
    }
  }

  private final Tables tables;

  RecordBlocks(Tables tables) {
    this.tables = tables;
  }

  /** Whether a body is small enough to be kept beside its header. */
  static boolean inline(RecordHeader header) {
    return header.sealedSize() + 4L * header.leafCount() <= INLINE_BYTES;
  }

  /** Adds a record to the block that is being filled. */
  void add(
      WriteBatch out,
      Filling filling,
      StoredCapsule capsule,
      long arrival,
      RecordHeader header,
      @Nullable Body body)
      throws RocksDBException {
    long index = arrival >>> SHIFT;
    Block block = filling.blocks.get(capsule);
    if (block == null || block.index != index) {
      if (block != null) {
        put(out, capsule, block);
      }
      int before = slot(arrival);
      List<Stored> records = new ArrayList<>(SIZE);
      if (before > 0) {
        records.addAll(read(capsule.number(), index).subList(0, before));
      }
      block = new Block(index, records);
      filling.blocks.put(capsule, block);
    }
    block.records.add(new Stored(header, body));
  }

  /** Writes the blocks that are not full. */
  void finish(WriteBatch out, Filling filling) throws RocksDBException {
    for (Map.Entry<StoredCapsule, Block> entry : filling.blocks.entrySet()) {
      put(out, entry.getKey(), entry.getValue());
    }
  }

  private void put(WriteBatch out, StoredCapsule capsule, Block block) throws RocksDBException {
    out.put(tables.headers, Keys.record(capsule.number(), block.index), encode(block.records));
  }

  /** The place of a record in its block. */
  static int slot(long arrival) {
    return (int) (arrival & (SIZE - 1));
  }

  /** Takes away, or replaces, the bodies of some records of a block. */
  void rewrite(WriteBatch out, int capsule, long index, Map<Integer, Optional<Body>> bodies)
      throws RocksDBException {
    List<Stored> records = new ArrayList<>(read(capsule, index));
    for (Map.Entry<Integer, Optional<Body>> entry : bodies.entrySet()) {
      Stored before = records.get(entry.getKey());
      records.set(entry.getKey(), new Stored(before.header(), entry.getValue().orElse(null)));
    }
    out.put(tables.headers, Keys.record(capsule, index), encode(records));
  }

  private static byte[] encode(List<Stored> records) {
    int size = 1;
    for (Stored stored : records) {
      Body body = stored.body();
      size += 5 + stored.header().size() + (body == null ? 0 : 4 + body.unsafeBytes().length);
    }
    Encoder out = new Encoder(size).u8(records.size());
    for (Stored stored : records) {
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
      bytes = tables.db.get(tables.headers, Keys.record(capsule, index));
    } catch (RocksDBException e) {
      throw Tables.failure("cannot read block " + index + " of records", e);
    }
    if (bytes == null) {
      throw new HoldfastException(ErrorCode.DAMAGED, "block " + index + " of records is not there");
    }
    try {
      Decoder in = new Decoder(bytes, "block of records");
      int count = in.u8();
      List<Stored> records = new ArrayList<>(count);
      for (int i = 0; i < count; i++) {
        RecordHeader header = RecordHeader.decode(in.bytes32(bytes.length));
        Body body = in.u8() == 0 ? null : Body.decode(in.bytes32(bytes.length), header.leafCount());
        records.add(new Stored(header, body));
      }
      in.end();
      return records;
    } catch (ProofException e) {
      throw new HoldfastException(
          ErrorCode.DAMAGED, "block " + index + " of records is damaged: " + e.getMessage(), e);
    }
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
