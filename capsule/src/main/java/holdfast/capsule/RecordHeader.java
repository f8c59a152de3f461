package holdfast.capsule;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The header of a record, held as its canonical bytes; fields are read in place.
 *
 * <pre>
 *   offset  size  field
 *        0     1  version
 *        1    32  capsule name
 *       33     2  writer index (a claim until a signature bears it out)
 *       35     8  claimed time, milliseconds
 *       43     4  key epoch
 *       47    16  session salt
 *       63     8  record counter within the session
 *       71    32  commitment to the record key
 *      103    32  body root: Merkle root over the sealed leaves
 *      135     4  leaf count
 *      139     8  sealed size: bytes of all sealed leaves
 *      147     2  number of backpointers n
 *      149  32·n  backpointers, distinct
 * </pre>
 *
 * <p>The record's name is SHA-256(tag ‖ these bytes).
 */
public final class RecordHeader {
  /** Format version of this encoding. */
  public static final int VERSION = 1;

  /** Bytes of a session salt. */
  public static final int SALT_SIZE = 16;

  /** Bytes of a header without backpointers. */
  public static final int FIXED_SIZE = 149;

  /** So many backpointers are compared pair by pair; more are sorted first. */
  private static final int FEW_POINTERS = 16;

  private static final int CAPSULE = 1;
  private static final int WRITER = 33;
  private static final int TIME = 35;
  private static final int EPOCH = 43;
  private static final int SALT = 47;
  private static final int COUNTER = 63;
  private static final int COMMITMENT = 71;
  private static final int BODY_ROOT = 103;
  private static final int LEAF_COUNT = 135;
  private static final int SEALED_SIZE = 139;
  private static final int POINTER_COUNT = 147;

  private final byte[] bytes;
  private @Nullable Hash name;

  private RecordHeader(byte[] bytes) {
    this.bytes = bytes;
  }

