package holdfast.sim;

import holdfast.base.Hash;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.sync.Marker;
import holdfast.sync.MemoryReplica;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A server that keeps a replica: the replica as it is in memory, and the disk, which is a log of
 * changes of which some beginning has been synced. A crash leaves that beginning.
 */
final class Server {
  /** Complete rounds remembered of each peer. */
  static final int MARKERS = 3;

  /** A change that is written to the disk. */
  private sealed interface Change {
    record Put(List<Record> records, List<? extends Statement> statements) implements Change {}

    record Keep(int peer, List<Marker> markers) implements Change {}

    record Rot(Hash record) implements Change {}
  }

  /**
   * A change, what of it was taken, and what is to happen when it is on the disk.
   *
   * @param taken filled when the change is applied
   */
  private record Write(Change change, List<Item> taken, Runnable whenDurable) {
    Write(Change change, Runnable whenDurable) {
      this(change, new ArrayList<>(), whenDurable);
    }
  }

  final int index;
  private final World world;
  private final List<Write> log = new ArrayList<>();
  private final Map<Integer, List<Marker>> markers = new HashMap<>();
  private final Map<Integer, List<Marker>> durableMarkers = new HashMap<>();

  /** Names of entries and records that were acknowledged, and that no fault has taken since. */
  private final Set<Item> acknowledged = new LinkedHashSet<>();

  private MemoryReplica replica;
  private boolean up = true;
  private int life;
  private int durable;
  private int applied;
  private boolean syncing;
  private long version;

  Server(int index, World world) {
    this.index = index;
    this.world = world;
    this.replica = new MemoryReplica(world.dag().metadata());
  }

  MemoryReplica replica() {
    return replica;
  }

  boolean up() {
    return up;
  }

  /** Counts the times that this server began to run. */
  int life() {
    return life;
  }

  /** Changes whenever the replica does. */
  long version() {
    return version;
  }

  Set<Item> acknowledged() {
    return acknowledged;
  }

  List<Marker> markers(int peer) {
    return markers.getOrDefault(peer, List.of());
  }

  List<Marker> durableMarkers(int peer) {
    return durableMarkers.getOrDefault(peer, List.of());
  }

  /** Whether everything written is on the disk. */
  boolean settled() {
    return durable == log.size();
  }

  // ---- Writing -------------------------------------------------------------------------------

  /** Stores what has been verified; {@code whenDurable} runs unless the server crashes before. */
  void put(List<Record> records, List<? extends Statement> statements, Runnable whenDurable) {
    append(new Write(new Change.Put(records, statements), whenDurable));
  }

  /** What of a change is here now; the rest was refused. */
  private List<Item> held(Change.Put put) {
    List<Item> held = new ArrayList<>();
    for (Record record : put.records()) {
      if (replica.arrivalsOf(List.of(record.name()))[0] >= 0) {
        held.add(Item.record(record.name()));
      }
    }
    for (Statement statement : put.statements()) {
      if (!(statement instanceof Statement.WriterSignature signature)) {
        held.add(Item.statement(statement.name()));
      } else if (holds(signature)) {
        held.add(Item.signature(signature.record(), signature.signer()));
      }
    }
    return held;
  }

  private boolean holds(Statement.WriterSignature signature) {
    long arrival = replica.arrivalsOf(List.of(signature.record()))[0];
    return arrival >= 0 && replica.signaturesOf(arrival).contains(signature);
  }

  /** Keeps what is known of a peer after a round. */
  void keep(int peer, Marker marker) {
    List<Marker> kept = new ArrayList<>();
    kept.add(marker);
    markers(peer).stream().limit(MARKERS - 1).forEach(kept::add);
    keep(peer, kept);
    if (world.bug() == Bug.MARKERS_SHARED) {
      for (int other : List.copyOf(markers.keySet())) {
        Marker last = markers(other).getFirst();
        if (other != peer) {
          keep(other, List.of(new Marker(last.round(), marker.position(), marker.held())));
        }
      }
    }
  }

  private void keep(int peer, List<Marker> kept) {
    markers.put(peer, kept);
    append(new Write(new Change.Keep(peer, kept), () -> world.oracle().kept(this, peer)));
  }

