package holdfast.client;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.capsule.Voucher;
import java.util.List;

/** What a reader gets for the name of a record. */
public sealed interface ReadResult {
  /** The name asked for. */
  Hash name();

  /**
   * The record is here, is the one that was named, and is proven.
   *
   * @param record header and sealed body
   * @param voucher who stands behind it
   */
  record Proven(Hash name, Record record, Voucher voucher) implements ReadResult {}

  /** The record was proven before; its header and body were not asked for. */
  record Cached(Hash name, Voucher voucher) implements ReadResult {}

  /** The record is here and is the one that was named; no signature leads to it yet. */
  record Unproven(Hash name, Record record) implements ReadResult {}

  /** The server says that it does not have the record. */
  record Absent(Hash name) implements ReadResult {}

  /**
   * The record is proven; the owner had the body, or leaves of it, erased.
   *
   * @param record header, and what is left of the body
   * @param voucher who stands behind it
   * @param erasures the owner's statements, verified
   */
  record Erased(Hash name, Record record, Voucher voucher, List<Statement.Erasure> erasures)
      implements ReadResult {}

  /** The server says that its copy is damaged. */
  record Damaged(Hash name) implements ReadResult {}

  /**
   * The capsule is closed, and the server says that the record is not among what its final heads
   * include.
   */
  record Outside(Hash name) implements ReadResult {}

  /** A leaf wanted: record name and index. */
  record LeafName(Hash record, int leaf) {}

  /** What a reader gets for a leaf. */
  sealed interface LeafResult {
    /** The leaf asked for. */
    LeafName name();

    /** A leaf that is here and proven. */
    record Proven(LeafName name, RecordHeader header, Bytes sealed, Voucher voucher)
        implements LeafResult {}

    /** A leaf that cannot be had, and why. */
    record Missing(LeafName name, Why why) implements LeafResult {}

    /** Why a leaf cannot be had. */
    enum Why {
      /** The server does not have the record, or the record has no such leaf. */
      ABSENT,
      /** The record is not proven yet. */
      UNPROVEN,
      /** The server's copy is damaged. */
      DAMAGED,
      /** The owner had it erased. */
      ERASED,
      /** The capsule is closed, and the record is not among what its final heads include. */
      OUTSIDE
    }
  }
}
