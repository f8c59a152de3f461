package holdfast.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What keeps a device from sending for good: silence, defects, and who may read its folder. */
@Timeout(120)
class SilenceTest {
  private static final Duration LONG = Duration.ofSeconds(60);
  private static final Duration TIMEOUT = Duration.ofSeconds(2);

  @TempDir static Path shared;
  @TempDir Path folder;

  private static Octets value(String text) {
    return Octets.wrap(text.getBytes(StandardCharsets.UTF_8));
  }

  /** A network that falls silent ends no connection, whatever of the answer had come. */
  @Test
  void anAnswerThatStopsSomewhereIsGivenUp() throws Exception {
    int headers = SilentEdge.HEADERS.length();
    int all = headers + SilentEdge.BODY.length();
    try (SilentEdge edge = new SilentEdge(shared)) {
      for (int bytes : new int[] {0, 10, headers - 1, headers, headers + 5, all - 1}) {
        edge.bytes = bytes;
        try (HttpLink link = new HttpLink(edge.address(), TIMEOUT)) {
          assertThatThrownBy(() -> link.request("GET", "/v1/x", "", new byte[0]))
              .as("after " + bytes + " bytes")
              .isInstanceOf(IOException.class);
          edge.bytes = all;
          assertThat(link.request("GET", "/v1/x", "", new byte[0]).body())
              .isEqualTo(value(SilentEdge.BODY));
        }
      }
    }
  }
}
