package holdfast.edge;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a client subscribes to: {@code kv/SPACE/…}, where the rest may have the wildcards of MQTT,
 * {@code +} for one level and {@code #} for all that follow. The space is always named: it is what
 * rights are about.
 *
 * @param prefix with which all keys that match begin
 * @param exact whether the prefix is the one key that matches
 */
record MqttFilter(String space, String prefix, boolean exact, List<String> levels) {
  static final String SHARED = "$share/";

  private static final Pattern SLASH = Pattern.compile("/");

  MqttFilter {
    levels = List.copyOf(levels);
  }

  /** The filter that is written so; null when it is none that is taken here. */
  static @Nullable MqttFilter parse(String text) {
    int slash = text.indexOf('/', MqttTopic.ROOT.length());
    if (!text.startsWith(MqttTopic.ROOT) || slash < 0) {
      return null;
    }
    String space = text.substring(MqttTopic.ROOT.length(), slash);
    String rest = text.substring(slash + 1);
    List<String> levels = split(rest);
    int wild = levels.size();
    for (int i = levels.size() - 1; i >= 0; i--) {
      String level = levels.get(i);
      boolean wildcard = level.equals("+") || (level.equals("#") && i == levels.size() - 1);
      if (!wildcard && !MqttTopic.publishable(level)) {
        return null;
      }
      wild = wildcard ? i : wild;
    }
    if (!Spaces.valid(space) || rest.isEmpty()) {
      return null;
    }
    boolean exact = wild == levels.size();
    List<String> literal = new ArrayList<>(levels.subList(0, wild));
    if (!exact && wild > 0 && !levels.get(wild).equals("#")) {
      literal.add("");
    }
    return new MqttFilter(space, String.join("/", literal), exact, levels);
  }

  private static List<String> split(String text) {
    return List.of(SLASH.split(text, -1));
  }

  /** Whether it matches a key of its space (MQTT 5, section 4.7). */
  boolean matches(String key) {
    if (exact) {
      return key.equals(prefix);
    }
    if (!key.startsWith(prefix)) {
      return false;
    }
    if (levels.size() == 1 && levels.getFirst().equals("#")) {
      return true;
    }
    List<String> parts = split(key);
    for (int i = 0; i < levels.size(); i++) {
      String level = levels.get(i);
      if (level.equals("#")) {
        return true;
      }
      if (i >= parts.size() || !(level.equals("+") || level.equals(parts.get(i)))) {
        return false;
      }
    }
    return parts.size() == levels.size();
  }
}
