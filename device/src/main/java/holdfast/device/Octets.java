package holdfast.device;

import java.util.Arrays;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/** An immutable string of bytes with value equality. Not for secrets: it prints itself. */
public final class Octets {
  /** No bytes. */
  public static final Octets EMPTY = new Octets(new byte[0]);

  private static final int SHOWN = 32;

  private final byte[] bytes;

  private Octets(byte[] bytes) {
    this.bytes = bytes;
  }

  /** A copy of the array. */
  public static Octets copyOf(byte[] bytes) {
    return new Octets(bytes.clone());
  }

  /** Takes the array over; the caller must not change it any more. */
  public static Octets wrap(byte[] bytes) {
    return new Octets(bytes);
  }

  /** Parses hexadecimal digits. */
  public static Octets parseHex(String hex) {
    return new Octets(HexFormat.of().parseHex(hex));
  }

  /** Number of bytes. */
  public int size() {
    return bytes.length;
  }

  /** A fresh copy of the bytes. */
  public byte[] toArray() {
    return bytes.clone();
  }

  /** The backing array itself, for hot paths that only read it. */
  public byte[] unsafeArray() {
    return bytes;
  }

  /** All bytes as lower-case hexadecimal digits. */
  public String toHex() {
    return HexFormat.of().formatHex(bytes);
  }

  /** These bytes, which must be {@code size} in number. */
  Octets expect(int size, String what) {
    if (bytes.length != size) {
      throw new IllegalArgumentException(what + " has " + size + " bytes, not " + bytes.length);
    }
    return this;
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Octets o && Arrays.equals(bytes, o.bytes);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(bytes);
  }

  @Override
  public String toString() {
    return bytes.length <= SHOWN ? toHex() : bytes.length + " bytes";
  }
}
