package holdfast.sim;

import holdfast.base.Hash;
import holdfast.testkit.Gen;
import java.util.ArrayList;
import java.util.List;

/** What goes wrong in a simulated world: machines, disks and the network between them. */
final class Faults {
  private final World world;
  private final Gen gen;
  private final boolean[][] cut;
  private final int lossOneIn;
  private final boolean crashes;
  private final boolean partitions;
  private final boolean rots;
  private final boolean loses;
  private final boolean refuses;
  private boolean taken;

  Faults(World world) {
    this.world = world;
    this.gen = world.gen();
    int places = world.servers().size() + 1;
    this.cut = new boolean[places][places];
    this.lossOneIn = gen.pick(List.of(0, 0, 200, 30));
    this.crashes = gen.oneIn(2);
    this.partitions = gen.oneIn(2);
    this.rots = gen.oneIn(3);
    this.loses = gen.oneIn(4);
    this.refuses = gen.oneIn(4);
  }

  void begin() {
    world.timeline().after(gen.between(30, 300), this::next);
  }

  /** Whether a fault has taken something that had been on a disk. */
  boolean haveTaken() {
    return taken;
  }

  boolean drops(int from, int to) {
    return cut[from][to] || (lossOneIn > 0 && gen.oneIn(lossOneIn));
  }

  boolean diskRefuses() {
    return refuses && gen.oneIn(20);
  }

  /** Whether folders may be lost in this world. */
  boolean folders() {
    return loses;
  }

  private void next() {
    if (world.quiet()) {
      return;
    }
    Server server = gen.pick(world.servers());
    switch (gen.below(4)) {
      case 0 -> {
        if (crashes && server.up()) {
          server.crash();
          backLater(server);
        }
      }
      case 1 -> {
        if (partitions) {
          partition();
        }
      }
      case 2 -> {
        if (rots) {
          rot(server);
        }
      }
      default -> {
        if (loses && server.up() && !holdsLastCopy(server)) {
          taken = true;
          server.lose();
          backLater(server);
        }
      }
    }
    begin();
  }

  private void backLater(Server server) {
    world.disconnect(server);
    world.timeline().after(gen.between(1, 300), server::restart);
  }

  /** Cuts one direction, or both, between two servers, or between one and all others. */
  private void partition() {
    int from = gen.below(cut.length);
    int to = gen.oneIn(2) ? gen.below(cut.length) : -1;
    boolean bothWays = gen.oneIn(2);
    set(from, to, bothWays, true);
    world.timeline().after(gen.between(20, 500), () -> set(from, to, bothWays, false));
  }

  private void set(int from, int to, boolean bothWays, boolean value) {
    for (int other = 0; other < cut.length; other++) {
      if (to < 0 || to == other) {
        cut[from][other] = value;
        if (bothWays) {
          cut[other][from] = value;
        }
      }
    }
  }

  /** Damages a record of which there is another good copy. */
  private void rot(Server server) {
    List<Hash> others = new ArrayList<>();
    for (Hash name : server.durableRecords().stream().sorted().toList()) {
      if (readable(server, name) && copiesBeside(server, name) > 0) {
        others.add(name);
      }
    }
    if (!others.isEmpty()) {
      taken = true;
      server.rot(gen.pick(others));
    }
  }

  private boolean holdsLastCopy(Server server) {
    for (Server damaged : world.servers()) {
      for (Hash name : damaged.rotten()) {
        if (copiesBeside(server, name) == 0) {
          return true;
        }
      }
    }
    return false;
  }

  private int copiesBeside(Server server, Hash name) {
    int copies = 0;
    for (Server other : world.servers()) {
      if (other != server && readable(other, name) && other.durableRecords().contains(name)) {
        copies++;
      }
    }
    return copies;
  }

  private static boolean readable(Server server, Hash name) {
    long arrival = server.replica().arrivalsOf(List.of(name))[0];
    return arrival >= 0
        && !server.rotting(name)
        && server.replica().proven(arrival)
        && server.replica().record(arrival) != null;
  }
}
