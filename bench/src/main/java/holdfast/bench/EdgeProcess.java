package holdfast.bench;

import static java.nio.charset.StandardCharsets.UTF_8;

import holdfast.base.ProofException;
import holdfast.crypto.SigningKey;
import holdfast.device.EdgeAddress;
import holdfast.device.EdgeLogin;
import holdfast.edge.EdgeAdmin;
import holdfast.edge.EdgeFolder;
import holdfast.edge.EdgeOptions;
import holdfast.edge.Gateway;
import holdfast.net.Endpoint;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.URI;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * An edge in a process of its own, with the options of the JVM that {@code ./holdfast edge up} has,
 * so that what it uses can be told from what the load uses. It ends when this process ends, however
 * that comes about, since its standard input ends then.
 */
final class EdgeProcess implements AutoCloseable {
  static final String USER = "bench";
  private static final String PASSWORD = "correct horse battery";
  private static final String PORTS = "ports ";
  private static final String HOST = "localhost";

  private final Process process;
  private final Path folder;
  private final int restPort;
  private final int mqttPort;

  private EdgeProcess(Process process, Path folder, int restPort, int mqttPort) {
    this.process = process;
    this.folder = folder;
    this.restPort = restPort;
    this.mqttPort = mqttPort;
  }

  /** Sets an edge up in a folder that is empty, starts it, and makes a user who may write. */
  static EdgeProcess start(Path folder) throws IOException, ProofException {
    EdgeFolder edge = EdgeFolder.at(folder);
    edge.init("bench", SigningKey.generate(new SecureRandom()));
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-XX:+UseParallelGC",
            "-Xmx1g"));
    String more = System.getenv("HOLDFAST_BENCH_EDGE_OPTS");
    if (more != null && !more.isBlank()) {
      command.addAll(List.of(more.strip().split(" +", -1)));
    }
    command.addAll(
        List.of(
            "-cp",
            System.getProperty("java.class.path"),
            EdgeProcess.class.getName(),
            folder.toString()));
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    try {
      BufferedReader out =
          new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8));
      String line = out.readLine();
      // The JVM may say something, too.
      while (line != null && !line.startsWith(PORTS)) {
        line = out.readLine();
      }
      if (line == null) {
        throw new IOException("the edge did not start");
      }
      String[] ports = line.substring(PORTS.length()).split(" ", -1);
      EdgeProcess started =
          new EdgeProcess(process, folder, Integer.parseInt(ports[0]), Integer.parseInt(ports[1]));
      try (EdgeAdmin admin = EdgeAdmin.of(edge)) {
        admin.add(USER, PASSWORD.getBytes(UTF_8), List.of(new EdgeAdmin.Right("*", "write")));
      }
      return started;
    } catch (IOException | RuntimeException e) {
      process.destroyForcibly();
      throw e;
    }
  }

  /** The process itself: serves a folder until its standard input ends. */
  public static void main(String[] args) throws Exception {
    Endpoint anywhere = new Endpoint("127.0.0.1", 0);
    EdgeOptions options = EdgeOptions.of(Path.of(args[0]), anywhere, anywhere).withMqtt(anywhere);
    try (Gateway gateway = Gateway.start(options)) {
      Endpoint mqtt = gateway.mqtt();
      System.out.println(PORTS + gateway.rest().port() + " " + (mqtt == null ? 0 : mqtt.port()));
      // Nothing is said to it; only the end is waited for.
      System.in.transferTo(OutputStream.nullOutputStream());
    }
  }

  String host() {
    return HOST;
  }

  String url() {
    return "https://" + HOST + ":" + restPort;
  }

  int mqttPort() {
    return mqttPort;
  }

  /** The certificates that clients trust. */
  Path authority() {
    return folder.resolve("site").resolve("ca.pem");
  }

  /** The edge's certificate with those below it, PEM. */
  Path certificate() {
    return EdgeFolder.at(folder).certificate();
  }

  /** Its private key, PEM. */
  Path certificateKey() {
    return EdgeFolder.at(folder).certificateKey();
  }

  /** The value of the Authorization header. */
  String login() {
    return "Basic " + Base64.getEncoder().encodeToString((USER + ":" + PASSWORD).getBytes(UTF_8));
  }

  String password() {
    return PASSWORD;
  }

  /** How a device speaks to it. */
  EdgeAddress address() {
    return new EdgeAddress(URI.create(url()), authority(), new EdgeLogin.Password(USER, PASSWORD));
  }

  ProcessHandle handle() {
    return process.toHandle();
  }

  /** Ends it as a user would, and waits for that. */
  @Override
  public void close() {
    try {
      process.getOutputStream().close();
      if (!process.waitFor(30, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (IOException e) {
      process.destroyForcibly();
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
