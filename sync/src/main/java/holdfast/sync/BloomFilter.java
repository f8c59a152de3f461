package holdfast.sync;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import java.nio.ByteBuffer;
import java.util.Collection;

/**
 * A Bloom filter of names under a salt. A false positive is one only under this salt: with a fresh
 * one in each round, no name is overlooked for ever.
 *
 * <p>With b bits a name there are ⌊0.7·b⌋ hashes, the best number being b·ln 2. So never more than
 * 7 bits of 10 are ones, half of them as a rule; a filter with more is a lie, for example the one
 * that contains everything. The hashes are made of two, h₁ + i·h₂ (Kirsch and Mitzenmacher, "Less
 * Hashing, Same Performance", ESA 2006).
 *
 * <p>Encoding: u8 number of hashes ‖ u32 number of words ‖ words of 64 bits, big-endian.
 */
public final class BloomFilter {
  /** About 1 % of false positives. */
  public static final int BITS_PER_NAME = 10;

  /** Bits in the largest filter: 32 MiB of them. */
  private static final int WORDS = 1 << 22;

  private static final int HASHES = 32;

  private final NameHasher hasher;
  private final int hashes;
  private final int room;
  private final long[] words;
  private int names;

  private BloomFilter(Hash salt, int hashes, int room, long[] words) {
    this.hasher = new NameHasher(salt, NameHasher.Purpose.FILTER);
    this.hashes = hashes;
    this.room = room;
    this.words = words;
  }

  /**
   * An empty filter.
   *
   * @param salt fresh, and of both sides
   * @param names how many names will be added at most
   * @param bitsPerName from 2 to 32; {@link #BITS_PER_NAME} is usual
   * @throws IllegalArgumentException if the filter would have more than 2<sup>28</sup> bits
   */
  public BloomFilter(Hash salt, int names, int bitsPerName) {
    this(salt, hashes(bitsPerName), names, new long[words(names, bitsPerName)]);
  }

  /** The filter of these names, with {@link #BITS_PER_NAME}. */
  public static BloomFilter of(Hash salt, Collection<Hash> names) {
    BloomFilter filter = new BloomFilter(salt, names.size(), BITS_PER_NAME);
    names.forEach(filter::add);
    return filter;
  }

  private static int hashes(int bitsPerName) {
    if (bitsPerName < 2 || bitsPerName > 32) {
      throw new IllegalArgumentException("a filter has 2 to 32 bits a name, not " + bitsPerName);
    }
    return bitsPerName * 7 / 10;
  }

  private static int words(int names, int bitsPerName) {
    long words = ((long) names * bitsPerName + 63) / 64;
    if (names < 0 || words > WORDS) {
      throw new IllegalArgumentException("too large a filter: for " + names + " names");
    }
    return (int) words;
  }

  /**
   * Adds a name.
   *
   * @throws IllegalStateException if more are added than the filter was made for
   */
  public void add(Hash name) {
    if (names == room) {
      throw new IllegalStateException("the filter was made for " + room + " names");
    }
    names++;
    hasher.hash(name);
    long at = hasher.first();
    for (int i = 0; i < hashes; i++, at += hasher.second()) {
      long bit = Math.unsignedMultiplyHigh(at, 64L * words.length);
      words[(int) (bit >>> 6)] |= 1L << bit;
    }
  }

  /** Whether the name may have been added; false if it certainly was not. */
  public boolean mayContain(Hash name) {
    if (words.length == 0) {
      return false;
    }
    hasher.hash(name);
    long at = hasher.first();
    for (int i = 0; i < hashes; i++, at += hasher.second()) {
      long bit = Math.unsignedMultiplyHigh(at, 64L * words.length);
      if ((words[(int) (bit >>> 6)] >>> bit & 1) == 0) {
        return false;
      }
    }
    return true;
  }

  /** The size of the encoding in bytes. */
  public int encodedSize() {
    return 5 + 8 * words.length;
  }

  /** Appends the encoding; the salt is not part of it. */
  public void encode(Encoder out) {
    ByteBuffer bytes = ByteBuffer.allocate(8 * words.length);
    bytes.asLongBuffer().put(words);
    out.u8(hashes).u32(words.length).raw(bytes.array());
  }

  /**
   * Reads a filter of the peer's; nothing can be added to it.
   *
   * @throws ProofException if it is malformed, or has so many ones that it would say nothing
   */
  public static BloomFilter decode(Decoder in, Hash salt) throws ProofException {
    int hashes = in.u8();
    if (hashes < 1 || hashes > HASHES) {
      throw in.malformed("has a filter of " + hashes + " hashes, expected 1 to " + HASHES);
    }
    int count = in.u32(Math.min(WORDS, in.remaining() / 8));
    long[] words = new long[count];
    ByteBuffer.wrap(in.raw(8 * count)).asLongBuffer().get(words);
    long ones = 0;
    for (long word : words) {
      ones += Long.bitCount(word);
    }
    if (10 * ones > 7 * 64L * count) {
      throw in.malformed(
          "has a filter with " + ones + " ones in " + 64L * count + " bits, at most 70 % expected");
    }
    return new BloomFilter(salt, hashes, 0, words);
  }
}
