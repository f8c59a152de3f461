package holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The authority of a site, by its commands. */
final class CaTest {
  @TempDir Path scratch;

  @Test
  void i10CertificatesAreIssuedListedShownAndRevoked() throws Exception {
    Cli cli = new Cli(scratch.resolve("home"));
    String out = scratch.resolve("out").toString();
    cli.run("ca", "list").failsWith(1);
    Map<String, Object> made = cli.json("ca", "init", "--name", "Plant 7");
    assertThat(cli.home.resolve("ca/ca.pem")).hasToString((String) made.get("certificate"));
    assertThat(
            PosixFilePermissions.toString(
                Files.getPosixFilePermissions(cli.home.resolve("ca/ca.key"))))
        .isEqualTo("rw-------");
    assertThat(cli.run("ca", "init").failsWith(2).err()).contains("never overwritten");

    Map<String, Object> edge =
        cli.json("ca", "issue", "edge", "edge-1", "--host", "edge.example,10.0.0.7", "-o", out);
    assertThat(edge).containsEntry("kind", "edge").containsEntry("state", "valid");
    assertThat(Files.exists(Path.of((String) edge.get("key")))).isTrue();
    cli.ok("ca", "issue", "user", "alice", "--days", "90", "-o", out);
    assertThat(cli.run("ca", "issue", "user", "alice", "-o", out).failsWith(1).err())
        .contains("exists already");
    cli.run("ca", "issue", "robot", "r2", "-o", out).failsWith(2);
    cli.run("ca", "issue", "user", "bob", "--host", "h", "-o", out).failsWith(2);
    assertThat(cli.run("ca", "list", "--json").failsWith(0).lines()).hasSize(2);

    assertThat(cli.ok("ca", "revoke", "alice")).contains("revoked");
    assertThat(cli.json("ca", "show", "user/alice")).containsEntry("state", "revoked");
    assertThat(cli.json("ca", "show", (String) edge.get("serial"))).containsEntry("state", "valid");
    assertThat(cli.json("ca", "show")).containsEntry("issued", 2.0);
    cli.run("ca", "revoke", "nobody").failsWith(1);
  }
}
