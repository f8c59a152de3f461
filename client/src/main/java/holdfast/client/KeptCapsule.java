package holdfast.client;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Metadata;
import holdfast.capsule.Statement;
import holdfast.wire.CapsuleStatus;
import org.jspecify.annotations.Nullable;

/**
 * A capsule that a server keeps by a placement. Metadata, placement and succession are verified;
 * the status is the server's word.
 *
 * @param succession the owner's, if the capsule is closed
 */
public record KeptCapsule(
    Metadata metadata,
    Statement.@Nullable Placement placement,
    Statement.@Nullable Succession succession,
    CapsuleStatus status) {

  /** The capsule's name. */
  public Hash name() {
    return metadata.name();
  }

  static KeptCapsule verify(holdfast.wire.KeptCapsule wire) throws ProofException {
    Metadata metadata = Metadata.decode(wire.getMetadata().toByteArray());
    Statement placement = statement(metadata, wire.getPlacement().toByteArray());
    Statement succession = statement(metadata, wire.getSuccession().toByteArray());
    if ((placement != null && !(placement instanceof Statement.Placement))
        || (succession != null && !(succession instanceof Statement.Succession))) {
      throw new ProofException(
          Violation.MALFORMED,
          "the server shows another statement of capsule "
              + metadata.name().brief()
              + " than asked for");
    }
    return new KeptCapsule(
        metadata,
        (Statement.Placement) placement,
        (Statement.Succession) succession,
        wire.getStatus());
  }

  private static @Nullable Statement statement(Metadata metadata, byte[] encoded)
      throws ProofException {
    if (encoded.length == 0) {
      return null;
    }
    Statement statement = Statement.decode(encoded);
    if (!statement.capsule().equals(metadata.name())) {
      throw new ProofException(
          Violation.WRONG_CAPSULE,
          "a statement of capsule "
              + statement.capsule().brief()
              + " is shown for "
              + metadata.name().brief());
    }
    statement.verify(metadata);
    return statement;
  }
}
