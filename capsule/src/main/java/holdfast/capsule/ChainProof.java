package holdfast.capsule;

import holdfast.base.Bytes;
import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.VerifyKey;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A proof of one or many records: headers, each with the reason to believe it.
 *
 * <p>Encoding: u32 number of headers, then per header: header ‖ u8 reason (0 signed, 1 pointed at,
 * 2 known to the reader) ‖ for 0: u16 signer ‖ 64-byte signature; for 1: u32 position of an earlier
 * header that points at this one.
 *
 * <p>A chain proves that its signer vouches for the record at its end. That a writer made a record
 * is proven only when all headers from the signed one downwards name the signer; see {@link
 * Voucher}.
 */
public final class ChainProof {
  private static final int REASON_SIGNED = 0;
  private static final int REASON_POINTED_AT = 1;
  private static final int REASON_KNOWN = 2;

  private ChainProof() {}

  /** A header that has been proven, and who stands behind it. */
  public record Verified(RecordHeader header, Voucher voucher) {}

  /** Where the prover gets what a plan names. */
  public interface Source {
    /** The canonical header bytes of a record. */
    byte[] header(long arrival);

    /** A signature of a record, by the record's own writer if there is one. */
    Statement.WriterSignature signature(long arrival);
  }

  /** Writes the proof that a plan describes. */
  public static byte[] encode(ProofPlan plan, Source source) {
    Encoder out = new Encoder(64 + plan.size() * 256);
    out.u32(plan.size());
    for (int i = 0; i < plan.size(); i++) {
      long arrival = plan.arrival(i);
      out.raw(source.header(arrival));
      switch (plan.reason(i)) {
        case ProofPlan.SIGNED -> {
          Statement.WriterSignature signature = source.signature(arrival);
          out.u8(REASON_SIGNED).u16(signature.signer()).raw(signature.signature());
        }
        case ProofPlan.CACHED -> out.u8(REASON_KNOWN);
        default -> out.u8(REASON_POINTED_AT).u32(plan.reason(i));
      }
    }
    return out.toBytes();
  }

  /**
   * Checks a proof, every link of it, and only then adds its headers to the cache, in order.
   *
   * @param cache what the reader has verified before; null when there is nothing
   * @param targets records that the proof, together with the cache, must cover
   * @return the headers in the proof, in order
   */
  public static List<Verified> verify(
      byte[] proof,
      Hash capsule,
      Metadata metadata,
      @Nullable VerificationCache cache,
      Collection<Hash> targets)
      throws ProofException {
    List<Verified> verified = check(proof, capsule, metadata, cache, targets);
    if (cache != null) {
      admit(verified, cache);
    }
    return verified;
  }

  /** Like {@link #verify}, for a proof that is a part of something: adds nothing to the cache. */
  public static List<Verified> check(
      byte[] proof,
      Hash capsule,
      Metadata metadata,
      @Nullable VerificationCache cache,
      Collection<Hash> targets)
      throws ProofException {
    Decoder in = new Decoder(proof, "proof");
    List<Verified> verified = read(proof, in, capsule, metadata, cache, false);
    in.end();
    require(verified, cache, targets);
    return verified;
  }

  /** Adds what {@link #check} found to hold, in order. */
  public static void admit(List<Verified> verified, VerificationCache cache) {
    for (Verified one : verified) {
      cache.addRecord(one.header().name(), one.voucher());
    }
  }

