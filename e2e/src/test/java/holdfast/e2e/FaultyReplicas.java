package holdfast.e2e;

import holdfast.capsule.Statement;
import holdfast.crypto.SigningKey;
import holdfast.net.Endpoint;
import holdfast.net.faulty.Faults;
import holdfast.net.faulty.FaultyProxy;
import holdfast.net.faulty.FaultyProxy.Direction;
import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * Three servers, and a faulty way to each of them from clients and from each other one.
 *
 * <pre>
 *   client ──▶ front[i] ──▶ replica i      the placement states the address of front[i]
 *   replica i ──▶ link[i][j] ──▶ replica j  by a route
 * </pre>
 */
final class FaultyReplicas implements AutoCloseable {
  static final int COUNT = 3;
  private static final Endpoint ANYWHERE = new Endpoint("127.0.0.1", 0);

  /** More than a server of the tests keeps free: it refuses to write with this much. */
  private static final long LITTLE_ROOM = 4 << 20;

  private final List<FaultyReplica> replicas = new ArrayList<>();
  private final List<FaultyProxy> fronts = new ArrayList<>();
  private final @Nullable FaultyProxy[][] links = new FaultyProxy[COUNT][COUNT];

  /** Brings back what was before a fault. */
  interface Healing {
    void heal() throws Exception;
  }

  /** A fault that has happened. */
  record Inflicted(String what, Healing healing) {}

  FaultyReplicas(Path folder, boolean mounted) throws Exception {
    for (int i = 0; i < COUNT; i++) {
      replicas.add(
          FaultyReplica.make(
              String.valueOf(i + 1),
              folder.resolve("replica-" + (i + 1)),
              SigningKey.generate(new SecureRandom()),
              mounted));
      fronts.add(FaultyProxy.forward(ANYWHERE, replicas.get(i).endpoint()));
    }
    for (int i = 0; i < COUNT; i++) {
      List<String> routes = new ArrayList<>();
      for (int j = 0; j < COUNT; j++) {
        if (i != j) {
          FaultyProxy link = FaultyProxy.forward(ANYWHERE, replicas.get(j).endpoint());
          links[i][j] = link;
          routes.add(replicas.get(j).identity() + "=" + link.endpoint());
        }
      }
      replicas.get(i).route(routes);
    }
    for (FaultyReplica replica : replicas) {
      replica.start();
    }
  }

  List<FaultyReplica> all() {
    return replicas;
  }

  /** What the placement says of them. */
  List<Statement.Placement.Member> members() {
    List<Statement.Placement.Member> members = new ArrayList<>();
    for (int i = 0; i < COUNT; i++) {
      members.add(
          new Statement.Placement.Member(
              replicas.get(i).identity(), fronts.get(i).endpoint().toString()));
    }
    return members;
  }

  /** Lets something befall one of them. */
  Inflicted inflict(Fault fault, int victim, Random random) throws Exception {
    FaultyReplica replica = replicas.get(victim);
    return switch (fault) {
      case KILLED -> {
        replica.process().kill();
        yield new Inflicted("", replica::start);
      }
      case FROZEN -> {
        replica.process().signal("STOP");
        yield new Inflicted("", () -> replica.process().signal("CONT"));
      }
      case CUT -> {
        around(victim).forEach(way -> way.proxy().cut());
        yield new Inflicted("", () -> around(victim).forEach(way -> way.proxy().cut()));
      }
      case DELAYED -> {
        int millis = 20 + random.nextInt(400);
        yield network(victim, Faults.NONE.withDelayMillis(millis), true, true, millis + " ms");
      }
      case NARROWED -> {
        int bytes = 4000 + random.nextInt(40_000);
        yield network(victim, Faults.NONE.withBytesPerSecond(bytes), true, true, bytes + " B/s");
      }
      case PARTITIONED -> network(victim, Faults.NONE.withStalled(true), true, true, "");
      case ONE_WAY -> {
        boolean deaf = random.nextBoolean();
        yield network(
            victim, Faults.NONE.withStalled(true), deaf, !deaf, deaf ? "deaf" : "not heard");
      }
      case DISK_FULL -> fill(replica, random);
      case EMPTIED -> {
        replica.process().kill();
        replica.empty();
        yield new Inflicted("", replica::start);
      }
      case ROTTEN -> rot(replica, random);
      case POWER_CUT -> cutPower(replica);
    };
  }

