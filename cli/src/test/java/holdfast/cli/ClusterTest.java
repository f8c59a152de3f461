package holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.client.Home;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;
import holdfast.node.Node;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a cluster is written down as, whose processes it touches, and how nodes are named. */
class ClusterTest {
  private static final Duration HOUR = Duration.ofHours(1);

  @TempDir Path folder;

  @Test
  void aPlanUsesPortsThatAreFreeAndComesBackFromItsFile() throws Exception {
    Home home = Home.at(folder.resolve("home"));
    assertThat(Cluster.find(home)).isEmpty();
    Cluster cluster = Cluster.plan(folder.resolve("it's [here]"), 3, 0);
    assertThat(
            Stream.of(
                    Stream.of(cluster.control().port()),
                    cluster.nodes().stream().map(node -> node.endpoint().port()),
                    cluster.nodes().stream().map(Cluster.Node::httpPort),
                    cluster.links().stream().map(link -> link.listen().port()))
                .flatMap(ports -> ports))
        .hasSize(1 + 3 + 3 + 6)
        .doesNotHaveDuplicates()
        .doesNotContain(0);
    cluster.keep(home);
    assertThat(Cluster.find(home)).contains(cluster);
    // With an identity too.
    try (Node server = Cli.serve(folder.resolve("data"))) {
      Cluster known =
          cluster.withNodes(
              cluster.nodes().stream().map(n -> n.withIdentity(server.identity())).toList());
      known.keep(home);
      assertThat(Cluster.find(home)).contains(known).isNotEqualTo(cluster);
    }
    Cluster.forget(home);
    assertThat(Cluster.find(home)).isEmpty();
  }

  @Test
  void everyNodeHasALinkOfItsOwnToEachOther() throws Exception {
    Cluster cluster = Cluster.plan(folder, 4, 0);
    for (Cluster.Node node : cluster.nodes()) {
      assertThat(cluster.linksFrom(node))
          .extracting(Cluster.Link::to)
          .containsExactlyInAnyOrderElementsOf(
              Stream.of(1, 2, 3, 4).filter(other -> other != node.number()).toList());
    }
  }

  @Test
  void whatCannotBeIsRefused() throws Exception {
    Cli cli = new Cli(folder.resolve("home"));
    cli.run("cluster", "up", "--nodes", "0").failsWith(2);
    cli.run("cluster", "up", "--nodes", "10").failsWith(2);
    cli.run("cluster", "up", "--dir", folder.resolve("a\"b").toString()).failsWith(2);
    try (ServerSocket taken = new ServerSocket(0)) {
      String port = String.valueOf(taken.getLocalPort());
      assertThat(cli.run("cluster", "up", "--base-port", port).failsWith(1).err())
          .contains("port " + port + " cannot be used");
    }
    for (List<String> args :
        List.of(
            List.of("status"),
            List.of("stop"),
            List.of("kill", "1"),
            List.of("restart", "1"),
            List.of("partition", "1", "2"),
            List.of("heal"),
            List.of("down"))) {
      List<String> all = Stream.concat(Stream.of("cluster"), args.stream()).toList();
      assertThat(cli.run(all.toArray(String[]::new)).failsWith(1).err())
          .contains("there is no cluster");
    }
    Cluster.plan(folder.resolve("cluster"), 2, 0).keep(Home.at(cli.home));
    cli.run("cluster", "up", "--nodes", "3").failsWith(2);
    assertThat(cli.run("cluster", "up", "--base-port", "1").failsWith(2).err())
        .contains("with the base port ");
    cli.run("cluster", "kill", "3").failsWith(2);
    cli.run("cluster", "partition", "1", "1").failsWith(2);
    assertThat(cli.run("cluster", "kill", "1").failsWith(1).err()).contains("does not run");
    assertThat(cli.run("cluster", "heal").failsWith(1).err()).contains("do not answer");
    assertThat(cli.ok("cluster", "down", "--json")).contains("\"stopped\":0");
  }

  @Test
  void withTheClusterItsPinsGoAndNoOthers() throws Exception {
    Cli cli = new Cli(folder.resolve("home"));
    Home home = Home.at(cli.home);
    VerifyKey own = SigningKey.generate(new SecureRandom()).verifyKey();
    VerifyKey other = SigningKey.generate(new SecureRandom()).verifyKey();
    Cluster planned = Cluster.plan(folder.resolve("cluster"), 2, 0);
    Cluster cluster =
        planned.withNodes(planned.nodes().stream().map(one -> one.withIdentity(own)).toList());
    cluster.keep(home);
    home.pin(cluster.node(1).endpoint(), own);
    // Pinned by hand since.
    home.pin(cluster.node(2).endpoint(), other);
    home.pin(new Endpoint("archive.example", 7420), own);
    cli.ok("cluster", "down");
    assertThat(home.allPinned()).hasSize(3);
    cli.ok("cluster", "down", "--delete");
    assertThat(home.pinned(cluster.node(1).endpoint())).isEmpty();
    assertThat(home.pinned(cluster.node(2).endpoint())).contains(other);
    assertThat(home.pinned(new Endpoint("archive.example", 7420))).contains(own);
  }

  @Test
  void oneCommandAtATimeChangesIt() throws Exception {
    Cli cli = new Cli(folder.resolve("home"));
    Files.createDirectories(cli.home);
    Cluster.plan(folder.resolve("cluster"), 2, 0).keep(Home.at(cli.home));
    try (FileChannel file =
        FileChannel.open(
            cli.home.resolve("cluster.lock"),
            StandardOpenOption.CREATE,
            StandardOpenOption.WRITE)) {
      file.lock();
      assertThat(cli.run("cluster", "stop").failsWith(1).err()).contains("another command");
      cli.ok("cluster", "status");
    }
    cli.ok("cluster", "stop");
  }

