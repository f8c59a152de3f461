package holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.node.Node;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A capsule on three servers, from the command line. */
@Timeout(60)
class PlacedTest {
  @TempDir Path folder;
  private final List<Node> servers = new ArrayList<>();
  private final List<String> addresses = new ArrayList<>();
  private Cli cli;
  private String key;
  private String capsule;

  @BeforeEach
  void start() {
    for (int i = 0; i < 3; i++) {
      servers.add(Cli.serve(folder.resolve("data-" + i)));
      addresses.add(servers.getLast().endpoint().toString());
    }
    cli = new Cli(folder.resolve("home"), servers.getFirst());
    key = cli.key("owner");
    capsule = cli.ok("create", "--key", key);
    cli.environment.remove("HOLDFAST_SERVER");
  }

  @AfterEach
  void stop() {
    servers.forEach(Node::close);
  }

  private String on(int... which) {
    List<String> on = new ArrayList<>();
    for (int i : which) {
      on.add(addresses.get(i));
    }
    return String.join(",", on);
  }

  @Test
  void placeTellsEveryServerAndStatusShowsIt() {
    Map<String, Object> first = cli.json("place", capsule, "--on", on(0, 1, 2), "--key", key);
    assertThat(first).containsEntry("version", 1.0).containsEntry("complete", true);
    assertThat((List<?>) first.get("servers")).hasSize(3);
    assertThat(cli.ok("place", capsule, "--on", on(1, 2), "--key", key))
        .contains("version 2", "acknowledged", "no member any more");
    for (int i = 0; i < 3; i++) {
      String server = addresses.get(i);
      assertThat(cli.ok("status", capsule, "--server", server))
          .contains("Placed    version 2", on(1), on(2));
      Map<?, ?> placement =
          (Map<?, ?>) cli.json("status", capsule, "--server", server).get("placement");
      assertThat(placement.get("version")).isEqualTo(2.0);
      assertThat((List<?>) placement.get("members")).hasSize(2);
    }
    cli.run("place", capsule, "--on", on(1, 1), "--key", key).failsWith(2);
    String stranger = cli.key("stranger");
    assertThat(cli.run("place", capsule, "--on", on(1), "--key", stranger).failsWith(1).err())
        .contains("does not own");
    servers.get(2).close();
    cli.run("place", capsule, "--on", on(1, 2), "--key", key).failsWith(1);
    assertThat(cli.ok("place", capsule, "--on", on(0, 1), "--key", key))
        .contains("NOT acknowledged: cannot reach");
  }
}
