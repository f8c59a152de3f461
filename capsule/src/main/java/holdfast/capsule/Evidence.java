package holdfast.capsule;

import holdfast.base.Bytes;
import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;

/**
 * Shows to anybody that a server broke its word: it signed that a record is durable, and then that
 * it does not have it. That the second came after the first does not rest on any clock: the nonce
 * of the question is made from the receipt, so whoever answered had been shown it.
 *
 * <pre>
 *   receipt for X, synced ──▶ nonce = H(receipt ‖ salt) ──▶ "X is not here", over the nonce
 * </pre>
 *
 * <p>A list of heads that leaves a record out would not do: it takes every header below the heads
 * to show that the record is not there, and with a single hole among them nothing is shown.
 *
 * <p>Encoding: magic HFEVIDE1 ‖ extract of the receipt ‖ 32-byte salt ‖ absence.
 */
public record Evidence(Receipt.Extract promised, Hash salt, Absence denied) {
  private static final Bytes MAGIC = Bytes.utf8("HFEVIDE1");

  /** The nonce to ask with. */
  public static Hash nonce(Receipt receipt, Hash salt) {
    return Sha256.get()
        .hash(Domain.CHALLENGE, new Encoder().raw(receipt.encode()).hash(salt).toBytes());
  }

  /** Whether a file begins like evidence. */
  public static boolean looksLike(byte[] start) {
    return start.length >= MAGIC.size()
        && Bytes.copyOf(java.util.Arrays.copyOf(start, MAGIC.size())).equals(MAGIC);
  }

  /** The file. */
  public byte[] encode() {
    Encoder out = new Encoder(1024).raw(MAGIC);
    promised.encode(out);
    return out.hash(salt).raw(denied.encode()).toBytes();
  }

  /**
   * Reads a file and checks that it shows what it is for.
   *
   * @throws ProofException when it shows nothing
   */
  public static Evidence verify(byte[] file) throws ProofException {
    if (!looksLike(file)) {
      throw new ProofException(Violation.MALFORMED, "the file is no evidence of this version");
    }
    Decoder in = new Decoder(file, MAGIC.size(), file.length - MAGIC.size(), "evidence");
    Evidence evidence = new Evidence(Receipt.Extract.read(in), in.hash(), Absence.read(in));
    in.end();
    evidence.verify();
    return evidence;
  }

  /** Checks that both are by one server, about one record, and that one answers the other. */
  public void verify() throws ProofException {
    promised.verify();
    Receipt receipt = promised.receipt();
    boolean binding =
        receipt.level() == Receipt.Level.SYNCED
            && (promised.entry().kind() == Receipt.Kind.WRITE
                || promised.entry().kind() == Receipt.Kind.SIGN);
    if (!binding) {
      throw new ProofException(
          Violation.BAD_RECEIPT,
          "the receipt does not promise that a record is durable, so nothing contradicts it");
    }
    denied.verify(
        receipt.server(), receipt.capsule(), nonce(receipt, salt), promised.entry().name());
  }
}
