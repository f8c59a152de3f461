package holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What is written as JSON is read back the same, by a reader of other code. */
class JsonTest {
  @Test
  void everyCharacterComesBack() {
    StringBuilder all = new StringBuilder("\uD83D\uDE00");
    for (int c = 0; c < 0xD800; c += 7) {
      all.appendCodePoint(c);
    }
    for (String text : List.of("", "\"\\\n\r\t\b\f\0\u007f", "\u2028\u2029", all.toString())) {
      String line = Json.object().put("t", text).toString();
      assertThat(line).doesNotContain("\n", "\r", "\u2028");
      assertThat(TestJson.parse(line)).isEqualTo(Map.of("t", text));
    }
    // Half of a pair is no character; it is escaped, so that the line stays UTF-8.
    assertThat(Json.object().put("t", "\uD83D").toString()).isEqualTo("{\"t\":\"\\ud83d\"}");
  }

  @Test
  void valuesOfAllKinds() {
    String line =
        Json.object()
            .put("n", 1L)
            .put("d", 0.5)
            .put("b", true)
            .put("none", null)
            .put("list", List.of(1, "x", List.of()))
            .put("in", Json.object())
            .toString();
    assertThat(line)
        .isEqualTo("{\"n\":1,\"d\":0.5,\"b\":true,\"none\":null,\"list\":[1,\"x\",[]],\"in\":{}}");
  }
}