  /** A proxy next to a replica, and which of its directions leads there. */
  private record Way(FaultyProxy proxy, Direction toVictim) {
    Direction fromVictim() {
      return toVictim == Direction.TO_TARGET ? Direction.FROM_TARGET : Direction.TO_TARGET;
    }
  }

  private List<Way> around(int victim) {
    List<Way> ways = new ArrayList<>();
    ways.add(new Way(fronts.get(victim), Direction.TO_TARGET));
    for (int other = 0; other < COUNT; other++) {
      FaultyProxy there = links[other][victim];
      FaultyProxy back = links[victim][other];
      if (there != null && back != null) {
        ways.add(new Way(there, Direction.TO_TARGET));
        ways.add(new Way(back, Direction.FROM_TARGET));
      }
    }
    return ways;
  }

  private Inflicted network(int victim, Faults faults, boolean to, boolean from, String what) {
    for (Way way : around(victim)) {
      if (to) {
        way.proxy().set(way.toVictim(), faults);
      }
      if (from) {
        way.proxy().set(way.fromVictim(), faults);
      }
    }
    return new Inflicted(what, () -> around(victim).forEach(way -> way.proxy().set(Faults.NONE)));
  }

  private static Inflicted fill(FaultyReplica replica, Random random) throws Exception {
    boolean all = random.nextBoolean();
    LoopDisk disk = replica.disk();
    if (disk == null) {
      // Without a disk of its own: no file may grow, which is as good as no room for it.
      long pid = replica.process().pid();
      limitFiles(pid, "1:unlimited");
      return new Inflicted("no file may grow", () -> limitFiles(pid, "unlimited:unlimited"));
    }
    disk.fill(all ? 0 : LITTLE_ROOM);
    return new Inflicted(all ? "no room" : "little room", disk::free);
  }

  /** Of a process that may have ended because of the limit. */
  private static void limitFiles(long pid, String limit) throws Exception {
    boolean done = LoopDisk.run("prlimit", "--pid", String.valueOf(pid), "--fsize=" + limit);
    if (!done && ProcessHandle.of(pid).filter(ProcessHandle::isAlive).isPresent()) {
      throw new IOException("prlimit cannot limit the files of process " + pid);
    }
  }

  private static Inflicted rot(FaultyReplica replica, Random random) throws Exception {
    boolean running = random.nextBoolean();
    if (running) {
      String files = String.join(", ", replica.rot(random));
      return new Inflicted(
          files + " while it ran",
          () -> {
            replica.process().kill();
            replica.start();
          });
    }
    replica.process().kill();
    return new Inflicted(String.join(", ", replica.rot(random)), replica::start);
  }

  private static Inflicted cutPower(FaultyReplica replica) throws Exception {
    LoopDisk disk = replica.disk();
    if (disk == null) {
      throw new IllegalStateException("a power cut needs a disk of its own");
    }
    Path copy = disk.folder().resolveSibling("copy");
    replica.process().signal("STOP");
    disk.copyAtRest(copy);
    replica.process().kill();
    return new Inflicted(
        "",
        () -> {
          disk.goBackTo(copy);
          replica.start();
        });
  }

  @Override
  public void close() throws IOException {
    fronts.forEach(FaultyProxy::close);
    for (@Nullable FaultyProxy[] some : links) {
      for (FaultyProxy link : some) {
        if (link != null) {
          link.close();
        }
      }
    }
    for (FaultyReplica replica : replicas) {
      replica.close();
    }
  }
}
