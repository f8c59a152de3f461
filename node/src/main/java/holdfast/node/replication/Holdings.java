package holdfast.node.replication;

import holdfast.base.Hash;
import holdfast.capsule.Holding;
import holdfast.capsule.Statement;
import holdfast.crypto.SigningKey;
import holdfast.store.StoredCapsule;
import holdfast.sync.FullSet;
import holdfast.sync.SetDigest;

/** Signs how much of a capsule this server holds. */
public final class Holdings {
  private final SigningKey identity;

  /** For a server. */
  public Holdings(SigningKey identity) {
    this.identity = identity;
  }

  /** What this server holds of a capsule now. Reads every name of it. */
  public Holding sign(StoredCapsule capsule, Hash salt) {
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
  }
}
