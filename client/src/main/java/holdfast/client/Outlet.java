package holdfast.client;

import holdfast.base.ProofException;

/** Where a writer's batches go: to one server, or to all that a placement names. */
sealed interface Outlet permits Delivery, ReplicatedDelivery {
  /** Sends a batch, without waiting for its fate. */
  void send(Batch batch) throws ProofException;

  /** Batches sent whose fate {@link #settle} has not told. */
  int underWay();

  /** Waits for the fate of the oldest batch under way, of which there must be one. */
  WriteResult settle() throws ProofException;

  /** Ends what is open; what is under way has no known fate then. */
  void close();

  /** Whether the capsule moves, so that what is sent has to be signed. */
  default boolean moving() {
    return false;
  }
}
