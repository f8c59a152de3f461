package holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.device.DeviceFolder;
import holdfast.device.DeviceQueue;
import holdfast.device.Octets;
import holdfast.device.Overflow;
import holdfast.device.QueueOptions;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code holdfast device} without an edge; with one it is tested end to end. */
class DeviceCommandTest {
  @TempDir Path folder;
  private Cli cli;
  private String queue = "";

  @BeforeEach
  void home() {
    cli = new Cli(folder.resolve("home"));
    queue = folder.resolve("queue").toString();
  }

  private Map<String, Object> status() {
    return cli.json("device", "status", "--queue", queue);
  }

  /** I17, I26: a device without an edge takes changes, and sees its own. */
  @Test
  void i26ChangesAreTakenAndSeenOffline() {
    cli.ok("device", "put", "--queue", queue, "room/temperature", "21.5", "--type", "text/plain");
    cli.input("from input", "device", "put", "--queue", queue, "notes", "-").failsWith(0);
    assertThat(cli.ok("device", "get", "--queue", queue, "room/temperature")).isEqualTo("21.5");
    Map<String, Object> got = cli.json("device", "get", "--queue", queue, "notes");
    assertThat(got).containsEntry("source", "QUEUE").containsEntry("found", true);
    assertThat(
            new String(
                Base64.getDecoder().decode((String) got.get("base64")), StandardCharsets.UTF_8))
        .isEqualTo("from input");
    cli.ok("device", "delete", "--queue", queue, "notes");
    cli.run("device", "get", "--queue", queue, "notes").failsWith(1);
    cli.run("device", "get", "--queue", queue, "never").failsWith(1);
    assertThat(status().get("queued")).hasToString("2.0");
    assertThat(status().get("nextSequence")).hasToString("4.0");
    assertThat(status().get("name")).hasToString("null");
  }

  /** Nobody would ever make room for it: the command that holds the queue is the one that waits. */
  @Test
  void aFullQueueRefusesAChangeInPlaceOfWaitingForEver() throws Exception {
    cli.ok("device", "put", "--queue", queue, "room/temperature", "21.5");
    Path kept = Path.of(queue);
    QueueOptions refusing = QueueOptions.DEFAULTS.withOverflow(Overflow.REFUSE);
    Octets value = Octets.copyOf(new byte[1 << 20]);
    try (DeviceQueue full = DeviceQueue.open(kept, new DeviceFolder(kept).key(), refusing)) {
      for (int i = 0; full.put("home", "large/" + i, "", value).isPresent(); i++) {
        assertThat(i).isLessThan(1 << 10);
      }
    }
    assertThat(
            cli.run("device", "put", "--queue", queue, "another", "x".repeat(1 << 20))
                .failsWith(1)
                .err())
        .contains("the queue is full");
  }

  @Test
  void linesAreQueuedAndAWrongOneIsNamed() {
    String lines =
        "a\t1\r\n\nb\t2 with\ttab\n{\"key\":\"c\",\"base64\":\"AAH/\"}\n{\"key\":\"a\",\"delete\":true}\n";
    cli.input(lines, "device", "run", "--queue", queue).failsWith(0);
    assertThat(cli.ok("device", "get", "--queue", queue, "b")).isEqualTo("2 with\ttab");
    assertThat(status().get("queued")).hasToString("3.0");
    String some = "d\t4\nnonsense\n" + "x".repeat(3 << 20) + "\ne\t5\n";
    Cli.Ran wrong = cli.input(some, "device", "run", "--queue", queue).failsWith(1);
    assertThat(wrong.err())
        .contains("line 2 is left out: the line is neither", "line 3 is left out: it is longer")
        .contains("2 lines left out")
        .hasSizeLessThan(2000);
    assertThat(status().get("queued")).hasToString("5.0");
    Cli.Ran strict =
        cli.input("f\t6\nnonsense\ng\t7\n", "device", "run", "--strict", "--queue", queue);
    assertThat(strict.failsWith(2).err()).contains("line 2");
    assertThat(status().get("queued")).hasToString("6.0");
  }

  /** A value is what was written, or is not taken. */
  @Test
  void aLineThatIsNotUtf8IsLeftOut() throws Exception {
    Path lines = folder.resolve("lines");
    Files.write(lines, "a\t\u00fc\nb\t2\n".getBytes(StandardCharsets.ISO_8859_1));
    Cli.Ran ran = cli.run("device", "run", "--queue", queue, lines.toString()).failsWith(1);
    assertThat(ran.err()).contains("line 1 ").contains("UTF-8").contains("1 line left out");
    assertThat(status().get("queued")).hasToString("1.0");
  }

  @Test
  void whatAnEdgeRejectedIsCountedAndCanBePutAgain() throws Exception {
    cli.ok("device", "put", "--queue", queue, "k", "v");
    Path rejected =
        Files.writeString(
            folder.resolve("queue/rejected"),
            "{\"space\":\"attic\",\"key\":\"a\",\"base64\":\"AAH/\",\"type\":\"\",\"sequence\":5,"
                + "\"time\":7,\"why\":\"no\"}\n");
    assertThat(cli.ok("device", "status", "--queue", queue)).contains("1 change for good");
    assertThat(status().get("rejectedKept")).hasToString("1.0");
    // Not while it is where rejected changes are added: that would go round for ever.
    Path link = Files.createSymbolicLink(folder.resolve("link"), rejected);
    for (Path same : List.of(rejected, link)) {
      Cli.Ran refused = cli.run("device", "run", "--queue", queue, same.toString());
      assertThat(refused.failsWith(2).err()).contains("keeps what is rejected", "mv ");
    }
    assertThat(status().get("queued")).hasToString("1.0");
    Path again = Files.move(rejected, folder.resolve("again"));
    cli.ok("device", "run", "--queue", queue, again.toString());
    assertThat(status().get("queued")).hasToString("2.0");
  }

  @Test
  void aPasswordNeedsHttpsAndAllThatBelongsToIt() throws Exception {
    Path password = Files.writeString(folder.resolve("pw"), "secret\n");
    String[] login = {"--user", "ada", "--password-file", password.toString()};
    cli.run(
            with(
                login, "device", "put", "--queue", queue, "--edge", "http://127.0.0.1:1", "k", "v"))
        .failsWith(2);
    cli.run("device", "put", "--queue", queue, "--edge", "https://127.0.0.1:1", "k", "v")
        .failsWith(2);
    cli.run(with(login, "device", "enrol", "--queue", queue, "pump-1")).failsWith(2);
    cli.run("device", "status", "--queue", queue).failsWith(1);
    // Away is no failure: the value is safe in the queue. Not enrolled is one somebody can end.
    Cli.Ran away =
        cli.run(
            with(
                login,
                "device",
                "put",
                "--queue",
                queue,
                "--edge",
                "https://127.0.0.1:1",
                "--wait",
                "0.01",
                "k",
                "v"));
    assertThat(away.failsWith(1).out()).contains("1 wait").contains("not enrolled");
  }

  private static String[] with(String[] more, String... command) {
    String[] all = java.util.Arrays.copyOf(command, command.length + more.length);
    System.arraycopy(more, 0, all, command.length, more.length);
    return all;
  }

  @Test
  void renewingKeepsWhatWaits() {
    cli.ok("device", "put", "--queue", queue, "k", "v");
    Object before = status().get("incarnation");
    Map<String, Object> renewed = cli.json("device", "renew", "--queue", queue);
    assertThat(renewed.get("incarnation")).isNotEqualTo(before);
    assertThat(cli.ok("device", "get", "--queue", queue, "k")).isEqualTo("v");
  }
}
