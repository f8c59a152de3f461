package holdfast.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.testkit.Ports;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What the README shows, typed as written: all blocks of {@code sh} of a chapter in one shell, in
 * order, in an empty folder from which {@code ./holdfast} and {@code clients} lead to this source
 * tree. Ports of single servers and edges are free ones, those of a cluster are as written.
 *
 * <p>A block fails when any command in it does, or when a line {@code # → text} is not among what
 * it prints; an ellipsis in the text stands for anything.
 */
class ReadmeTest {
  private static final String TOUR = "## A tour in ten minutes";
  private static final String SEVERAL = "## On several servers";
  private static final String EDGE = "## A tour of the edge";
  private static final String DEVICES = "## Devices";

  /** Where the chapter of the edge expects one; another may run there while the test does. */
  private static final String EDGE_PORT = ":7443";

  private static final String SERVER_PORT = ":7420";

  private static final String EXPECTED = "# → ";
  private static final String END_OF_BLOCK = "== end of block ==";

  /**
   * For one block: what a command waits for in vain is not waited for until all others would end.
   */
  private static final long PATIENCE_SECONDS = 150;

  /** For what comes before the first block. */
  private static final long BUILD_SECONDS = 600;

  private static final long POLL_NANOS = 50_000_000;

  /** The servers of a single-server chapter, and a cluster, are not to go on after a failure. */
  private static final String CLEANUP =
      """
      set -euo pipefail
      clean() {
        kill $(jobs -p) 2> /dev/null || true
        if [ -f "$HOLDFAST_HOME/cluster.toml" ]; then ./holdfast cluster down --delete || true; fi
      }
      trap clean EXIT
      """;

  @TempDir Path folder;

  @Test
  void theTourRunsAsWritten() throws Exception {
    play(TOUR);
  }

  @Test
  void severalServersRunAsWritten() throws Exception {
    play(SEVERAL);
  }

  @Test
  void theEdgeRunsAsWritten() throws Exception {
    play(EDGE);
  }

  @Test
  void devicesRunAsWritten() throws Exception {
    play(DEVICES);
  }

  private void play(String chapter) throws Exception {
    Path root = projectRoot();
    List<String> blocks = blocks(Files.readString(root.resolve("README.md")), chapter);
    assertThat(blocks).as("blocks of '%s'", chapter).hasSizeGreaterThan(3);
    Files.createSymbolicLink(folder.resolve("holdfast"), root.resolve("holdfast"));
    Files.createSymbolicLink(folder.resolve("clients"), root.resolve("clients"));

    List<String> outputs = run(blocks);

    String whole = String.join(END_OF_BLOCK, outputs);
    for (int i = 0; i < blocks.size(); i++) {
      assertThat(outputs.size())
          .as("this block ends well:%n%s%nall output:%n%s", blocks.get(i), whole)
          .isGreaterThan(i + 2);
      String output = outputs.get(i + 1);
      for (String line : blocks.get(i).lines().filter(one -> one.startsWith(EXPECTED)).toList()) {
        assertThat(pattern(line.substring(EXPECTED.length())).matcher(output).find())
            .as("'%s' is among the output:%n%s", line, output)
            .isTrue();
      }
    }
  }

  private static Path projectRoot() {
    Path directory = Path.of("").toAbsolutePath();
    while (!Files.exists(directory.resolve("mvnw"))) {
      directory = directory.getParent();
      assertThat(directory).as("the directory with mvnw in it, above the test's").isNotNull();
    }
    return directory;
  }

  private static List<String> blocks(String readme, String chapter) {
    int start = readme.indexOf(chapter);
    assertThat(start).as("the README has the heading '%s'", chapter).isPositive();
    int end = readme.indexOf("\n## ", start + chapter.length());
    List<String> blocks = new ArrayList<>();
    List<String> block = null;
    for (String line : readme.substring(start, end).lines().toList()) {
      if (line.equals("```sh")) {
        block = new ArrayList<>();
      } else if (line.equals("```") && block != null) {
        blocks.add(String.join("\n", block));
        block = null;
      } else if (block != null) {
        block.add(line);
      }
    }
    return blocks;
  }

  private static String script(List<String> blocks) {
    StringBuilder script = new StringBuilder(CLEANUP);
    // The first use of the command may build it, which no block has to wait for.
    script.append("./holdfast --version\nprintf '\\n%s\\n' '").append(END_OF_BLOCK).append("'\n");
    for (String block : blocks) {
      script.append(block).append("\nprintf '\\n%s\\n' '").append(END_OF_BLOCK).append("'\n");
    }
    return script.toString();
  }

  /** What came before the blocks, what each of them printed, and what came after them. */
  private List<String> run(List<String> blocks) throws IOException, InterruptedException {
    String edgePort = String.valueOf(Ports.free());
    String port = String.valueOf(Ports.free());
    Path commands =
        Files.writeString(
            folder.resolve("commands.sh"),
            script(blocks).replace(EDGE_PORT, ":" + edgePort).replace(SERVER_PORT, ":" + port));
    Path output = folder.resolve("output");
    ProcessBuilder builder =
        new ProcessBuilder("bash", commands.toString())
            .directory(folder.toFile())
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(output.toFile()));
    builder.environment().keySet().removeIf(name -> name.startsWith("HOLDFAST_"));
    // Never the folder of whoever runs the test, even if a block forgets to name one.
    builder.environment().put("HOLDFAST_HOME", folder.resolve("home").toString());
    // Servers here are over before the slow compiler pays.
    builder.environment().put("HOLDFAST_JAVA_OPTS", "-XX:TieredStopAtLevel=1");
    builder.environment().put("HOLDFAST_UP_PORT", port);
    builder.environment().put("HOLDFAST_UP_HTTP_PORT", String.valueOf(Ports.free()));
    builder.environment().put("HOLDFAST_EDGE_UP_PORT", edgePort);
    builder.environment().put("HOLDFAST_EDGE_UP_MQTT_PORT", String.valueOf(Ports.free()));
    if (!String.join("", blocks).contains("cluster up")) {
      builder.environment().put("HOLDFAST_SERVER", "127.0.0.1:" + port);
    }
    Process shell = builder.start();
    int done = 1;
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(BUILD_SECONDS);
    while (shell.isAlive() && System.nanoTime() - deadline < 0) {
      int now = outputs(output).size();
      if (now > done) {
        done = now;
        deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
    if (shell.isAlive()) {
      // What it waits for is ended, so that the shell ends too and cleans up behind itself.
      Files.writeString(output, "\nthis takes too long\n", StandardOpenOption.APPEND);
      shell.descendants().forEach(ProcessHandle::destroyForcibly);
      shell.destroy();
      if (!shell.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        shell.destroyForcibly().waitFor();
      }
    }
    return outputs(output);
  }

  private static List<String> outputs(Path output) throws IOException {
    // Read while it is written, perhaps in the middle of a character.
    String text = new String(Files.readAllBytes(output), StandardCharsets.UTF_8);
    return List.of(text.split(Pattern.quote(END_OF_BLOCK), -1));
  }

  private static Pattern pattern(String expected) {
    return Pattern.compile(
        Arrays.stream(expected.split("…", -1))
            .map(Pattern::quote)
            .collect(Collectors.joining(".*")));
  }
}
