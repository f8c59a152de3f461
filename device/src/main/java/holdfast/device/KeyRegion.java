package holdfast.device;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Where space and key stand in an encoded operation: side by side, each behind its length, so that
 * they can be compared and hashed as bytes. Found without making objects of the operation, since
 * opening a queue does it for every entry.
 *
 * @param sequence the operation's number
 * @param length bytes of text16 space ‖ text16 key
 * @param hash a hash of them
 */
record KeyRegion(long sequence, long timeMillis, int length, int hash) {
  /** Where the region begins in a payload: behind sequence, time and kind. */
  static final int START = 8 + 8 + 1;

  /** Reads an operation's head; null when its lengths do not add up to the payload. */
  static @Nullable KeyRegion of(byte[] bytes, int offset, int size) {
    ByteBuffer in = ByteBuffer.wrap(bytes, offset, size);
    if (size < START + 2) {
      return null;
    }
    long sequence = in.getLong();
    long time = in.getLong();
    int kind = in.get();
    int space = in.getShort() & 0xFFFF;
    int at = START + 2 + space;
    if (sequence < 1 || time < 0 || space < 1 || space > 64 || at + 2 > size) {
      return null;
    }
    int key = in.getShort(offset + at) & 0xFFFF;
    at += 2 + key;
    if (key < 1 || key > Operation.MAX_KEY_BYTES || at > size) {
      return null;
    }
    int length = at - START;
    if (kind == 1) {
      if (at + 2 > size) {
        return null;
      }
      int type = in.getShort(offset + at) & 0xFFFF;
      at += 2 + type;
      if (type > Operation.MAX_TYPE_BYTES || at + 4 > size) {
        return null;
      }
      int value = in.getInt(offset + at);
      if (value < 0 || value > Operation.MAX_VALUE_BYTES) {
        return null;
      }
      at += 4 + value;
    }
    if ((kind != 1 && kind != 2) || at != size) {
      return null;
    }
    return new KeyRegion(sequence, time, length, hash(bytes, offset + START, length));
  }

  /** The bytes that stand for a key, to look it up. */
  static byte[] bytes(String space, String key) {
    ByteBuffer out = ByteBuffer.allocate(4 + Text.utf8Size(space) + Text.utf8Size(key));
    Text.put16(out, space);
    Text.put16(out, key);
    return out.array();
  }

  static int hash(byte[] bytes, int offset, int length) {
    int hash = 1;
    for (int i = offset; i < offset + length; i++) {
      hash = 31 * hash + bytes[i];
    }
    return hash ^ hash >>> 15;
  }
}
