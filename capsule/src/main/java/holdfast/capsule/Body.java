package holdfast.capsule;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import java.util.Arrays;

/**
 * The body of a record: its sealed leaves, held as one array in transport form.
 *
 * <p>Per leaf: u32 length ‖ sealed bytes; an erased leaf is u32 {@code 0xFFFFFFFF} ‖ leaf hash, so
 * that the leaves beside it stay provable.
 */
public final class Body {
  private static final int ERASED = -1;

  private final byte[] bytes;
  private final int[] starts;
  private final boolean whole;

  private Body(byte[] bytes, int[] starts, boolean whole) {
    this.bytes = bytes;
    this.starts = starts;
    this.whole = whole;
  }

  /** Reads a body that is all of {@code bytes}; the array is taken over. */
  public static Body decode(byte[] bytes, int leafCount) throws ProofException {
    Decoder in = new Decoder(bytes, "record body");
    if (leafCount > bytes.length / 4) {
      throw in.malformed("of " + bytes.length + " bytes cannot hold " + leafCount + " leaves");
    }
    int[] starts = new int[leafCount + 1];
    boolean whole = true;
    for (int i = 0; i < leafCount; i++) {
      starts[i] = in.position();
      int at = in.skip(4);
      int length = int32(bytes, at);
      if (length == ERASED) {
        whole = false;
        in.skip(Hash.SIZE);
      } else if (length < 16 || length > Limits.LEAF_BYTES) {
        throw in.malformed("has a leaf of " + Integer.toUnsignedLong(length) + " bytes");
      } else {
        in.skip(length);
      }
    }
    in.end();
    starts[leafCount] = bytes.length;
    return new Body(bytes, starts, whole);
  }

  /** A body of leaves already sealed. */
  public static Body of(byte[][] sealedLeaves) {
    int size = 0;
    for (byte[] leaf : sealedLeaves) {
      size = Math.addExact(size, 4 + leaf.length);
    }
    Encoder out = new Encoder(size);
    int[] starts = new int[sealedLeaves.length + 1];
    for (int i = 0; i < sealedLeaves.length; i++) {
      starts[i] = out.size();
      out.bytes32(sealedLeaves[i]);
    }
    starts[sealedLeaves.length] = size;
    return new Body(out.toBytes(), starts, true);
  }

  private static int int32(byte[] bytes, int at) {
    return bytes[at] << 24
        | (bytes[at + 1] & 0xFF) << 16
        | (bytes[at + 2] & 0xFF) << 8
        | (bytes[at + 3] & 0xFF);
  }

  /** Number of leaves. */
  public int leafCount() {
    return starts.length - 1;
  }

  /** Whether no leaf is erased. */
  public boolean whole() {
    return whole;
  }

  /** Whether the leaf's content is gone and only its hash is left. */
  public boolean erased(int leaf) {
    return int32(bytes, starts[leaf]) == ERASED;
  }

  /** Where the sealed bytes of a leaf begin in {@link #unsafeBytes}. */
  public int leafOffset(int leaf) {
    return starts[leaf] + 4;
  }

  /** Number of sealed bytes of a leaf. */
  public int leafLength(int leaf) {
    return starts[leaf + 1] - starts[leaf] - 4;
  }

  /** A copy of the sealed bytes of a leaf that is not erased. */
  public byte[] leaf(int leaf) {
    if (erased(leaf)) {
      throw new IllegalStateException("leaf " + leaf + " is erased");
    }
    return Arrays.copyOfRange(bytes, starts[leaf] + 4, starts[leaf + 1]);
  }

  /** The hash of a leaf, erased or not. */
  public Hash leafHash(int leaf) {
    if (erased(leaf)) {
      return Hash.read(bytes, starts[leaf] + 4);
    }
    return Sha256.get().hash(Domain.LEAF, bytes, leafOffset(leaf), leafLength(leaf));
  }

  /** The hash of a sealed leaf. */
  public static Hash hashOf(byte[] sealedLeaf) {
    return Sha256.get().hash(Domain.LEAF, sealedLeaf);
  }

  /** All leaf hashes. */
  public Hash[] leafHashes() {
    Hash[] hashes = new Hash[leafCount()];
    for (int i = 0; i < hashes.length; i++) {
      hashes[i] = leafHash(i);
    }
    return hashes;
  }

  /** The Merkle root over the leaf hashes. */
  public Hash root() {
    return leafCount() == 1 ? leafHash(0) : Merkle.root(leafHashes());
  }

  /** Checks that this is the body the header commits to: count, size and root. */
  public void expect(RecordHeader header) throws ProofException {
    long sealed = (long) bytes.length - 4L * leafCount();
    if (leafCount() != header.leafCount() || (whole && sealed != header.sealedSize())) {
      throw new ProofException(
          Violation.WRONG_BODY,
          "the header of record "
              + header.name().brief()
              + " announces "
              + header.leafCount()
              + " leaves of "
              + header.sealedSize()
              + " bytes, the body has "
              + leafCount()
              + " of "
              + sealed);
    }
    if (!root().equals(header.bodyRoot())) {
      throw new ProofException(
          Violation.WRONG_BODY,
          "the body is not the one that record " + header.name().brief() + " commits to");
    }
  }

  /** This body with some leaves reduced to their hashes. */
  public Body erase(java.util.function.IntPredicate which) {
    Encoder out = new Encoder(bytes.length);
    int[] newStarts = new int[starts.length];
    boolean stillWhole = true;
    for (int i = 0; i < leafCount(); i++) {
      newStarts[i] = out.size();
      if (erased(i) || which.test(i)) {
        out.raw(new byte[] {-1, -1, -1, -1}).hash(leafHash(i));
        stillWhole = false;
      } else {
        out.raw(bytes, starts[i], starts[i + 1] - starts[i]);
      }
    }
    newStarts[leafCount()] = out.size();
    return new Body(out.toBytes(), newStarts, stillWhole);
  }

  /** The transport form of leaves {@code from} (inclusive) to {@code to} (exclusive). */
  public byte[] slice(int from, int to) {
    return Arrays.copyOfRange(bytes, starts[from], starts[to]);
  }

  /** The transport form itself, to be read only. */
  public byte[] unsafeBytes() {
    return bytes;
  }
}
