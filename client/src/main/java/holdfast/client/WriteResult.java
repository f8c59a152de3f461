package holdfast.client;

import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.capsule.Receipt;
import holdfast.capsule.Statement;
import java.util.List;

/** What became of a batch of writes. */
public sealed interface WriteResult {
  /** The records of the batch, in order. */
  List<Hash> names();

  /**
   * The server has acknowledged the batch, and the receipt was verified.
   *
   * @param receipt the receipt, which may cover other batches too
   * @param covered everything the receipt covers
   * @param from where this batch begins in it
   * @param to where this batch ends in it
   */
  record Stored(List<Hash> names, Receipt receipt, List<Receipt.Entry> covered, int from, int to)
      implements WriteResult {
    /** What the receipt says of each record and signature of this batch. */
    public List<Receipt.Entry> entries() {
      return covered.subList(from, to);
    }

    /** For each record and signature its own share of the receipt, to be kept or passed on. */
    public List<Receipt.Extract> extracts() {
      return Receipt.Extract.ofAll(receipt, covered).subList(from, to);
    }
  }

  /**
   * As many members of a placement as were asked for have acknowledged the batch, each with a
   * receipt of its own that was verified: REPLICATED. If an older placement held jointly with it,
   * as many of its members have too.
   *
   * @param placement the placement, whose version is part of what this says
   * @param needed how many were asked for
   * @param acknowledgements of distinct members, those that had come by then, {@code needed} or
   *     more
   */
  record Replicated(
      List<Hash> names, Statement.Placement placement, int needed, List<Stored> acknowledgements)
      implements WriteResult {}

  /** The server has refused the batch, or all have; nothing of it is stored. */
  record Refused(List<Hash> names, HoldfastException reason) implements WriteResult {}

  /**
   * No answer came, though it was sent again, or fewer servers acknowledged it than were asked for:
   * the batch may be stored or not. Asking for its names, or writing it once more, settles that.
   */
  record Unknown(List<Hash> names, HoldfastException reason) implements WriteResult {}
}
