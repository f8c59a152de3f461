package holdfast.device;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A change written in one line of text, as {@code run} of both clients reads it: key, tab and
 * value, or a JSON object with {@code key} and either {@code value} (text), {@code base64} or
 * {@code "delete":true}, and if need be {@code type} and {@code space}. {@code sequence}, {@code
 * time} and {@code why} may stand there too, and mean nothing: lines of the file {@code rejected}
 * have them.
 *
 * @param value empty for a deletion
 */
public record ChangeLine(String space, String key, Optional<Octets> value, String contentType) {
  private static final Set<String> MEMBERS =
      Set.of("space", "key", "value", "base64", "type", "delete", "sequence", "time", "why");

  /**
   * Reads a line as it stands in a file; a carriage return at its end is no part of it.
   *
   * @throws MalformedException when it is not UTF-8, or neither of the two forms. Nothing is
   *     replaced silently: a value that was changed is worse than one that was left out
   */
  public static ChangeLine parse(byte[] utf8, String defaultSpace) throws MalformedException {
    String line;
    try {
      line = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString();
    } catch (CharacterCodingException e) {
      throw new MalformedException(
          "the line is not UTF-8; {\"key\":…,\"base64\":…} takes a value of any bytes");
    }
    return parse(line.endsWith("\r") ? line.substring(0, line.length() - 1) : line, defaultSpace);
  }

  /**
   * Reads a line.
   *
   * @param defaultSpace the space of a line that names none
   * @throws MalformedException when it is neither of the two forms
   */
  public static ChangeLine parse(String line, String defaultSpace) throws MalformedException {
    if (line.startsWith("{")) {
      return ofJson(JsonText.object(line.getBytes(StandardCharsets.UTF_8)), defaultSpace);
    }
    int tab = line.indexOf('\t');
    if (tab < 0) {
      throw new MalformedException("the line is neither KEY<TAB>VALUE nor a JSON object: " + line);
    }
    return new ChangeLine(
        defaultSpace,
        line.substring(0, tab),
        Optional.of(utf8(line.substring(tab + 1))),
        "text/plain");
  }

  private static Octets utf8(String text) {
    return Octets.wrap(text.getBytes(StandardCharsets.UTF_8));
  }

  private static ChangeLine ofJson(Map<?, ?> found, String defaultSpace) throws MalformedException {
    for (Object member : found.keySet()) {
      if (!MEMBERS.contains(member)) {
        throw new MalformedException("the line has the unknown member " + member);
      }
    }
    Object delete = found.get("delete");
    Object text = found.get("value");
    Object base64 = found.get("base64");
    Optional<Octets> value;
    if (Boolean.TRUE.equals(delete) && text == null && base64 == null) {
      value = Optional.empty();
    } else if (text instanceof String s && base64 == null && delete == null) {
      value = Optional.of(utf8(s));
    } else if (base64 instanceof String s && text == null && delete == null) {
      try {
        value = Optional.of(Octets.wrap(Base64.getDecoder().decode(s)));
      } catch (IllegalArgumentException e) {
        throw new MalformedException("the line's base64 cannot be read");
      }
    } else {
      throw new MalformedException("the line needs one of value, base64 and \"delete\":true");
    }
    if (!(found.get("key") instanceof String key)) {
      throw new MalformedException("the line has no key");
    }
    return new ChangeLine(text(found, "space", defaultSpace), key, value, text(found, "type", ""));
  }

  private static String text(Map<?, ?> found, String member, String otherwise)
      throws MalformedException {
    Object value = found.get(member);
    if (value == null) {
      return otherwise;
    }
    if (value instanceof String s) {
      return s;
    }
    throw new MalformedException("the line's " + member + " is no text");
  }
}
