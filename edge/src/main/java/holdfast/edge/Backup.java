package holdfast.edge;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.crypto.VerifyKey;
import holdfast.node.Node;
import holdfast.node.heartbeat.EdgeState;
import holdfast.node.replication.Backlog;
import holdfast.wire.PeerStatus;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntSupplier;

/** How far an edge's capsules are on its masters: what its status and its heartbeats say. */
public final class Backup {
  private final Node node;
  private final String name;
  private final List<Hash> capsules;
  private final IntSupplier copies;

  /**
   * Of an edge.
   *
   * @param capsules oldest first; the last is written
   * @param copies how many masters are to hold each record; 0 for a majority of them
   */
  public Backup(Node node, String name, List<Hash> capsules, IntSupplier copies) {
    this.node = node;
    this.name = name;
    this.capsules = List.copyOf(capsules);
    this.copies = copies;
  }

  /**
   * One master.
   *
   * @param reachable whether it was heard of lately
   * @param silentMillis since it was heard of
   * @param lastMillis when a round with it was last complete, milliseconds since 1970; 0 for not
   *     since the edge started
   * @param trouble why the last round failed; empty if it did not
   */
  public record Master(
      String address,
      String identity,
      boolean reachable,
      long silentMillis,
      Backlog backlog,
      long lastMillis,
      String trouble) {}

  /**
   * All of them.
   *
   * @param copies how many are to hold each record
   * @param backlog what is not known to be on so many
   */
  public record Status(int copies, Backlog backlog, List<Master> masters) {
    Json json() {
      return Json.object()
          .put("copies", copies)
          .put("backlogRecords", backlog.records())
          .put("backlogBytes", backlog.bytes())
          .put("oldestMillis", backlog.oldestMillis())
          .put("masters", masters.stream().map(Status::json).toList());
    }

    private static Json json(Master master) {
      return Json.object()
          .put("address", master.address())
          .put("identity", master.identity())
          .put("reachable", master.reachable())
          .put("silentMillis", master.silentMillis())
          .put("backlogRecords", master.backlog().records())
          .put("backlogBytes", master.backlog().bytes())
          .put("oldestMillis", master.backlog().oldestMillis())
          .put("lastMillis", master.lastMillis())
          .put("trouble", master.trouble());
    }
  }

  /** How it is now. */
  public Status status() {
    Map<String, Master> masters = new LinkedHashMap<>();
    for (Hash capsule : capsules) {
      for (PeerStatus peer : node.peers(capsule)) {
        if (peer.getMember()) {
          Master one = master(peer);
          masters.merge(one.identity(), one, Backup::together);
        }
      }
    }
    List<Master> all = List.copyOf(masters.values());
    int wanted = copies(all.size());
    Backlog backlog =
        all.isEmpty()
            ? Backlog.NONE
            : Backlog.toReach(wanted, all.stream().map(Master::backlog).toList());
    return new Status(wanted, backlog, all);
  }

  private int copies(int masters) {
    int wanted = copies.getAsInt();
    return Math.clamp(wanted == 0 ? masters / 2 + 1 : wanted, 1, Math.max(1, masters));
  }

  private static Master master(PeerStatus peer) {
    return new Master(
        peer.getAddress(),
        identity(peer),
        peer.hasSaid() && !peer.getLost(),
        peer.getSilentMillis(),
        new Backlog(peer.getBacklogRecords(), peer.getBacklogBytes(), peer.getOldestMillis()),
        peer.getLastFullMillis(),
        peer.getTrouble());
  }

  private static String identity(PeerStatus peer) {
    try {
      return VerifyKey.ed25519(peer.getIdentity().toByteArray()).toString();
    } catch (ProofException e) {
      throw new AssertionError("the edge's own server names its peers by their keys", e);
    }
  }

  /** The same master of an older and a newer capsule. */
  private static Master together(Master older, Master newer) {
    Backlog a = older.backlog();
    Backlog b = newer.backlog();
    return new Master(
        newer.address(),
        newer.identity(),
        newer.reachable(),
        newer.silentMillis(),
        new Backlog(
            a.records() + b.records(),
            a.bytes() + b.bytes(),
            Math.max(a.oldestMillis(), b.oldestMillis())),
        newer.lastMillis(),
        newer.trouble().isEmpty() ? older.trouble() : newer.trouble());
  }

  /** What heartbeats say. */
  public EdgeState state() {
    Hash newest = capsules.getLast();
    List<Long> records = new ArrayList<>();
    capsules.forEach(capsule -> records.add(node.records(capsule)));
    return new EdgeState(
        name, newest, records.stream().mapToLong(Long::longValue).sum(), status().backlog());
  }
}
