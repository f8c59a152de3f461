package holdfast.capsule;

import holdfast.base.Bytes;
import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.Domain;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import java.util.ArrayList;
import java.util.List;

/**
 * A server's signed answer to the question what is newest. Made from synced state only, so that an
 * honest server never contradicts it after a crash.
 *
 * <p>Encoding: server key ‖ capsule ‖ 32-byte nonce of the reader ‖ u64 time ‖ u64 number of
 * records ‖ u16 count and proven heads ‖ u16 count and unproven tips ‖ signature over tag ‖ all
 * before it.
 *
 * @param heads heads of the proven set
 * @param tips records that nothing points at and nothing proves yet
 */
public record Freshness(
    VerifyKey server,
    Hash capsule,
    Hash nonce,
    long timeMillis,
    long records,
    List<Hash> heads,
    List<Hash> tips,
    Bytes signature) {

  /** Copies the lists. */
  public Freshness {
    heads = List.copyOf(heads);
    tips = List.copyOf(tips);
  }

  /** Signs an answer. */
  public static Freshness sign(
      SigningKey server,
      Hash capsule,
      Hash nonce,
      long timeMillis,
      long records,
      List<Hash> heads,
      List<Hash> tips) {
    Freshness draft =
        new Freshness(
            server.verifyKey(), capsule, nonce, timeMillis, records, heads, tips, Bytes.EMPTY);
    Bytes signature = Bytes.wrap(server.sign(Domain.FRESH, draft.unsigned()));
    return new Freshness(draft.server, capsule, nonce, timeMillis, records, heads, tips, signature);
  }

  private byte[] unsigned() {
    Encoder out = new Encoder(256);
    server.encode(out);
    out.hash(capsule).hash(nonce).u64(timeMillis).u64(records);
    out.u16(heads.size());
    heads.forEach(out::hash);
    out.u16(tips.size());
    tips.forEach(out::hash);
    return out.toBytes();
  }

  /** The canonical encoding. */
  public byte[] encode() {
    return new Encoder(256).raw(unsigned()).raw(signature).toBytes();
  }

  /** Reads the encoding; checks nothing but the form. */
  public static Freshness decode(byte[] bytes) throws ProofException {
    Decoder in = new Decoder(bytes, "freshness answer");
    Freshness answer =
        new Freshness(
            VerifyKey.decode(in),
            in.hash(),
            in.hash(),
            in.u64(),
            in.u64(),
            names(in),
            names(in),
            Bytes.wrap(in.raw(VerifyKey.SIGNATURE_SIZE)));
    in.end();
    return answer;
  }

  private static List<Hash> names(Decoder in) throws ProofException {
    int count = in.u16();
    if (count > Limits.HEADS) {
      throw in.malformed("names " + count + " records");
    }
    List<Hash> names = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      names.add(in.hash());
    }
    return names;
  }

  /** Checks that the expected server answers this very question. */
  public void verify(VerifyKey expectedServer, Hash expectedCapsule, Hash expectedNonce)
      throws ProofException {
    if (!server.equals(expectedServer)
        || !capsule.equals(expectedCapsule)
        || !nonce.equals(expectedNonce)) {
      throw new ProofException(
          Violation.NOT_FRESH,
          "the answer about freshness is by another server, for another capsule, or for an earlier question");
    }
    if (!server.verifies(Domain.FRESH, unsigned(), signature.unsafeArray())) {
      throw new ProofException(
          Violation.NOT_FRESH, "the signature under the answer about freshness does not verify");
    }
  }
}
