package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Body;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;

/**
 * Reads records of one capsule that mostly follow each other: each block is read once, of which as
 * much is decoded as is asked for, and the cache is neither asked nor filled, which is for what is
 * read again. An erasure that was published since the block was read is noticed.
 *
 * <p>Not safe for use by several threads.
 */
public final class Scan {
  private final Contents contents;
  private final RecordBlocks.Encoded block;
  private long index = -1;
  private long erasuresBefore;

  Scan(Contents contents) {
    this.contents = contents;
    this.block = contents.encoded();
  }

  private interface Part<T> {
    T of(RecordBlocks.Encoded block, int slot) throws ProofException;
  }

  /**
   * The name of a record that has arrived.
   *
   * @throws HoldfastException {@link ErrorCode#DAMAGED} when its header cannot be read
   */
  public Hash name(long arrival) {
    return read(arrival, RecordBlocks.Encoded::name);
  }

  /** The header of a record that has arrived; fails as {@link #name} does. */
  public RecordHeader header(long arrival) {
    return read(arrival, RecordBlocks.Encoded::header);
  }

  /** A record with its body, as far as it is not erased; fails as {@link #name} does. */
  public Record record(long arrival) {
    contents.refuseBody(arrival);
    RecordBlocks.Stored stored =
        read(
            arrival,
            (from, slot) -> {
              RecordHeader header = from.header(slot);
              return new RecordBlocks.Stored(header, from.body(slot, header));
            });
    Body body = stored.body();
    // A body that is not beside its header is large, or gone; the cache is no loss there.
    return body == null ? contents.record(arrival) : Contents.whole(stored.header(), body);
  }

  private <T> T read(long arrival, Part<T> part) {
    contents.refuseHeader(arrival);
    int slot = RecordBlocks.slot(arrival);
    try {
      load(arrival, slot);
      if (block.lost(slot)) {
        throw RecordBlocks.lost();
      }
      return part.of(block, slot);
    } catch (ProofException e) {
      index = -1;
      throw contents.met(arrival, RecordBlocks.damaged(arrival >>> RecordBlocks.SHIFT, e));
    } catch (HoldfastException e) {
      index = -1;
      throw contents.met(arrival, e);
    }
  }

  /** Has the block of a record at hand, as it is now. */
  private void load(long arrival, int slot) {
    long wanted = arrival >>> RecordBlocks.SHIFT;
    if (wanted == index && slot < block.count() && erasuresBefore == contents.erasures()) {
      return;
    }
    erasuresBefore = contents.erasures();
    index = -1;
    contents.read(block, arrival);
    index = wanted;
  }
}
