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
 * before it. The top bit of a count says that there are more than are listed.
 *
 * @param heads heads of the proven set
 * @param tips records that nothing points at and nothing proves yet
 * @param moreHeads whether there are more heads than the {@link Limits#HEADS} listed
 * @param moreTips whether there are more tips than the {@link Limits#HEADS} listed
 */
public record Freshness(
    VerifyKey server,
    Hash capsule,
    Hash nonce,
    long timeMillis,
    long records,
    List<Hash> heads,
    List<Hash> tips,
    boolean moreHeads,
    boolean moreTips,
    Bytes signature) {
  private static final int MORE = 1 << 15;

  /** Copies the lists; more than are listed there can only be when the list is full. */
  public Freshness {
    heads = List.copyOf(heads);
    tips = List.copyOf(tips);
    requireFull(heads, moreHeads);
    requireFull(tips, moreTips);
  }

  private static void requireFull(List<Hash> listed, boolean more) {
    if (listed.size() > Limits.HEADS || (more && listed.size() < Limits.HEADS)) {
      throw new IllegalArgumentException(
          "an answer lists at most " + Limits.HEADS + " names, and as many if there are more");
    }
  }

  /**
   * Signs an answer. Of more than {@link Limits#HEADS} heads, or tips, the first are listed, and
   * the answer says that there are more.
   */
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
            server.verifyKey(),
            capsule,
            nonce,
            timeMillis,
            records,
            heads.subList(0, Math.min(Limits.HEADS, heads.size())),
            tips.subList(0, Math.min(Limits.HEADS, tips.size())),
            heads.size() > Limits.HEADS,
            tips.size() > Limits.HEADS,
            Bytes.EMPTY);
    Bytes signature = Bytes.wrap(server.sign(Domain.FRESH, draft.unsigned()));
    return new Freshness(
        draft.server,
        capsule,
        nonce,
        timeMillis,
        records,
        draft.heads,
        draft.tips,
        draft.moreHeads,
        draft.moreTips,
        signature);
  }

  private byte[] unsigned() {
    Encoder out = new Encoder(256);
    server.encode(out);
    out.hash(capsule).hash(nonce).u64(timeMillis).u64(records);
    out.u16(heads.size() | (moreHeads ? MORE : 0));
    heads.forEach(out::hash);
    out.u16(tips.size() | (moreTips ? MORE : 0));
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
    VerifyKey server = VerifyKey.decode(in);
    Hash capsule = in.hash();
    Hash nonce = in.hash();
    long timeMillis = in.u64();
    long records = in.u64();
    Names heads = Names.read(in);
    Names tips = Names.read(in);
    Bytes signature = Bytes.wrap(in.raw(VerifyKey.SIGNATURE_SIZE));
    in.end();
    return new Freshness(
        server,
        capsule,
        nonce,
        timeMillis,
        records,
        heads.listed(),
        tips.listed(),
        heads.more(),
        tips.more(),
        signature);
  }

  private record Names(List<Hash> listed, boolean more) {
    static Names read(Decoder in) throws ProofException {
      int encoded = in.u16();
      int count = encoded & ~MORE;
      boolean more = (encoded & MORE) != 0;
      if (count > Limits.HEADS || (more && count < Limits.HEADS)) {
        throw in.malformed("names " + count + " records" + (more ? " of more" : ""));
      }
      List<Hash> listed = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        listed.add(in.hash());
      }
      return new Names(listed, more);
    }
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
