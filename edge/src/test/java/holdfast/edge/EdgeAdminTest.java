package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.HoldfastException;
import holdfast.edge.site.Holder;
import holdfast.edge.site.SiteAuthority;
import holdfast.net.Endpoint;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The operator of the machine reaches its edge, wherever that listens and whatever it shows. */
class EdgeAdminTest {
  @TempDir Path scratch;

  private EdgeOptions options(String host, EdgeOptions.@Nullable Certificate certificate) {
    EdgeOptions plain =
        EdgeOptions.of(scratch.resolve("edge"), new Endpoint(host, 0), Site.ANYWHERE);
    return new EdgeOptions(
        plain.data(),
        plain.rest(),
        plain.mqtt(),
        plain.node(),
        plain.nodeHttp(),
        List.of("edge.example"),
        certificate,
        Passwords.LEAST_COST,
        plain.queueTasks(),
        plain.queueBytes(),
        plain.connections(),
        plain.watches(),
        plain.allowOwners(),
        plain.routes(),
        plain.heartbeatMillis());
  }

  private EdgeFolder folder() throws Exception {
    EdgeFolder folder = EdgeFolder.at(scratch.resolve("edge"));
    folder.init("kitchen", holdfast.crypto.SigningKey.generate(EdgeFixture.RANDOM));
    return folder;
  }

  private static void administer(EdgeFolder folder) {
    try (EdgeAdmin admin = EdgeAdmin.of(folder)) {
      admin.add("u" + admin.users().size(), "correct horse".getBytes(UTF_8), List.of());
      assertThat(admin.status()).containsEntry("edge", "kitchen");
    }
  }

  private void issue(SiteAuthority authority, Path chain, Path key) throws Exception {
    SiteAuthority.Issue issue =
        authority.issue(
            new Holder(Holder.Kind.EDGE, "kitchen"), List.of("edge.example"), Duration.ofDays(10));
    for (var file : java.util.Map.of(chain, issue.chain(), key, issue.key()).entrySet()) {
      Path fresh = Files.writeString(scratch.resolve("fresh"), file.getValue());
      Files.move(fresh, file.getKey(), StandardCopyOption.REPLACE_EXISTING);
    }
  }

  /** The certificate names neither the address that is listened on nor loopback. */
  @Test
  void anEdgeIsAdministeredAtAnAddressThatItsCertificateDoesNotName() throws Exception {
    EdgeFolder folder = folder();
    for (String host : List.of("127.0.0.2", "127.0.0.1")) {
      try (Gateway gateway = Gateway.start(options(host, null))) {
        assertThat(gateway.rest().host()).isEqualTo(host);
        administer(folder);
      }
    }
  }

  @Test
  void anEdgeThatListensOnAllAddressesIsReachedByLoopback() {
    var key = holdfast.crypto.SigningKey.generate(EdgeFixture.RANDOM).verifyKey();
    for (List<String> one :
        List.of(
            List.of("0.0.0.0", "127.0.0.1:7443"),
            List.of("::", "[::1]:7443"),
            List.of("192.0.2.7", "192.0.2.7:7443"),
            List.of("edge.example", "edge.example:7443"))) {
      EdgeFolder.Admin admin =
          EdgeFolder.admin(
              new Endpoint(one.getFirst(), 7443), scratch, Site.ANYWHERE, key, "00:11");
      assertThat(admin.rest()).hasToString(one.getLast());
    }
  }

  @Test
  void anEdgeWithAGivenCertificateIsAdministeredAlsoWhenThatIsReplaced() throws Exception {
    EdgeFolder folder = folder();
    SiteAuthority authority =
        SiteAuthority.init(
            scratch.resolve("ca"), "elsewhere", Duration.ofDays(20), InstantSource.system());
    Path chain = scratch.resolve("chain.pem");
    Path key = scratch.resolve("key.pem");
    issue(authority, chain, key);
    var given = new EdgeOptions.Certificate(chain, key, null, null);
    try (Gateway gateway = Gateway.start(options("127.0.0.1", given))) {
      administer(folder);
      String before = gateway.fingerprint();
      issue(authority, chain, key);
      administer(folder);
      assertThat(gateway.fingerprint()).isNotEqualTo(before);
    }
  }

  /** The token is for the edge of the folder alone. */
  @Test
  void whoeverElseAnswersAtTheAddressGetsNoToken() throws Exception {
    EdgeFolder folder = folder();
    try (Gateway gateway = Gateway.start(options("127.0.0.1", null))) {
      EdgeFolder.Admin running = folder.running();
      folder.announce(running.showing(running.fingerprint().replace('A', 'B').replace('0', '1')));
      assertThatThrownBy(() -> administer(folder))
          .isInstanceOf(HoldfastException.class)
          .hasMessageContaining("certificate");
      folder.announce(running);
      administer(folder);
      assertThat(gateway.fingerprint()).isEqualTo(running.fingerprint());
    }
  }
}
