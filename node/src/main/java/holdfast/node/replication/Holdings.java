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
import java.util.function.BooleanSupplier;

/** Signs how much of a capsule this server holds. */
public final class Holdings {
  private final SigningKey identity;

  /** For a server. */
  public Holdings(SigningKey identity) {
    this.identity = identity;
  }

  /**
   * What this server holds of a capsule now. Reads every name of it.
   *
   * @param gone whether nobody waits for it any more; then it is broken off
   * @throws HoldfastException {@link ErrorCode#STOPPING} when it was broken off
   */
  public Holding sign(StoredCapsule capsule, Hash salt, BooleanSupplier gone) {
    // The version first: what is counted then belongs to it, or came later.
    Statement.Placement placement = capsule.placement();
    SetDigest digest = FullSet.digest(new StoredReplica(capsule, gone), salt);
    return Holding.sign(
        identity,
        capsule.name(),
        salt,
        System.currentTimeMillis(),
        placement == null ? 0 : placement.version(),
        digest.count(),
        digest.sum());
  }
}
