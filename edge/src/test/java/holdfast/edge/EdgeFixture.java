package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;

import holdfast.crypto.SigningKey;
import holdfast.net.Endpoint;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.SecureRandom;
import java.security.cert.CertificateFactory;
import java.util.Base64;
import java.util.List;
import java.util.function.UnaryOperator;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** An edge in a folder, and clients of it. */
final class EdgeFixture implements AutoCloseable {
  static final SecureRandom RANDOM = new SecureRandom();
  static final String ANN = "ann:correct horse";
  static final String BOB = "bob:battery staple";
  static final Endpoint ANYWHERE = new Endpoint("127.0.0.1", 0);

  final SigningKey operator = SigningKey.generate(RANDOM);
  final Path data;
  final EdgeFolder folder;
  private final UnaryOperator<EdgeOptions> options;
  Gateway gateway;
  HttpClient http;

  private EdgeFixture(Path data, UnaryOperator<EdgeOptions> options) throws Exception {
    this.data = data;
    this.folder = EdgeFolder.at(data);
    this.options = options;
    folder.init("test", operator);
    start();
  }

  static EdgeFixture start(Path data) throws Exception {
    return start(data, options -> options);
  }

  /** An edge where ann may write in home and garden, and bob may read in home. */
  static EdgeFixture start(Path data, UnaryOperator<EdgeOptions> options) throws Exception {
    EdgeFixture made = new EdgeFixture(data, options);
    try (EdgeAdmin admin = made.admin()) {
      admin.add(
          "ann",
          "correct horse".getBytes(UTF_8),
          List.of(new EdgeAdmin.Right("home", "write"), new EdgeAdmin.Right("garden", "write")));
      admin.add(
          "bob", "battery staple".getBytes(UTF_8), List.of(new EdgeAdmin.Right("home", "read")));
    }
    return made;
  }

  void start() throws Exception {
    gateway = Gateway.start(options.apply(quick(EdgeOptions.of(data, ANYWHERE, ANYWHERE))));
    http = HttpClient.newBuilder().sslContext(trusting(gateway.authority())).build();
  }

  /** With the cheapest passwords there are. */
  static EdgeOptions quick(EdgeOptions plain) {
    return withCost(plain, Passwords.LEAST_COST);
  }

  static EdgeOptions withCost(EdgeOptions plain, int cost) {
    return new EdgeOptions(
        plain.data(),
        plain.rest(),
        plain.mqtt(),
        plain.node(),
        plain.nodeHttp(),
        plain.hosts(),
        plain.certificate(),
        cost,
        plain.queueTasks(),
        plain.queueBytes(),
        plain.connections(),
        plain.watches(),
        plain.allowOwners(),
        plain.routes(),
        plain.heartbeatMillis());
  }

  /** With room for so many bytes of what waits, and of bodies under way. */
  static EdgeOptions withQueue(EdgeOptions plain, long bytes) {
    return new EdgeOptions(
        plain.data(),
        plain.rest(),
        plain.mqtt(),
        plain.node(),
        plain.nodeHttp(),
        plain.hosts(),
        plain.certificate(),
        plain.bcryptCost(),
        plain.queueTasks(),
        bytes,
        plain.connections(),
        plain.watches(),
        plain.allowOwners(),
        plain.routes(),
        plain.heartbeatMillis());
  }

  static SSLContext trusting(Path authority) throws Exception {
    KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
    trusted.load(null, null);
    try (InputStream in = Files.newInputStream(authority)) {
      trusted.setCertificateEntry(
          "site", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(trusted);
    SSLContext tls = SSLContext.getInstance("TLS");
    tls.init(null, trust.getTrustManagers(), null);
    return tls;
  }

  EdgeAdmin admin() {
    return EdgeAdmin.of(folder);
  }

  /** Stops the edge, does something to its folder, and starts it again. */
  void restart(Change between) throws Exception {
    stop();
    between.make();
    start();
  }

  interface Change {
    void make() throws Exception;
  }

  private void stop() {
    http.close();
    gateway.close();
  }

  HttpRequest.Builder request(String login, String path) {
    HttpRequest.Builder made =
        HttpRequest.newBuilder(URI.create("https://localhost:" + gateway.rest().port() + path));
    return login.isEmpty() ? made : made.header("Authorization", basic(login));
  }

  static String basic(String login) {
    return "Basic " + Base64.getEncoder().encodeToString(login.getBytes(UTF_8));
  }

  HttpResponse<byte[]> send(HttpRequest.Builder request) throws IOException, InterruptedException {
    return http.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
  }

  HttpResponse<byte[]> get(String login, String path) throws Exception {
    return send(request(login, path));
  }

  HttpResponse<byte[]> put(String login, String path, String value) throws Exception {
    return send(request(login, path).PUT(HttpRequest.BodyPublishers.ofString(value)));
  }

  HttpResponse<byte[]> delete(String login, String path) throws Exception {
    return send(request(login, path).DELETE());
  }

  HttpResponse<byte[]> post(String login, String path, String json) throws Exception {
    return send(request(login, path).POST(HttpRequest.BodyPublishers.ofString(json)));
  }

  static String text(HttpResponse<byte[]> response) {
    return new String(response.body(), UTF_8);
  }

  static String etag(HttpResponse<byte[]> response) {
    return response.headers().firstValue("ETag").orElseThrow();
  }

  /** The code of a problem detail. */
  static String code(HttpResponse<byte[]> response) {
    if (!response
        .headers()
        .firstValue("Content-Type")
        .orElse("")
        .equals("application/problem+json")) {
      throw new AssertionError("no problem detail: " + response + " " + text(response));
    }
    return Json.text(Json.map(Json.read(response.body()), "a problem"), "code");
  }

  @Override
  public void close() {
    stop();
  }
}
