package holdfast.sync;

import holdfast.base.Hash;
import holdfast.capsule.Statement;

/**
 * Everything that two replicas are to have in common: the records and signatures of the proven set,
 * in a closed capsule those that lie below the final heads, and the owner's statements. What is
 * damaged is not in it.
 */
public final class FullSet {
  private static final long SLICE = 1 << 16;

  private FullSet() {}

  /** The digest of what a replica holds when this is called; reads every name once. */
  public static SetDigest digest(Replica replica, Hash salt) {
    SetDigest owners = new SetDigest(salt);
    for (Statement statement : replica.ownerStatements()) {
      owners.add(statement.name());
    }
    RoundSet set = new RoundSet(salt);
    long end = replica.entries();
    for (long from = 0; from < end; from += SLICE) {
      for (Entry entry : replica.entries(from, Math.min(end, from + SLICE))) {
        if (replica.exchanged(entry.arrival())) {
          set.add(entry.arrival(), entry.record(), entry.signer());
        }
      }
    }
    return owners.plus(set.digest());
  }
}
