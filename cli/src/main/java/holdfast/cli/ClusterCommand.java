package holdfast.cli;

import holdfast.client.Home;
import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Runs several servers on this machine, and makes them fail. */
@Command(
    name = "cluster",
    description = "Runs several servers on this machine, and makes them fail on purpose.",
    footerHeading = "%n",
    footer = {
      "The servers reach each other over links that can be stalled. Commands reach every node, by",
      "--node N. One cluster for each HOLDFAST_HOME.",
      "",
      "Examples:",
      "  holdfast cluster up",
      "  holdfast create --key me.pem --node 2",
      "  holdfast cluster partition 1 2,3",
      "  holdfast cluster kill 3",
      "  holdfast cluster down"
    })
final class ClusterCommand extends GroupCommand {
  ClusterCommand(Terminal terminal) {
    super(terminal);
  }

  /** The commands below this one. */
  static CommandLine commandLine(Terminal terminal) {
    return new CommandLine(new ClusterCommand(terminal))
        .addSubcommand(new ClusterUp(terminal))
        .addSubcommand(new ClusterStatus(terminal))
        .addSubcommand(new Stop(terminal))
        .addSubcommand(new Kill(terminal))
        .addSubcommand(new Restart(terminal))
        .addSubcommand(new Partition(terminal))
        .addSubcommand(new Heal(terminal))
        .addSubcommand(new Down(terminal))
        .addSubcommand(new ClusterLinks(terminal));
  }

  /** Stops nodes in order. */
  @Command(
      name = "stop",
      description = "Stops a node in order, or all nodes.",
      footerHeading = "%n",
      footer = {"Example:", "  holdfast cluster stop 2", "", "JSON: as of status"})
  static final class Stop extends ClusterVerb {
    @Parameters(arity = "0..1", paramLabel = "N", description = "The node. Default: all.")
    @Nullable Integer node;

    Stop(Terminal terminal) {
      super(terminal);
    }

    @Override
    int change(Home home) {
      Cluster cluster = Cluster.of(home);
      List<Cluster.Node> meant = node == null ? cluster.nodes() : List.of(cluster.node(node));
      stop(meant.stream().map(Cluster.Node::daemon).toList());
      ClusterStatus.show(this, cluster);
      return 0;
    }
  }

  /** Kills a node. */
  @Command(
      name = "kill",
      description = "Kills a node without a warning (SIGKILL), as a crash would.",
      footerHeading = "%n",
      footer = {"Example:", "  holdfast cluster kill 2", "", "JSON: as of status"})
  static final class Kill extends ClusterVerb {
    @Parameters(paramLabel = "N", description = "The node.")
    int node;

    Kill(Terminal terminal) {
      super(terminal);
    }

    @Override
    int change(Home home) {
      Cluster cluster = Cluster.of(home);
      Cluster.Node meant = cluster.node(node);
      if (meant.daemon().running().isEmpty()) {
        throw Failure.failed(meant + " does not run", "Start it: holdfast cluster restart " + node);
      }
      meant.daemon().kill();
      ClusterStatus.show(this, cluster);
      return 0;
    }
  }

  /** Starts a node again. */
  @Command(
      name = "restart",
      description = "Stops a node if it runs, and starts it again on its data.",
      footerHeading = "%n",
      footer = {"Example:", "  holdfast cluster restart 2", "", "JSON: as of status"})
  static final class Restart extends ClusterVerb {
    @Parameters(paramLabel = "N", description = "The node.")
    int node;

    Restart(Terminal terminal) {
      super(terminal);
    }

    @Override
    int change(Home home) throws Exception {
      Cluster cluster = Cluster.of(home);
      Cluster.Node meant = cluster.node(node);
      stop(List.of(meant.daemon()));
      startLinks(cluster);
      ClusterStatus.show(this, startNodes(home, cluster, List.of(meant)));
      return 0;
    }
  }

  /** What has to do with links between two groups of nodes. */
  abstract static class Between extends ClusterVerb {
    Between(Terminal terminal) {
      super(terminal);
    }

    final int set(Cluster cluster, ClusterLinks.Verb verb, List<Integer> some, List<Integer> others)
        throws IOException {
      Set<Integer> one = new LinkedHashSet<>(some);
      Set<Integer> other = new LinkedHashSet<>(others);
      some.forEach(cluster::node);
      others.forEach(cluster::node);
      for (Cluster.Link link : cluster.links()) {
        if ((one.contains(link.from()) && other.contains(link.to()))
            || (other.contains(link.from()) && one.contains(link.to()))) {
          try {
            control(cluster).set(verb, link.from(), link.to());
          } catch (IOException e) {
            throw Failure.failed(
                "the links do not answer: " + e.getMessage(),
                "Start them again: holdfast cluster up");
          }
        }
      }
      ClusterStatus.show(this, cluster);
      return 0;
    }
  }

