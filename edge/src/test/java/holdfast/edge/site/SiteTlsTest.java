package holdfast.edge.site;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.HoldfastException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whom a server of the site lets in. */
final class SiteTlsTest {
  @TempDir Path scratch;

  /** What a server says of a client: who holds its certificate, or why it is refused. */
  private static String meet(SiteTls tls, SSLContext client) throws Exception {
    try (ExecutorService one = Executors.newSingleThreadExecutor();
        SSLServerSocket listening = listening(tls)) {
      Future<String> heard = one.submit(() -> serve(tls, listening));
      try (SSLSocket socket =
          (SSLSocket)
              client
                  .getSocketFactory()
                  .createSocket(InetAddress.getLoopbackAddress(), listening.getLocalPort())) {
        socket.getOutputStream().write(1);
        // TLS 1.3 tells a client that it is refused after the handshake only.
        socket.getInputStream().readAllBytes();
      } catch (IOException refused) {
        // The server says why.
      }
      return heard.get();
    }
  }

  private static SSLServerSocket listening(SiteTls tls) throws IOException {
    SSLServerSocket socket =
        (SSLServerSocket)
            tls.context()
                .getServerSocketFactory()
                .createServerSocket(0, 1, InetAddress.getLoopbackAddress());
    socket.setWantClientAuth(true);
    return socket;
  }

  private static String serve(SiteTls tls, SSLServerSocket listening) throws IOException {
    try (SSLSocket socket = (SSLSocket) listening.accept()) {
      socket.startHandshake();
      socket.getInputStream().read();
      try {
        X509Certificate shown = (X509Certificate) socket.getSession().getPeerCertificates()[0];
        return tls.holder(shown).toString();
      } catch (javax.net.ssl.SSLPeerUnverifiedException e) {
        return "nobody";
      } catch (CertificateException e) {
        return "refused: " + e.getMessage();
      }
    } catch (SSLException e) {
      return "refused: " + e.getMessage();
    }
  }

  private SiteFixture site() throws IOException {
    SiteFixture site = new SiteFixture(scratch.resolve("ca"));
    site.issue(scratch, Holder.Kind.EDGE, "edge-1", SiteFixture.YEAR);
    site.issue(scratch, Holder.Kind.USER, "alice", Duration.ofDays(30));
    return site;
  }

  @Test
  void i10ACertificateOfTheSiteNamesItsHolder() throws Exception {
    SiteFixture site = site();
    SiteTls tls = site.tls(scratch, "edge-1");
    assertThat(meet(tls, SiteFixture.client(scratch, "alice"))).isEqualTo("user alice");
    assertThat(meet(tls, SiteFixture.anonymous())).isEqualTo("nobody");
  }

  @Test
  void i10AWrongAuthorityIsRefused() throws Exception {
    SiteTls tls = site().tls(scratch, "edge-1");
    SiteFixture other = new SiteFixture(scratch.resolve("other"));
    other.issue(scratch.resolve("theirs"), Holder.Kind.USER, "alice", SiteFixture.YEAR);
    assertThat(meet(tls, SiteFixture.client(scratch.resolve("theirs"), "alice")))
        .startsWith("refused")
        .contains("was not issued by the authority");
  }

  @Test
  void i10AnExpiredCertificateIsRefused() throws Exception {
    SiteFixture site = site();
    SiteTls tls = site.tls(scratch, "edge-1");
    site.now = site.now.plus(Duration.ofDays(31));
    assertThat(meet(tls, SiteFixture.client(scratch, "alice")))
        .startsWith("refused")
        .contains("expired");
  }

  @Test
  void i10ARevokedCertificateIsRefusedFromThenOn() throws Exception {
    SiteFixture site = site();
    SiteTls tls = site.tls(scratch, "edge-1");
    SSLContext alice = SiteFixture.client(scratch, "alice");
    assertThat(meet(tls, alice)).isEqualTo("user alice");
    site.authority.revoke(site.authority.find("alice"));
    assertThat(meet(tls, SiteFixture.client(scratch, "alice")))
        .startsWith("refused")
        .contains("was revoked");
    assertThat(meet(tls, alice)).as("a session that is resumed").contains("was revoked");
    X509Certificate before = Pem.certificates(scratch.resolve("alice.pem")).getFirst();
    assertThatThrownBy(() -> tls.holder(before))
        .as("a connection that is there")
        .hasMessageContaining("revoked");
  }

