package holdfast.device;

import java.nio.ByteBuffer;

/**
 * One change of a key: it is given a value, or it is deleted.
 *
 * <p>Encoding: docs/edge-format.md, section 1. Operations of a queue count from 1; the sequence
 * number 0 stands for a client that has no queue. The time is a claim, in milliseconds since 1970,
 * and nothing is decided by it.
 */
public sealed interface Operation {
  /** Most bytes of a key in UTF-8. */
  int MAX_KEY_BYTES = 1024;

  /** Most bytes of a content type. */
  int MAX_TYPE_BYTES = 255;

  /** Most bytes of a value. */
  int MAX_VALUE_BYTES = 1 << 20;

  /** What an empty content type stands for. */
  String DEFAULT_TYPE = "application/octet-stream";

  /** Counts the operations of one queue, before anything is collapsed. */
  long sequence();

  /** When the operation was made, as its maker claims; milliseconds since 1970. */
  long timeMillis();

  /** The space in which the key lies. */
  String space();

  /** The key. */
  String key();

  /**
   * The key has this value from now on.
   *
   * @param contentType visible ASCII; empty stands for {@link #DEFAULT_TYPE}
   * @param value at most {@link #MAX_VALUE_BYTES} bytes
   */
  record Put(
      long sequence, long timeMillis, String space, String key, String contentType, Octets value)
      implements Operation {
    /** Checks the limits. */
    public Put {
      check(sequence, timeMillis, space, key);
      Text.checkContentType(contentType);
      if (value.size() > MAX_VALUE_BYTES) {
        throw new IllegalArgumentException(
            "a value has at most " + MAX_VALUE_BYTES + " bytes, not " + value.size());
      }
    }
  }

  /** The key has no value from now on. */
  record Delete(long sequence, long timeMillis, String space, String key) implements Operation {
    /** Checks the limits. */
    public Delete {
      check(sequence, timeMillis, space, key);
    }
  }

  private static void check(long sequence, long timeMillis, String space, String key) {
    if (sequence < 0 || timeMillis < 0) {
      throw new IllegalArgumentException(
          "sequence numbers and times are not negative: " + sequence + ", " + timeMillis);
    }
    Text.checkSpace(space);
    Text.checkKey(key);
  }

  /** Bytes of the encoding. */
  default int encodedSize() {
    int head = 8 + 8 + 1 + 2 + space().length() + 2 + Text.utf8Size(key());
    return switch (this) {
      case Put put -> head + 2 + put.contentType().length() + 4 + put.value().size();
      case Delete _ -> head;
    };
  }

  /** The encoding. */
  default byte[] encode() {
    byte[] bytes = new byte[encodedSize()];
    encode(ByteBuffer.wrap(bytes));
    return bytes;
  }

  /** Appends the encoding to a buffer with room for {@link #encodedSize} bytes. */
  default void encode(ByteBuffer out) {
    out.putLong(sequence()).putLong(timeMillis());
    out.put((byte) (this instanceof Put ? 1 : 2));
    Text.put16(out, space());
    Text.put16(out, key());
    if (this instanceof Put put) {
      Text.put16(out, put.contentType());
      out.putInt(put.value().size()).put(put.value().unsafeArray());
    }
  }

  /** Reads one operation and nothing else. */
  static Operation decode(byte[] bytes) throws MalformedException {
    return decode(bytes, 0, bytes.length);
  }

  /** Reads one operation that is exactly this part of an array. */
  static Operation decode(byte[] bytes, int offset, int length) throws MalformedException {
    Input in = new Input(bytes, offset, length, "the operation");
    Operation operation = read(in);
    in.end();
    return operation;
  }

  /** Reads the operation that comes next. */
  static Operation read(Input in) throws MalformedException {
    long sequence = in.u64();
    long time = in.u64();
    int kind = in.u8();
    String space = in.text16(64);
    String key = in.text16(MAX_KEY_BYTES);
    try {
      return switch (kind) {
        case 1 -> {
          String type = in.text16(MAX_TYPE_BYTES);
          int size = in.u32(MAX_VALUE_BYTES);
          yield new Put(sequence, time, space, key, type, in.octets(size));
        }
        case 2 -> new Delete(sequence, time, space, key);
        default -> throw in.malformed("is of the unknown kind " + kind);
      };
    } catch (IllegalArgumentException e) {
      throw in.malformed("is against a rule: " + e.getMessage());
    }
  }
}
