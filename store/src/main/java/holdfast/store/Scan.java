package holdfast.store;

import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.capsule.Body;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import java.util.List;

/**
 * Reads records of one capsule that mostly follow each other: each block is read and decoded once,
 * and the cache is neither asked nor filled, which is for what is read again. An erasure that was
 * published since the block was read is noticed.
 *
 * <p>Not safe for use by several threads.
 */
public final class Scan {
  private final Contents contents;
  private long index = -1;
  private long erasuresBefore;
  private List<RecordBlocks.Stored> block = List.of();

  Scan(Contents contents) {
    this.contents = contents;
  }

  /**
   * The name of a record that has arrived.
   *
   * @throws HoldfastException {@link holdfast.base.ErrorCode#DAMAGED} when its header cannot be
   *     read
   */
  public Hash name(long arrival) {
    return stored(arrival).header().name();
  }

  /** A record with its body, as far as it is not erased; fails as {@link #name} does. */
  public Record record(long arrival) {
    contents.refuseBody(arrival);
    RecordBlocks.Stored stored = stored(arrival);
    RecordHeader header = stored.header();
    Body body = stored.body();
    // A body that is not beside its header is large, or gone; the cache is no loss there.
    return body == null ? contents.record(arrival) : Contents.whole(header, body);
  }

  private RecordBlocks.Stored stored(long arrival) {
    contents.refuseHeader(arrival);
    long wanted = arrival >>> RecordBlocks.SHIFT;
    int slot = RecordBlocks.slot(arrival);
    boolean held = wanted == index && slot < block.size() && block.get(slot).known() != null;
    if (!held || erasuresBefore != contents.erasures()) {
      erasuresBefore = contents.erasures();
      try {
        block = contents.block(arrival);
        index = wanted;
      } catch (HoldfastException e) {
        index = -1;
        throw contents.met(arrival, e);
      }
    }
    RecordBlocks.Stored stored = block.get(slot);
    if (stored.known() == null) {
      throw contents.met(arrival, RecordBlocks.lost());
    }
    return stored;
  }
}
