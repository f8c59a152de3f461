package holdfast.sim;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Body;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.sync.Entry;
import holdfast.sync.Marker;
import holdfast.sync.MemoryReplica;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What must hold in a simulated world at every moment; throws when it does not. */
final class Oracle {
  private final World world;
  private final Map<Integer, Long> seen = new HashMap<>();
  private final Map<Integer, Model> models = new HashMap<>();
  private final Map<Integer, Set<Item>> provenBefore = new HashMap<>();
  private final Set<Statement.WriterSignature> verified = new HashSet<>();
  private final Set<Record> bodiesSeen =
      java.util.Collections.newSetFromMap(new java.util.IdentityHashMap<>());
  private final Map<Hash, String> salts = new HashMap<>();

  Oracle(World world) {
    this.world = world;
  }

  /** After every event: what changed is as it should be. */
  void check() {
    for (Server server : world.servers()) {
      Long version = seen.put(server.index, server.version());
      if (version == null || version != server.version()) {
        check(server);
      }
    }
  }

  private void check(Server server) {
    MemoryReplica replica = server.replica();
    Model model = Model.of(replica, world.written());
    models.put(server.index, model);
    checkHeld(server, model);
    checkGraph(server, model);

    Set<Item> proven = model.entries(false);
    checkOrder(server, proven);
    Set<Item> before = provenBefore.put(server.index, proven);
    if (before != null && !proven.containsAll(before)) {
      throw wrong(server, "the proven set has lost something without any fault");
    }
    for (Item item : server.acknowledged()) {
      if (!model.has(item)) {
        throw wrong(server, "something acknowledged is gone: " + item.name().brief());
      }
    }
  }

  /** Every body and signature is a true one, and nothing erased is held. */
  private void checkHeld(Server server, Model model) {
    MemoryReplica replica = server.replica();
    List<Statement.Erasure> erasures = erasures(model);
    for (long arrival = 0; arrival < replica.graph().size(); arrival++) {
      Record record = replica.record(arrival);
      if (record != null) {
        checkBody(server, record);
        for (Statement.Erasure erasure : erasures) {
          if (holdsErased(record, erasure)) {
            throw wrong(server, "an erased body is held: " + record.name().brief());
          }
        }
      }
      for (Statement.WriterSignature signature : replica.signaturesOf(arrival)) {
        if (verified.add(signature)) {
          try {
            signature.verify(replica.metadata());
          } catch (ProofException e) {
            throw wrong(server, "a false signature is held: " + e.getMessage());
          }
        }
      }
    }
  }

  private void checkBody(Server server, Record record) {
    Body body = record.body();
    if (body != null && bodiesSeen.add(record)) {
      try {
        body.expect(record.header());
      } catch (ProofException e) {
        throw wrong(server, "a body is held that is not the one committed to: " + e.getMessage());
      }
    }
  }

  private static List<Statement.Erasure> erasures(Model model) {
    List<Statement.Erasure> erasures = new ArrayList<>();
    for (Statement statement : model.statements.values()) {
      if (statement instanceof Statement.Erasure erasure) {
        erasures.add(erasure);
      }
    }
    return erasures;
  }

  private static boolean holdsErased(Record record, Statement.Erasure erasure) {
    RecordHeader header = record.header();
    Body body = record.body();
    if (body == null || !erasure.touches(header)) {
      return false;
    }
    for (int leaf = 0; leaf < header.leafCount(); leaf++) {
      if (!body.erased(leaf) && erasure.covers(header, leaf)) {
        return true;
      }
    }
    return false;
  }

  /** What signatures reach has entered the proven set, each once. */
  private static void checkOrder(Server server, Set<Item> proven) {
    MemoryReplica replica = server.replica();
    Set<Item> entered = new HashSet<>();
    for (Entry entry : replica.entered()) {
      if (!entered.add(Item.of(entry))) {
        throw wrong(server, "something entered the proven set twice");
      }
    }
    if (!entered.equals(proven)) {
      throw wrong(server, "what entered the proven set is not what signatures reach");
    }
  }

  /** Heads and holes are what they are by definition. */
  private static void checkGraph(Server server, Model model) {
    MemoryReplica replica = server.replica();
    Set<Hash> heads = new HashSet<>();
    for (long head : replica.provenHeads(Integer.MAX_VALUE)) {
      heads.add(replica.nameOf(head));
    }
    if (!heads.equals(model.heads)) {
      throw wrong(server, "the proven heads are not the heads of what is proven");
    }
    if (!Set.copyOf(replica.missingNames(Integer.MAX_VALUE)).equals(model.missing)) {
      throw wrong(server, "the missing names are not what present records point at");
    }
  }

