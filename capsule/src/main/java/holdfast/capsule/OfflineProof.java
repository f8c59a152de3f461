package holdfast.capsule;

import holdfast.base.Bytes;
import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.Secret;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A self-contained proof of one record or leaf ({@code .proof} file): whoever has it needs no
 * server and no key, only the capsule's name to compare with.
 *
 * <p>Encoding: magic {@code HFPROOF1} ‖ u32 length and metadata ‖ chain of headers as in {@link
 * ChainProof}, the first signed, each pointed at by the one before it, the target last ‖ u8 1 and
 * the leaf (u32 index ‖ u32 length and sealed bytes ‖ path), or u8 0 ‖ u8 1 and the 32-byte record
 * key, or u8 0 ‖ u16 number of receipts ‖ receipts as in {@link Receipt.Extract} ‖ for a closed
 * capsule: u32 length and succession.
 *
 * <p>With a succession the chain begins at or above a final head, and inner headers may be signed
 * too; see {@link FinalHeads}.
 *
 * <p>Every byte is covered by a hash, a signature or the strictness of the encoding.
 */
public final class OfflineProof {
  private static final byte[] MAGIC = Bytes.utf8("HFPROOF1").toArray();
  private static final int RECEIPTS = 64;

  private final Metadata metadata;
  private final List<ChainProof.Verified> chain;
  private final @Nullable Leaf leaf;
  private final @Nullable Secret recordKey;
  private final List<Receipt.Extract> receipts;
  private final @Nullable FinalHeads closing;

  private OfflineProof(
      Metadata metadata,
      List<ChainProof.Verified> chain,
      @Nullable Leaf leaf,
      @Nullable Secret recordKey,
      List<Receipt.Extract> receipts,
      @Nullable FinalHeads closing) {
    this.metadata = metadata;
    this.chain = chain;
    this.leaf = leaf;
    this.recordKey = recordKey;
    this.receipts = List.copyOf(receipts);
    this.closing = closing;
  }

  /**
   * A leaf in a proof.
   *
   * @param index its index in the record
   * @param sealed its sealed bytes
   * @param path its siblings up to the body root, bottom first
   */
  public record Leaf(int index, Bytes sealed, List<Hash> path) {}

  /**
   * Assembles the file.
   *
   * @param chain an encoded {@link ChainProof} whose last header is the target
   * @param recordKey disclosed key of the target record; null to keep the content sealed
   * @param closing the owner's succession, when the capsule is closed; null else
   */
  public static byte[] encode(
      Metadata metadata,
      byte[] chain,
      @Nullable Leaf leaf,
      @Nullable Secret recordKey,
      List<Receipt.Extract> receipts,
      Statement.@Nullable Succession closing) {
    Encoder out = new Encoder(1024 + chain.length);
    out.raw(MAGIC).bytes32(metadata.encode()).raw(chain);
    if (leaf == null) {
      out.u8(0);
    } else {
      out.u8(1).u32(leaf.index()).bytes32(leaf.sealed().unsafeArray());
      leaf.path().forEach(out::hash);
    }
    if (recordKey == null) {
      out.u8(0);
    } else {
      out.u8(1).raw(recordKey.expose());
    }
    out.u16(receipts.size());
    receipts.forEach(receipt -> receipt.encode(out));
    if (closing != null) {
      out.bytes32(closing.encode());
    }
    return out.toBytes();
  }

  /** Whether a file begins like a proof. */
  public static boolean looksLike(byte[] start) {
    return start.length >= MAGIC.length
        && java.util.Arrays.equals(start, 0, MAGIC.length, MAGIC, 0, MAGIC.length);
  }

