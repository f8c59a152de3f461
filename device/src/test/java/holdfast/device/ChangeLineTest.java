package holdfast.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ChangeLineTest {
  private static Optional<Octets> value(String text) {
    return Optional.of(Octets.wrap(text.getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void bothFormsAreRead() throws Exception {
    assertThat(ChangeLine.parse("a\tb\tc", "home"))
        .isEqualTo(new ChangeLine("home", "a", value("b\tc"), "text/plain"));
    assertThat(ChangeLine.parse("{\"key\":\"\\u00e4\\n\",\"value\":\"\",\"type\":\"t\"}", "home"))
        .isEqualTo(new ChangeLine("home", "ä\n", value(""), "t"));
    assertThat(ChangeLine.parse("{ \"key\" : \"a\", \"delete\" : true, \"space\":\"x\"}", "home"))
        .isEqualTo(new ChangeLine("x", "a", Optional.empty(), ""));
    assertThat(ChangeLine.parse("{\"key\":\"a\",\"base64\":\"AAH/\"}", "home").value())
        .contains(Octets.parseHex("0001ff"));
  }

  @Test
  void everythingElseIsRefused() {
    for (String line :
        List.of(
            "",
            "no tab",
            "{",
            "{}",
            "[1]",
            "{\"key\":\"a\"}",
            "{\"key\":1,\"value\":\"v\"}",
            "{\"key\":\"a\",\"value\":1}",
            "{\"key\":\"a\",\"value\":\"v\",\"delete\":true}",
            "{\"key\":\"a\",\"value\":\"v\",\"ttl\":3}",
            "{\"key\":\"a\",\"base64\":\"!\"}",
            "{\"key\":\"a\",\"value\":\"v\"} x",
            "{\"key\":\"a\",\"value\":\"v\",\"type\":2}",
            "{\"key\":" + "[".repeat(100_000))) {
      assertThatThrownBy(() -> ChangeLine.parse(line, "home"))
          .as(line)
          .isInstanceOf(MalformedException.class);
    }
  }
}
