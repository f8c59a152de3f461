package holdfast.base;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * A 256-bit hash value; as the hash of metadata or of a header it is a <em>name</em>.
 *
 * <p>Held as four longs, so that equality and table look-ups cost no array indirection. Ordered as
 * unsigned big-endian bytes.
 */
public final class Hash implements Comparable<Hash> {
  /** Size of a hash in bytes. */
  public static final int SIZE = 32;

  /** Thirty-two zero bytes; never the name of anything. */
  public static final Hash ZERO = new Hash(0, 0, 0, 0);

  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  private final long a;
  private final long b;
  private final long c;
  private final long d;

  private Hash(long a, long b, long c, long d) {
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
  }

  /** Reads the 32 bytes at {@code offset}. */
  public static Hash read(byte[] from, int offset) {
    return new Hash(
        (long) LONG.get(from, offset),
        (long) LONG.get(from, offset + 8),
        (long) LONG.get(from, offset + 16),
        (long) LONG.get(from, offset + 24));
  }

  /** The hash with exactly these 32 bytes. */
  public static Hash of(byte[] bytes) {
    if (bytes.length != SIZE) {
      throw new IllegalArgumentException("a hash has 32 bytes, not " + bytes.length);
    }
    return read(bytes, 0);
  }

  /** Parses 64 hexadecimal digits. */
  public static Hash parse(String hex) {
    if (hex.length() != 2 * SIZE) {
      throw new IllegalArgumentException(
          "a name has 64 hexadecimal digits, not " + hex.length() + ": " + hex);
    }
    return of(HexFormat.of().parseHex(hex));
  }

  /** Writes the 32 bytes at {@code offset}. */
  public void write(byte[] to, int offset) {
    LONG.set(to, offset, a);
    LONG.set(to, offset + 8, b);
    LONG.set(to, offset + 16, c);
    LONG.set(to, offset + 24, d);
  }

  /** Whether the 32 bytes at {@code offset} are this hash. */
  public boolean matches(byte[] bytes, int offset) {
    return a == (long) LONG.get(bytes, offset)
        && b == (long) LONG.get(bytes, offset + 8)
        && c == (long) LONG.get(bytes, offset + 16)
        && d == (long) LONG.get(bytes, offset + 24);
  }

  /** A fresh array of the 32 bytes. */
  public byte[] toBytes() {
    byte[] bytes = new byte[SIZE];
    write(bytes, 0);
    return bytes;
  }

  /** The first eight bytes, as a big-endian number; uniform for honest names. */
  public long prefix() {
    return a;
  }

  /** The first sixteen hexadecimal digits, for people. */
  public String brief() {
    return HexFormat.of().toHexDigits(a);
  }

  @Override
  public int compareTo(Hash other) {
    int order = Long.compareUnsigned(a, other.a);
    if (order == 0) {
      order = Long.compareUnsigned(b, other.b);
    }
    if (order == 0) {
      order = Long.compareUnsigned(c, other.c);
    }
    return order == 0 ? Long.compareUnsigned(d, other.d) : order;
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Hash h && a == h.a && b == h.b && c == h.c && d == h.d;
  }

  @Override
  public int hashCode() {
    return (int) (d ^ (d >>> 32));
  }

  /** All 64 hexadecimal digits. */
  @Override
  public String toString() {
    HexFormat hex = HexFormat.of();
    return hex.toHexDigits(a) + hex.toHexDigits(b) + hex.toHexDigits(c) + hex.toHexDigits(d);
  }

  /** Sorts a copy of the hashes in byte order and refuses duplicates. */
  public static Hash[] sortedDistinct(java.util.Collection<Hash> hashes) {
    Hash[] sorted = hashes.toArray(new Hash[0]);
    Arrays.sort(sorted);
    for (int i = 1; i < sorted.length; i++) {
      if (sorted[i].equals(sorted[i - 1])) {
        throw new IllegalArgumentException("the name " + sorted[i].brief() + " is given twice");
      }
    }
    return sorted;
  }
}
