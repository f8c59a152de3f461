package holdfast.testkit;

import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/** Bends encodings out of shape, one by one or at random. */
public final class Mutator {
  private Mutator() {}

  /** Something that is done with each altered encoding. */
  @FunctionalInterface
  public interface Target {
    /** Takes an encoding; a failure is an exception. */
    void accept(byte[] bytes) throws Exception;
  }

  /** Passes on every encoding that differs in one byte: lowest bit, highest bit, all bits. */
  public static void eachByteChanged(byte[] bytes, Target target) throws Exception {
    for (int at = 0; at < bytes.length; at++) {
      for (int mask : new int[] {1, 0x80, 0xFF}) {
        byte[] changed = bytes.clone();
        changed[at] ^= (byte) mask;
        told("byte " + at + " xor " + mask, changed, target);
      }
    }
  }

  /** Passes on every true beginning of an encoding, and the encoding with a byte more. */
  public static void eachLengthChanged(byte[] bytes, Target target) throws Exception {
    for (int length = 0; length < bytes.length; length++) {
      told("cut to " + length, Arrays.copyOf(bytes, length), target);
    }
    byte[] longer = Arrays.copyOf(bytes, bytes.length + 1);
    told("a zero more", longer, target);
    longer[bytes.length] = 1;
    told("a one more", longer, target);
  }

  private static void told(String change, byte[] changed, Target target) throws Exception {
    try {
      target.accept(changed);
    } catch (Exception | AssertionError e) {
      throw new AssertionError(change + ": " + e, e);
    }
  }

  /**
   * Passes on encodings altered at random for a time. Knows nothing of what the target covers; a
   * corpus of valid encodings makes up for that.
   *
   * @return how many were passed on
   */
  public static long fuzz(long seed, long millis, List<byte[]> corpus, Target target) {
    Gen gen = new Gen(seed);
    long end = System.nanoTime() + millis * 1_000_000;
    long count = 0;
    for (; System.nanoTime() < end; count++) {
      byte[] bytes = gen.pick(corpus);
      for (int changes = gen.between(1, 4); changes > 0; changes--) {
        bytes = alter(bytes, corpus, gen);
      }
      try {
        target.accept(bytes);
      } catch (Exception | Error e) {
        throw new AssertionError("fails with " + HexFormat.of().formatHex(bytes) + ": " + e, e);
      }
    }
    return count;
  }

  /** One random alteration: of bits, bytes, numbers, lengths, or with a piece of another one. */
  public static byte[] alter(byte[] bytes, List<byte[]> corpus, Gen gen) {
    int size = bytes.length;
    int at = gen.below(size + 1);
    byte[] out = bytes.clone();
    switch (gen.below(8)) {
      case 0 -> {
        return Arrays.copyOf(bytes, at);
      }
      case 1 -> {
        return splice(bytes, at, gen.bytes(gen.between(1, 40)), at);
      }
      case 2 -> {
        return splice(bytes, at, new byte[0], Math.min(size, at + gen.between(1, 40)));
      }
      case 3 -> {
        byte[] other = gen.pick(corpus);
        int from = gen.below(other.length + 1);
        int to = gen.between(from, other.length);
        return splice(bytes, at, Arrays.copyOfRange(other, from, to), gen.between(at, size));
      }
      case 4, 5 -> {
        // A number of 1, 2, 4 or 8 bytes becomes an extreme one.
        int width = 1 << gen.below(4);
        int low = gen.pick(List.of(0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF));
        byte rest = (byte) (gen.oneIn(2) ? 0xFF : 0);
        for (int i = at; i < Math.min(size, at + width); i++) {
          out[i] = i == at + width - 1 ? (byte) low : rest;
        }
      }
      default -> {
        if (at < size) {
          out[at] ^= (byte) (1 << gen.below(8));
        }
      }
    }
    return out;
  }

  private static byte[] splice(byte[] bytes, int from, byte[] middle, int to) {
    byte[] out = Arrays.copyOf(bytes, from + middle.length + bytes.length - to);
    System.arraycopy(middle, 0, out, from, middle.length);
    System.arraycopy(bytes, to, out, from + middle.length, bytes.length - to);
    return out;
  }
}
