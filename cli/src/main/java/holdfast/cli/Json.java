package holdfast.cli;

import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Writes one JSON object on one line; keys stay in the order in which they were put. */
final class Json {
  private final StringBuilder text = new StringBuilder("{");

  static Json object() {
    return new Json();
  }

  /**
   * Adds a member.
   *
   * @param value null, Boolean, number, List, Map, Json, or anything else for its text
   */
  Json put(String key, @Nullable Object value) {
    if (text.length() > 1) {
      text.append(',');
    }
    string(text, key);
    text.append(':');
    value(text, value);
    return this;
  }

  private static void value(StringBuilder to, @Nullable Object value) {
    switch (value) {
      case null -> to.append("null");
      case Boolean b -> to.append(b);
      case Double d when !Double.isFinite(d) -> to.append("null");
      case Number n -> to.append(n);
      case Json object -> to.append(object);
      case List<?> list -> {
        String separator = "[";
        for (Object one : list) {
          to.append(separator);
          value(to, one);
          separator = ",";
        }
        to.append(list.isEmpty() ? "[]" : "]");
      }
      case Map<?, ?> map -> {
        Json object = object();
        map.forEach((key, one) -> object.put(String.valueOf(key), one));
        to.append(object);
      }
      default -> string(to, Objects.toString(value));
    }
  }

  private static void string(StringBuilder to, String value) {
    to.append('"');
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      switch (c) {
        case '"' -> to.append("\\\"");
        case '\\' -> to.append("\\\\");
        case '\n' -> to.append("\\n");
        case '\r' -> to.append("\\r");
        case '\t' -> to.append("\\t");
        default -> {
          boolean lone = Character.isSurrogate(c) && !paired(value, i);
          // U+2028 and U+2029 end a line for some readers of JSON lines; others steer a terminal.
          if (Terminal.steers(c) || lone) {
            to.append(String.format("\\u%04x", (int) c));
          } else {
            to.append(c);
          }
        }
      }
    }
    to.append('"');
  }

  private static boolean paired(String value, int i) {
    return Character.isHighSurrogate(value.charAt(i))
        ? i + 1 < value.length() && Character.isLowSurrogate(value.charAt(i + 1))
        : i > 0 && Character.isHighSurrogate(value.charAt(i - 1));
  }

  @Override
  public String toString() {
    return text + "}";
  }
}
