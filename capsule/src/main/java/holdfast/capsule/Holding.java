package holdfast.capsule;

import holdfast.base.Bytes;
import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.Domain;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;

/**
 * A server's signed word on how much of a capsule it holds: the version of the placement that it
 * knows, and number and digest of its proven set with the owner's statements. Two servers that sign
 * the same number and digest over the same salt hold the same.
 *
 * <p>The digest is made under a salt that whoever asks has just drawn, so a server cannot have made
 * it before, nor take that of another one for its own later. It can ask another one meanwhile: a
 * holding shows what a server claims, and holds it to that claim; it does not show that the bytes
 * are on its disk.
 *
 * <p>Encoding: server key ‖ capsule ‖ 32-byte salt ‖ u64 time ‖ u64 version ‖ u64 count ‖ digest ‖
 * signature over tag ‖ all before it.
 *
 * @param salt drawn by whoever asks, the same for all servers that are to be compared
 * @param version of the placement that holds there; 0 for none
 * @param count names in the set
 * @param digest sum of the salted hashes of these names
 */
public record Holding(
    VerifyKey server,
    Hash capsule,
    Hash salt,
    long timeMillis,
    long version,
    long count,
    Hash digest,
    Bytes signature) {

  /** Signs what a server holds. */
  public static Holding sign(
      SigningKey server,
      Hash capsule,
      Hash salt,
      long timeMillis,
      long version,
      long count,
      Hash digest) {
    Holding draft =
        new Holding(
            server.verifyKey(), capsule, salt, timeMillis, version, count, digest, Bytes.EMPTY);
    return new Holding(
        draft.server,
        capsule,
        salt,
        timeMillis,
        version,
        count,
        digest,
        Bytes.wrap(server.sign(Domain.HOLDING, draft.unsigned())));
  }

  private byte[] unsigned() {
    Encoder out = new Encoder(192);
    server.encode(out);
    return out.hash(capsule)
        .hash(salt)
        .u64(timeMillis)
        .u64(version)
        .u64(count)
        .hash(digest)
        .toBytes();
  }

  /** The canonical encoding. */
  public byte[] encode() {
    return new Encoder(256).raw(unsigned()).raw(signature).toBytes();
  }

  /** Reads the encoding; checks nothing but the form. */
  public static Holding decode(byte[] bytes) throws ProofException {
    Decoder in = new Decoder(bytes, "word on what a server holds");
    Holding holding =
        new Holding(
            VerifyKey.decode(in),
            in.hash(),
            in.hash(),
            in.u64(),
            in.u64(),
            in.u64(),
            in.hash(),
            Bytes.wrap(in.raw(VerifyKey.SIGNATURE_SIZE)));
    in.end();
    return holding;
  }

  /** Checks that the expected server answers this very question. */
  public void verify(VerifyKey expectedServer, Hash expectedCapsule, Hash expectedSalt)
      throws ProofException {
    if (!server.equals(expectedServer)
        || !capsule.equals(expectedCapsule)
        || !salt.equals(expectedSalt)) {
      throw new ProofException(
          Violation.NOT_FRESH,
          "the word on what a server holds is by another server, or answers another question");
    }
    if (!server.verifies(Domain.HOLDING, unsigned(), signature.unsafeArray())) {
      throw new ProofException(
          Violation.NOT_FRESH,
          "the signature under the word on what a server holds does not verify");
    }
  }

  /** Whether both servers claim to hold the same. */
  public boolean agrees(Holding other) {
    return capsule.equals(other.capsule)
        && salt.equals(other.salt)
        && count == other.count
        && digest.equals(other.digest);
  }
}
