package holdfast.device;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;

/** The rules for texts: keys, names of spaces and devices, content types. */
final class Text {
  private static final Pattern SPACE = Pattern.compile("[a-z0-9][a-z0-9._-]{0,63}");
  private static final Pattern DEVICE = Pattern.compile("[a-z0-9._-]{1,64}");

  private Text() {}

  /** Bytes of the text in UTF-8, or -1 when half of a surrogate pair is in it. */
  static int utf8Size(String text) {
    int size = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < 0x80) {
        size++;
      } else if (c < 0x800) {
        size += 2;
      } else if (!Character.isSurrogate(c)) {
        size += 3;
      } else if (Character.isHighSurrogate(c)
          && i + 1 < text.length()
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        size += 4;
        i++;
      } else {
        return -1;
      }
    }
    return size;
  }

  static void checkSpace(String space) {
    if (!SPACE.matcher(space).matches()) {
      throw new IllegalArgumentException(
          "a space has 1 to 64 of the characters a-z 0-9 . _ - and begins with a letter or a"
              + " digit, unlike '"
              + shown(space)
              + "'");
    }
  }

  static void checkDevice(String name) {
    if (!DEVICE.matcher(name).matches()) {
      throw new IllegalArgumentException(
          "a device's name has 1 to 64 of the characters a-z 0-9 . _ -, unlike '"
              + shown(name)
              + "'");
    }
  }

  static void checkKey(String key) {
    int size = utf8Size(key);
    if (size < 1 || size > Operation.MAX_KEY_BYTES) {
      throw new IllegalArgumentException(
          size < 0
              ? "a key is well-formed text, and this one holds half of a surrogate pair"
              : "a key has 1 to " + Operation.MAX_KEY_BYTES + " bytes in UTF-8, not " + size);
    }
  }

  static void checkContentType(String type) {
    if (type.length() > Operation.MAX_TYPE_BYTES) {
      throw new IllegalArgumentException(
          "a content type has at most "
              + Operation.MAX_TYPE_BYTES
              + " characters, not "
              + type.length());
    }
    for (int i = 0; i < type.length(); i++) {
      if (type.charAt(i) < ' ' || type.charAt(i) > '~') {
        throw new IllegalArgumentException(
            "a content type is visible ASCII, unlike '" + shown(type) + "'");
      }
    }
  }

  /** For a message: what a terminal or a log would take for something else is a question mark. */
  private static String shown(String text) {
    return text.codePoints()
        .limit(80)
        .collect(
            StringBuilder::new,
            (out, c) -> out.appendCodePoint(c < ' ' || c > '~' ? '?' : c),
            StringBuilder::append)
        .toString();
  }

  /** Appends a 16-bit length and the UTF-8 bytes. */
  static void put16(ByteBuffer out, String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    out.putShort((short) utf8.length).put(utf8);
  }
}
