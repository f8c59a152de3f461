package holdfast.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.net.Endpoint;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** An edge in a process of its own, started as users start it. */
final class EdgeProcess implements AutoCloseable {
  private static final Pattern REST = Pattern.compile("\"rest\":\"(https://[^\"]+)\"");

  private final Process process;
  private final Path home;
  private final String rest;

  private EdgeProcess(Process process, Path home, String rest) {
    this.process = process;
    this.home = home;
    this.rest = rest;
  }

  /** Starts an edge, with more arguments, and waits until it serves. */
  static EdgeProcess start(Path home, Path log, String... more) throws Exception {
    List<String> arguments =
        new ArrayList<>(List.of("edge", "up", "--mqtt-port", "0", "--bcrypt-cost", "4", "--json"));
    arguments.addAll(List.of(more));
    if (!arguments.contains("--port")) {
      arguments.addAll(List.of("--port", "0"));
    }
    ProcessBuilder builder = command(home, arguments.toArray(new String[0]));
    Process process = builder.redirectError(ProcessBuilder.Redirect.appendTo(log.toFile())).start();
    BufferedReader out =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    for (String line = out.readLine(); line != null; line = out.readLine()) {
      Matcher matcher = REST.matcher(line);
      if (matcher.find()) {
        return new EdgeProcess(process, home, matcher.group(1));
      }
    }
    process.waitFor();
    throw new IOException("the edge did not start:\n" + Files.readString(log));
  }

  private static ProcessBuilder command(Path home, String... arguments) {
    ProcessBuilder builder =
        new ProcessBuilder(
            ProcessHandle.current().info().command().orElseThrow(),
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-cp",
            System.getProperty("java.class.path"),
            "holdfast.cli.Main");
    builder.command().addAll(List.of(arguments));
    builder.environment().keySet().removeIf(name -> name.startsWith("HOLDFAST_"));
    builder.environment().put("HOLDFAST_HOME", home.toString());
    return builder;
  }

  /** Runs a command to its end with a text as its input; returns what it printed. */
  static String run(Path home, int exitCode, String input, String... arguments) throws Exception {
    Process command = command(home, arguments).redirectErrorStream(true).start();
    try (var in = command.getOutputStream()) {
      in.write(input.getBytes(StandardCharsets.UTF_8));
    }
    String printed = new String(command.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(command.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(command.exitValue()).as(printed).isEqualTo(exitCode);
    return printed;
  }

  /** Where REST is served. */
  Endpoint endpoint() {
    return Endpoint.parse(rest.substring("https://".length()));
  }

  HttpClient client() throws Exception {
    KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
    trusted.load(null, null);
    try (InputStream in = Files.newInputStream(home.resolve("edge/site/ca.pem"))) {
      trusted.setCertificateEntry(
          "site", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(trusted);
    SSLContext tls = SSLContext.getInstance("TLS");
    tls.init(null, trust.getTrustManagers(), null);
    return HttpClient.newBuilder().sslContext(tls).version(HttpClient.Version.HTTP_1_1).build();
  }

  HttpRequest.Builder request(String login, String path) {
    return HttpRequest.newBuilder(URI.create(rest + path))
        .header(
            "Authorization",
            "Basic " + Base64.getEncoder().encodeToString(login.getBytes(StandardCharsets.UTF_8)));
  }

  /** Ends it with SIGKILL. */
  void kill() throws InterruptedException {
    process.destroyForcibly();
    process.waitFor();
  }

  /** Stops it as a user would. */
  @Override
  public void close() {
    process.destroy();
    try {
      if (!process.waitFor(30, TimeUnit.SECONDS)) {
        kill();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
