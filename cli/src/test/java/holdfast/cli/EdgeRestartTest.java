package holdfast.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code edge up} comes back by itself where that helps, as {@code up} does. */
@Timeout(180)
class EdgeRestartTest {
  @TempDir Path scratch;

  /** An edge that the command runs until it is interrupted. */
  private static final class Up implements AutoCloseable {
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final Thread thread;
    final Map<?, ?> said;

    Up(Cli cli) throws Exception {
      try (PipedInputStream out = new PipedInputStream();
          BufferedReader lines = new BufferedReader(new InputStreamReader(out, UTF_8))) {
        Terminal terminal =
            new Terminal(
                new PipedOutputStream(out),
                err,
                new ByteArrayInputStream(new byte[0]),
                cli.environment,
                false,
                false);
        thread =
            Thread.ofPlatform()
                .start(() ->
                    Main.run(terminal, "edge", "up", "--port", "0", "--mqtt-port", "0", "--json"));
        said = (Map<?, ?>) TestJson.parse(lines.readLine());
      }
    }

    String text(String field) {
      return (String) said.get(field);
    }

    /** Whether somebody listens at an address of this machine, with or without a scheme. */
    boolean listens(String field) throws Exception {
      String address = text(field);
      int port = Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
      try (Socket socket = new Socket()) {
        socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 10_000);
        return true;
      } catch (java.net.ConnectException e) {
        return false;
      }
    }

    @Override
    public void close() {
      thread.interrupt();
      try {
        thread.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  @Test
  void anEdgeStartsAnewToReplaceARottenTable() throws Exception {
    Cli cli = new Cli(scratch.resolve("home"));
    String capsule;
    byte[] noise = new byte[100_000];
    new Random(1).nextBytes(noise);
    cli.ok("edge", "init");
    try (Up up = new Up(cli)) {
      // Another capsule on the edge's server: what the edge starts from is whole.
      cli.environment.put("HOLDFAST_SERVER", up.text("endpoint"));
      capsule = cli.ok("create", "--key", "edge-operator");
      cli.input(noise, "append", capsule, "--key", "edge-operator").failsWith(0);
    }
    Path largest;
    try (Stream<Path> files = Files.list(cli.home.resolve("edge/node/db"))) {
      largest =
          files
              .filter(file -> file.toString().endsWith(".sst"))
              .max(Comparator.comparingLong(file -> file.toFile().length()))
              .orElseThrow();
    }
    byte[] bytes = Files.readAllBytes(largest);
    bytes[bytes.length / 2] ^= 1;
    Files.write(largest, bytes);
    try (Up up = new Up(cli)) {
      cli.environment.put("HOLDFAST_SERVER", up.text("endpoint"));
      long deadline = System.nanoTime() + 60_000_000_000L;
      // Reading meets the rot.
      cli.run("export", capsule, "-o", scratch.resolve("bundle").toString());
      while (Files.exists(largest)) {
        assertThat(System.nanoTime()).as("the table is replaced").isLessThan(deadline);
        Thread.onSpinWait();
      }
      assertThat(up.err.toString(UTF_8)).contains("is rotten: the edge starts anew");
      // It comes back where it was, with all that it serves.
      while (cli.run("edge", "status").exitCode() != 0) {
        assertThat(System.nanoTime()).as("it serves again").isLessThan(deadline);
      }
      assertThat(cli.json("edge", "status")).containsEntry("capsule", up.text("capsule"));
      assertThat(up.listens("rest")).isTrue();
      assertThat(up.listens("mqtt")).isTrue();
      assertThat((double) cli.json("status").get("damaged")).isPositive();
      assertThat(up.err.toString(UTF_8)).doesNotContain("cannot go on", "not closed in order");
    }
  }
}
