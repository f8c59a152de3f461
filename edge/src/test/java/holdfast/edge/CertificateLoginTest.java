package holdfast.edge;

import static holdfast.edge.EdgeFixture.ANN;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.edge.site.Holder;
import holdfast.edge.site.SiteAuthority;
import holdfast.testkit.Patience;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Base64;
import java.util.List;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedKeyManager;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** I10 over REST: certificates of the site's authority log in, and no others. */
@Timeout(Patience.TEST_SECONDS)
class CertificateLoginTest {
  @TempDir Path data;
  private EdgeFixture edge;
  private SiteAuthority authority;

  @BeforeEach
  void start() throws Exception {
    edge = EdgeFixture.start(data.resolve("edge"));
    authority = SiteAuthority.open(edge.folder.site(), InstantSource.system());
  }

  @AfterEach
  void stop() {
    edge.close();
  }

  private static SiteAuthority.Issue issue(SiteAuthority by, Holder.Kind kind, String name) {
    List<String> hosts = kind.serves() ? List.of("localhost") : List.of();
    return by.issue(new Holder(kind, name), hosts, Duration.ofDays(1));
  }

  /** A client that trusts the edge and shows a certificate. */
  private HttpClient client(SiteAuthority.Issue shown) throws Exception {
    KeyStore trusted = KeyStore.getInstance("PKCS12");
    trusted.load(null, null);
    trusted.setCertificateEntry("site", authority.certificate());
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(trusted);
    String pem = shown.key().replaceAll("-----[A-Z ]+-----|\\s", "");
    X509Certificate[] chain =
        CertificateFactory.getInstance("X.509")
            .generateCertificates(
                new java.io.ByteArrayInputStream(shown.chain().getBytes(StandardCharsets.UTF_8)))
            .toArray(X509Certificate[]::new);
    PrivateKey key =
        KeyFactory.getInstance("EC")
            .generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
    SSLContext tls = SSLContext.getInstance("TLS");
    tls.init(
        new KeyManager[] {new Shown(chain, key)}, trust.getTrustManagers(), new SecureRandom());
    return HttpClient.newBuilder().sslContext(tls).version(HttpClient.Version.HTTP_1_1).build();
  }

  /** Shows its certificate whoever is asked for. */
  private static final class Shown extends X509ExtendedKeyManager {
    private final X509Certificate[] chain;
    private final PrivateKey key;

    Shown(X509Certificate[] chain, PrivateKey key) {
      this.chain = chain;
      this.key = key;
    }

    @Override
    public String chooseEngineClientAlias(String[] types, Principal[] issuers, SSLEngine engine) {
      return "me";
    }

    @Override
    public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) {
      return "me";
    }

    @Override
    public String[] getClientAliases(String type, Principal[] issuers) {
      return new String[] {"me"};
    }

    @Override
    public String chooseServerAlias(String type, Principal[] issuers, Socket socket) {
      return null;
    }

    @Override
    public String[] getServerAliases(String type, Principal[] issuers) {
      return null;
    }

    @Override
    public X509Certificate[] getCertificateChain(String alias) {
      return chain.clone();
    }

