package holdfast.node.replication;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.capsule.Holding;
import holdfast.capsule.Statement;
import holdfast.crypto.SigningKey;
import holdfast.store.StoredCapsule;
import holdfast.sync.FullSet;
import holdfast.sync.SetDigest;
import java.util.concurrent.Semaphore;

/** Signs how much of a capsule this server holds. Anybody may ask, so few at once are answered. */
public final class Holdings {
  private static final int AT_ONCE = 2;
  private static final int RETRY_MILLIS = 200;

  private final SigningKey identity;
  private final Semaphore free = new Semaphore(AT_ONCE);

  /** For a server. */
  public Holdings(SigningKey identity) {
    this.identity = identity;
  }

  /**
   * What this server holds of a capsule now.
   *
   * @throws HoldfastException {@link ErrorCode#BUSY} when others are asking
   */
  public Holding sign(StoredCapsule capsule, Hash salt) {
    if (!free.tryAcquire()) {
      throw new HoldfastException(
          ErrorCode.BUSY, "the server is counting what it holds for others", RETRY_MILLIS);
    }
    try {
      // The version first: what is counted then belongs to it, or came later.
      Statement.Placement placement = capsule.placement();
      SetDigest digest = FullSet.digest(new StoredReplica(capsule), salt);
      return Holding.sign(
          identity,
          capsule.name(),
          salt,
          System.currentTimeMillis(),
          placement == null ? 0 : placement.version(),
          digest.count(),
          digest.sum());
    } finally {
      free.release();
    }
  }
}