  @Test
  void i10AnAuthorityThatIsReplacedHoldsWithoutARestart() throws Exception {
    SiteFixture site = site();
    SiteTls tls = site.tls(scratch, "edge-1");
    SSLContext alice = SiteFixture.client(scratch, "alice");
    assertThat(meet(tls, alice)).isEqualTo("user alice");
    SiteFixture other = new SiteFixture(scratch.resolve("other"));
    other.issue(scratch.resolve("theirs"), Holder.Kind.USER, "carol", SiteFixture.YEAR);
    X509Certificate before = Pem.certificates(scratch.resolve("alice.pem")).getFirst();
    // One file is of the old authority and one of the new: what was there before holds.
    Files.copy(
        other.authority.certificateFile(),
        site.authority.certificateFile(),
        StandardCopyOption.REPLACE_EXISTING);
    assertThat(tls.holder(before).toString()).isEqualTo("user alice");
    Files.copy(
        other.authority.revocationFile(),
        site.authority.revocationFile(),
        StandardCopyOption.REPLACE_EXISTING);
    assertThat(meet(tls, SiteFixture.client(scratch.resolve("theirs"), "carol")))
        .isEqualTo("user carol");
    assertThat(meet(tls, SiteFixture.client(scratch, "alice")))
        .startsWith("refused")
        .contains("was not issued by the authority");
    assertThatThrownBy(() -> tls.holder(before))
        .as("a connection that is there")
        .hasMessageContaining("was not issued by the authority");
  }

  @Test
  void i8PlaintextIsRefused() throws Exception {
    SiteTls tls = site().tls(scratch, "edge-1");
    try (ExecutorService one = Executors.newSingleThreadExecutor();
        SSLServerSocket listening = listening(tls)) {
      Future<String> heard = one.submit(() -> serve(tls, listening));
      try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), listening.getLocalPort())) {
        socket
            .getOutputStream()
            .write("GET / HTTP/1.1\r\nHost: a\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
        assertThat(heard.get()).startsWith("refused");
        assertThat(new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1))
            .doesNotContain("HTTP");
      }
    }
  }

  @Test
  void aListThatTheAuthorityDidNotSignOrThatIsOlderChangesNothing() throws Exception {
    SiteFixture site = site();
    Path list = site.authority.revocationFile();
    Path before = Files.copy(list, scratch.resolve("before.pem"));
    SiteTls tls = site.tls(scratch, "edge-1");
    site.authority.revoke(site.authority.find("alice"));
    X509Certificate alice = Pem.certificates(scratch.resolve("alice.pem")).getFirst();
    assertThatThrownBy(() -> tls.holder(alice)).hasMessageContaining("revoked");
    SiteFixture other = new SiteFixture(scratch.resolve("other"));
    for (Path wrong : new Path[] {before, other.authority.revocationFile()}) {
      Files.copy(wrong, list, StandardCopyOption.REPLACE_EXISTING);
      assertThatThrownBy(() -> tls.holder(alice)).hasMessageContaining("revoked");
    }
    Files.delete(list);
    assertThatThrownBy(() -> tls.holder(alice)).hasMessageContaining("revoked");
    assertThatThrownBy(() -> site.tls(scratch, "edge-1"))
        .as("a server that begins without its list")
        .isInstanceOf(HoldfastException.class)
        .hasMessageContaining("crl.pem");
  }

  @Test
  void aRenewedCertificateIsShownWithoutARestart() throws Exception {
    SiteFixture site = site();
    SiteTls tls = site.tls(scratch, "edge-1");
    X509Certificate before = tls.certificate();
    site.issue(scratch, Holder.Kind.EDGE, "edge-1", SiteFixture.YEAR);
    assertThat(tls.certificate()).isNotEqualTo(before);
    X509Certificate renewed = tls.certificate();
    Files.writeString(scratch.resolve("edge-1.key"), "no key");
    assertThat(tls.certificate()).as("what cannot be used").isEqualTo(renewed);
  }
}
