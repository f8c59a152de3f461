package holdfast.edge.site;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;

/** An authority in a folder, under a clock that tests move. */
final class SiteFixture {
  static final Duration YEAR = Duration.ofDays(365);

  final Path folder;
  final SiteAuthority authority;
  volatile Instant now = Instant.now();

  SiteFixture(Path folder) {
    this.folder = folder;
    this.authority = SiteAuthority.init(folder, "A site", YEAR.multipliedBy(5), clock());
  }

  InstantSource clock() {
    return () -> now;
  }

  /** Issues a certificate and writes NAME.pem and NAME.key into a folder. */
  Path issue(Path to, Holder.Kind kind, String name, Duration validity) throws IOException {
    List<String> hosts = kind.serves() ? List.of("localhost", "127.0.0.1") : List.of();
    return write(to, name, authority.issue(new Holder(kind, name), hosts, validity));
  }

  static Path write(Path to, String name, SiteAuthority.Issue issue) throws IOException {
    Files.createDirectories(to);
    Files.writeString(to.resolve(name + ".key"), issue.key());
    return Files.writeString(to.resolve(name + ".pem"), issue.chain());
  }

  SiteTls tls(Path certificates, String server) {
    return SiteTls.mutual(
        certificates.resolve(server + ".pem"),
        certificates.resolve(server + ".key"),
        authority.certificateFile(),
        authority.revocationFile(),
        clock());
  }

  /** A client that takes any server, and shows this certificate. */
  static SSLContext client(Path certificates, String name) throws Exception {
    // What shows a certificate as a client is not what shows one as a server.
    ClientKey key =
        new ClientKey(
            Pem.certificates(certificates.resolve(name + ".pem")),
            Pem.key(certificates.resolve(name + ".key")));
    return client(key);
  }

  static SSLContext anonymous() throws Exception {
    return client(null);
  }

  private static SSLContext client(KeyManager key) throws Exception {
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(
        key == null ? null : new KeyManager[] {key},
        new TrustManager[] {new Anybody()},
        new SecureRandom());
    return context;
  }

  /** Runs a program; returns its exit code and what it said. */
  static String run(String... command) throws Exception {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return process.waitFor() + " " + said;
  }

  private record ClientKey(List<X509Certificate> chain, java.security.PrivateKey key)
      implements javax.net.ssl.X509KeyManager {
    @Override
    public String[] getClientAliases(String type, java.security.Principal[] issuers) {
      return new String[] {"me"};
    }

    @Override
    public String chooseClientAlias(
        String[] types, java.security.Principal[] issuers, java.net.Socket socket) {
      return "me";
    }

    @Override
    public String[] getServerAliases(String type, java.security.Principal[] issuers) {
      return null;
    }

    @Override
    public String chooseServerAlias(
        String type, java.security.Principal[] issuers, java.net.Socket socket) {
      return null;
    }

    @Override
    public X509Certificate[] getCertificateChain(String alias) {
      return chain.toArray(X509Certificate[]::new);
    }

    @Override
    public java.security.PrivateKey getPrivateKey(String alias) {
      return key;
    }
  }

  private static final class Anybody implements X509TrustManager {
    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType) {}

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }
}
