package holdfast.cli;

import holdfast.crypto.VerifyKey;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.Command;

/** Says how a cluster is. */
@Command(
    name = "status",
    description = "Says which nodes run, where they are, and which are cut off from each other.",
    footerHeading = "%n",
    footer = {
      "States: up; not ready (it runs, and does not take writes); down.",
      "",
      "Example:",
      "  holdfast cluster status",
      "",
      "JSON, a line each: node, state, server, httpPort, identity, pid, data, log, cutOffFrom"
    })
final class ClusterStatus extends BaseCommand {
  private static final int SHOWN_OF_KEY = VerifyKey.TEXT_PREFIX.length() + 12;

  ClusterStatus(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() {
    show(this, Cluster.of(terminal.home()));
    return 0;
  }

  /** Prints how a cluster is, for a command. */
  static void show(BaseCommand command, Cluster cluster) {
    List<List<Integer>> stalled = List.of();
    boolean links = true;
    try {
      stalled = ClusterVerb.control(cluster).stalled();
    } catch (IOException e) {
      links = false;
    }
    if (!command.json) {
      row(command, "Node", "State", "Server", "Process", "Cut off from", "Identity");
    }
    for (Cluster.Node node : cluster.nodes()) {
      show(command, node, stalled);
    }
    if (!command.json) {
      command.terminal.line("Kept in " + cluster.folder());
      if (!links
          && cluster.nodes().stream().anyMatch(node -> node.daemon().running().isPresent())) {
        command.terminal.note("The links do not answer, so that nodes cannot reach each other.");
        command.terminal.note("  Start them again: holdfast cluster up");
      }
    }
  }

  private static void show(BaseCommand command, Cluster.Node node, List<List<Integer>> stalled) {
    List<Integer> cutOff = new ArrayList<>();
    for (List<Integer> link : stalled) {
      int other = link.get(0) == node.number() ? link.get(1) : link.get(0);
      if (link.contains(node.number()) && !cutOff.contains(other)) {
        cutOff.add(other);
      }
    }
    Optional<Long> pid = node.daemon().running().map(ProcessHandle::pid);
    ClusterVerb.State state = ClusterVerb.state(node);
    VerifyKey identity = node.identity();
    if (command.json) {
      command.terminal.line(
          Json.object()
              .put("node", node.number())
              .put("state", state)
              .put("server", node.endpoint())
              .put("httpPort", node.httpPort())
              .put("identity", identity)
              .put("pid", pid.orElse(null))
              .put("data", node.data())
              .put("log", node.daemon().log())
              .put("cutOffFrom", cutOff)
              .toString());
    } else {
      row(
          command,
          String.valueOf(node.number()),
          state.toString(),
          node.endpoint().toString(),
          pid.map(String::valueOf).orElse("-"),
          cutOff.isEmpty() ? "-" : String.join(", ", cutOff.stream().map(String::valueOf).toList()),
          identity == null ? "-" : identity.toString().substring(0, SHOWN_OF_KEY) + "…");
    }
  }

  private static void row(BaseCommand command, Object... cells) {
    command.terminal.line(
        String.format(Locale.ROOT, "%-4s  %-9s  %-15s  %-8s  %-12s  %s", cells).stripTrailing());
  }
}
