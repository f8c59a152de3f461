package holdfast.edge;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Takes the path and the query of a request apart, strictly: RFC 3986, UTF-8, nothing twice. */
final class RawPath {
  private RawPath() {}

  /** The segments of a path, decoded; a slash in a segment came as {@code %2F}. */
  static List<String> segments(String raw) {
    List<String> segments = new ArrayList<>(5);
    int from = 1;
    while (from <= raw.length()) {
      int slash = raw.indexOf('/', from);
      int end = slash < 0 ? raw.length() : slash;
      segments.add(decode(raw, from, end));
      from = end + 1;
    }
    return segments;
  }

  /**
   * The parameters of a query.
   *
   * @param known those that mean something; another is refused, as it may have been meant
   */
  static Map<String, String> query(String raw, List<String> known) {
    Map<String, String> found = new LinkedHashMap<>();
    if (raw.isEmpty()) {
      return found;
    }
    for (String pair : raw.split("&", -1)) {
      int equals = pair.indexOf('=');
      if (equals < 0) {
        throw Problem.invalid("a parameter is written NAME=VALUE");
      }
      String name = decode(pair, 0, equals);
      if (!known.contains(name)) {
        throw Problem.invalid(
            "the parameter '" + name + "' means nothing here; known are " + known);
      }
      if (found.put(name, decode(pair, equals + 1, pair.length())) != null) {
        throw Problem.invalid("the parameter '" + name + "' is there twice");
      }
    }
    return found;
  }

  private static String decode(String raw, int from, int to) {
    boolean plain = true;
    for (int i = from; plain && i < to; i++) {
      char c = raw.charAt(i);
      plain = c != '%' && c < 0x80;
    }
    if (plain) {
      return raw.substring(from, to);
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(to - from);
    for (int i = from; i < to; i++) {
      char c = raw.charAt(i);
      if (c == '%') {
        int high = i + 1 < to ? Character.digit(raw.charAt(i + 1), 16) : -1;
        int low = i + 2 < to ? Character.digit(raw.charAt(i + 2), 16) : -1;
        if (high < 0 || low < 0 || raw.charAt(i + 1) > 'f' || raw.charAt(i + 2) > 'f') {
          throw Problem.invalid("a % in a path is followed by two hexadecimal digits");
        }
        bytes.write(high << 4 | low);
        i += 2;
      } else if (c < 0x80) {
        bytes.write(c);
      } else {
        throw Problem.invalid("a path has ASCII characters only; others are percent-encoded");
      }
    }
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .decode(ByteBuffer.wrap(bytes.toByteArray()))
          .toString();
    } catch (CharacterCodingException e) {
      throw Problem.invalid("what is percent-encoded in a path is not UTF-8");
    }
  }
}
