package holdfast.cli;

import holdfast.client.PrivateFiles;
import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/**
 * A process that goes on when the command that started it has ended, in a session of its own where
 * the system can give it one.
 *
 * @param folder where its log and its number are
 */
record Daemon(Path folder) {
  /** How far the start of a process may seem to move when the system's clock is set. */
  private static final Duration START_TOLERANCE = Duration.ofSeconds(2);

  private static final long POLL_NANOS = 10_000_000;

  /**
   * The file with its number and when it started, in milliseconds since 1970: a number alone may
   * belong to another process by now.
   */
  private Path pidFile() {
    return folder.resolve("pid");
  }

  /** Where it says what it says. */
  Path log() {
    return folder.resolve("log");
  }

  /**
   * Starts this command with other arguments.
   *
   * @param jvm options of its JVM
   */
  void start(Terminal terminal, List<String> jvm, List<String> arguments) throws IOException {
    PrivateFiles.createFolders(folder);
    List<String> command = new ArrayList<>(apart());
    command.addAll(java(terminal, jvm));
    command.addAll(arguments);
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log().toFile()));
    builder.environment().putAll(terminal.environment);
    builder.environment().put("HOLDFAST_HOME", terminal.home().folder().toString());
    Process process = builder.start();
    Instant started = process.info().startInstant().orElseGet(Instant::now);
    PrivateFiles.write(pidFile(), process.pid() + " " + started.toEpochMilli() + "\n");
  }

  /** What runs this command in a JVM with these options; its arguments come behind. */
  static List<String> java(Terminal terminal, List<String> jvm) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"));
    for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
      if (option.startsWith("-XX:AOTCache=") || option.startsWith("-Xlog:")) {
        command.add(option);
      }
    }
    command.addAll(jvm);
    String more = terminal.environment.getOrDefault("HOLDFAST_JAVA_OPTS", "").strip();
    command.addAll(more.isEmpty() ? List.of() : List.of(more.split("\\s+", -1)));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    return command;
  }

  /** What keeps a process apart from the terminal; each becomes the process it is to run. */
  private static List<String> apart() {
    return Stream.of("/usr/bin/setsid", "/bin/setsid", "/usr/bin/nohup")
        .filter(program -> Files.isExecutable(Path.of(program)))
        .limit(1)
        .toList();
  }

  /** The process, if it runs, and not another that has got its number. */
  Optional<ProcessHandle> running() {
    String[] words;
    try {
      words = Files.exists(pidFile()) ? Files.readString(pidFile()).strip().split(" ", -1) : null;
    } catch (IOException e) {
      throw Failure.failed("cannot read " + pidFile() + ": " + e.getMessage(), "Check the file.");
    }
    if (words == null || words.length != 2 || !(words[0] + words[1]).matches("\\d{2,30}")) {
      return Optional.empty();
    }
    Instant started = Instant.ofEpochMilli(Long.parseLong(words[1]));
    return ProcessHandle.of(Long.parseLong(words[0]))
        .filter(process -> isAlive(process) && startedAt(process, started));
  }

  /** Without a command a process has ended, and only its parent has not asked how. */
  private static boolean isAlive(ProcessHandle process) {
    return process.isAlive() && process.info().command().isPresent();
  }

  private static boolean startedAt(ProcessHandle process, Instant started) {
    return process
        .info()
        .startInstant()
        .filter(found -> Duration.between(found, started).abs().compareTo(START_TOLERANCE) < 0)
        .isPresent();
  }

  /** Tells the process to stop (SIGTERM), if it runs. */
  void terminate() {
    running().ifPresent(ProcessHandle::destroy);
  }

  /** Ends the process without a warning (SIGKILL), if it runs, and waits until it has ended. */
  void kill() {
    running().ifPresent(ProcessHandle::destroyForcibly);
    if (!awaitEnd(Duration.ofSeconds(20))) {
      throw Failure.failed("the process in " + pidFile() + " does not end", "Look at it with ps.");
    }
  }

  /**
   * Waits until the process has ended.
   *
   * @return whether it has
   */
  boolean awaitEnd(Duration patience) {
    long deadline = System.nanoTime() + patience.toNanos();
    while (running().isPresent()) {
      if (System.nanoTime() - deadline > 0) {
        return false;
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
    return true;
  }

  /** Why the process ended, by the last failure in its log, or else by the last line. */
  String lastWords() {
    try {
      String last = "it said nothing";
      boolean failure = false;
      for (String line : Files.readAllLines(log())) {
        boolean fails = line.startsWith("holdfast: ");
        if (fails || (!failure && !line.isBlank())) {
          last = line.strip();
          failure |= fails;
        }
      }
      return last;
    } catch (IOException e) {
      return "its log cannot be read";
    }
  }
}