  /** Reads and checks a proof, every byte of it. */
  public static OfflineProof verify(byte[] bytes) throws ProofException {
    Decoder in = new Decoder(bytes, "proof file");
    if (!looksLike(bytes)) {
      throw in.malformed("does not begin with HFPROOF1");
    }
    in.skip(MAGIC.length);
    Metadata metadata = Metadata.decode(in.bytes32(Limits.METADATA_BYTES));
    Hash capsule = metadata.name();
    int chainStart = in.position();
    List<ChainProof.Verified> chain = ChainProof.read(bytes, in, capsule, metadata, null, true);
    if (chain.isEmpty()) {
      throw in.malformed("holds no header");
    }
    int chainEnd = in.position();
    RecordHeader header = chain.getLast().header();
    Leaf leaf = flag(in) ? readLeaf(in, header) : null;
    Secret key = null;
    if (flag(in)) {
      key = Secret.copyOf(in.raw(32));
      if (!Sealer.commitment(key.expose()).equals(header.keyCommitment())) {
        throw new ProofException(
            Violation.BAD_SEAL, "the disclosed key is not the one that the record commits to");
      }
    }
    int count = in.u16();
    if (count > RECEIPTS) {
      throw in.malformed("holds " + count + " receipts");
    }
    List<Receipt.Extract> receipts = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Receipt.Extract extract = Receipt.Extract.read(in);
      extract.verify();
      if (!extract.receipt().capsule().equals(capsule)
          || !extract.entry().name().equals(header.name())) {
        throw new ProofException(
            Violation.BAD_RECEIPT, "a receipt in the proof is for something else");
      }
      receipts.add(extract);
    }
    FinalHeads closing = null;
    if (in.remaining() > 0) {
      closing = FinalHeads.decode(in.bytes32(Limits.STATEMENT_BYTES), metadata);
      closing.require(chain, name -> false);
    } else if (!ChainProof.signedOnce(bytes, chainStart, chainEnd)) {
      throw new ProofException(
          Violation.BROKEN_CHAIN, "the proof holds headers that its last signature has no need of");
    }
    in.end();
    OfflineProof proof = new OfflineProof(metadata, chain, leaf, key, receipts, closing);
    proof.content();
    return proof;
  }

  private static boolean flag(Decoder in) throws ProofException {
    int flag = in.u8();
    if (flag > 1) {
      throw in.malformed("has a flag that is neither 0 nor 1");
    }
    return flag == 1;
  }

  private static Leaf readLeaf(Decoder in, RecordHeader header) throws ProofException {
    int index = in.u32(Limits.LEAVES - 1);
    byte[] sealed = in.bytes32(Limits.LEAF_BYTES);
    if (index >= header.leafCount()) {
      throw in.malformed("names leaf " + index + " of a record with " + header.leafCount());
    }
    List<Hash> path = new ArrayList<>();
    for (int i = Merkle.pathLength(header.leafCount(), index); i > 0; i--) {
      path.add(in.hash());
    }
    new LeafProof.Verifier(null).verify(header, index, Body.hashOf(sealed), path);
    return new Leaf(index, Bytes.wrap(sealed), path);
  }

  /** The capsule's metadata; its hash is the name to compare. */
  public Metadata metadata() {
    return metadata;
  }

  /** The proven record's header. */
  public RecordHeader header() {
    return chain.getLast().header();
  }

  /** Who stands behind the record. */
  public Voucher voucher() {
    return chain.getLast().voucher();
  }

  /** Number of headers in the chain. */
  public int chainLength() {
    return chain.size();
  }

  /** The proven leaf; null when the proof is of the record alone. */
  public @Nullable Leaf leaf() {
    return leaf;
  }

  /** The disclosed record key; null when the content stays sealed. */
  public @Nullable Secret recordKey() {
    return recordKey;
  }

  /** Receipts for the record, verified under the keys they name. */
  public List<Receipt.Extract> receipts() {
    return receipts;
  }

  /** The final heads that the record is shown to lie below; null when none are in the file. */
  public @Nullable FinalHeads closing() {
    return closing;
  }

  /** The plaintext of the leaf; null when there is no leaf or no disclosed key. */
  public byte @Nullable [] content() throws ProofException {
    if (leaf == null || recordKey == null) {
      return null;
    }
    return Opener.openDisclosed(header(), recordKey, leaf.index(), leaf.sealed().unsafeArray());
  }
}
