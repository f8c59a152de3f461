package holdfast.device;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPInputStream;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

/**
 * A small edge over HTTPS: one user, enrolment, batches, and values as {@link ReferenceEdge} has.
 */
final class TestEdge implements AutoCloseable {
  static final String USER = "ada";
  static final String PASSWORD = "correct horse";

  final ReferenceEdge edge = new ReferenceEdge();
  final Map<String, Octets> devices = new HashMap<>();

  /** A status to answer all requests with; 0 to answer as an edge does. */
  volatile int refuseWith;

  private final HttpsServer server;
  private final ExecutorService threads = Executors.newCachedThreadPool();
  final Path authority;

  /** Makes a certificate for 127.0.0.1 in a folder, once. */
  static Path certificate(Path folder) throws Exception {
    Path store = folder.resolve("edge.p12");
    if (!Files.exists(store)) {
      Process keytool =
          new ProcessBuilder(
                  List.of(
                      Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                      "-genkeypair",
                      "-alias",
                      "edge",
                      "-keyalg",
                      "EC",
                      "-groupname",
                      "secp256r1",
                      "-dname",
                      "CN=edge",
                      "-ext",
                      "san=ip:127.0.0.1,dns:localhost",
                      "-ext",
                      "bc:c",
                      "-validity",
                      "30",
                      "-storetype",
                      "PKCS12",
                      "-keystore",
                      store.toString(),
                      "-storepass",
                      "secret"))
              .inheritIO()
              .start();
      if (!keytool.waitFor(60, TimeUnit.SECONDS) || keytool.exitValue() != 0) {
        throw new IllegalStateException("keytool made no certificate");
      }
    }
    return store;
  }

  TestEdge(Path folder, int port) throws Exception {
    Path file = certificate(folder);
    KeyStore store = KeyStore.getInstance(file.toFile(), "secret".toCharArray());
    Certificate own = store.getCertificate("edge");
    authority = folder.resolve("ca.pem");
    Files.writeString(
        authority,
        "-----BEGIN CERTIFICATE-----\n"
            + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(own.getEncoded())
            + "\n-----END CERTIFICATE-----\n");
    KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    keys.init(store, "secret".toCharArray());
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), null, null);
    server = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
    server.setHttpsConfigurator(new HttpsConfigurator(context));
    server.setExecutor(threads);
    server.createContext("/", this::handle);
    server.start();
  }

  int port() {
    return server.getAddress().getPort();
  }

  URI uri() {
    return URI.create("https://127.0.0.1:" + port());
  }

  EdgeAddress address() {
    return new EdgeAddress(uri(), authority, new EdgeLogin.Password(USER, PASSWORD));
  }

  private void handle(HttpExchange exchange) throws IOException {
    byte[] body = exchange.getRequestBody().readAllBytes();
    try {
      String expected =
          "Basic "
              + Base64.getEncoder()
                  .encodeToString((USER + ":" + PASSWORD).getBytes(StandardCharsets.UTF_8));
      if (refuseWith != 0) {
        answer(exchange, refuseWith, "{\"detail\":\"as told\"}");
      } else if (!expected.equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
        answer(exchange, 401, "{\"detail\":\"who are you\"}");
      } else {
        if ("gzip".equals(exchange.getRequestHeaders().getFirst("Content-Encoding"))) {
          body = new GZIPInputStream(new java.io.ByteArrayInputStream(body)).readAllBytes();
        }
        synchronized (edge) {
          route(exchange, exchange.getRequestURI().getRawPath().split("/"), body);
        }
      }
    } catch (RuntimeException | MalformedException e) {
      answer(exchange, 400, "{\"detail\":" + JsonText.quoted(String.valueOf(e)) + "}");
    } finally {
      exchange.close();
    }
  }

  private void route(HttpExchange exchange, String[] path, byte[] body)
      throws IOException, MalformedException {
    if (path[2].equals("kv")) {
      String key = URLDecoder.decode(path[4].replace("+", "%2B"), StandardCharsets.UTF_8);
      String value = edge.values.get(path[3] + "/" + key);
      if (value == null) {
        answer(exchange, 404, "{}");
      } else {
        reply(exchange, 200, Octets.parseHex(value).toArray());
      }
    } else if (path.length == 3) {
      enrol(exchange, JsonText.object(body));
    } else if (!devices.containsKey(path[3])) {
      answer(exchange, 404, "{\"detail\":\"no such device\"}");
    } else if (exchange.getRequestMethod().equals("GET")) {
      StringBuilder list = new StringBuilder();
      edge.lasts()
          .forEach((incarnation, last) ->
              list.append(list.isEmpty() ? "" : ",")
                  .append("{\"incarnation\":\"" + incarnation.toHex() + "\",\"last\":" + last)
                  .append('}'));
      answer(exchange, 200, "{\"incarnations\":[" + list + "]}");
    } else if (!Batch.MEDIA_TYPE.equals(exchange.getRequestHeaders().getFirst("Content-Type"))) {
      answer(exchange, 415, "{}");
    } else {
      switch (edge.take(body, devices.get(path[3]))) {
        case ReferenceEdge.Answer.Taken t ->
            answer(
                exchange, 200, "{\"last\":" + t.last() + ",\"duplicate\":" + t.duplicate() + "}");
        case ReferenceEdge.Answer.Conflict c ->
            answer(exchange, 409, "{\"detail\":\"conflict\",\"last\":" + c.last() + "}");
        case ReferenceEdge.Answer.Rejected r ->
            answer(
                exchange,
                403,
                "{\"detail\":\"not in that space\",\"rejected\":" + r.sequences() + "}");
        case ReferenceEdge.Answer.Refused r ->
            answer(exchange, 400, "{\"detail\":" + JsonText.quoted(r.problem()) + "}");
      }
    }
  }

  private void enrol(HttpExchange exchange, Map<?, ?> asked) throws IOException {
    String name = String.valueOf(asked.get("device"));
    Octets key = Octets.parseHex(String.valueOf(asked.get("key")));
    Octets signature = Octets.parseHex(String.valueOf(asked.get("signature")));
    if (!DeviceKey.verifies(key, Tag.ENROL, DeviceKey.enrolment(name, USER), signature)) {
      answer(exchange, 400, "{\"detail\":\"not signed\"}");
      return;
    }
    Octets known = devices.putIfAbsent(name, key);
    if (known != null && !known.equals(key)) {
      answer(exchange, 409, "{\"detail\":\"another key has this name\"}");
    } else {
      answer(exchange, known == null ? 201 : 200, "{}");
    }
  }

  private static void answer(HttpExchange exchange, int status, String json) throws IOException {
    reply(exchange, status, json.getBytes(StandardCharsets.UTF_8));
  }

  private static void reply(HttpExchange exchange, int status, byte[] body) throws IOException {
    exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
    if (body.length > 0) {
      exchange.getResponseBody().write(body);
    }
  }

  @Override
  public void close() {
    server.stop(0);
    threads.shutdownNow();
  }
}