  /**
   * Assembles a header.
   *
   * @param backpointers distinct names; the first is the record that came before
   */
  public static RecordHeader of(
      Hash capsule,
      int writer,
      long timeMillis,
      int epoch,
      byte[] salt,
      long counter,
      Hash keyCommitment,
      Hash bodyRoot,
      int leafCount,
      long sealedSize,
      List<Hash> backpointers) {
    Encoder out = new Encoder(FIXED_SIZE + Hash.SIZE * backpointers.size());
    out.u8(VERSION).hash(capsule).u16(writer).u64(timeMillis).u32(epoch);
    out.raw(salt).u64(counter).hash(keyCommitment).hash(bodyRoot);
    out.u32(leafCount).u64(sealedSize).u16(backpointers.size());
    for (Hash pointer : backpointers) {
      out.hash(pointer);
    }
    byte[] encoded = out.toBytes();
    try {
      return decode(encoded);
    } catch (ProofException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }

  /** Reads a header that must be all of {@code bytes}; the array is taken over. */
  public static RecordHeader decode(byte[] bytes) throws ProofException {
    Decoder in = new Decoder(bytes, "record header");
    check(bytes, in);
    in.end();
    return new RecordHeader(bytes);
  }

  /** Reads the header at the decoder's position. */
  public static RecordHeader read(byte[] buffer, Decoder in) throws ProofException {
    int start = in.position();
    check(buffer, in);
    return new RecordHeader(java.util.Arrays.copyOfRange(buffer, start, in.position()));
  }

  /** The name of the header that is {@code length} bytes of an array, which is checked in place. */
  public static Hash nameOf(byte[] buffer, int offset, int length) throws ProofException {
    Decoder in = new Decoder(buffer, offset, length, "record header");
    check(buffer, in);
    in.end();
    return Sha256.get().hash(Domain.RECORD, buffer, offset, length);
  }

  private static void check(byte[] buffer, Decoder in) throws ProofException {
    int version = in.u8();
    if (version != VERSION) {
      throw in.malformed("has the unknown version " + version);
    }
    in.skip(Hash.SIZE + 2);
    in.u64();
    in.u32(Integer.MAX_VALUE);
    in.skip(SALT_SIZE);
    in.u64();
    in.skip(2 * Hash.SIZE);
    int leaves = in.u32(Limits.LEAVES);
    long sealed = in.u64();
    if (leaves == 0) {
      throw in.malformed("has no leaf");
    }
    if (sealed > Limits.BODY_BYTES || sealed < 16L * leaves) {
      throw in.malformed("claims " + sealed + " sealed bytes in " + leaves + " leaves");
    }
    int pointers = in.u16();
    if (pointers > Limits.BACKPOINTERS) {
      throw in.malformed(
          "has " + pointers + " backpointers; " + Limits.BACKPOINTERS + " are allowed");
    }
    int at = in.skip(pointers * Hash.SIZE);
    if (pointers > 1) {
      distinct(buffer, at, pointers, in);
    }
  }

  private static void distinct(byte[] buffer, int at, int count, Decoder in) throws ProofException {
    if (count <= FEW_POINTERS) {
      for (int i = 1; i < count; i++) {
        for (int j = 0; j < i; j++) {
          if (same(buffer, at + i * Hash.SIZE, at + j * Hash.SIZE)) {
            throw repeats(Hash.read(buffer, at + i * Hash.SIZE), in);
          }
        }
      }
      return;
    }
    Hash[] names = new Hash[count];
    for (int i = 0; i < count; i++) {
      names[i] = Hash.read(buffer, at + i * Hash.SIZE);
    }
    java.util.Arrays.sort(names);
    for (int i = 1; i < count; i++) {
      if (names[i].equals(names[i - 1])) {
        throw repeats(names[i], in);
      }
    }
  }

  private static boolean same(byte[] buffer, int one, int other) {
    return java.util.Arrays.equals(buffer, one, one + Hash.SIZE, buffer, other, other + Hash.SIZE);
  }

  private static ProofException repeats(Hash name, Decoder in) {
    return in.malformed("repeats the backpointer " + name.brief());
  }

  /** The record's name: SHA-256(tag ‖ header). */
  public Hash name() {
    Hash known = name;
    if (known == null) {
      known = Sha256.get().hash(Domain.RECORD, bytes);
      name = known;
    }
    return known;
  }

  /** The capsule this record belongs to. */
  public Hash capsule() {
    return Hash.read(bytes, CAPSULE);
  }

  /** Whether this record belongs to the capsule. */
  public boolean isOf(Hash capsule) {
    return capsule.matches(bytes, CAPSULE);
  }

  /** The index of the writer this record claims. */
  public int writer() {
    return (bytes[WRITER] & 0xFF) << 8 | (bytes[WRITER + 1] & 0xFF);
  }

  /** Claimed time, milliseconds since 1970. */
  public long timeMillis() {
    return u64(TIME);
  }

  /** Epoch of the content key under which the body is sealed. */
  public int epoch() {
    return u32(EPOCH);
  }

  /** The writer's session salt. */
  public byte[] salt() {
    return java.util.Arrays.copyOfRange(bytes, SALT, SALT + SALT_SIZE);
  }

  /** Counter of the record within the writer's session. */
  public long counter() {
    return u64(COUNTER);
  }

  /** Commitment to the record key. */
  public Hash keyCommitment() {
    return Hash.read(bytes, COMMITMENT);
  }

  /** Merkle root over the sealed leaves. */
  public Hash bodyRoot() {
    return Hash.read(bytes, BODY_ROOT);
  }

  /** Number of leaves. */
  public int leafCount() {
    return u32(LEAF_COUNT);
  }

  /** Bytes of all sealed leaves together. */
  public long sealedSize() {
    return u64(SEALED_SIZE);
  }

  /** Number of backpointers. */
  public int pointerCount() {
    return (bytes[POINTER_COUNT] & 0xFF) << 8 | (bytes[POINTER_COUNT + 1] & 0xFF);
  }

  /** The backpointer at {@code index}. */
  public Hash pointer(int index) {
    return Hash.read(bytes, FIXED_SIZE + index * Hash.SIZE);
  }

  /** All backpointers, in the writer's order. */
  public List<Hash> pointers() {
    return IntStream.range(0, pointerCount()).mapToObj(this::pointer).toList();
  }

  /** Whether this header points at the record {@code name}. */
  public boolean pointsAt(Hash name) {
    for (int at = FIXED_SIZE; at < bytes.length; at += Hash.SIZE) {
      if (name.matches(bytes, at)) {
        return true;
      }
    }
    return false;
  }

  /** Size of the encoding in bytes. */
  public int size() {
    return bytes.length;
  }

  /** The canonical bytes themselves, to be read only. */
  public byte[] unsafeBytes() {
    return bytes;
  }

  /** Checks that this header is the one that was asked for. */
  public void expect(Hash capsule, Hash expectedName) throws ProofException {
    if (!name().equals(expectedName)) {
      throw new ProofException(
          Violation.WRONG_NAME,
          "asked for record "
              + expectedName.brief()
              + ", got a header that hashes to "
              + name().brief());
    }
    if (!isOf(capsule)) {
      throw new ProofException(
          Violation.WRONG_CAPSULE,
          "record "
              + expectedName.brief()
              + " belongs to capsule "
              + capsule().brief()
              + ", not to "
              + capsule.brief());
    }
  }

  private int u32(int at) {
    return bytes[at] << 24
        | (bytes[at + 1] & 0xFF) << 16
        | (bytes[at + 2] & 0xFF) << 8
        | (bytes[at + 3] & 0xFF);
  }

  private long u64(int at) {
    return (long) u32(at) << 32 | (u32(at + 4) & 0xFFFFFFFFL);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof RecordHeader h && java.util.Arrays.equals(bytes, h.bytes);
  }

  @Override
  public int hashCode() {
    return name().hashCode();
  }

  @Override
  public String toString() {
    return "RecordHeader[" + name().brief() + "]";
  }
}