  private void append(Write write) {
    log.add(write);
    if (world.seenWhenWritten()) {
      applyTo(log.size());
    }
    sync();
  }

  private void sync() {
    if (syncing || settled()) {
      return;
    }
    syncing = true;
    int covered = log.size();
    int then = life;
    world
        .timeline()
        .after(
            world.syncDelay(),
            () -> {
              if (life == then) {
                syncing = false;
                applyTo(covered);
                List<Write> synced = List.copyOf(log.subList(durable, covered));
                durable = covered;
                synced.forEach(this::synced);
                sync();
              }
            });
  }

  private void synced(Write write) {
    if (write.change() instanceof Change.Keep(int peer, List<Marker> kept)) {
      durableMarkers.put(peer, kept);
    }
    acknowledged.addAll(write.taken());
    write.whenDurable().run();
  }

  private void applyTo(int end) {
    for (; applied < end; applied++) {
      Write write = log.get(applied);
      apply(write.change());
      if (write.change() instanceof Change.Put put) {
        write.taken().addAll(held(put));
        if (world.bug() == Bug.ACKNOWLEDGED_BEFORE_SYNC) {
          acknowledged.addAll(write.taken());
        }
      }
    }
  }

  private void apply(Change change) {
    if (!(change instanceof Change.Keep)) {
      version++;
    }
    switch (change) {
      case Change.Put(List<Record> records, List<? extends Statement> statements) ->
          replica.store(records, statements);
      case Change.Keep keep -> {}
      case Change.Rot(Hash record) -> rot(replica.arrivalsOf(List.of(record))[0]);
    }
  }

  /** Of some records even the header is gone. */
  private void rot(long arrival) {
    if (arrival % 2 == 0) {
      replica.damage(arrival);
    } else {
      replica.damageHeader(arrival);
    }
  }

  // ---- Faults --------------------------------------------------------------------------------

  /** Stops at once: what is not synced is lost. */
  void crash() {
    up = false;
    life++;
    List<Write> left = new ArrayList<>(log.subList(0, durable));
    log.subList(durable, log.size()).stream()
        .filter(write -> write.change() instanceof Change.Rot)
        .forEach(left::add);
    begin(left);
  }

  /** Stops, and everything on the disk is gone. */
  void lose() {
    up = false;
    life++;
    acknowledged.clear();
    durableMarkers.clear();
    begin(List.of());
  }

  private void begin(List<Write> left) {
    List<Write> kept = List.copyOf(left);
    log.clear();
    markers.clear();
    replica = new MemoryReplica(world.dag().metadata());
    log.addAll(kept);
    durable = log.size();
    applied = 0;
    syncing = false;
    applyTo(durable);
    markers.putAll(durableMarkers);
    version++;
    world.oracle().restarted(this);
  }

  /** Runs again after a crash. */
  void restart() {
    up = true;
  }

  /** Makes a record that is on the disk unreadable. */
  void rot(Hash record) {
    append(new Write(new Change.Rot(record), () -> {}));
  }

  /** Whether damage to a record was done that does not show yet. */
  boolean rotting(Hash record) {
    return log.subList(applied, log.size()).stream()
        .anyMatch(write -> write.change() instanceof Change.Rot(Hash one) && one.equals(record));
  }

  /** Records that are damaged, whether it shows yet or not. */
  Set<Hash> rotten() {
    Set<Hash> names = new LinkedHashSet<>();
    replica.damaged().stream().sorted().forEach(arrival -> names.add(replica.nameOf(arrival)));
    for (Write write : log.subList(applied, log.size())) {
      if (write.change() instanceof Change.Rot(Hash record)) {
        names.add(record);
      }
    }
    return names;
  }

  /** Records that are on the disk for certain. */
  Set<Hash> durableRecords() {
    Set<Hash> names = new HashSet<>();
    for (Write write : log.subList(0, durable)) {
      if (write.change() instanceof Change.Put put) {
        put.records().forEach(record -> names.add(record.name()));
      }
    }
    return names;
  }
}
