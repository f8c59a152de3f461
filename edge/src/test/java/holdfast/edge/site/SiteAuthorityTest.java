package holdfast.edge.site;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.HoldfastException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Certificates of a site, as openssl sees them. */
final class SiteAuthorityTest {
  @TempDir Path scratch;

  private SiteFixture site() {
    return new SiteFixture(scratch.resolve("ca"));
  }

  @Test
  void i10OpensslAcceptsWhatTheAuthorityMakes() throws Exception {
    SiteFixture site = site();
    Path server = site.issue(scratch, Holder.Kind.EDGE, "edge-1", SiteFixture.YEAR);
    Path user = site.issue(scratch, Holder.Kind.USER, "alice", SiteFixture.YEAR);
    String root = site.authority.certificateFile().toString();
    assertThat(
            SiteFixture.run(
                "openssl",
                "verify",
                "-x509_strict",
                "-CAfile",
                root,
                "-CRLfile",
                site.authority.revocationFile().toString(),
                "-crl_check",
                "-purpose",
                "sslserver",
                "-verify_hostname",
                "localhost",
                server.toString()))
        .startsWith("0 ");
    assertThat(
            SiteFixture.run(
                "openssl",
                "verify",
                "-x509_strict",
                "-CAfile",
                root,
                "-purpose",
                "sslclient",
                user.toString()))
        .startsWith("0 ");
    assertThat(
            SiteFixture.run(
                "openssl", "verify", "-CAfile", root, "-purpose", "sslserver", user.toString()))
        .as("who only connects is no server")
        .doesNotStartWith("0 ");
  }

  @Test
  void i10OpensslRefusesWhatIsRevokedExpiredOrOfAnotherAuthority() throws Exception {
    SiteFixture site = site();
    SiteFixture other = new SiteFixture(scratch.resolve("other"));
    Path user = site.issue(scratch, Holder.Kind.USER, "alice", SiteFixture.YEAR);
    String root = site.authority.certificateFile().toString();
    assertThat(
            SiteFixture.run(
                "openssl",
                "verify",
                "-CAfile",
                other.authority.certificateFile().toString(),
                user.toString()))
        .doesNotStartWith("0 ");
    long later = site.now.plus(SiteFixture.YEAR).plusSeconds(60).getEpochSecond();
    assertThat(
            SiteFixture.run(
                "openssl",
                "verify",
                "-CAfile",
                root,
                "-attime",
                Long.toString(later),
                user.toString()))
        .contains("certificate has expired");
    site.authority.revoke(site.authority.find("alice"));
    assertThat(
            SiteFixture.run(
                "openssl",
                "verify",
                "-CAfile",
                root,
                "-CRLfile",
                site.authority.revocationFile().toString(),
                "-crl_check",
                user.toString()))
        .contains("certificate revoked");
  }

  @Test
  void keysAreReadByTheirOwnerAlone() throws Exception {
    SiteFixture site = site();
    assertThat(
            PosixFilePermissions.toString(
                Files.getPosixFilePermissions(site.folder.resolve("ca.key"))))
        .isEqualTo("rw-------");
    assertThatThrownBy(
            () -> SiteAuthority.init(site.folder, "again", SiteFixture.YEAR, site.clock()))
        .isInstanceOf(HoldfastException.class)
        .hasMessageContaining("never overwritten");
  }

  @Test
  void i27EveryCertificateHasASerialOfItsOwnAndIsListed() {
    SiteFixture site = site();
    for (int i = 0; i < 5; i++) {
      site.authority.issue(
          new Holder(Holder.Kind.DEVICE, "same-name"), List.of(), SiteFixture.YEAR);
    }
    SiteAuthority opened = SiteAuthority.open(site.folder, site.clock());
    assertThat(opened.list())
        .extracting(IssuedCertificate::serial)
        .doesNotHaveDuplicates()
        .hasSize(5);
    String one = opened.list().get(2).serial();
    assertThat(opened.revoke(opened.find(one.substring(0, 12).toLowerCase(java.util.Locale.ROOT))))
        .extracting(IssuedCertificate::serial)
        .containsExactly(one);
    assertThat(opened.revoke(opened.find(one))).as("revoking twice changes nothing").isEmpty();
    assertThat(opened.revoke(opened.find("device/same-name"))).hasSize(4);
    assertThat(opened.list())
        .extracting(issued -> issued.state(site.now))
        .containsOnly(IssuedCertificate.State.REVOKED);
  }

  @Test
  void aCertificateNeverOutlastsItsAuthority() {
    SiteFixture site = site();
    site.now = site.now.plus(SiteFixture.YEAR.multipliedBy(4)).plus(Duration.ofDays(300));
    SiteAuthority.Issue late =
        site.authority.issue(new Holder(Holder.Kind.USER, "bob"), List.of(), SiteFixture.YEAR);
    assertThat(late.issued().certificate().getNotAfter())
        .isEqualTo(site.authority.certificate().getNotAfter());
    site.now = site.now.plus(SiteFixture.YEAR);
    assertThat(late.issued().state(site.now)).isEqualTo(IssuedCertificate.State.EXPIRED);
    assertThatThrownBy(() ->
            site.authority.issue(
                new Holder(Holder.Kind.USER, "carol"), List.of(), SiteFixture.YEAR))
        .hasMessageContaining("expired");
  }

  @Test
  void namesThatMeanSomethingElseAreRefused() {
    SiteFixture site = site();
    assertThatThrownBy(() -> new Holder(Holder.Kind.USER, "a/b"))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() ->
            site.authority.issue(
                new Holder(Holder.Kind.EDGE, "e"), List.of("a b"), SiteFixture.YEAR))
        .hasMessageContaining("no host name");
    assertThatThrownBy(() ->
            site.authority.issue(
                new Holder(Holder.Kind.USER, "u"), List.of("localhost"), SiteFixture.YEAR))
        .hasMessageContaining("only connects");
  }
}
