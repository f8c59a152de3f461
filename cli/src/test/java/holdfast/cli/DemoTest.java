package holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code holdfast demo}: three servers, one of which is killed and then damaged. */
class DemoTest {
  private static final int PATIENCE_SECONDS = 120;

  @TempDir Path folder;

  @Test
  void oneOfThreeIsKilledAndHealedAndDamagedAndMended() throws Exception {
    Path file = folder.resolve("lines.txt");
    Files.writeString(file, "a line\n".repeat(3000));
    Cli cli = new Cli(folder.resolve("home"));
    List<ProcessHandle> before = ProcessHandle.current().descendants().toList();
    Map<String, Object> told = cli.json("demo", file.toString());
    assertThat(told)
        .containsEntry("servers", 3.0)
        .containsEntry("needed", 2.0)
        .containsEntry("lines", 3000.0)
        .containsEntry("records", 100.0)
        .containsEntry("caught", true)
        .containsEntry("elsewhere", true)
        .containsEntry("proven", true)
        .containsEntry("text", "a line");
    double had = (double) told.get("had");
    double missed = (double) told.get("missed");
    assertThat(missed).isBetween(1.0, 99.0);
    // It may have synced something for which no receipt came any more.
    assertThat(had).isBetween(100 - missed, 100.0);
    assertThat((double) told.get("acknowledgements")).isGreaterThanOrEqualTo(200);
    assertThat(Files.exists(cli.home)).isFalse();
    assertThat(ProcessHandle.current().descendants().filter(ProcessHandle::isAlive).toList())
        .isSubsetOf(before);
    cli.run("demo", folder.resolve("none").toString()).failsWith(1);
  }

  @Test
  void anInterruptedOneLeavesNothingBehind() throws Exception {
    Path file = Files.writeString(folder.resolve("lines.txt"), "one line\n");
    Path temporary = Files.createDirectory(folder.resolve("temporary"));
    List<String> command = new ArrayList<>();
    command.add(ProcessHandle.current().info().command().orElseThrow());
    command.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    command.addAll(
        List.of("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"));
    command.add("-Djava.io.tmpdir=" + temporary);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), "holdfast.cli.Main"));
    command.addAll(List.of("demo", file.toString()));
    Process demo = new ProcessBuilder(command).redirectErrorStream(true).start();
    List<ProcessHandle> servers;
    try (BufferedReader out =
        new BufferedReader(new InputStreamReader(demo.getInputStream(), StandardCharsets.UTF_8))) {
      String line = out.readLine();
      while (line != null && !line.contains("Capsule")) {
        line = out.readLine();
      }
      assertThat(line).as("servers are up").isNotNull();
      servers = demo.descendants().toList();
      assertThat(servers).hasSize(3);
      demo.destroy();
      assertThat(demo.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
    }
    assertThat(servers).noneMatch(ProcessHandle::isAlive);
    try (var left = Files.list(temporary)) {
      assertThat(left).noneMatch(one -> one.getFileName().toString().startsWith("holdfast-"));
    }
  }
}
