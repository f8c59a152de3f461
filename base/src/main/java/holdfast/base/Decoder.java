package holdfast.base;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Reads the canonical encoding and refuses everything else with {@link Violation#MALFORMED}.
 *
 * <p>Every length is compared with a limit and with the bytes that are left before anything is
 * allocated, so hostile input costs at most its own size.
 */
public final class Decoder {
  private final byte[] bytes;
  private final int end;
  private final String what;
  private int at;

  /**
   * A decoder over all of {@code bytes}.
   *
   * @param what what is being read, for messages: "capsule metadata"
   */
  public Decoder(byte[] bytes, String what) {
    this(bytes, 0, bytes.length, what);
  }

  /** A decoder over a part of {@code bytes}. */
  public Decoder(byte[] bytes, int offset, int length, String what) {
    this.bytes = bytes;
    this.at = offset;
    this.end = offset + length;
    this.what = what;
  }

  private void need(int count) throws ProofException {
    if (count > end - at) {
      throw malformed("ends early: " + count + " more bytes expected, " + (end - at) + " left");
    }
  }

  /** A violation that names what is being read. */
  public ProofException malformed(String problem) {
    return new ProofException(Violation.MALFORMED, what + " " + problem);
  }

  /** Reads an unsigned 8-bit number. */
  public int u8() throws ProofException {
    need(1);
    return bytes[at++] & 0xFF;
  }

  /** Reads an unsigned 16-bit number. */
  public int u16() throws ProofException {
    need(2);
    return (bytes[at++] & 0xFF) << 8 | (bytes[at++] & 0xFF);
  }

  /** Reads an unsigned 32-bit number of at most {@code max}. */
  public int u32(int max) throws ProofException {
    need(4);
    int value =
        bytes[at] << 24
            | (bytes[at + 1] & 0xFF) << 16
            | (bytes[at + 2] & 0xFF) << 8
            | (bytes[at + 3] & 0xFF);
    if (value < 0 || value > max) {
      throw malformed(
          "holds the number "
              + Integer.toUnsignedString(value)
              + " where at most "
              + max
              + " is allowed");
    }
    at += 4;
    return value;
  }

  /** Reads an unsigned 64-bit number below 2<sup>63</sup>. */
  public long u64() throws ProofException {
    need(8);
    long value = 0;
    for (int i = 0; i < 8; i++) {
      value = value << 8 | (bytes[at + i] & 0xFF);
    }
    if (value < 0) {
      throw malformed("holds a number of 2^63 or more");
    }
    at += 8;
    return value;
  }

  /** Reads 32 bytes. */
  public Hash hash() throws ProofException {
    need(Hash.SIZE);
    Hash hash = Hash.read(bytes, at);
    at += Hash.SIZE;
    return hash;
  }

  /** Reads exactly {@code count} bytes. */
  public byte[] raw(int count) throws ProofException {
    need(count);
    byte[] out = Arrays.copyOfRange(bytes, at, at + count);
    at += count;
    return out;
  }

  /** Passes over {@code count} bytes and returns where they begin in the underlying array. */
  public int skip(int count) throws ProofException {
    if (count < 0) {
      throw malformed("holds a negative length");
    }
    need(count);
    int start = at;
    at += count;
    return start;
  }

  /** Reads a 16-bit length of at most {@code max} and as many bytes. */
  public byte[] bytes16(int max) throws ProofException {
    int length = u16();
    if (length > max) {
      throw malformed(
          "holds a field of " + length + " bytes where at most " + max + " are allowed");
    }
    return raw(length);
  }

  /** Reads a 32-bit length of at most {@code max} and as many bytes. */
  public byte[] bytes32(int max) throws ProofException {
    return raw(u32(max));
  }

  /** Reads a 16-bit length and as many bytes of well-formed UTF-8. */
  public String text16(int maxBytes) throws ProofException {
    byte[] utf8 = bytes16(maxBytes);
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString();
    } catch (CharacterCodingException e) {
      throw malformed("holds text that is not UTF-8");
    }
  }

  /** Where the next byte stands in the underlying array. */
  public int position() {
    return at;
  }

  /** Bytes not yet read. */
  public int remaining() {
    return end - at;
  }

  /** Refuses bytes that follow the value. */
  public void end() throws ProofException {
    if (at != end) {
      throw malformed("is followed by " + (end - at) + " bytes that do not belong to it");
    }
  }
}
