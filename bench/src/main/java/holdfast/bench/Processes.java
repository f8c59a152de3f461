package holdfast.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** What is asked of processes that run beside this one. */
final class Processes {
  /** Where Debian puts servers, which is not on the PATH of users. */
  private static final List<String> MORE_FOLDERS = List.of("/usr/sbin", "/usr/local/sbin");

  private Processes() {}

  /** Where a program is; null when it is not on this machine. */
  static @Nullable Path find(String program) {
    String path = System.getenv("PATH");
    return Stream.concat(
            Stream.of((path == null ? "" : path).split(":", -1)), MORE_FOLDERS.stream())
        .filter(folder -> !folder.isEmpty())
        .map(folder -> Path.of(folder, program))
        .filter(Files::isExecutable)
        .findFirst()
        .orElse(null);
  }

  /**
   * Processor time so far of a process and of those that it has started and that run, in seconds.
   */
  static double cpuSeconds(ProcessHandle process) {
    return Stream.concat(Stream.of(process), process.descendants())
            .mapToLong(one -> one.info().totalCpuDuration().orElse(Duration.ZERO).toNanos())
            .sum()
        / 1e9;
  }

  /** Memory of a process that is in use now, in MiB; NaN where the system does not say. */
  static double residentMiB(ProcessHandle process) {
    Path status = Path.of("/proc", String.valueOf(process.pid()), "status");
    try (Stream<String> lines = Files.lines(status)) {
      return lines
              .filter(line -> line.startsWith("VmRSS:"))
              .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
              .findFirst()
              .orElseThrow(() -> new IOException("no VmRSS in " + status))
          / 1024.0;
    } catch (IOException e) {
      return Double.NaN;
    }
  }
}
