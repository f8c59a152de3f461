package holdfast.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a command says and answers when the process itself fails. */
class ErrorsTest {
  @TempDir Path folder;

  /** An error that nobody takes would leave a process of threads that nobody ends. */
  @Test
  void anErrorIsToldAndIsAFailure() {
    InputStream failing =
        new InputStream() {
          @Override
          public int read() {
            throw new NoClassDefFoundError("made up");
          }

          @Override
          public int read(byte[] bytes, int offset, int length) {
            return read();
          }
        };
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Terminal terminal =
        new Terminal(
            new ByteArrayOutputStream(),
            err,
            failing,
            Map.of("HOLDFAST_HOME", folder.resolve("home").toString()),
            false,
            false);
    String queue = folder.resolve("queue").toString();
    assertThat(Main.run(terminal, "device", "put", "--queue", queue, "home/key", "-", "--json"))
        .isEqualTo(Failure.FAILED);
    assertThat(err.toString(UTF_8))
        .contains("\"error\":\"INTERNAL\"", "NoClassDefFoundError: made up");
  }
}
