package holdfast.sim;

/**
 * Mistakes that implementations of anti-entropy are known for, made on purpose: a simulator that
 * does not find them would not find others. None is made unless asked for. They are made in what a
 * round is given ({@link BentReplica}) and in what is done for it ({@link Server}), so that the
 * round itself has no switch for being wrong.
 */
public enum Bug {
  /** No mistake. */
  NONE,
  /** Lu's algorithm over heads and roots alone: a hole beside a skip pointer shows in neither. */
  HOLES_BELOW_ROOTS_ONLY,
  /** Pointers at absent records count as physical, so that no hole is ever told. */
  ABSENT_COUNTS_AS_PRESENT,
  /** A record that is head and root at once is taken for a root only. */
  ISOLATED_IS_NO_HEAD,
  /** Whatever is present counts as proven: as head, and as what is sent. */
  UNPROVEN_COUNTS,
  /** The walk ends at a record that is already queued, not at one that the peer has. */
  QUEUED_MEANS_HAD,
  /** Of a side branch that the peer lacks only the head is sent. */
  HEAD_ALONE_IS_SENT,
  /** A side that lacks something itself offers nothing. */
  LACKING_OFFERS_NOTHING,
  /** A round is given up when the first repair has not made the sets equal. */
  ONE_REPAIR_ONLY,
  /** What is written down of a round is written when it begins, not when the peer has confirmed. */
  MARKER_BEFORE_CONFIRMATION,
  /** What came in during a round by other ways is taken for known to the peer. */
  MARKER_TAKES_IN_MEANWHILE,
  /** A round with one peer moves what is written down about the others. */
  MARKERS_SHARED,
  /** Every round has the same salt, so that a filter lets the same names through for ever. */
  SALT_FIXED,
  /** Bodies that the owner had erased are still served to peers. */
  ERASED_IS_SENT,
  /** Signatures do not enter what is compared. */
  SIGNATURES_NOT_COMPARED,
  /** Only what is new since the last round is ever compared: rot of old records stays. */
  NEVER_IN_FULL,
  /** Writes are acknowledged before they are on the disk. */
  ACKNOWLEDGED_BEFORE_SYNC
}
