package holdfast.node.replication;

import holdfast.crypto.SigningKey;
import holdfast.net.Connection;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The connections of a server to its peers: one for each, at the address where a link has it, while
 * a link does.
 */
final class PeerConnections {
  private final Directory directory;
  private final SigningKey own;
  private final Map<Member, Connection> open = new HashMap<>();

  /**
   * None yet.
   *
   * @param own what this side shows to be
   */
  PeerConnections(Directory directory, SigningKey own) {
    this.directory = directory;
    this.own = own;
  }

  /** The connection to a peer, prepared if there is none. */
  synchronized Connection to(Member member) {
    return open.computeIfAbsent(
        member,
        peer ->
            Connection.asPeer(directory.route(peer), Connection.Pin.exactly(peer.identity()), own));
  }

  /** How many there are. */
  synchronized int count() {
    return open.size();
  }

  /** Forgets all but those to some peers. The caller closes what is returned: that takes time. */
  synchronized List<Connection> keepOnly(Set<Member> peers) {
    List<Connection> unused = new ArrayList<>();
    open.forEach((peer, connection) -> {
      if (!peers.contains(peer)) {
        unused.add(connection);
      }
    });
    open.keySet().retainAll(peers);
    return unused;
  }
}
