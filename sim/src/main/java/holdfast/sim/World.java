package holdfast.sim;

import holdfast.base.Hash;
import holdfast.capsule.Record;
import holdfast.sync.Effect;
import holdfast.sync.RoundOptions;
import holdfast.sync.Strategy;
import holdfast.testkit.Gen;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Some servers that keep the same capsule, with a network, disks, writers and an owner, all as one
 * seed says. For a while everything goes wrong; then nothing does any more, and the servers must
 * come to hold the same.
 *
 * <pre>
 *   Workload ─records, statements─▶ Server ◀─ Session ─▶ Round      Faults: crash, rot, partition …
 *                                     │          │
 *                                   disk     Connection ─▶ the other Session, or a Liar
 *                                     └── Oracle looks at everything after every event
 * </pre>
 */
final class World {
  private static final long MOST_EVENTS = 200_000;
  private static final int SWEEPS = 8;
  private static final long PATIENCE_MILLIS = 3_000;

  private final Gen gen;
  private final Bug bug;
  private final Timeline timeline = new Timeline();
  private final Tally tally = new Tally();
  private final Dag dag;
  private final Dag foreign;
  private final Map<Hash, Record> written = new HashMap<>();
  private final List<Server> servers = new ArrayList<>();
  private final List<Running> running = new ArrayList<>();
  private final Oracle oracle;
  private final Faults faults;
  private final Workload workload;
  private final boolean seenWhenWritten;
  private final int syncMillis;
  private final int networkMillis;
  private final int liars;
  private boolean quiet;
  private boolean undisturbed;

  private record Running(int server, int end, Connection connection, Party party) {}

  /** The world of a seed. */
  World(long seed, Bug bug) {
    this.gen = new Gen(seed);
    this.bug = bug;
    this.dag = new Dag(gen, gen.between(1, 3));
    this.foreign = new Dag(gen, 1);
    this.seenWhenWritten = gen.oneIn(2);
    this.syncMillis = gen.pick(List.of(1, 5, 40));
    this.networkMillis = gen.pick(List.of(1, 10, 30));
    this.liars = gen.oneIn(4) ? 1 : 0;
    this.oracle = new Oracle(this);
    for (int count = gen.pick(List.of(2, 2, 3, 3, 4, 5)); count > 0; count--) {
      servers.add(new Server(servers.size(), this));
    }
    this.faults = new Faults(this);
    this.workload = new Workload(this);
  }

  Gen gen() {
    return gen;
  }

  Bug bug() {
    return bug;
  }

  Timeline timeline() {
    return timeline;
  }

  Tally tally() {
    return tally;
  }

  Dag dag() {
    return dag;
  }

  /** Another capsule. */
  Dag foreign() {
    return foreign;
  }

  Oracle oracle() {
    return oracle;
  }

  Faults faults() {
    return faults;
  }

  /** All records that writers have made, as they made them. */
  Map<Hash, Record> written() {
    return written;
  }

  List<Server> servers() {
    return servers;
  }

  /** Whether faults and writing have ended. */
  boolean quiet() {
    return quiet;
  }

  /** Whether there is one round at a time, and nothing else. */
  boolean undisturbed() {
    return undisturbed;
  }

  /** Whether readers see what is written before it is on the disk. */
  boolean seenWhenWritten() {
    return seenWhenWritten;
  }

  long syncDelay() {
    return gen.between(1, syncMillis);
  }

  long networkDelay() {
    return gen.between(1, networkMillis);
  }

  /** Whether the network loses what is sent now. */
  boolean drops(int from, int to) {
    return !quiet && faults.drops(from, to);
  }

  /** Whether a disk refuses what is written now. */
  boolean diskRefuses() {
    return !quiet && faults.diskRefuses();
  }

  // ---- The first part: everything goes wrong ------------------------------------------------

  /** Lets it all happen; throws when something must not. */
  void run() {
    long end = gen.between(400, 1_800);
    workload.begin(end);
    faults.begin();
    for (Server server : servers) {
      pair(server, gen.between(80, 350));
    }
    if (liars > 0) {
      timeline.after(gen.below(200), this::liarCalls);
    }
    while (timeline.next() <= end) {
      step();
    }
    quiet = true;
    servers.forEach(Server::restart);
    drain();
    oracle.checkMarkers();
    undisturbed = true;
    converge();
  }

  private void step() {
    timeline.step();
    oracle.check();
    if (timeline.happened() > MOST_EVENTS) {
      throw SimulationFailure.stuck("it does not end");
    }
  }

  /** Lets all happen that is under way. */
  void drain() {
    while (timeline.next() != Long.MAX_VALUE) {
      step();
    }
  }

  /** A server's driver: now and then a round with some peer, by a clock that runs its own way. */
  private void pair(Server server, long period) {
    timeline.after(
        period / 2 + gen.below((int) period),
        () -> {
          if (!quiet) {
            int peer = gen.below(servers.size() + liars);
            if (server.up() && peer != server.index) {
              call(server.index, peer, options(), gen.oneIn(6));
            }
            pair(server, period);
          }
        });
  }

