package holdfast.device;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * Reads the canonical encoding and refuses everything else. Every length is compared with a limit
 * and with the bytes that are left before anything is allocated for it.
 */
final class Input {
  private final ByteBuffer bytes;
  private final String what;

  /** Reads a part of an array; {@code what} names it in messages. */
  Input(byte[] bytes, int offset, int length, String what) {
    this.bytes = ByteBuffer.wrap(bytes, offset, length);
    this.what = what;
  }

  Input(byte[] bytes, String what) {
    this(bytes, 0, bytes.length, what);
  }

  MalformedException malformed(String problem) {
    return new MalformedException(what + " " + problem);
  }

  private void need(int count) throws MalformedException {
    if (count > bytes.remaining()) {
      throw malformed(
          "ends early: " + count + " more bytes expected, " + bytes.remaining() + " left");
    }
  }

  int u8() throws MalformedException {
    need(1);
    return bytes.get() & 0xFF;
  }

  int u16() throws MalformedException {
    need(2);
    return bytes.getShort() & 0xFFFF;
  }

  int u32(int max) throws MalformedException {
    need(4);
    int value = bytes.getInt();
    if (value < 0 || value > max) {
      throw malformed("holds the number " + Integer.toUnsignedString(value) + ", more than " + max);
    }
    return value;
  }

  long u64() throws MalformedException {
    need(8);
    long value = bytes.getLong();
    if (value < 0) {
      throw malformed("holds a number of 2^63 or more");
    }
    return value;
  }

  byte[] raw(int count) throws MalformedException {
    need(count);
    byte[] out = new byte[count];
    bytes.get(out);
    return out;
  }

  Octets octets(int count) throws MalformedException {
    return Octets.wrap(raw(count));
  }

  String text16(int max) throws MalformedException {
    int length = u16();
    if (length > max) {
      throw malformed("holds a text of " + length + " bytes, more than " + max);
    }
    need(length);
    ByteBuffer utf8 = bytes.slice(bytes.position(), length);
    bytes.position(bytes.position() + length);
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(utf8).toString();
    } catch (CharacterCodingException e) {
      throw malformed("holds text that is not UTF-8");
    }
  }

  int remaining() {
    return bytes.remaining();
  }

  /** Refuses bytes that follow the value. */
  void end() throws MalformedException {
    if (bytes.hasRemaining()) {
      throw malformed("is followed by " + bytes.remaining() + " bytes that do not belong to it");
    }
  }
}
