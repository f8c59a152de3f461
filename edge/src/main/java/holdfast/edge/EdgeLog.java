package holdfast.edge;

import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import java.util.List;

/** Where flushes go, and come back from: the edge's capsule, or one that fails on purpose. */
interface EdgeLog {
  /** What became of an append. */
  sealed interface Appended {
    /** The record is synced. */
    record Synced(Hash record) implements Appended {}

    /**
     * The record is synced and empty: its time lies in a range that the owner has erased. Nothing
     * of it takes effect.
     */
    record Erased(Hash record) implements Appended {}

    /** The record is not stored, and never will be. */
    record Refused(HoldfastException reason) implements Appended {}

    /** Nobody knows; {@link EdgeLog#catchUp} will tell. */
    record Unknown(Exception reason) implements Appended {}
  }

  /** Appends one record and waits until it is synced. */
  Appended append(List<byte[]> leaves, long timeMillis);

  /** The arrival number after that of the record that was applied or appended last; 0 for none. */
  long arrival();

  /**
   * Applies what the view does not know yet, in the order in which the edge's writer links its
   * records.
   *
   * @return whether the view is up to date; if not it has to be begun anew with an empty one
   */
  boolean catchUp(View view) throws ProofException;
}
