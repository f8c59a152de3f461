package holdfast.base;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * An immutable byte string with value equality.
 *
 * <p>Used at boundaries in place of naked arrays. Not for secrets: see {@code
 * holdfast.crypto.Secret}.
 */
public final class Bytes {
  /** The empty byte string. */
  public static final Bytes EMPTY = new Bytes(new byte[0]);

  private final byte[] bytes;

  private Bytes(byte[] bytes) {
    this.bytes = bytes;
  }

  /** A copy of the array. */
  public static Bytes copyOf(byte[] bytes) {
    return new Bytes(bytes.clone());
  }

  /** Takes the array over; the caller must not change it any more. */
  public static Bytes wrap(byte[] bytes) {
    return new Bytes(bytes);
  }

  /** The UTF-8 bytes of a text. */
  public static Bytes utf8(String text) {
    return new Bytes(text.getBytes(StandardCharsets.UTF_8));
  }

  /** Parses hexadecimal digits. */
  public static Bytes parseHex(String hex) {
    return new Bytes(HexFormat.of().parseHex(hex));
  }

  /** Number of bytes. */
  public int size() {
    return bytes.length;
  }

  /** The byte at {@code index}. */
  public byte at(int index) {
    return bytes[index];
  }

  /** A fresh copy of the bytes. */
  public byte[] toArray() {
    return bytes.clone();
  }

  /** The backing array itself, for hot paths that only read it. */
  public byte[] unsafeArray() {
    return bytes;
  }

  /** The bytes read as UTF-8; malformed input becomes replacement characters. */
  public String toUtf8() {
    return new String(bytes, StandardCharsets.UTF_8);
  }

  /** All bytes as lower-case hexadecimal digits. */
  public String toHex() {
    return HexFormat.of().formatHex(bytes);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Bytes b && Arrays.equals(bytes, b.bytes);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(bytes);
  }

  @Override
  public String toString() {
    return bytes.length <= 32 ? toHex() : bytes.length + " bytes";
  }
}
