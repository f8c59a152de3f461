package holdfast.cli;

import holdfast.base.Hash;
import holdfast.capsule.Rendezvous;
import holdfast.client.Home;
import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The servers to choose from when an owner says how many are to keep a capsule, and not which:
 * those of the cluster of this home, or else those that are pinned in it. Who they are has been
 * checked by a person, or is on this machine; no server's word plays a part.
 */
final class Choice {
  private final String from;
  private final Map<VerifyKey, Endpoint> servers;

  private Choice(String from, Map<VerifyKey, Endpoint> servers) {
    this.from = from;
    this.servers = servers;
  }

  /** The servers that a home knows. */
  static Choice among(Home home) {
    Map<VerifyKey, Endpoint> servers = new LinkedHashMap<>();
    Cluster cluster = Cluster.find(home).orElse(null);
    if (cluster != null) {
      for (Cluster.Node node : cluster.nodes()) {
        VerifyKey identity = node.identity();
        if (identity != null) {
          servers.putIfAbsent(identity, node.endpoint());
        }
      }
      return new Choice("the cluster has", servers);
    }
    home.allPinned()
        .forEach((address, identity) -> servers.putIfAbsent(identity, Endpoint.parse(address)));
    return new Choice("pinned here are", servers);
  }

  /** Where to keep a capsule, heaviest first. */
  List<Endpoint> choose(Hash capsule, int copies) {
    if (copies < 1 || copies > servers.size()) {
      throw Failure.usage(
          copies + " servers are wanted, and " + from + " " + servers.size(),
          "Pin more (holdfast pin), start a cluster (holdfast cluster up), or name them: --on.");
    }
    return Rendezvous.choose(capsule, servers.keySet(), copies).stream()
        .map(server -> Objects.requireNonNull(servers.get(server)))
        .toList();
  }
}
