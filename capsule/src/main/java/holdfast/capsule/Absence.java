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
 * A server's signed word that it does not have a record. What it leaves out of an answer, or of its
 * heads, it may have; this it can be held to.
 *
 * <p>Encoding: server key ‖ capsule ‖ 32-byte nonce of the reader ‖ u64 time ‖ record name ‖
 * signature over tag ‖ all before it.
 */
public record Absence(
    VerifyKey server, Hash capsule, Hash nonce, long timeMillis, Hash record, Bytes signature) {

  /** Signs that a record is not here. */
  public static Absence sign(
      SigningKey server, Hash capsule, Hash nonce, long timeMillis, Hash record) {
    Absence draft =
        new Absence(server.verifyKey(), capsule, nonce, timeMillis, record, Bytes.EMPTY);
    return new Absence(
        draft.server,
        capsule,
        nonce,
        timeMillis,
        record,
        Bytes.wrap(server.sign(Domain.ABSENCE, draft.unsigned())));
  }

  private byte[] unsigned() {
    Encoder out = new Encoder(192);
    server.encode(out);
    return out.hash(capsule).hash(nonce).u64(timeMillis).hash(record).toBytes();
  }

  /** The canonical encoding. */
  public byte[] encode() {
    return new Encoder(256).raw(unsigned()).raw(signature).toBytes();
  }

  /** Reads the encoding; checks nothing but the form. */
  public static Absence decode(byte[] bytes) throws ProofException {
    Decoder in = new Decoder(bytes, "answer about an absent record");
    Absence absence = read(in);
    in.end();
    return absence;
  }

  static Absence read(Decoder in) throws ProofException {
    return new Absence(
        VerifyKey.decode(in),
        in.hash(),
        in.hash(),
        in.u64(),
        in.hash(),
        Bytes.wrap(in.raw(VerifyKey.SIGNATURE_SIZE)));
  }

  /** Checks that the expected server answers this very question. */
  public void verify(
      VerifyKey expectedServer, Hash expectedCapsule, Hash expectedNonce, Hash expectedRecord)
      throws ProofException {
    if (!server.equals(expectedServer)
        || !capsule.equals(expectedCapsule)
        || !nonce.equals(expectedNonce)
        || !record.equals(expectedRecord)) {
      throw new ProofException(
          Violation.NOT_FRESH,
          "the answer about an absent record is by another server, or to another question");
    }
    if (!server.verifies(Domain.ABSENCE, unsigned(), signature.unsafeArray())) {
      throw new ProofException(
          Violation.NOT_FRESH,
          "the signature under the answer about an absent record does not verify");
    }
  }
}
