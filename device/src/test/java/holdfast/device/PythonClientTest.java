package holdfast.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * I18: the client in Python, its own tests, and the two taking turns on one queue. Needs python3 on
 * the PATH, and nothing beside it.
 */
class PythonClientTest {
  private static final Path CLIENT = Path.of("../clients/python").toAbsolutePath().normalize();

  @TempDir static Path shared;
  @TempDir Path folder;

  private record Ran(int exitCode, String out) {}

  private Ran python(String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("python3", "-B"));
    command.addAll(List.of(arguments));
    Path out = Files.createTempFile(folder, "python", ".out");
    Process process;
    try {
      process =
          new ProcessBuilder(command)
              .directory(CLIENT.toFile())
              .redirectErrorStream(true)
              .redirectOutput(out.toFile())
              .start();
    } catch (IOException e) {
      throw new AssertionError("python3 3.9 or later must be on the PATH for this test", e);
    }
    if (!process.waitFor(300, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new AssertionError("python3 did not end: " + Files.readString(out));
    }
    return new Ran(process.exitValue(), Files.readString(out));
  }

  @Test
  void i18ThePythonClientPassesItsOwnTests() throws Exception {
    Ran ran = python("-m", "unittest", "discover", "-s", ".", "-t", ".");
    assertThat(ran.exitCode()).as(ran.out()).isZero();
    assertThat(ran.out()).containsPattern("Ran [2-9]\\d tests").doesNotContain("skipped");
  }

  private static Octets value(String text) {
    return Octets.wrap(text.getBytes(StandardCharsets.UTF_8));
  }

  private String[] reaching(TestEdge edge, String command, String... more) throws IOException {
    Path password = shared.resolve("password");
    Files.writeString(password, TestEdge.PASSWORD + "\n");
    List<String> all =
        new ArrayList<>(
            List.of(
                "-m",
                "holdfast_device",
                command,
                "--queue",
                folder.resolve("queue").toString(),
                "--json",
                "--edge",
                edge.uri().toString(),
                "--ca",
                edge.authority.toString(),
                "--user",
                TestEdge.USER,
                "--password-file",
                password.toString()));
    all.addAll(List.of(more));
    return all.toArray(new String[0]);
  }

  /** Java writes, Python goes on and sends; Python writes offline, Java goes on and sends. */
  @Test
  void i18TheTwoTakeTurnsOnOneQueue() throws Exception {
    Path path = folder.resolve("queue");
    QueueOptions options = QueueOptions.DEFAULTS.withBatches(2, 1 << 20);
    DeviceOptions offline = DeviceOptions.of(path, null).withQueue(options);
    try (TestEdge edge = new TestEdge(shared, 0)) {
      try (Device device = Device.open(offline)) {
        for (String key : List.of("a", "b", "c", "a")) {
          device.put("home", "room/" + key + " ü", "text/plain", value("java " + key));
        }
        device.delete("home", "room/b ü");
      }
      // A batch that Java made and could not send: Python sends the same bytes.
      byte[] begun;
      try (DeviceQueue queue = DeviceQueue.open(path, new DeviceFolder(path).key(), options)) {
        begun = queue.batch().orElseThrow().encode();
      }
      Ran enrolled = python(reaching(edge, "enroll", "pump-1"));
      assertThat(enrolled.exitCode()).as(enrolled.out()).isZero();
      Ran put = python(reaching(edge, "put", "room/d", "python d"));
      assertThat(put.exitCode()).as(put.out()).isZero();
      assertThat(edge.edge.take(begun, new DeviceFolder(path).key().publicKey()))
          .isEqualTo(new ReferenceEdge.Answer.Taken(4, true));
      assertThat(edge.edge.values)
          .containsOnlyKeys("home/room/a ü", "home/room/c ü", "home/room/d");

      Path lines = folder.resolve("lines");
      Files.writeString(
          lines,
          """
          room/e\t1
          room/e\t2
          {"key":"room/a ü","delete":true}
          {"key":"room/f","base64":"AAH/","type":"application/x"}
          """);
      Ran run =
          python("-m", "holdfast_device", "run", "--queue", path.toString(), lines.toString());
      assertThat(run.exitCode()).as(run.out()).isZero();
      try (Device device = Device.open(DeviceOptions.of(path, edge.address()))) {
        assertThat(device.get("home", "room/e").value()).contains(value("2"));
        device.put("home", "room/g", "", Octets.EMPTY);
        assertThat(device.flush(Duration.ofSeconds(60))).isTrue();
      }
      assertThat(edge.edge.values)
          .containsOnlyKeys(
              "home/room/c ü", "home/room/d", "home/room/e", "home/room/f", "home/room/g")
          .containsEntry("home/room/e", value("2").toHex())
          .containsEntry("home/room/f", "0001ff");
      assertThat(edge.edge.gaps).isEmpty();
      assertThat(edge.edge.lost(Reason.COLLAPSED)).isEqualTo(3);
      assertThat(edge.edge.lasts()).hasSize(1).containsValue(11L);

      Ran got = python(reaching(edge, "get", "room/e"));
      assertThat(got.out()).contains("\"EDGE\"").contains("Mg==");
    }
  }

  /** While one has the queue the other is refused, whichever came first. */
  @Test
  void i18TheLockHoldsBetweenTheTwo() throws Exception {
    Path path = folder.resolve("queue");
    try (Device device = Device.open(DeviceOptions.of(path, null))) {
      device.put("home", "a", "", Octets.EMPTY);
      Ran refused = python("-m", "holdfast_device", "status", "--queue", path.toString());
      assertThat(refused.exitCode()).isEqualTo(1);
      assertThat(refused.out()).contains("in use by another process");
    }
    Ran status = python("-m", "holdfast_device", "status", "--queue", path.toString());
    assertThat(status.exitCode()).as(status.out()).isZero();
    assertThat(status.out()).containsPattern("queued +1");
  }
}