    @Override
    public PrivateKey getPrivateKey(String alias) {
      return key;
    }
  }

  private HttpRequest.Builder to(String path) {
    return HttpRequest.newBuilder(
        URI.create("https://localhost:" + edge.gateway.rest().port() + path));
  }

  private int put(HttpClient client, String path) throws Exception {
    return client
        .send(
            to(path).PUT(HttpRequest.BodyPublishers.ofString("1")).build(),
            HttpResponse.BodyHandlers.discarding())
        .statusCode();
  }

  private int get(HttpClient client, String path) throws Exception {
    return client.send(to(path).build(), HttpResponse.BodyHandlers.discarding()).statusCode();
  }

  @Test
  void i10ACertificateIsItsUserWithItsRightsAndNoOther() throws Exception {
    try (HttpClient ann = client(issue(authority, Holder.Kind.USER, "ann"));
        HttpClient bob = client(issue(authority, Holder.Kind.USER, "bob"));
        HttpClient nobody = client(issue(authority, Holder.Kind.USER, "carol"));
        HttpClient edgeItself = client(issue(authority, Holder.Kind.EDGE, "ann"))) {
      assertThat(put(ann, "/v1/kv/home/a")).isEqualTo(201);
      assertThat(get(bob, "/v1/kv/home/a")).isEqualTo(200);
      assertThat(put(bob, "/v1/kv/home/a")).isEqualTo(403);
      assertThat(get(nobody, "/v1/kv/home/a")).isEqualTo(401);
      // What serves does not log in.
      assertThat(get(edgeItself, "/v1/kv/home/a")).isEqualTo(401);
    }
  }

  @Test
  void i10AWrongAuthorityAndAnExpiredCertificateAreRefused() throws Exception {
    SiteAuthority other =
        SiteAuthority.init(
            data.resolve("other"), "Another", Duration.ofDays(10), InstantSource.system());
    SiteAuthority lastWeek =
        SiteAuthority.open(edge.folder.site(), () -> Instant.now().minus(Duration.ofDays(7)));
    try (HttpClient wrong = client(issue(other, Holder.Kind.USER, "ann"));
        HttpClient expired = client(issue(lastWeek, Holder.Kind.USER, "ann"))) {
      for (HttpClient client : List.of(wrong, expired)) {
        assertThatThrownBy(() -> get(client, "/v1/kv/home/a")).isInstanceOf(IOException.class);
      }
    }
  }

  @Test
  void i10ARevokedCertificateIsRefusedOnAConnectionThatIsThereAndEndsItsWatch() throws Exception {
    SiteAuthority.Issue issue = issue(authority, Holder.Kind.USER, "ann");
    try (HttpClient ann = client(issue);
        HttpClient again = client(issue)) {
      assertThat(put(ann, "/v1/kv/home/a")).isEqualTo(201);
      BufferedReader watch = watch(ann, "");
      // On a second connection, which stays.
      assertThat(put(ann, "/v1/kv/garden/a")).isEqualTo(201);
      authority.revoke(List.of(issue.issued()));
      assertThat(put(ann, "/v1/kv/home/a")).isEqualTo(401);
      assertThatThrownBy(() -> get(again, "/v1/kv/home/a")).isInstanceOf(IOException.class);
      // Nothing is written that would make it look.
      assertEnds(watch);
    }
  }

  @Test
  void aWatchEndsSoonAfterItsUserIsRemovedOrItsPasswordChanges() throws Exception {
    try (EdgeAdmin admin = edge.admin()) {
      BufferedReader watch = watch(edge.http, EdgeFixture.basic(ANN));
      admin.password("ann", "another one".getBytes(StandardCharsets.UTF_8));
      assertEnds(watch);
      BufferedReader second = watch(edge.http, EdgeFixture.basic("ann:another one"));
      admin.remove("ann");
      assertEnds(second);
    }
  }

  private BufferedReader watch(HttpClient client, String authorization) throws Exception {
    HttpRequest.Builder request = to("/v1/kv/home/watch").header("Accept", "text/event-stream");
    if (!authorization.isEmpty()) {
      request.header("Authorization", authorization);
    }
    HttpResponse<java.io.InputStream> response =
        client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
    assertThat(response.statusCode()).isEqualTo(200);
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8));
    // The watch has begun when its first line has come.
    assertThat(lines.readLine()).startsWith(":");
    return lines;
  }

  /** Ends before the edge would have said that it is still there, which it does every 15 s. */
  private static void assertEnds(BufferedReader watch) throws IOException {
    StringBuilder after = new StringBuilder();
    for (String line = watch.readLine(); line != null; line = watch.readLine()) {
      after.append(line);
    }
    assertThat(after.toString()).isEmpty();
  }
}
