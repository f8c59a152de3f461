package holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.crypto.SigningKey;
import holdfast.edge.EdgeFolder;
import holdfast.edge.EdgeOptions;
import holdfast.edge.Gateway;
import holdfast.net.Endpoint;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code holdfast edge space}. */
class EdgeSpaceCommandTest {
  @TempDir Path scratch;

  @Test
  void spacesAreLimitedAndListed() throws Exception {
    Cli cli = new Cli(scratch.resolve("home"));
    EdgeFolder folder = EdgeFolder.at(cli.home.resolve("edge"));
    folder.init("kitchen", SigningKey.generate(new SecureRandom()));
    Endpoint anywhere = new Endpoint("127.0.0.1", 0);
    try (Gateway _ = Gateway.start(EdgeOptions.of(folder.path(), anywhere, anywhere))) {
      assertThat(cli.ok("edge", "space", "list")).isEmpty();
      assertThat(cli.ok("edge", "space", "limit", "home", "--quota", "10M"))
          .isEqualTo("home  0 keys, 0 B of 10.0 MiB, kept for ever");
      assertThat(cli.json("edge", "space", "limit", "home", "--retention", "36h"))
          .containsEntry("quotaBytes", 10485760.0)
          .containsEntry("retentionMillis", 129600000.0);
      cli.ok("edge", "space", "limit", "home", "--quota", "none");
      assertThat(cli.ok("edge", "space", "list"))
          .isEqualTo("home  0 keys, 0 B, no quota, kept for 36h");
      cli.run("edge", "space", "limit", "Home", "--quota", "1").failsWith(2);
    }
  }

  @Test
  void whatIsTypedWrongIsSaidBeforeAnEdgeIsAsked() {
    Cli cli = new Cli(scratch.resolve("home"));
    cli.run("edge", "space", "limit", "home").failsWith(2);
    cli.run("edge", "space", "limit", "home", "--quota", "10X").failsWith(2);
    cli.run("edge", "space", "limit", "home", "--retention", "30").failsWith(2);
    cli.run("edge", "space", "limit", "home", "--retention", "30d").failsWith(1);
  }

  @Test
  void sizesAndAgesAreRead() {
    assertThat(List.of("0", "17", "3K", "2G", "none"))
        .extracting(EdgeSpaceCommand::size)
        .containsExactly(0L, 17L, 3072L, 2L << 30, 0L);
    assertThat(List.of("90s", "5m", "12h", "30d", "none"))
        .extracting(EdgeSpaceCommand::ageMillis)
        .containsExactly(90_000L, 300_000L, 43_200_000L, 2_592_000_000L, 0L);
    for (String wrong : List.of("", "-1", "1.5G", "9999999999999T", "1k")) {
      assertThatThrownBy(() -> EdgeSpaceCommand.size(wrong)).as(wrong).isInstanceOf(Failure.class);
    }
  }
}
