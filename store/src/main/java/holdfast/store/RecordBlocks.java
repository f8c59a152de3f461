package holdfast.store;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Body;
import holdfast.capsule.RecordHeader;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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

  /** The blocks that the group of batches being staged adds to or changes. */
  static final class Filling {
    private final Map<Place, List<Stored>> blocks = new LinkedHashMap<>();
    private @Nullable Place lastPlace;
    private List<Stored> last = List.of();

    private record Place(int capsule, long index) {}
  }

  private final Tables tables;

  RecordBlocks(Tables tables) {
    this.tables = tables;
  }

  /** Whether a body is small enough to be kept beside its header. */
  static boolean inline(RecordHeader header) {
    return header.sealedSize() + 4L * header.leafCount() <= INLINE_BYTES;
  }

  /** Adds a record behind those of its block. */
  void add(Filling filling, int capsule, long arrival, RecordHeader header, @Nullable Body body) {
    List<Stored> block = block(filling, capsule, arrival, slot(arrival));
    block.add(new Stored(header, body));
  }

  /** Takes away, or replaces, the body of a record kept beside its header. */
  void replaceBody(Filling filling, int capsule, long arrival, @Nullable Body body) {
    List<Stored> block = block(filling, capsule, arrival, Integer.MAX_VALUE);
    int at = slot(arrival);
    block.set(at, new Stored(block.get(at).header(), body));
  }

  /** The block of an arrival with at most {@code limit} of the records it has on disk. */
  private List<Stored> block(Filling filling, int capsule, long arrival, int limit) {
    Filling.Place place = new Filling.Place(capsule, arrival >>> SHIFT);
    if (!place.equals(filling.lastPlace)) {
      List<Stored> block = filling.blocks.get(place);
      if (block == null) {
        block = new ArrayList<>(SIZE);
        if (limit > 0) {
          List<Stored> stored = read(capsule, place.index());
          // A write that failed may have left records behind those that count.
          block.addAll(stored.subList(0, Math.min(limit, stored.size())));
        }
        filling.blocks.put(place, block);
      }
      filling.lastPlace = place;
      filling.last = block;
    }
    return filling.last;
  }

  /** Writes the blocks. */
  void finish(WriteBatch out, Filling filling) throws RocksDBException {
    for (Map.Entry<Filling.Place, List<Stored>> entry : filling.blocks.entrySet()) {
      Filling.Place place = entry.getKey();
      out.put(
          tables.headers, Keys.record(place.capsule(), place.index()), encode(entry.getValue()));
    }
  }

  /** The place of a record in its block. */
  private static int slot(long arrival) {
    return (int) (arrival & (SIZE - 1));
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
