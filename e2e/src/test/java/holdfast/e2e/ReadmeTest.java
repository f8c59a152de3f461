package holdfast.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The tour in the README, typed as written: all blocks of {@code sh} in one shell, in order, in an
 * empty folder from which {@code ./holdfast} leads to this source tree. Ports are free ones.
 *
 * <p>A block fails when any command in it does, or when a line {@code # → text} is not among what
 * it prints; an ellipsis in the text stands for anything.
 */
class ReadmeTest {
  private static final String TOUR = "## A tour in ten minutes";
  private static final String EXPECTED = "# → ";
  private static final String END_OF_BLOCK = "== end of block ==";
  private static final long PATIENCE_SECONDS = 300;

  @TempDir Path folder;

  @Test
  void theTourRunsAsWritten() throws Exception {
    Path root = projectRoot();
    List<String> blocks = blocks(Files.readString(root.resolve("README.md")));
    assertThat(blocks).as("blocks of the tour").hasSizeGreaterThan(5);
    Files.createSymbolicLink(folder.resolve("holdfast"), root.resolve("holdfast"));

    List<String> outputs = run(script(blocks));

    String whole = String.join(END_OF_BLOCK, outputs);
    for (int i = 0; i < blocks.size(); i++) {
      assertThat(outputs.size())
          .as("this block ends well:%n%s%nall output:%n%s", blocks.get(i), whole)
          .isGreaterThan(i + 1);
      String output = outputs.get(i);
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

  private static List<String> blocks(String readme) {
    int start = readme.indexOf(TOUR);
    assertThat(start).as("the README has the heading '%s'", TOUR).isPositive();
    int end = readme.indexOf("\n## ", start + TOUR.length());
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
    StringBuilder script =
        new StringBuilder("set -euo pipefail\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n");
    for (String block : blocks) {
      script.append(block).append("\nprintf '\\n%s\\n' '").append(END_OF_BLOCK).append("'\n");
    }
    return script.toString();
  }

  /** What the blocks printed, one after the other; the last item is what came after them. */
  private List<String> run(String script) throws IOException, InterruptedException {
    Path commands = Files.writeString(folder.resolve("tour.sh"), script);
    Path output = folder.resolve("output");
    ProcessBuilder builder =
        new ProcessBuilder("bash", commands.toString())
            .directory(folder.toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile());
    String port = String.valueOf(freePort());
    builder.environment().keySet().removeIf(name -> name.startsWith("HOLDFAST_"));
    builder.environment().put("HOLDFAST_UP_PORT", port);
    builder.environment().put("HOLDFAST_UP_HTTP_PORT", String.valueOf(freePort()));
    builder.environment().put("HOLDFAST_SERVER", "127.0.0.1:" + port);
    Process shell = builder.start();
    boolean ended = shell.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS);
    if (!ended) {
      shell.descendants().forEach(ProcessHandle::destroyForcibly);
      shell.destroyForcibly().waitFor();
    }
    String printed = Files.readString(output);
    assertThat(ended).as("the tour ends; so far:%n%s", printed).isTrue();
    return List.of(printed.split(Pattern.quote(END_OF_BLOCK), -1));
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  private static Pattern pattern(String expected) {
    return Pattern.compile(
        Arrays.stream(expected.split("…", -1))
            .map(Pattern::quote)
            .collect(Collectors.joining(".*")));
  }
}
