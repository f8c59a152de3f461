package holdfast.cli;

import holdfast.client.Home;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Starts a cluster. */
@Command(
    name = "up",
    description = "Starts servers on this machine that go on when this command has ended.",
    footerHeading = "%n",
    footer = {
      "With a cluster that is there already, starts again what does not run.",
      "Every server is an own process with its own data; 'holdfast cluster down' stops them all.",
      "",
      "Examples:",
      "  holdfast cluster up",
      "  holdfast cluster up --nodes 5 --dir /tmp/five --base-port 9000",
      "",
      "JSON, a line each: node, state, server, httpPort, identity, pid, data, log, cutOffFrom"
    })
final class ClusterUp extends ClusterVerb {
  private static final int DEFAULT_NODES = 3;
  private static final int DEFAULT_BASE_PORT = 7500;

  @Option(
      names = "--nodes",
      paramLabel = "N",
      description = "How many servers, 1 to " + Cluster.MAX_NODES + ". Default: 3.")
  @Nullable Integer nodes;

  @Option(
      names = "--dir",
      paramLabel = "DIR",
      description = "Where data, logs and numbers of processes go. Default: HOLDFAST_HOME/cluster.")
  @Nullable Path dir;

  @Option(
      names = "--base-port",
      paramLabel = "N",
      description =
          "Node 1 listens on N+10, node 2 on N+20, …; 0 for any ports that are free. Default: 7500.")
  @Nullable Integer basePort;

  ClusterUp(Terminal terminal) {
    super(terminal);
  }

  @Override
  int change(Home home) throws Exception {
    Optional<Cluster> before = Cluster.find(home);
    Cluster cluster = before.isPresent() ? same(before.get()) : plan(home);
    if (before.isEmpty()) {
      // Kept before anything starts, so that 'down' finds whatever this leaves behind.
      cluster.keep(home);
    }
    try {
      startLinks(cluster);
      cluster = startNodes(home, cluster, cluster.nodes());
    } catch (Failure e) {
      if (before.isEmpty()) {
        List<Daemon> started = new ArrayList<>();
        cluster.nodes().forEach(node -> started.add(node.daemon()));
        started.add(cluster.linksDaemon());
        stop(started);
        Cluster.forget(home);
      }
      throw e;
    }
    ClusterStatus.show(this, cluster);
    return 0;
  }

  private Cluster plan(Home home) throws Exception {
    return Cluster.plan(
        dir == null ? home.folder().resolve("cluster") : dir,
        nodes == null ? DEFAULT_NODES : nodes,
        basePort == null ? DEFAULT_BASE_PORT : basePort);
  }

  /** The cluster that is there, if nothing else is asked for. */
  private Cluster same(Cluster there) {
    boolean otherSize = nodes != null && nodes != there.nodes().size();
    boolean otherFolder = dir != null && !dir.toAbsolutePath().normalize().equals(there.folder());
    // The base port is where the links are controlled; 0 asks for none in particular.
    boolean otherPorts = basePort != null && basePort != 0 && basePort != there.control().port();
    if (otherPorts && !otherSize && !otherFolder) {
      throw Failure.usage(
          "a cluster is there already, with the base port " + there.control().port(),
          "Start it as it is: holdfast cluster up; or remove it: holdfast cluster down --delete");
    }
    if (otherSize || otherFolder) {
      throw Failure.usage(
          "a cluster of " + there.nodes().size() + " nodes is there already, in " + there.folder(),
          "Start it as it is: holdfast cluster up; or remove it: holdfast cluster down --delete");
    }
    return there;
  }
}
