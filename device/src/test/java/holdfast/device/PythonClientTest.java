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
      Ran enrolled = python(reaching(edge, "enrol", "pump-1"));
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

  /**
   * What one gives up since the edge rejects it, the other does not send, and tells as rejected.
   */
  @Test
  void i18TheTwoTakeTurnsWhenChangesAreRejected() throws Exception {
    Path path = folder.resolve("queue");
    try (TestEdge edge = new TestEdge(shared, 0)) {
      edge.edge.forbidden.add("attic");
      assertThat(python(reaching(edge, "enrol", "pump-1")).exitCode()).isZero();
      QueueOptions options = QueueOptions.DEFAULTS.withBatches(3, 1 << 20);
      try (DeviceQueue queue = DeviceQueue.open(path, new DeviceFolder(path).key(), options)) {
        queue.put("home", "a", "", value("1"));
        queue.put("attic", "b", "", value("2"));
        queue.put("home", "c", "", value("3"));
        Batch batch = queue.batch().orElseThrow();
        queue.put("home", "a", "", value("4"));
        queue.reject(List.of(batch.operations().get(1)), "not there");
      }
      Ran put = python(reaching(edge, "put", "d", "5"));
      assertThat(put.exitCode()).as(put.out()).isZero();
      Ran rejected = python(reaching(edge, "put", "--space", "attic", "e", "6"));
      assertThat(rejected.exitCode()).as(rejected.out()).isEqualTo(1);
      assertThat(rejected.out()).contains("\"rejected\": 1").contains("not in that space");
      try (Device device = Device.open(DeviceOptions.of(path, edge.address()))) {
        device.put("attic", "f", "", value("7"));
        device.put("home", "g", "", value("8"));
        assertThat(device.flush(Duration.ofSeconds(60))).isTrue();
        assertThat(device.status().rejection()).contains("not in that space");
        assertThat(device.status().queue().rejected()).isEqualTo(1);
      }
      assertThat(edge.edge.applied).extracting(Operation::sequence).containsExactly(3L, 4L, 5L, 8L);
      assertThat(edge.edge.ranges)
          .containsExactly(
              new Range(Reason.COLLAPSED, 1, 1),
              new Range(Reason.REJECTED, 2, 2),
              new Range(Reason.REJECTED, 6, 6),
              new Range(Reason.REJECTED, 7, 7));
      assertThat(new DeviceFolder(path).rejectedChanges()).isEqualTo(3);
      Ran status = python("-m", "holdfast_device", "status", "--json", "--queue", path.toString());
      assertThat(status.out()).contains("\"rejectedKept\": 3");
      // Once the right is there, the file can be read again, though not where more is added to it.
      edge.edge.forbidden.clear();
      Path kept = new DeviceFolder(path).rejected();
      Ran inPlace = python(reaching(edge, "run", kept.toString()));
      assertThat(inPlace.exitCode()).as(inPlace.out()).isEqualTo(2);
      Path again = Files.move(kept, folder.resolve("again"));
      Ran run = python(reaching(edge, "run", again.toString()));
      assertThat(run.exitCode()).as(run.out()).isZero();
      assertThat(edge.edge.values).containsKeys("attic/b", "attic/e", "attic/f");
    }
  }

  /** Lines that cannot be taken are named and left out; who wants that is stopped. */
  @Test
  void thePythonClientGoesOnAfterALineThatCannotBeTaken() throws Exception {
    Path path = folder.resolve("queue");
    Path lines = folder.resolve("lines");
    Files.write(
        lines,
        "a\t1\nnonsense\nb\t\u00fc\n{\"key\":1}\nc\t2\n".getBytes(StandardCharsets.ISO_8859_1));
    Ran run = python("-m", "holdfast_device", "run", "--queue", path.toString(), lines.toString());
    assertThat(run.exitCode()).as(run.out()).isEqualTo(1);
    assertThat(run.out()).contains("line 2 ", "line 3 ", "line 4 ", "0 sent, 2 wait", "3 lines");
    Ran strict =
        python(
            "-m",
            "holdfast_device",
            "run",
            "--strict",
            "--queue",
            path.toString(),
            lines.toString());
    assertThat(strict.exitCode()).as(strict.out()).isEqualTo(2);
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