  /**
   * Reads and checks the proof at the decoder's position; adds nothing to the cache.
   *
   * @param single takes nothing but one chain: the first header signed, each further one pointed at
   *     by the one directly before it; it may be signed too
   */
  static List<Verified> read(
      byte[] buffer,
      Decoder in,
      Hash capsule,
      Metadata metadata,
      @Nullable VerificationCache cache,
      boolean single)
      throws ProofException {
    int count = in.u32(Limits.PROOF_HEADERS);
    if ((long) count * (RecordHeader.FIXED_SIZE + 1) > in.remaining()) {
      throw in.malformed("announces " + count + " headers and ends before");
    }
    List<Verified> verified = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      RecordHeader header = RecordHeader.read(buffer, in);
      if (!header.isOf(capsule)) {
        throw new ProofException(
            Violation.WRONG_CAPSULE,
            "the proof holds a header of capsule "
                + header.capsule().brief()
                + ", not of "
                + capsule.brief());
      }
      int start = in.position();
      verified.add(new Verified(header, voucher(in, header, verified, capsule, metadata, cache)));
      if (single) {
        checkSingle(new Decoder(buffer, start, in.position() - start, "proof"), verified);
      }
    }
    return verified;
  }

  /** Whether a chain, read before as a single one, carries no signature but the first. */
  static boolean signedOnce(byte[] buffer, int from, int to) throws ProofException {
    Decoder in = new Decoder(buffer, from, to - from, "proof");
    boolean once = true;
    for (int i = 0, count = in.u32(Limits.PROOF_HEADERS); i < count; i++) {
      RecordHeader.read(buffer, in);
      if (in.u8() == REASON_SIGNED) {
        in.skip(2 + VerifyKey.SIGNATURE_SIZE);
        once &= i == 0;
      } else {
        in.skip(4);
      }
    }
    return once;
  }

  /** Checks the last header that was read. */
  private static void checkSingle(Decoder in, List<Verified> verified) throws ProofException {
    int at = verified.size() - 1;
    boolean next =
        switch (in.u8()) {
          case REASON_SIGNED ->
              at == 0 || verified.get(at - 1).header().pointsAt(verified.get(at).header().name());
          case REASON_POINTED_AT -> in.u32(Limits.PROOF_HEADERS) == at - 1;
          default -> false;
        };
    if (!next) {
      throw new ProofException(
          Violation.BROKEN_CHAIN, "the headers of the proof do not form one chain");
    }
  }

  private static Voucher voucher(
      Decoder in,
      RecordHeader header,
      List<Verified> before,
      Hash capsule,
      Metadata metadata,
      @Nullable VerificationCache cache)
      throws ProofException {
    switch (in.u8()) {
      case REASON_SIGNED -> {
        int signer = in.u16();
        Bytes signature = Bytes.wrap(in.raw(VerifyKey.SIGNATURE_SIZE));
        new Statement.WriterSignature(capsule, header.name(), signer, signature).verify(metadata);
        return new Voucher(signer, header.writer() == signer);
      }
      case REASON_POINTED_AT -> {
        int position = in.u32(Limits.PROOF_HEADERS);
        if (position >= before.size()) {
          throw new ProofException(
              Violation.BROKEN_CHAIN,
              "a link of the proof leads to a header that does not come before it");
        }
        Verified child = before.get(position);
        if (!child.header().pointsAt(header.name())) {
          throw new ProofException(
              Violation.BROKEN_CHAIN,
              "record "
                  + child.header().name().brief()
                  + " does not point at "
                  + header.name().brief());
        }
        return child.voucher().through(header.writer());
      }
      case REASON_KNOWN -> {
        Voucher known = cache == null ? null : cache.record(header.name());
        if (known == null) {
          throw new ProofException(
              Violation.BROKEN_CHAIN,
              "the proof rests on record "
                  + header.name().brief()
                  + ", which was never verified here");
        }
        return known;
      }
      default -> throw in.malformed("gives an unknown reason to believe a header");
    }
  }

  private static void require(
      List<Verified> verified, @Nullable VerificationCache cache, Collection<Hash> targets)
      throws ProofException {
    Set<Hash> proven = new HashSet<>();
    for (Verified one : verified) {
      proven.add(one.header().name());
    }
    for (Hash target : targets) {
      if (!proven.contains(target) && (cache == null || cache.record(target) == null)) {
        throw new ProofException(
            Violation.BROKEN_CHAIN, "the proof does not reach record " + target.brief());
      }
    }
  }
}
