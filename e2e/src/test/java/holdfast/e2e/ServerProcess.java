package holdfast.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.client.Server;
import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;
import holdfast.testkit.Patience;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A {@link ServerMain} running in a JVM of its own. */
final class ServerProcess implements AutoCloseable {
  private final Process process;
  private final Path log;
  private final Endpoint endpoint;
  private final VerifyKey identity;

  private ServerProcess(Process process, Path log, Endpoint endpoint, VerifyKey identity) {
    this.process = process;
    this.log = log;
    this.endpoint = endpoint;
    this.identity = identity;
  }

  /** A server looked at its data and would not serve it. */
  static final class Refused extends IOException {
    private static final long serialVersionUID = 1L;

    Refused(String why) {
      super(why);
    }
  }

  /**
   * Starts a server and waits until it serves.
   *
   * @param log where its standard error goes
   * @param under what to run it under, such as strace with its options
   */
  static ServerProcess start(Path data, Path log, String... under) throws Exception {
    return start(List.of(data.toString()), log, under);
  }

  /**
   * The same with all that {@link ServerMain} takes.
   *
   * @throws Refused when it does not start because it will not
   */
  static ServerProcess start(List<String> arguments, Path log, String... under) throws Exception {
    List<String> command = new ArrayList<>(List.of(under));
    command.addAll(
        List.of(
            ProcessHandle.current().info().command().orElseThrow(),
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            // Who is killed leaves unpacked libraries there.
            "-Djava.io.tmpdir=" + log.toAbsolutePath().getParent(),
            "-cp",
            System.getProperty("java.class.path"),
            ServerMain.class.getName()));
    command.addAll(arguments);
    Process process =
        new ProcessBuilder(command)
            .redirectError(ProcessBuilder.Redirect.appendTo(log.toFile()))
            .start();
    BufferedReader out =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    String line = out.readLine();
    if (line == null) {
      String all = Files.readString(log);
      if (process.waitFor() == ServerMain.REFUSED) {
        throw new Refused(
            all.substring(all.lastIndexOf(ServerMain.REFUSED_WORD))
                .lines()
                .findFirst()
                .orElseThrow());
      }
      throw new IOException("the server did not start:\n" + all);
    }
    String[] words = line.split(" ", -1);
    return new ServerProcess(
        process,
        log,
        new Endpoint("127.0.0.1", Integer.parseInt(words[0])),
        VerifyKey.parse(words[1]));
  }

  Server connect() {
    return Server.at(endpoint, identity);
  }

  Endpoint endpoint() {
    return endpoint;
  }

  /** Ends it with SIGKILL. */
  void kill() throws InterruptedException {
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
    process.waitFor();
  }

  void signal(String name) throws Exception {
    new ProcessBuilder("kill", "-" + name, String.valueOf(process.pid())).start().waitFor();
  }

  long pid() {
    return process.pid();
  }

  boolean running() {
    return process.isAlive();
  }

  int awaitExit() throws InterruptedException {
    assertThat(process.waitFor(Patience.SECONDS, TimeUnit.SECONDS)).as("the server ends").isTrue();
    return process.exitValue();
  }

  String log() throws IOException {
    return Files.readString(log);
  }

  /** Stops it cleanly. */
  @Override
  public void close() throws IOException {
    process.getOutputStream().close();
    try {
      if (!process.waitFor(30, TimeUnit.SECONDS)) {
        kill();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
