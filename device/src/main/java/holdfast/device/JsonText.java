package holdfast.device;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads the few JSON texts that an edge answers, and writes those that it is asked. Objects become
 * maps, arrays lists, whole numbers Long, other numbers Double; null stands for null.
 */
final class JsonText {
  private static final int MOST_DEPTH = 32;

  private final String text;
  private int at;
  private int depth;

  private JsonText(String text) {
    this.text = text;
  }

  /** The object that this text is. */
  static Map<?, ?> object(byte[] utf8) throws MalformedException {
    try {
      JsonText in =
          new JsonText(
              StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString());
      Object value = in.value();
      in.space();
      if (in.at < in.text.length() || !(value instanceof Map<?, ?> map)) {
        throw in.malformed("one JSON object was expected");
      }
      return map;
    } catch (CharacterCodingException e) {
      throw new MalformedException("the answer is not UTF-8");
    }
  }

  /** A JSON string. */
  static String quoted(String text) {
    StringBuilder out = new StringBuilder("\"");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < ' ') {
        out.append(String.format("\\u%04x", (int) c));
      } else {
        out.append(c);
      }
    }
    return out.append('"').toString();
  }

  private MalformedException malformed(String problem) {
    return new MalformedException("the answer is not the JSON it should be: " + problem);
  }

  private void space() {
    while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
  }

  private boolean take(char c) {
    space();
    if (at < text.length() && text.charAt(at) == c) {
      at++;
      return true;
    }
    return false;
  }

  private void expect(char c) throws MalformedException {
    if (!take(c)) {
      throw malformed("'" + c + "' expected at " + at);
    }
  }

  private @Nullable Object value() throws MalformedException {
    if (++depth > MOST_DEPTH) {
      throw malformed("it is nested too deeply");
    }
    try {
      space();
      if (at == text.length()) {
        throw malformed("it ends early");
      }
      return switch (text.charAt(at)) {
        case '{' -> map();
        case '[' -> list();
        case '"' -> string();
        case 't' -> word("true", true);
        case 'f' -> word("false", false);
        case 'n' -> word("null", null);
        default -> number();
      };
    } finally {
      depth--;
    }
  }

  private @Nullable Object word(String word, @Nullable Object meaning) throws MalformedException {
    if (!text.startsWith(word, at)) {
      throw malformed("an unknown word at " + at);
    }
    at += word.length();
    return meaning;
  }

  private Map<String, @Nullable Object> map() throws MalformedException {
    Map<String, @Nullable Object> map = new LinkedHashMap<>();
    expect('{');
    if (take('}')) {
      return map;
    }
    do {
      space();
      String key = string();
      expect(':');
      map.put(key, value());
    } while (take(','));
    expect('}');
    return map;
  }

  private List<@Nullable Object> list() throws MalformedException {
    List<@Nullable Object> list = new ArrayList<>();
    expect('[');
    if (take(']')) {
      return list;
    }
    do {
      list.add(value());
    } while (take(','));
    expect(']');
    return list;
  }

  private String string() throws MalformedException {
    expect('"');
    StringBuilder out = new StringBuilder();
    while (at < text.length()) {
      char c = text.charAt(at++);
      if (c == '"') {
        return out.toString();
      }
      if (c != '\\') {
        out.append(c);
        continue;
      }
      if (at == text.length()) {
        break;
      }
      char escaped = text.charAt(at++);
      int plain = "\"\\/bfnrt".indexOf(escaped);
      if (plain >= 0) {
        out.append("\"\\/\b\f\n\r\t".charAt(plain));
      } else if (escaped == 'u' && at + 4 <= text.length()) {
        try {
          out.append((char) Integer.parseInt(text.substring(at, at + 4), 16));
        } catch (NumberFormatException e) {
          throw malformed("a broken escape at " + at);
        }
        at += 4;
      } else {
        throw malformed("an unknown escape at " + at);
      }
    }
    throw malformed("a string does not end");
  }

  private Object number() throws MalformedException {
    int start = at;
    while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
    String number = text.substring(start, at);
    try {
      return number.matches("-?\\d+") ? (Object) Long.valueOf(number) : Double.valueOf(number);
    } catch (NumberFormatException e) {
      throw malformed("no number at " + start);
    }
  }
}
