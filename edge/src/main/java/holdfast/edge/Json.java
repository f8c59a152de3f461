package holdfast.edge;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A JSON object that is written; and the reading of JSON (RFC 8259), strictly: no member twice, a
 * bounded depth, nothing after the value.
 */
final class Json {
  private static final int MOST_DEPTH = 16;

  private final Map<String, @Nullable Object> members = new LinkedHashMap<>();

  static Json object() {
    return new Json();
  }

  /**
   * Adds a member.
   *
   * @param value null, Boolean, number, List, Json, or anything else for its text
   */
  Json put(String key, @Nullable Object value) {
    members.put(key, value);
    return this;
  }

  Json putAll(Json other) {
    members.putAll(other.members);
    return this;
  }

  byte[] toBytes() {
    return toString().getBytes(StandardCharsets.UTF_8);
  }

  @Override
  public String toString() {
    StringBuilder to = new StringBuilder();
    write(to, this);
    return to.toString();
  }

  private static void write(StringBuilder to, @Nullable Object value) {
    switch (value) {
      case null -> to.append("null");
      case Boolean b -> to.append(b);
      case Number n -> to.append(n);
      case Json object -> {
        String separator = "{";
        for (Map.Entry<String, @Nullable Object> member : object.members.entrySet()) {
          string(to.append(separator), member.getKey());
          write(to.append(':'), member.getValue());
          separator = ",";
        }
        to.append(object.members.isEmpty() ? "{}" : "}");
      }
      case List<?> list -> {
        String separator = "[";
        for (Object one : list) {
          write(to.append(separator), one);
          separator = ",";
        }
        to.append(list.isEmpty() ? "[]" : "]");
      }
      default -> string(to, Objects.toString(value));
    }
  }

  private static void string(StringBuilder to, String value) {
    to.append('"');
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      if (c == '"' || c == '\\') {
        to.append('\\').append(c);
      } else if (c < ' ' || c == 0x7F || c == 0x2028 || c == 0x2029) {
        to.append(String.format("\\u%04x", (int) c));
      } else {
        to.append(c);
      }
    }
    to.append('"');
  }

  // ---- Reading ----------------------------------------------------------------------------------

  /**
   * Reads a value: Map, List, String, Long, Double, Boolean or null.
   *
   * @throws Problem when it is not JSON
   */
  static @Nullable Object read(byte[] utf8) {
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString();
      Reader reader = new Reader(text);
      Object value = reader.value(0);
      reader.blanks();
      if (reader.at < text.length()) {
        throw reader.bad("nothing more");
      }
      return value;
    } catch (CharacterCodingException e) {
      throw Problem.invalid("the body is not UTF-8");
    }
  }

  private static final class Reader {
    final String text;
    int at;

    Reader(String text) {
      this.text = text;
    }

    Problem bad(String expected) {
      return Problem.invalid(
          "the body is not the JSON that is wanted: " + expected + " was expected at " + at);
    }

    void blanks() {
      while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
        at++;
      }
    }

    char peek() {
      return at < text.length() ? text.charAt(at) : 0;
    }

    boolean took(char c) {
      blanks();
      boolean is = at < text.length() && text.charAt(at) == c;
      at += is ? 1 : 0;
      return is;
    }

    void need(char c) {
      if (!took(c)) {
        throw bad("'" + c + "'");
      }
    }

    @Nullable Object value(int depth) {
      blanks();
      if (depth > MOST_DEPTH) {
        throw bad("less depth");
      }
      return switch (peek()) {
        case '{' -> map(depth);
        case '[' -> list(depth);
        case '"' -> string();
        case 't' -> word("true", true);
        case 'f' -> word("false", false);
        case 'n' -> word("null", null);
        default -> number();
      };
    }

    private @Nullable Object word(String word, @Nullable Object value) {
      if (!text.startsWith(word, at)) {
        throw bad("a value");
      }
      at += word.length();
      return value;
    }

    private Map<String, @Nullable Object> map(int depth) {
      Map<String, @Nullable Object> found = new LinkedHashMap<>();
      need('{');
      if (took('}')) {
        return found;
      }
      do {
        blanks();
        String key = string();
        need(':');
        if (found.containsKey(key)) {
          throw bad("each member once, and not '" + key + "' again");
        }
        found.put(key, value(depth + 1));
      } while (took(','));
      need('}');
      return found;
    }

    private List<@Nullable Object> list(int depth) {
      List<@Nullable Object> found = new ArrayList<>();
      need('[');
      if (took(']')) {
        return found;
      }
      do {
        found.add(value(depth + 1));
      } while (took(','));
      need(']');
      return found;
    }

    private Object number() {
      int from = at;
      while (at < text.length() && "+-.0123456789eE".indexOf(text.charAt(at)) >= 0) {
        at++;
      }
      String number = text.substring(from, at);
      if (!number.matches("-?(0|[1-9]\\d{0,17})(\\.\\d{1,17})?([eE][+-]?\\d{1,3})?")) {
        at = from;
        throw bad("a value");
      }
      return number.matches("-?\\d+") ? (Object) Long.valueOf(number) : Double.valueOf(number);
    }

    private String string() {
      if (peek() != '"') {
        throw bad("a text in quotes");
      }
      StringBuilder found = new StringBuilder();
      for (at++; at < text.length() && text.charAt(at) != '"'; at++) {
        char c = text.charAt(at);
        if (c < ' ') {
          throw bad("an escape in place of a control character");
        }
        found.append(c == '\\' ? escaped() : c);
      }
      need('"');
      return found.toString();
    }

    private char escaped() {
      at++;
      char c = peek();
      int plain = "\"\\/".indexOf(c);
      int control = "bfnrt".indexOf(c);
      if (plain >= 0) {
        return c;
      }
      if (control >= 0) {
        return "\b\f\n\r\t".charAt(control);
      }
      if (c != 'u' || at + 4 >= text.length()) {
        throw bad("an escape");
      }
      try {
        char read = (char) Integer.parseUnsignedInt(text, at + 1, at + 5, 16);
        at += 4;
        return read;
      } catch (NumberFormatException e) {
        throw bad("four hexadecimal digits");
      }
    }
  }

  // ---- What is found in an object ---------------------------------------------------------------

  /** The object that a value is. */
  static Map<?, ?> map(@Nullable Object value, String what) {
    if (value instanceof Map<?, ?> map) {
      return map;
    }
    throw Problem.invalid(what + " is a JSON object");
  }

  /** A text that must be there. */
  static String text(Map<?, ?> object, String key) {
    if (object.get(key) instanceof String text) {
      return text;
    }
    throw Problem.invalid("'" + key + "' is missing, or is no text");
  }

  /** A whole number that is not negative; 0 when it is not there. */
  static long number(Map<?, ?> object, String key) {
    Object value = object.get(key);
    if (value == null) {
      return 0;
    }
    if (value instanceof Long number && number >= 0) {
      return number;
    }
    throw Problem.invalid("'" + key + "' is a whole number, 0 or more");
  }

  /** Refuses members that nobody knows. */
  static void only(Map<?, ?> object, String... known) {
    List<String> names = List.of(known);
    for (Object key : object.keySet()) {
      if (!names.contains(String.valueOf(key))) {
        throw Problem.invalid("'" + key + "' means nothing here; known are " + names);
      }
    }
  }
}
