package holdfast.base;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Writes the canonical encoding: big-endian integers, fixed-size fields as they are, variable-size
 * fields behind their length. The inverse is {@link Decoder}.
 */
public final class Encoder {
  private byte[] bytes;
  private int size;

  /** An empty encoder. */
  public Encoder() {
    this(128);
  }

  /** An empty encoder with room for {@code capacity} bytes; it grows when needed. */
  public Encoder(int capacity) {
    bytes = new byte[capacity];
  }

  private void reserve(int more) {
    int needed = Math.addExact(size, more);
    if (needed > bytes.length) {
      bytes =
          Arrays.copyOf(
              bytes, Math.max(needed, (int) Math.min(Integer.MAX_VALUE - 8L, 2L * bytes.length)));
    }
  }

  /** Appends an unsigned 8-bit number. */
  public Encoder u8(int value) {
    check(value, 0xFF);
    reserve(1);
    bytes[size++] = (byte) value;
    return this;
  }

  /** Appends an unsigned 16-bit number. */
  public Encoder u16(int value) {
    check(value, 0xFFFF);
    reserve(2);
    bytes[size++] = (byte) (value >>> 8);
    bytes[size++] = (byte) value;
    return this;
  }

  /** Appends an unsigned 32-bit number; {@code value} must not be negative. */
  public Encoder u32(int value) {
    check(value, Integer.MAX_VALUE);
    return int32(value);
  }

  private Encoder int32(int value) {
    reserve(4);
    bytes[size++] = (byte) (value >>> 24);
    bytes[size++] = (byte) (value >>> 16);
    bytes[size++] = (byte) (value >>> 8);
    bytes[size++] = (byte) value;
    return this;
  }

  /** Appends an unsigned 64-bit number; {@code value} must not be negative. */
  public Encoder u64(long value) {
    if (value < 0) {
      throw new IllegalArgumentException("negative number in an unsigned field: " + value);
    }
    int32((int) (value >>> 32));
    return int32((int) value);
  }

  /** Appends 32 bytes. */
  public Encoder hash(Hash hash) {
    reserve(Hash.SIZE);
    hash.write(bytes, size);
    size += Hash.SIZE;
    return this;
  }

  /** Appends the bytes as they are, for fields of fixed size. */
  public Encoder raw(byte[] from) {
    return raw(from, 0, from.length);
  }

  /** Appends the bytes as they are, for fields of fixed size. */
  public Encoder raw(Bytes from) {
    return raw(from.unsafeArray());
  }

  /** Appends a part of an array as it is. */
  public Encoder raw(byte[] from, int offset, int length) {
    reserve(length);
    System.arraycopy(from, offset, bytes, size, length);
    size += length;
    return this;
  }

  /** Appends a 16-bit length and the bytes. */
  public Encoder bytes16(byte[] from) {
    return u16(from.length).raw(from);
  }

  /** Appends a 32-bit length and the bytes. */
  public Encoder bytes32(byte[] from) {
    return u32(from.length).raw(from);
  }

  /** Appends a 16-bit length and the UTF-8 bytes of the text. */
  public Encoder text16(String text) {
    return bytes16(text.getBytes(StandardCharsets.UTF_8));
  }

  /** Bytes written so far. */
  public int size() {
    return size;
  }

  /** The bytes written so far, in a fresh array. */
  public byte[] toBytes() {
    return Arrays.copyOf(bytes, size);
  }

  private static void check(int value, int max) {
    if (value < 0 || value > max) {
      throw new IllegalArgumentException(value + " does not fit a field of 0.." + max);
    }
  }
}