  @Test
  void aNodeThatCannotStartIsToldAndNothingStaysBehind() throws Exception {
    Cli cli = new Cli(folder.resolve("home"));
    cli.environment.put("HOLDFAST_JAVA_OPTS", "-XX:TieredStopAtLevel=1");
    Files.createDirectories(cli.home.resolve("cluster/node-1"));
    Path data = Files.writeString(cli.home.resolve("cluster/node-1/data"), "no folder");
    assertThat(cli.run("cluster", "up", "--nodes", "1", "--base-port", "0").failsWith(1).err())
        .contains("node 1 did not start", "cannot use the data folder " + data);
    assertThat(Cluster.find(Home.at(cli.home))).isEmpty();
    // Its folder is still there, with the number that the process of the links had.
    Path links = cli.home.resolve("cluster/links");
    assertThat(links.resolve("pid")).exists();
    assertThat(new Daemon(links).running()).isEmpty();
  }

  @Test
  void aProcessThatHasOnlyTheNumberIsLeftAlone() throws Exception {
    Process other = new ProcessBuilder("sleep", "60").start();
    try {
      Instant started = other.info().startInstant().orElseThrow();
      Daemon daemon = new Daemon(folder);
      assertThat(daemon.running()).isEmpty();
      for (String text :
          List.of(
              other.pid() + " " + started.minus(HOUR).toEpochMilli(),
              String.valueOf(other.pid()),
              other.pid() + " x",
              "")) {
        Files.writeString(folder.resolve("pid"), text);
        assertThat(daemon.running()).as(text).isEmpty();
        daemon.terminate();
        daemon.kill();
        assertThat(other.isAlive()).as(text).isTrue();
      }
      Files.writeString(folder.resolve("pid"), other.pid() + " " + started.toEpochMilli() + "\n");
      assertThat(daemon.running()).contains(other.toHandle());
      daemon.kill();
      assertThat(daemon.running()).isEmpty();
      assertThat(other.waitFor()).isEqualTo(128 + 9);
    } finally {
      other.destroyForcibly();
    }
  }

  @Test
  void commandsReachTheNodeThatIsNamed() throws Exception {
    try (Node one = Cli.serve(folder.resolve("one"));
        Node two = Cli.serve(folder.resolve("two"))) {
      Cli cli = new Cli(folder.resolve("home"));
      assertThat(cli.run("status", "--node", "1").failsWith(1).err())
          .contains("there is no cluster");
      Path kept = folder.resolve("cluster/node-1");
      Cluster cluster =
          new Cluster(
              folder,
              new Endpoint("127.0.0.1", 1),
              "token",
              List.of(
                  new Cluster.Node(1, one.endpoint(), one.httpPort(), kept, null),
                  new Cluster.Node(2, two.endpoint(), two.httpPort(), kept, null)),
              List.of());
      cluster.keep(Home.at(cli.home));
      assertThat(server(cli, "--node", "1")).isEqualTo(one.endpoint().toString());
      assertThat(server(cli, "--node", "2")).isEqualTo(two.endpoint().toString());
      cli.run("status", "--node", "3").failsWith(2);
      cli.run("status", "--node", "1", "--server", two.endpoint().toString()).failsWith(2);
      // What is typed comes before a setting.
      cli.use(two);
      assertThat(server(cli, "--node", "1")).isEqualTo(one.endpoint().toString());
      cli.environment.remove("HOLDFAST_SERVER");
      cli.environment.put("HOLDFAST_NODE", "2");
      assertThat(server(cli)).isEqualTo(two.endpoint().toString());
      assertThat(server(cli, "--server", one.endpoint().toString()))
          .isEqualTo(one.endpoint().toString());
      // A capsule is remembered where the node was named.
      String capsule = cli.ok("create", "--key", cli.key("owner"), "--node", "1");
      cli.environment.remove("HOLDFAST_NODE");
      assertThat(server(cli, capsule)).isEqualTo(one.endpoint().toString());
    }
  }

  @Test
  void withoutAServerTheFirstNodeIsUsedWhileItRuns() throws Exception {
    try (Node one = Cli.serve(folder.resolve("one"))) {
      Cli cli = new Cli(folder.resolve("home"));
      Path kept = folder.resolve("cluster/node-1");
      Cluster.Node node = new Cluster.Node(1, one.endpoint(), one.httpPort(), kept, null);
      new Cluster(folder, new Endpoint("127.0.0.1", 1), "token", List.of(node), List.of())
          .keep(Home.at(cli.home));
      boolean usual = listens(Endpoint.DEFAULT_PORT);
      String whileDown = usual ? "127.0.0.1:7420" : "cannot reach the server at 127.0.0.1:7420";
      Cli.Ran down = cli.run("status");
      assertThat(down.out() + down.err()).contains(whileDown);
      Files.createDirectories(kept);
      Instant started = ProcessHandle.current().info().startInstant().orElseThrow();
      Files.writeString(
          kept.resolve("pid"), ProcessHandle.current().pid() + " " + started.toEpochMilli());
      assertThat(cli.ok("status")).contains(usual ? whileDown : one.endpoint().toString());
    }
  }

  private static String server(Cli cli, String... args) {
    List<String> all = Stream.concat(Stream.of("status"), Stream.of(args)).toList();
    return String.valueOf(cli.json(all.toArray(String[]::new)).get("server"));
  }

  private static boolean listens(int port) {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      return socket.isConnected();
    } catch (IOException e) {
      return false;
    }
  }
}
