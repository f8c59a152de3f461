package holdfast.bench;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The load generator wrk, told by a script what to send. */
final class Wrk {
  private static final Pattern RESULT =
      Pattern.compile(
          "^result requests=(\\d+) micros=(\\d+) p50=(\\d+) p99=(\\d+) max=(\\d+) refused=(\\d+)"
              + " broken=(\\d+)$",
          Pattern.MULTILINE);

  private final Path program;
  private final Path script;

  /**
   * A load generator.
   *
   * @param folder where its script is put
   */
  Wrk(Path program, Path folder) throws IOException {
    this.program = program;
    this.script = folder.resolve("rest.lua");
    try (InputStream in = Objects.requireNonNull(Wrk.class.getResourceAsStream("rest.lua"))) {
      Files.copy(in, script);
    }
  }

  /**
   * What a run brought.
   *
   * @param refused answers with a status of 400 or more
   * @param broken connections that failed, and answers that did not come
   */
  record Load(
      long requests,
      double seconds,
      double p50Millis,
      double p99Millis,
      double maxMillis,
      long refused,
      long broken) {
    double perSecond() {
      return requests / seconds;
    }

    /** Reads the line that the script prints. */
    static Load parse(String printed) throws IOException {
      Matcher found = RESULT.matcher(printed);
      if (!found.find()) {
        throw new IOException("wrk did not say what it measured:\n" + printed);
      }
      return new Load(
          Long.parseLong(found.group(1)),
          Long.parseLong(found.group(2)) / 1e6,
          Long.parseLong(found.group(3)) / 1e3,
          Long.parseLong(found.group(4)) / 1e3,
          Long.parseLong(found.group(5)) / 1e3,
          Long.parseLong(found.group(6)),
          Long.parseLong(found.group(7)));
    }
  }

  /** Sends requests as fast as they are answered, on connections that are kept. */
  Load run(String url, int connections, int seconds, List<String> arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(program.toString());
    command.add("-t" + Math.min(connections, 2));
    command.add("-c" + connections);
    command.add("-d" + seconds + "s");
    command.addAll(List.of("--timeout", "10s", "-s", script.toString(), url, "--"));
    command.addAll(arguments);
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    try {
      process.getOutputStream().close();
      String printed = new String(process.getInputStream().readAllBytes(), UTF_8);
      if (process.waitFor() != 0) {
        throw new IOException("wrk failed:\n" + printed);
      }
      return Load.parse(printed);
    } finally {
      process.destroyForcibly();
    }
  }
}
