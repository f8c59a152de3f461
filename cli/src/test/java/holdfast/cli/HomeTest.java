package holdfast.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.net.Endpoint;
import holdfast.node.Node;
import holdfast.testkit.Ports;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Keys, pins, settings, data folders. */
class HomeTest {
  @TempDir Path folder;

  @Test
  void nobodyElseReadsWhatIsKept() throws Exception {
    try (Node server = Cli.serve(folder.resolve("data"))) {
      Cli cli = new Cli(folder.resolve("home"), server);
      cli.ok("create", "--key", cli.key("owner"));
      try (Stream<Path> files = Files.walk(cli.home)) {
        for (Path file : files.toList()) {
          String expected = Files.isDirectory(file) ? "rwx------" : "rw-------";
          if (!file.getFileName().toString().equals("lock")) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                .as(file.toString())
                .isEqualTo(expected);
          }
        }
      }
    }
  }

  @Test
  void keysAreMadeOnceAndReadByOpenssl() throws Exception {
    Cli cli = new Cli(folder.resolve("home"));
    String file = cli.key("me");
    byte[] before = Files.readAllBytes(Path.of(file));
    cli.run("key", "new", file).failsWith(1);
    assertThat(Files.readAllBytes(Path.of(file))).isEqualTo(before);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(Path.of(file))))
        .isEqualTo("rw-------");
    Path backup = folder.resolve("backup.pem");
    Cli.Ran printed = cli.run("key", "backup", file).failsWith(0);
    assertThat(printed.err()).contains("Whoever reads this key");
    cli.ok("key", "backup", file, "-o", backup.toString());
    assertThat(Files.readString(backup)).isEqualTo(printed.out());
    Process openssl =
        new ProcessBuilder("openssl", "pkey", "-in", backup.toString(), "-noout", "-text")
            .redirectErrorStream(true)
            .start();
    String said = new String(openssl.getInputStream().readAllBytes(), UTF_8);
    assertThat(openssl.waitFor()).as(said).isZero();
    assertThat(said).contains("ED25519 Private-Key");
    // A key kept at home is found by its name.
    Files.createDirectories(cli.home.resolve("keys"));
    Files.copy(backup, cli.home.resolve("keys/me.pem"));
    assertThat(cli.ok("key", "show", "me")).isEqualTo(cli.ok("key", "show", file));
  }

  @Test
  void onlyLiteralAddressesAreThisMachine() {
    for (String host : List.of("127.0.0.1", "127.9.9.9", "::1", "localhost", "LocalHost")) {
      assertThat(new Endpoint(host, 1).loopback()).as(host).isTrue();
    }
    // The system may resolve some of these to loopback; that says nothing about who answers.
    for (String host :
        List.of("localhost.", "a.localhost", "ip6-localhost", "127.0.0.1.example", "10.0.0.1")) {
      assertThat(new Endpoint(host, 1).loopback()).as(host).isFalse();
    }
  }

  @Test
  void aServerThatChangedIsRefused() {
    Cli cli = new Cli(folder.resolve("home"));
    String address;
    int port = Ports.free();
    try (Node first = Cli.serve(folder.resolve("one"), port)) {
      cli.use(first);
      cli.ok("status");
      address = first.endpoint().toString();
      assertThat(cli.ok("pin", address)).contains(first.identity().toString());
    }
    try (Node other = Cli.serve(folder.resolve("two"), port)) {
      Cli.Ran refused = cli.run("status").failsWith(3);
      assertThat(refused.err()).contains("WRONG_SERVER", "holdfast pin HOST:PORT KEY");
      cli.ok("pin", address, other.identity().toString());
      cli.ok("status");
    }
  }

  @Test
  void settingsComeFromEnvironmentAndFile() throws Exception {
    try (Node server = Cli.serve(folder.resolve("data"))) {
      Cli cli = new Cli(folder.resolve("home"));
      cli.run("status", "--server", "127.0.0.1:1").failsWith(1);
      Path file = cli.home.resolve("holdfast.toml");
      Files.createDirectories(cli.home);
      Files.writeString(file, "# mine\nserver = \"" + server.endpoint() + "\"  # here\n");
      cli.ok("status");
      Files.writeString(
          file, "[status]\nserver = \"" + server.endpoint() + "\"\njson = true\n[up]\nport = 1\n");
      assertThat(cli.ok("status")).startsWith("{\"server\"");
      cli.environment.put("HOLDFAST_STATUS_SERVER", "127.0.0.1:1");
      cli.run("status").failsWith(1);
      cli.environment.clear();
      cli.environment.put("HOLDFAST_HOME", cli.home.toString());
      for (String wrong : List.of("sever = \"x\"", "[up]\nlines = true", "server", "port = 'x'")) {
        Files.writeString(file, wrong + "\n");
        Cli.Ran ran = cli.run("status").failsWith(2);
        assertThat(ran.err()).contains("holdfast.toml");
      }
    }
  }

  @Test
  void whatAnOwnerHasIsShownAndBounded() throws Exception {
    holdfast.net.Endpoint any = new holdfast.net.Endpoint("127.0.0.1", 0);
    holdfast.node.NodeOptions options =
        holdfast.node.NodeOptions.of(folder.resolve("data"), any, any, java.util.Set.of());
    Cli cli = new Cli(folder.resolve("home"));
    try (Node server = Node.start(options.withStore(options.store().withOwnerBytes(20_000)))) {
      cli.use(server);
      String key = cli.key("owner");
      String capsule = cli.ok("create", "--key", key);
      String record =
          cli.input("x".repeat(15_000), "append", capsule, "--key", key).failsWith(0).line();
      assertThat(cli.input("x".repeat(9000), "append", capsule, "--key", key).failsWith(1).err())
          .contains("may have 20000 bytes", "up --owner-bytes");
      java.util.Map<String, Object> status = cli.json("status");
      assertThat(status).containsEntry("ownerBytesLimit", 20_000.0);
      java.util.Map<?, ?> owner = (java.util.Map<?, ?>) ((List<?>) status.get("owners")).getFirst();
      double has = (Double) owner.get("bytes");
      assertThat(has).isBetween(15_000.0, 16_000.0);
      assertThat(cli.json("status", capsule))
          .containsEntry("bytes", has)
          .containsEntry("ownerBytes", has)
          .containsEntry("ownerBytesLimit", 20_000.0);
      assertThat(cli.ok("status")).contains("Owner     ed25519:", " of ");
      cli.ok("erase", capsule, record, "--reason", "room", "--key", key);
      cli.input("x".repeat(9000), "append", capsule, "--key", key).failsWith(0);
    }
  }

  @Test
  void fsckFindsAFlippedByte() throws Exception {
    Path data = folder.resolve("data");
    Cli cli = new Cli(folder.resolve("home"));
    try (Node server = Cli.serve(data)) {
      cli.use(server);
      String key = cli.key("owner");
      String capsule = cli.ok("create", "--key", key);
      cli.input("x".repeat(100_000), "append", capsule, "--key", key).failsWith(0);
      assertThat(cli.run("fsck", "--data", data.toString()).failsWith(1).err()).contains("running");
    }
    assertThat(cli.json("fsck", "--data", data.toString())).containsEntry("clean", true);
    Path largest;
    try (Stream<Path> files = Files.walk(data)) {
      largest =
          files
              .filter(f -> f.toString().endsWith(".sst"))
              .max(java.util.Comparator.comparingLong(f -> f.toFile().length()))
              .orElseThrow();
    }
    byte[] bytes = Files.readAllBytes(largest);
    bytes[bytes.length / 2] ^= 1;
    Files.write(largest, bytes);
    assertThat(cli.run("fsck", "--data", data.toString()).failsWith(3).out()).contains("problem:");
    cli.run("fsck", "--data", folder.resolve("none").toString()).failsWith(1);
  }

  /** A server that the command runs until it is interrupted. */
  private static final class Up implements AutoCloseable {
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final Thread thread;
    final String endpoint;
    final String identity;

    Up(Cli cli, String... more) throws Exception {
      List<String> args = new ArrayList<>(List.of("up", "--http-port", "0", "--json"));
      args.addAll(List.of(more));
      try (PipedInputStream said = new PipedInputStream();
          BufferedReader lines = new BufferedReader(new InputStreamReader(said, UTF_8))) {
        Terminal terminal =
            new Terminal(
                new PipedOutputStream(said),
                err,
                new ByteArrayInputStream(new byte[0]),
                cli.environment,
                false,
                false);
        thread = Thread.ofPlatform().start(() -> Main.run(terminal, args.toArray(new String[0])));
        Map<?, ?> up = (Map<?, ?>) TestJson.parse(lines.readLine());
        endpoint = (String) up.get("endpoint");
        identity = (String) up.get("identity");
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
  void upStartsAnewToReplaceARottenTable() throws Exception {
    Cli cli = new Cli(folder.resolve("home"));
    String key = cli.key("owner");
    String capsule;
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < 400; i++) {
      lines.append("a line of a few words, number ").append(i).append('\n');
    }
    try (Up up = new Up(cli, "--port", "0", "--scrub-rate", "0")) {
      capsule = cli.ok("create", "--key", key, "--server", up.endpoint).strip();
      cli.input(
              lines.toString(),
              "append",
              capsule,
              "--key",
              key,
              "--lines",
              "--batch",
              "1",
              "--server",
              up.endpoint)
          .failsWith(0);
    }
    Path largest;
    try (Stream<Path> files = Files.list(cli.home.resolve("data/db"))) {
      largest =
          files
              .filter(file -> file.toString().endsWith(".sst"))
              .max(java.util.Comparator.comparingLong(file -> file.toFile().length()))
              .orElseThrow();
    }
    byte[] bytes = Files.readAllBytes(largest);
    bytes[bytes.length / 2] ^= 1;
    Files.write(largest, bytes);
    try (Up up = new Up(cli, "--port", "0", "--scrub-rate", "1000000000")) {
      long deadline = System.nanoTime() + 60_000_000_000L;
      while (Files.exists(largest)) {
        assertThat(System.nanoTime()).as("the table is replaced").isLessThan(deadline);
        Thread.onSpinWait();
      }
      assertThat(up.err.toString(UTF_8)).contains("is rotten: the server starts anew");
      // It comes back where it was; until it listens again there is nobody.
      while (cli.run("status", "--server", up.endpoint).exitCode() != 0) {
        assertThat(System.nanoTime()).as("it serves again").isLessThan(deadline);
      }
      assertThat((double) cli.json("status", "--server", up.endpoint).get("damaged")).isPositive();
      cli.input("one more", "append", capsule, "--key", key, "--server", up.endpoint).failsWith(0);
    }
  }

  @Test
  void upServesUntilItIsStopped() throws Exception {
    Cli cli = new Cli(folder.resolve("home"));
    cli.run("up", "--host", "0.0.0.0", "--port", "0").failsWith(2);
    cli.run("up", "--port", "0", "--route", "127.0.0.1:1").failsWith(2);
    String endpoint;
    try (Up up = new Up(cli, "--port", "0")) {
      endpoint = up.endpoint;
      assertThat(cli.ok("pin")).isEqualTo(endpoint + " " + up.identity);
      cli.ok("status", "--server", endpoint);
      assertThat(up.err.toString(UTF_8)).doesNotContain("pinned");
    }
    cli.run("status", "--server", endpoint).failsWith(1);
    assertThat(cli.json("fsck")).containsEntry("clean", true);
  }

  @Test
  void upKeepsAPinOfAnotherServerAndSaysSo() throws Exception {
    Cli cli = new Cli(folder.resolve("home"));
    String port;
    try (Node other = Cli.serve(folder.resolve("other"))) {
      cli.use(other);
      cli.ok("status");
      port = String.valueOf(other.endpoint().port());
    }
    String pinned = cli.ok("pin");
    try (Up up = new Up(cli, "--port", port)) {
      assertThat(up.err.toString(UTF_8))
          .contains("is pinned as another server", "holdfast pin " + up.endpoint);
      assertThat(cli.ok("pin")).isEqualTo(pinned).doesNotContain(up.identity);
      cli.run("status").failsWith(3);
      cli.ok("pin", up.endpoint, up.identity);
      cli.ok("status");
    }
  }

  @Test
  void belowTheReserveNothingIsWritten() throws Exception {
    Cli cli = new Cli(folder.resolve("home"));
    String key = cli.key("owner");
    try (Up up = new Up(cli, "--port", "0", "--reserve-bytes", String.valueOf(1L << 60))) {
      cli.environment.put("HOLDFAST_SERVER", up.endpoint);
      assertThat(cli.run("create", "--key", key, "--json").failsWith(1).err())
          .contains("\"error\":\"DISK_FULL\"");
      assertThat(cli.json("status")).containsEntry("writable", true);
    }
    try (Up up = new Up(cli, "--port", "0", "--reserve-bytes", "0")) {
      cli.environment.put("HOLDFAST_SERVER", up.endpoint);
      cli.ok("create", "--key", key);
    }
  }

  @Test
  void lossIsAcceptedOnlyWhenAsked() throws Exception {
    Path data = folder.resolve("data");
    Path earlier = folder.resolve("earlier");
    Cli cli = new Cli(folder.resolve("home"));
    String key = cli.key("owner");
    String capsule;
    try (Node server = Cli.serve(data)) {
      cli.use(server);
      capsule = cli.ok("create", "--key", key);
    }
    copy(data, earlier);
    try (Node server = Cli.serve(data)) {
      cli.use(server);
      cli.input("promised", "append", capsule, "--key", key).failsWith(0);
    }
    // A disk that came back as it was, beside a mark that knows what was promised since.
    Path mark = data.resolve("synced");
    Files.copy(
        mark,
        earlier.resolve(data.relativize(mark)),
        java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    assertThat(cli.run("fsck", "--data", earlier.toString()).failsWith(3).out())
        .contains("problem:");
    assertThatThrownBy(() -> Cli.serve(earlier).close())
        .isInstanceOfSatisfying(
            HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.DAMAGED));
    assertThat(cli.json("fsck", "--data", earlier.toString(), "--accept-loss"))
        .containsEntry("clean", true);
    try (Node server = Cli.serve(earlier)) {
      cli.use(server);
      assertThat(cli.json("status", capsule, "--server", server.endpoint().toString()))
          .containsEntry("records", 0.0);
    }
  }

  private static void copy(Path from, Path to) throws Exception {
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Files.copy(file, to.resolve(from.relativize(file)));
      }
    }
  }
}
