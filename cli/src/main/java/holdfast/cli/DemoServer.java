package holdfast.cli;

import holdfast.client.Server;
import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A server of the demonstration: {@code holdfast up} in a process of its own, which ends at the
 * latest when this one does. It comes back at the same port.
 */
final class DemoServer implements AutoCloseable {
  private static final int PATIENCE_SECONDS = 60;

  /** What {@code up --json} says once it serves. */
  private static final Pattern SERVING =
      Pattern.compile("\"identity\":\"([^\"]+)\",\"endpoint\":\"([^\"]+)\"");

  private final Terminal terminal;
  private final Path folder;
  private @Nullable Process process;
  private @Nullable Endpoint endpoint;
  private @Nullable VerifyKey identity;

  DemoServer(Terminal terminal, Path folder) {
    this.terminal = terminal;
    this.folder = folder;
  }

  /** Where its data is. */
  Path data() {
    return folder.resolve("data");
  }

  /** Starts the process, and does not wait for it. */
  void start() throws IOException {
    Files.createDirectories(folder);
    Endpoint before = endpoint;
    // Quick to start rather than quick in the end: it does not live long. Who is killed leaves
    // unpacked libraries among its temporary files.
    List<String> command =
        new ArrayList<>(
            Daemon.java(
                terminal,
                List.of(
                    "-XX:+UseSerialGC",
                    "-XX:TieredStopAtLevel=1",
                    "-Xmx256m",
                    "-Djava.io.tmpdir=" + folder.toAbsolutePath())));
    command.addAll(List.of("up", "--json", "--until-input-ends"));
    command.addAll(List.of("--data", data().toString()));
    command.addAll(List.of("--port", before == null ? "0" : String.valueOf(before.port())));
    command.addAll(List.of("--http-port", "0"));
    // What is damaged is to be found by who reads it, before everybody's eyes.
    command.addAll(List.of("--scrub-rate", "0"));
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .redirectError(ProcessBuilder.Redirect.appendTo(folder.resolve("log").toFile()));
    // Settings that are meant for other servers do not concern this one.
    builder.environment().keySet().removeIf(key -> key.startsWith("HOLDFAST_"));
    builder.environment().put("HOLDFAST_HOME", folder.resolve("home").toString());
    process = builder.start();
  }

  /** Waits until it serves. */
  void awaitServing() throws IOException, InterruptedException {
    Process started = running();
    Thread watch =
        Thread.ofVirtual()
            .start(() -> {
              try {
                TimeUnit.SECONDS.sleep(PATIENCE_SECONDS);
                started.destroyForcibly();
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            });
    // Not closed: the process would not survive writing to it.
    BufferedReader out =
        new BufferedReader(new InputStreamReader(started.getInputStream(), StandardCharsets.UTF_8));
    String line = out.readLine();
    watch.interrupt();
    Matcher said = SERVING.matcher(line == null ? "" : line);
    if (!said.find()) {
      throw Failure.failed(
          "a server does not start: " + lastWords(Files.readString(folder.resolve("log"))),
          "HOLDFAST_DEBUG=1 says more.");
    }
    identity = VerifyKey.parse(said.group(1));
    endpoint = Endpoint.parse(said.group(2));
  }

  /** The last line of a log that is not from within a stack trace. */
  static String lastWords(String log) {
    return log.lines()
        .filter(line -> !line.isBlank() && !Character.isWhitespace(line.charAt(0)))
        .reduce((before, line) -> line)
        .orElse("it says nothing");
  }

  private Process running() {
    Process started = process;
    if (started == null) {
      throw new IllegalStateException("the server has not been started");
    }
    return started;
  }

  /** A client's way to it; its identity is known from the process itself. */
  Server connect() {
    Endpoint at = endpoint;
    VerifyKey who = identity;
    if (at == null || who == null) {
      throw new IllegalStateException("the server has not served yet");
    }
    return Server.at(at, who);
  }

  /** Ends it without a warning (SIGKILL). */
  void kill() {
    Process started = process;
    if (started == null) {
      return;
    }
    started.destroyForcibly();
    boolean interrupted = false;
    while (started.isAlive()) {
      try {
        started.waitFor();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    kill();
  }
}
