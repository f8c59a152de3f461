package holdfast.capsule;

import holdfast.base.Bytes;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Statement.Placement;
import holdfast.crypto.Domain;
import holdfast.crypto.SigningKey;
import java.util.Collection;
import java.util.List;

/**
 * The owner's word that a move is over: placements of a lower version hold no more, and servers
 * that are in these alone are released. Without it every placement before the newest goes on
 * holding jointly with it (Raft, section 6: a change passes through both, and ends by a word of its
 * own), so that nobody who opens the capsule in the middle of a move relies on the new members
 * alone.
 *
 * @param version the lowest version that still holds, from 2
 */
public record Release(Hash capsule, long timeMillis, long version, Bytes signature)
    implements Statement {
  static final int KIND = 6;

  /** Checks the version. */
  public Release {
    if (version < 2) {
      throw new IllegalArgumentException(
          "a release names a version from 2, not " + version + ": none is lower than 1");
    }
  }

  /** Signs a release. */
  public static Release sign(Hash capsule, long timeMillis, long version, SigningKey owner) {
    Release draft = new Release(capsule, timeMillis, version, Bytes.EMPTY);
    return new Release(
        capsule,
        timeMillis,
        version,
        Bytes.wrap(owner.sign(Domain.SIGN_RELEASE, draft.unsigned())));
  }

  /** The lowest version that was not released: 1 when nothing was. */
  public static long lowest(Collection<? extends Statement> statements) {
    return statements.stream()
        .mapToLong(one -> one instanceof Release release ? release.version() : 1)
        .max()
        .orElse(1);
  }

  /**
   * The placements that hold jointly: the newest, and those before it that were not released.
   *
   * @return oldest first; empty when there is no placement
   */
  public static List<Placement> joint(Collection<? extends Statement> statements) {
    Placement newest = Placement.current(statements);
    long lowest = lowest(statements);
    return statements.stream()
        .filter(Placement.class::isInstance)
        .map(Placement.class::cast)
        .filter(one -> one.version() >= lowest || one.equals(newest))
        .distinct()
        .sorted(Placement.ORDER)
        .toList();
  }

  /**
   * Whether another placement has the version of the newest. No release ends one of them without
   * the other, and no server that states this version says by which of them it goes: the owner has
   * to place the capsule once more.
   */
  public static boolean tied(Collection<? extends Statement> statements) {
    List<Placement> joint = joint(statements);
    return joint.size() > 1 && joint.get(joint.size() - 2).version() == joint.getLast().version();
  }

  /**
   * Whether all placements that hold jointly are among these statements: none is missing between
   * the lowest version that was not released and the newest.
   */
  public static boolean complete(Collection<? extends Statement> statements) {
    List<Placement> joint = joint(statements);
    long lowest = lowest(statements);
    return !joint.isEmpty()
        && joint.getLast().version() >= lowest
        && joint.stream().mapToLong(Placement::version).distinct().count()
            == joint.getLast().version() - lowest + 1;
  }

  @Override
  public int kind() {
    return KIND;
  }

  @Override
  public void encodeFields(Encoder out) {
    out.u64(timeMillis).u64(version);
  }

  @Override
  public void verify(Metadata metadata) throws ProofException {
    metadata.owner().verify(Domain.SIGN_RELEASE, unsigned(), signature.unsafeArray());
  }
}