  private void liarCalls() {
    if (!quiet) {
      call(servers.size(), gen.below(servers.size()), options(), false);
      timeline.after(gen.between(50, 400), this::liarCalls);
    }
  }

  private RoundOptions options() {
    Strategy strategy = gen.pick(List.of(Strategy.values()));
    return new RoundOptions(
        strategy,
        gen.pick(List.of(1, 3, 100)),
        gen.pick(List.of(300, 1 << 20)),
        gen.between(1, 4),
        strategy == Strategy.SKETCH ? 1 << 20 : gen.pick(List.of(1000, 1 << 20)),
        gen.pick(List.of(2, 1 << 10)));
  }

  private void call(int from, int to, RoundOptions options, boolean full) {
    boolean down = to < servers.size() && !servers.get(to).up();
    if (down || drops(from, to) || drops(to, from)) {
      return;
    }
    Connection connection = new Connection(this, from, to, options.strategy());
    Party first = party(from, to, 0, connection, options, full);
    Party second = party(to, from, 1, connection, options, full);
    tally.round();
    connection.open(first, second);
  }

  private Party party(
      int at, int peer, int end, Connection connection, RoundOptions options, boolean full) {
    Party party =
        at < servers.size()
            ? new Session(this, servers.get(at), peer, end, connection, options, full)
            : new Liar(this, end, connection, options, gen.pick(List.of(Liar.Trick.values())));
    Running one = new Running(at, end, connection, party);
    running.add(one);
    timeline.after(
        PATIENCE_MILLIS,
        () -> {
          running.remove(one);
          if (!party.over()) {
            connection.leave(end);
          }
        });
    return party;
  }

  /** Breaks all connections of a server that has crashed. */
  void disconnect(Server server) {
    for (Running one : List.copyOf(running)) {
      if (one.server() == server.index) {
        one.connection().leave(one.end());
      }
    }
  }

  // ---- The second part: nothing goes wrong any more ------------------------------------------

  /** Pairs all servers again and again until they hold the same; each sweep must bring them on. */
  private void converge() {
    Set<String> before = Set.of();
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
      if (equal()) {
        return;
      }
      Set<String> state = new HashSet<>();
      for (Server server : servers) {
        Model model = Model.of(server.replica(), written);
        model.entries(false).forEach(name -> state.add(server.index + " " + name));
        model.damaged.forEach(name -> state.add(server.index + " without " + name));
        model.statements.keySet().forEach(name -> state.add(server.index + " states " + name));
      }
      // The first sweep compares what is new only; that finds nothing that a fault has taken.
      if (state.equals(before) && (sweep > 1 || !faults.haveTaken())) {
        throw SimulationFailure.stuck("a sweep of rounds has changed nothing: " + difference());
      }
      before = state;
      for (int i = 0; i < servers.size(); i++) {
        for (int j = 0; j < i; j++) {
          boolean turned = gen.oneIn(2);
          one(turned ? j : i, turned ? i : j, sweep > 0 && faults.haveTaken());
        }
      }
    }
    if (!equal()) {
      throw SimulationFailure.stuck(SWEEPS + " sweeps did not suffice: " + difference());
    }
  }

  private void one(int from, int to, boolean full) {
    // In a closed capsule one side may prove a record by what lies outside and is not exchanged.
    boolean whole =
        servers.stream()
            .noneMatch(s -> s.replica().graph().closed() || !s.replica().damaged().isEmpty());
    RoundOptions options = options();
    Connection connection = new Connection(this, from, to, options.strategy());
    Session first = new Session(this, servers.get(from), to, 0, connection, options, full);
    Session second = new Session(this, servers.get(to), from, 1, connection, options, full);
    tally.round();
    connection.open(first, second);
    drain();
    for (Session side : List.of(first, second)) {
      if (!(side.result() instanceof Effect.Finished) && whole) {
        throw SimulationFailure.stuck(
            "a round that nothing disturbs was not finished: %s, %s, strategy %s: %s"
                .formatted(
                    side,
                    side.result() instanceof Effect.GaveUp(String reason) ? reason : "silent",
                    options.strategy(),
                    difference()));
      }
    }
  }

  private boolean equal() {
    Model all = Model.union(servers, written);
    for (Server server : servers) {
      Model model = Model.of(server.replica(), written);
      if (!model.entries(true).equals(all.entries(true))
          || !model.statements.keySet().equals(all.statements.keySet())
          || model.damaged.stream().anyMatch(model.exchangedRecords()::contains)) {
        return false;
      }
    }
    return true;
  }

  private String difference() {
    Model all = Model.union(servers, written);
    List<String> lacking = new ArrayList<>();
    for (Server server : servers) {
      Model model = Model.of(server.replica(), written);
      Set<Item> lacked = all.entries(true);
      lacked.removeAll(model.entries(true));
      Set<Hash> statements = new HashSet<>(all.statements.keySet());
      statements.removeAll(model.statements.keySet());
      lacking.add(
          "server %d lacks %d entries and %d statements, and %d records are damaged there"
              .formatted(server.index, lacked.size(), statements.size(), model.damaged.size()));
    }
    return String.join("; ", lacking);
  }
}
