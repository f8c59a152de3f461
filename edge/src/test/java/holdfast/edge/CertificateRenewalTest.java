package holdfast.edge;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.edge.site.SiteAuthority;
import holdfast.edge.site.SiteTls;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The certificate that an edge issues to itself is there for as long as the edge is. */
class CertificateRenewalTest {
  private static final List<String> HOSTS = List.of("localhost", "127.0.0.1", "::1");
  private static final Instant START = Instant.parse("2026-03-01T12:00:00Z");

  @TempDir Path scratch;
  private final AtomicReference<Instant> now = new AtomicReference<>(START);
  private final InstantSource clock = now::get;
  private EdgeFolder folder;

  @BeforeEach
  void init() throws Exception {
    folder = EdgeFolder.at(scratch.resolve("edge"));
    Files.createDirectories(folder.path());
    Files.writeString(folder.path().resolve("name"), "kitchen\n");
    folder.requireCertificate(HOSTS, clock);
  }

  private X509Certificate shown() {
    return SiteTls.server(folder.certificate(), folder.certificateKey()).certificate();
  }

  private X509Certificate afterDays(long days, List<String> hosts) {
    now.set(START.plus(Duration.ofDays(days)));
    folder.requireCertificate(hosts, clock);
    return shown();
  }

  @Test
  void aCertificateIsIssuedAnewWhenLessThanThirtyDaysAreLeft() {
    X509Certificate first = shown();
    assertThat(afterDays(366, HOSTS)).isEqualTo(first);
    X509Certificate second = afterDays(368, HOSTS);
    assertThat(second).isNotEqualTo(first);
    assertThat(second.getNotAfter().toInstant())
        .isEqualTo(now.get().plus(SiteAuthority.CERTIFICATE_VALIDITY));
    assertThat(afterDays(369, HOSTS)).isEqualTo(second);
  }

  @Test
  void aHostThatIsMissingIsNamedByANewCertificate() throws Exception {
    X509Certificate first = shown();
    List<String> more = List.of("localhost", "127.0.0.1", "0:0:0:0:0:0:0:1", "edge.local");
    X509Certificate second = afterDays(1, more);
    assertThat(second).isNotEqualTo(first);
    assertThat(second.getSubjectAlternativeNames().toString()).contains("edge.local");
    assertThat(afterDays(2, more)).isEqualTo(second);
    assertThat(afterDays(2, HOSTS)).isEqualTo(second);
  }

  @Test
  void withoutTheKeyOfTheAuthorityTheCertificateStays() throws Exception {
    X509Certificate first = shown();
    Files.delete(folder.site().resolve("ca.key"));
    byte[] authority = Files.readAllBytes(folder.site().resolve("ca.pem"));
    assertThat(afterDays(380, List.of("elsewhere"))).isEqualTo(first);
    assertThat(folder.site().resolve("ca.pem")).hasBinaryContent(authority);
  }

  /** The end of the authority is nothing that a new certificate would put off. */
  @Test
  void nothingIsIssuedOverAndOverAtTheEndOfTheAuthority() {
    X509Certificate last = afterDays(3640, HOSTS);
    assertThat(last.getNotAfter().toInstant()).isEqualTo(START.plus(Duration.ofDays(3650)));
    assertThat(afterDays(3641, HOSTS)).isEqualTo(last);
  }

  @Test
  void aKillBetweenCertificateAndKeyIsMended() throws Exception {
    byte[] key = Files.readAllBytes(folder.certificateKey());
    X509Certificate second = afterDays(368, HOSTS);
    Files.write(folder.certificateKey(), key);
    assertThat(afterDays(368, HOSTS)).isNotEqualTo(second);
  }

  /** What runs looks by itself, and who connects next is shown the new one. */
  @Test
  void anEdgeThatRunsRenewsItsCertificate() {
    SiteTls tls = SiteTls.server(folder.certificate(), folder.certificateKey());
    X509Certificate first = tls.certificate();
    AtomicReference<X509Certificate> told = new AtomicReference<>(first);
    tls.onChange(told::set);
    try (var _ = new CertificateRenewal(folder, HOSTS, clock, Duration.ofMillis(1))) {
      now.set(START.plus(Duration.ofDays(368)));
      Site.eventually("the certificate is new", () -> !tls.certificate().equals(first));
    }
    assertThat(told.get()).isEqualTo(tls.certificate());
  }

  /** A timer ends without a word at the first thing that is thrown on. */
  @Test
  void anErrorDoesNotEndTheLooking() {
    SiteTls tls = SiteTls.server(folder.certificate(), folder.certificateKey());
    X509Certificate first = tls.certificate();
    AtomicInteger looks = new AtomicInteger();
    InstantSource failing =
        () -> {
          if (looks.incrementAndGet() == 1) {
            throw new OutOfMemoryError("made up");
          }
          return START.plus(Duration.ofDays(368));
        };
    try (var _ = new CertificateRenewal(folder, HOSTS, failing, Duration.ofMillis(1))) {
      Site.eventually("the certificate is new", () -> !tls.certificate().equals(first));
    }
    assertThat(looks.get()).isGreaterThan(1);
  }
}
