package holdfast.sync;

import holdfast.base.Hash;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Hashes names to 128 bits under a key that a round's joint salt determines: SipHash-2-4 with the
 * long output (Aumasson and Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012).
 *
 * <p>Names are hashes, but of what others choose, who may have searched for names that share a
 * prefix or meet in a filter. The key is not known before the sets are fixed, so the search is in
 * vain. Not for use by several threads.
 */
final class NameHasher {
  /** What the hashes are for; those for one purpose say nothing about those for another. */
  enum Purpose {
    /** See {@link SaltedNames}. */
    IDS(0),
    /** See {@link BloomFilter}. */
    FILTER(1);

    private final byte code;

    Purpose(int code) {
      this.code = (byte) code;
    }
  }

  private static final VarHandle LITTLE =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private final long k0;
  private final long k1;
  private final byte[] name = new byte[Hash.SIZE];
  private long v0;
  private long v1;
  private long v2;
  private long v3;
  private long first;
  private long second;

  NameHasher(Hash salt, Purpose purpose) {
    this(key(salt, purpose));
  }

  /** Under the key that is the first 16 bytes. */
  NameHasher(byte[] key) {
    k0 = (long) LITTLE.get(key, 0);
    k1 = (long) LITTLE.get(key, 8);
  }

  /** The first 16 bytes of the hash of salt and purpose, and more. */
  private static byte[] key(Hash salt, Purpose purpose) {
    byte[] input = new byte[Hash.SIZE + 1];
    salt.write(input, 0);
    input[Hash.SIZE] = purpose.code;
    return Sha256.get().hash(Domain.SET_KEY, input).toBytes();
  }

  /** Hashes a name; {@link #first} and {@link #second} are the result. */
  void hash(Hash of) {
    of.write(name, 0);
    v0 = k0 ^ 0x736f6d6570736575L;
    v1 = k1 ^ 0x646f72616e646f6dL ^ 0xee;
    v2 = k0 ^ 0x6c7967656e657261L;
    v3 = k1 ^ 0x7465646279746573L;
    for (int at = 0; at < Hash.SIZE; at += 8) {
      word((long) LITTLE.get(name, at));
    }
    word((long) Hash.SIZE << 56);
    v2 ^= 0xee;
    rounds(4);
    first = v0 ^ v1 ^ v2 ^ v3;
    v1 ^= 0xdd;
    rounds(4);
    second = v0 ^ v1 ^ v2 ^ v3;
  }

  /** The first eight bytes of the hash, read as a little-endian number. */
  long first() {
    return first;
  }

  /** The last eight bytes of the hash, read as a little-endian number. */
  long second() {
    return second;
  }

  private void word(long word) {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }

  private void rounds(int count) {
    long a = v0;
    long b = v1;
    long c = v2;
    long d = v3;
    for (int i = 0; i < count; i++) {
      a += b;
      b = Long.rotateLeft(b, 13) ^ a;
      a = Long.rotateLeft(a, 32);
      c += d;
      d = Long.rotateLeft(d, 16) ^ c;
      a += d;
      d = Long.rotateLeft(d, 21) ^ a;
      c += b;
      b = Long.rotateLeft(b, 17) ^ c;
      c = Long.rotateLeft(c, 32);
    }
    v0 = a;
    v1 = b;
    v2 = c;
    v3 = d;
  }
}
