package holdfast.edge;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Topics and filters: MQTT 5, section 4.7, with the space always named. */
class MqttFilterTest {
  private static List<String> matching(String filter, String... keys) {
    MqttFilter parsed = Objects.requireNonNull(MqttFilter.parse(filter));
    assertThat(parsed.space()).isEqualTo("home");
    List<String> matches = Stream.of(keys).filter(parsed::matches).toList();
    // What lists the keys reads only those that begin so.
    assertThat(matches).allMatch(key -> key.startsWith(parsed.prefix()));
    return matches;
  }

  @Test
  void wildcardsMatchLevels() {
    String[] keys = {"a", "a/b", "a/b/c", "a/", "/a", "ab", "b/b", "a/x/c"};
    assertThat(matching("kv/home/#", keys)).containsExactly(keys);
    assertThat(matching("kv/home/+", keys)).containsExactly("a", "ab");
    assertThat(matching("kv/home/a", keys)).containsExactly("a");
    assertThat(matching("kv/home/a/#", keys)).containsExactly("a", "a/b", "a/b/c", "a/", "a/x/c");
    assertThat(matching("kv/home/a/+", keys)).containsExactly("a/b", "a/");
    assertThat(matching("kv/home/a/+/c", keys)).containsExactly("a/b/c", "a/x/c");
    assertThat(matching("kv/home/+/b", keys)).containsExactly("a/b", "b/b");
    assertThat(matching("kv/home/+/b/#", keys)).containsExactly("a/b", "a/b/c", "b/b");
    assertThat(matching("kv/home/+/+", keys)).containsExactly("a/b", "a/", "/a", "b/b");
  }

  @Test
  void whatIsNoFilterIsNoneAndTheSpaceIsNamed() {
    for (String text :
        List.of(
            "",
            "#",
            "+",
            "kv",
            "kv/",
            "kv/#",
            "kv/+/a",
            "kv/home",
            "kv/home/",
            "kv/HOME/a",
            "kv/home/a#",
            "kv/home/#/a",
            "kv/home/a+/b",
            "KV/home/a",
            "/kv/home/a",
            "kv/home/\0")) {
      assertThat(MqttFilter.parse(text)).as(text).isNull();
    }
  }

  @Test
  void theKeyIsTheRestOfTheTopic() {
    assertThat(MqttTopic.parse("kv/home/a/b//c/")).isEqualTo(new MqttTopic("home", "a/b//c/"));
    assertThat(MqttTopic.parse("kv/home//")).isEqualTo(new MqttTopic("home", "/"));
    assertThat(MqttTopic.parse("kv/home/" + "ü".repeat(512))).isNotNull();
    for (String text :
        List.of(
            "",
            "kv",
            "kv/",
            "kv/home",
            "kv/home/",
            "kv//a",
            "kv/Home/a",
            "x/home/a",
            "kv/home/a+b",
            "kv/home/#",
            "kv/home/" + "ü".repeat(513))) {
      assertThat(MqttTopic.parse(text)).as(text).isNull();
    }
  }
}
