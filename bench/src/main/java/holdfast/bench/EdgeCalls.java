package holdfast.bench;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Single calls of an edge's REST interface. */
final class EdgeCalls implements AutoCloseable {
  private static final Pattern CHANGES = Pattern.compile("\"changes\":(\\d+)");

  private final EdgeProcess edge;
  private final HttpClient client;

  EdgeCalls(EdgeProcess edge) throws IOException {
    this.edge = edge;
    try (InputStream in = Files.newInputStream(edge.authority())) {
      KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
      trusted.load(null, null);
      trusted.setCertificateEntry(
          "site", CertificateFactory.getInstance("X.509").generateCertificate(in));
      TrustManagerFactory trust =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(trusted);
      SSLContext tls = SSLContext.getInstance("TLS");
      tls.init(null, trust.getTrustManagers(), null);
      this.client =
          HttpClient.newBuilder().sslContext(tls).version(HttpClient.Version.HTTP_1_1).build();
    } catch (GeneralSecurityException e) {
      throw new IOException("the edge's authority cannot be used", e);
    }
  }

  private byte[] call(String path, HttpRequest.Builder request)
      throws IOException, InterruptedException {
    HttpResponse<byte[]> answer =
        client.send(
            request
                .uri(URI.create(edge.url() + path))
                .header("Authorization", edge.login())
                .build(),
            HttpResponse.BodyHandlers.ofByteArray());
    if (answer.statusCode() >= 300) {
      throw new IOException(
          "the edge answered "
              + answer.statusCode()
              + ": "
              + new String(answer.body(), StandardCharsets.UTF_8));
    }
    return answer.body();
  }

  private static String path(String space, String key) {
    return "/v1/kv/" + space + "/" + URLEncoder.encode(key, StandardCharsets.UTF_8);
  }

  /** The value of a key. */
  byte[] get(String space, String key) throws IOException, InterruptedException {
    return call(path(space, key), HttpRequest.newBuilder().GET());
  }

  /** Puts a value; it is durable when this returns. */
  void put(String space, String key, byte[] value) throws IOException, InterruptedException {
    call(
        path(space, key),
        HttpRequest.newBuilder().PUT(HttpRequest.BodyPublishers.ofByteArray(value)));
  }

  /** How many changes have taken effect at the edge. */
  long changes() throws IOException, InterruptedException {
    String status =
        new String(call("/v1/status", HttpRequest.newBuilder().GET()), StandardCharsets.UTF_8);
    Matcher found = CHANGES.matcher(status);
    if (!found.find()) {
      throw new IOException("the edge does not say how many changes it has: " + status);
    }
    return Long.parseLong(found.group(1));
  }

  @Override
  public void close() {
    client.shutdownNow();
  }
}
