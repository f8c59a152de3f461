package holdfast.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A strict reader of JSON, so that what commands print is checked by other code than theirs. */
final class TestJson {
  private final String text;
  private int at;

  private TestJson(String text) {
    this.text = text;
  }

  static Object parse(String text) {
    TestJson json = new TestJson(text);
    Object value = json.value();
    if (json.at != text.length()) {
      throw new IllegalArgumentException("more follows at " + json.at + ": " + text);
    }
    return value;
  }

  private char next() {
    return text.charAt(at++);
  }

  private void expect(String literal) {
    if (!text.startsWith(literal, at)) {
      throw new IllegalArgumentException(literal + " expected at " + at + ": " + text);
    }
    at += literal.length();
  }

  private Object value() {
    switch (text.charAt(at)) {
      case '{' -> {
        return object();
      }
      case '[' -> {
        return array();
      }
      case '"' -> {
        return string();
      }
      case 't' -> {
        expect("true");
        return true;
      }
      case 'f' -> {
        expect("false");
        return false;
      }
      case 'n' -> {
        expect("null");
        return "null";
      }
      default -> {
        int start = at;
        while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) {
          at++;
        }
        return Double.valueOf(text.substring(start, at));
      }
    }
  }

  private Map<String, Object> object() {
    Map<String, Object> members = new LinkedHashMap<>();
    expect("{");
    while (text.charAt(at) != '}') {
      if (!members.isEmpty()) {
        expect(",");
      }
      String key = string();
      expect(":");
      if (members.put(key, value()) != null) {
        throw new IllegalArgumentException(key + " is there twice: " + text);
      }
    }
    at++;
    return members;
  }

  private List<Object> array() {
    List<Object> items = new ArrayList<>();
    expect("[");
    while (text.charAt(at) != ']') {
      if (!items.isEmpty()) {
        expect(",");
      }
      items.add(value());
    }
    at++;
    return items;
  }

  private String string() {
    StringBuilder value = new StringBuilder();
    expect("\"");
    while (true) {
      char c = next();
      if (c == '"') {
        return value.toString();
      }
      if (c < 0x20) {
        throw new IllegalArgumentException("a bare control character at " + at);
      }
      if (c != '\\') {
        value.append(c);
        continue;
      }
      char escaped = next();
      switch (escaped) {
        case '"', '\\', '/' -> value.append(escaped);
        case 'n' -> value.append('\n');
        case 'r' -> value.append('\r');
        case 't' -> value.append('\t');
        case 'u' -> {
          value.append((char) Integer.parseInt(text.substring(at, at + 4), 16));
          at += 4;
        }
        default -> throw new IllegalArgumentException("\\" + escaped + " is no escape");
      }
    }
  }
}
