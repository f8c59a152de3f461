package holdfast.device;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;

/** HTTPS to an edge, over connections that are kept. Plain HTTP is refused. */
final class HttpLink implements Link {
  private static final int MOST_ANSWER_BYTES = 2 << 20;

  private final HttpClient client;
  private final URI edge;
  private final @Nullable String authorization;
  private final Duration timeout;

  HttpLink(EdgeAddress address, Duration timeout) throws IOException {
    this.edge = address.uri();
    this.timeout = timeout;
    this.authorization =
        address.login() instanceof EdgeLogin.Password login
            ? "Basic "
                + Base64.getEncoder()
                    .encodeToString(
                        (login.user() + ":" + login.password()).getBytes(StandardCharsets.UTF_8))
            : null;
    this.client =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(timeout)
            .followRedirects(HttpClient.Redirect.NEVER)
            .sslContext(context(address))
            .build();
  }

  private static SSLContext context(EdgeAddress address) throws IOException {
    try {
      TrustManagerFactory trust =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(address.authority() == null ? null : authorities(address.authority()));
      KeyManager[] keys = null;
      if (address.login() instanceof EdgeLogin.KeyFile login) {
        char[] password = login.password().toCharArray();
        KeyStore store = KeyStore.getInstance(login.file().toFile(), password);
        KeyManagerFactory factory =
            KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        factory.init(store, password);
        keys = factory.getKeyManagers();
      }
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(keys, trust.getTrustManagers(), null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IOException("the certificates cannot be used: " + e.getMessage(), e);
    }
  }

  private static KeyStore authorities(Path file) throws IOException, GeneralSecurityException {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    int number = 0;
    try (InputStream in = Files.newInputStream(file)) {
      for (Certificate one : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
        store.setCertificateEntry("authority-" + number++, one);
      }
    }
    if (number == 0) {
      throw new IOException("no certificate of an authority in " + file);
    }
    return store;
  }

  @Override
  public Reply request(String method, String path, String type, byte[] body)
      throws IOException, InterruptedException {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(edge + path))
            .timeout(timeout)
            .method(
                method,
                body.length == 0 && type.isEmpty()
                    ? HttpRequest.BodyPublishers.noBody()
                    : HttpRequest.BodyPublishers.ofByteArray(body));
    if (authorization != null) {
      request.header("Authorization", authorization);
    }
    boolean gzip = type.endsWith("+gzip");
    if (!type.isEmpty()) {
      request.header("Content-Type", gzip ? type.substring(0, type.length() - 5) : type);
    }
    if (gzip) {
      request.header("Content-Encoding", "gzip");
    }
    HttpResponse<byte[]> response = answer(request.build());
    Map<String, String> headers = new HashMap<>();
    response.headers().map().forEach((name, values) -> headers.put(name, values.getFirst()));
    return new Reply(response.statusCode(), headers, Octets.wrap(response.body()));
  }

  /**
   * Waits for an answer and all of its body. The time-out of a request ends with the headers of its
   * answer; a network that falls silent after them would be waited for without an end.
   */
  private HttpResponse<byte[]> answer(HttpRequest request)
      throws IOException, InterruptedException {
    CompletableFuture<HttpResponse<byte[]>> coming =
        client.sendAsync(
            request,
            HttpResponse.BodyHandlers.limiting(
                HttpResponse.BodyHandlers.ofByteArray(), MOST_ANSWER_BYTES));
    try {
      return coming.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
    } catch (TimeoutException e) {
      throw new HttpTimeoutException("no whole answer in " + timeout.toMillis() + " ms");
    } catch (ExecutionException e) {
      Throwable cause = e.getCause();
      throw cause instanceof IOException failure
          ? failure
          : new IOException(String.valueOf(cause), e);
    } finally {
      // Gives up the connection of an answer that did not come; one that did is not touched.
      coming.cancel(true);
    }
  }

  @Override
  public void close() {
    client.shutdownNow();
  }
}