  /** Cuts nodes off from each other. */
  @Command(
      name = "partition",
      description = "Stalls everything between two nodes, or between two groups of nodes.",
      footerHeading = "%n",
      footer = {
        "Connections stay open and nothing passes, as when a cable is pulled. Commands still reach",
        "every node.",
        "",
        "Examples:",
        "  holdfast cluster partition 1 2",
        "  holdfast cluster partition 1 2,3",
        "",
        "JSON: as of status"
      })
  static final class Partition extends Between {
    @Parameters(index = "0", paramLabel = "A", split = ",", description = "A node, or several.")
    List<Integer> some = new ArrayList<>();

    @Parameters(
        index = "1",
        paramLabel = "B",
        split = ",",
        description = "A node, or several, that the first cannot reach.")
    List<Integer> others = new ArrayList<>();

    Partition(Terminal terminal) {
      super(terminal);
    }

    @Override
    int change(Home home) throws Exception {
      if (some.stream().anyMatch(others::contains)) {
        throw Failure.usage(
            "a node cannot be cut off from itself", "Name different nodes on both sides.");
      }
      return set(Cluster.of(home), ClusterLinks.Verb.STALL, some, others);
    }
  }

  /** Lets nodes reach each other again. */
  @Command(
      name = "heal",
      description = "Lets two nodes, or groups of nodes, reach each other again, or all.",
      footerHeading = "%n",
      footer = {
        "What waited comes through.",
        "",
        "Examples:",
        "  holdfast cluster heal",
        "  holdfast cluster heal 1 2",
        "",
        "JSON: as of status"
      })
  static final class Heal extends Between {
    @Parameters(
        index = "0",
        arity = "0..1",
        paramLabel = "A",
        split = ",",
        description = "A node, or several. Default: all.")
    List<Integer> some = new ArrayList<>();

    @Parameters(
        index = "1",
        arity = "0..1",
        paramLabel = "B",
        split = ",",
        description = "A node, or several. Default: all.")
    List<Integer> others = new ArrayList<>();

    Heal(Terminal terminal) {
      super(terminal);
    }

    @Override
    int change(Home home) throws Exception {
      Cluster cluster = Cluster.of(home);
      List<Integer> all = cluster.nodes().stream().map(Cluster.Node::number).toList();
      return set(
          cluster,
          ClusterLinks.Verb.OPEN,
          some.isEmpty() ? all : some,
          others.isEmpty() ? all : others);
    }
  }

  /** Stops a cluster. */
  @Command(
      name = "down",
      description = "Stops everything; 'holdfast cluster up' goes on with the same data.",
      footerHeading = "%n",
      footer = {
        "Examples:",
        "  holdfast cluster down",
        "  holdfast cluster down --delete",
        "",
        "JSON: stopped (how many processes), deleted"
      })
  static final class Down extends ClusterVerb {
    @Option(
        names = "--delete",
        description = "Delete the cluster's data, logs, keys and pins as well.")
    boolean delete;

    Down(Terminal terminal) {
      super(terminal);
    }

    @Override
    int change(Home home) throws Exception {
      Cluster cluster = Cluster.of(home);
      List<Daemon> daemons = new ArrayList<>();
      cluster.nodes().forEach(node -> daemons.add(node.daemon()));
      daemons.add(cluster.linksDaemon());
      long running = daemons.stream().filter(one -> one.running().isPresent()).count();
      stop(daemons);
      if (delete) {
        // Only what is the cluster's: the folder may hold other things.
        for (Daemon daemon : daemons) {
          Throwaway.delete(daemon.folder());
        }
        deleteIfEmpty(cluster.folder());
        // Their identities are gone, and whoever listens there next is somebody else.
        for (Cluster.Node node : cluster.nodes()) {
          if (node.identity() != null) {
            home.unpin(node.endpoint(), node.identity());
          }
        }
        Cluster.forget(home);
      }
      print(
          Json.object().put("stopped", running).put("deleted", delete),
          "Stopped "
              + count(running, "process", "processes")
              + (delete ? ", and deleted what they kept" : "; the data is in " + cluster.folder()));
      return 0;
    }

    private static void deleteIfEmpty(Path folder) throws IOException {
      try {
        Files.deleteIfExists(folder);
      } catch (DirectoryNotEmptyException e) {
        // Something else is in it, and stays.
      }
    }
  }
}