  private Model model(Server server) {
    check();
    Model model = models.get(server.index);
    return model == null ? Model.of(server.replica(), world.written()) : model;
  }

  /** A server begins anew, after a fault that explains what it has lost. */
  void restarted(Server server) {
    provenBefore.remove(server.index);
  }

  // ---- Markers -------------------------------------------------------------------------------

  /** Something about a peer is on the disk now. */
  void kept(Server server, int peer) {
    if (peer < world.servers().size()) {
      Server other = world.servers().get(peer);
      checkMarkers(server, other);
      checkMarkers(other, server);
    }
  }

  /** All that servers have written down of each other is true. */
  void checkMarkers() {
    for (Server server : world.servers()) {
      for (Server peer : world.servers()) {
        if (server != peer) {
          checkMarkers(server, peer);
        }
      }
    }
  }

  private void checkMarkers(Server server, Server peer) {
    List<Hash> common =
        new ArrayList<>(peer.durableMarkers(server.index).stream().map(Marker::round).toList());
    for (Marker marker : server.durableMarkers(peer.index)) {
      if (common.contains(marker.round())) {
        checkMarker(server, peer, marker);
      }
    }
  }

  private void checkMarker(Server server, Server peer, Marker marker) {
    MemoryReplica replica = server.replica();
    Model holds = model(peer);
    for (Entry entry : replica.entered()) {
      if (marker.covers(entry.position())
          && replica.exchanged(entry.arrival())
          && !holds.holds(entry)) {
        throw wrong(
            server,
            "it is written down that server %d holds %s %s (position %d), and it does not"
                .formatted(
                    peer.index,
                    entry.signer() == Entry.RECORD ? "record" : "a signature of",
                    entry.record().brief(),
                    entry.position()));
      }
    }
  }

  // ---- Messages ------------------------------------------------------------------------------

  /** An honest server sends a message of a round. */
  void sent(Server server, byte[] message) {
    try {
      switch (Wire.kind(message)) {
        case Wire.HELLO -> {
          if (salts.put(Wire.salt(message), "") != null) {
            throw wrong(server, "two rounds have the same salt");
          }
        }
        case Wire.PUSH -> checkPush(server, Wire.push(message));
        case Wire.ENDS -> checkEnds(server, Wire.ends(message));
        default -> {}
      }
    } catch (ProofException e) {
      throw wrong(server, "a message was sent that nobody can read: " + e.getMessage());
    }
  }

  private void checkPush(Server server, Wire.Push push) {
    Model model = model(server);
    for (Record record : push.records()) {
      if (!model.proven.contains(record.name())) {
        throw wrong(server, "an unproven record was sent: " + record.name().brief());
      }
      for (Statement.Erasure erasure : erasures(model)) {
        if (holdsErased(record, erasure)) {
          throw wrong(server, "an erased body was sent: " + record.name().brief());
        }
      }
    }
  }

  private void checkEnds(Server server, Wire.Ends ends) {
    Model model = model(server);
    Set<Hash> heads = new HashSet<>(model.heads);
    heads.removeIf(head -> model.damaged.contains(head) || !model.exchanged(head));
    if (!Set.copyOf(ends.heads()).equals(heads)) {
      throw wrong(server, "the heads sent are not the heads of what is proven");
    }
    if (!Set.copyOf(ends.missing()).equals(model.missing)) {
      throw wrong(server, "the missing names sent are not all that is missing");
    }
  }

  /**
   * What Lu's algorithm promises of a server and a peer that nothing else disturbs: the first walk
   * sends every proven record that the peer did not hold when it began.
   */
  Set<Hash> owed(Server server, Server peer) {
    Set<Hash> owed = new HashSet<>(model(server).exchangedRecords());
    owed.removeAll(model(server).damaged);
    owed.removeAll(model(peer).present.keySet());
    return owed;
  }

  /** When a walk has ended, nothing of what was owed has been left out. */
  void walked(Server server, Set<Hash> owed) {
    if (!owed.isEmpty() && model(server).damaged.isEmpty()) {
      throw wrong(server, "a walk has left out " + owed.size() + " records that the peer lacks");
    }
  }

  private static SimulationFailure wrong(Server server, String message) {
    return SimulationFailure.wrong("server " + server.index + ": " + message);
  }
}
