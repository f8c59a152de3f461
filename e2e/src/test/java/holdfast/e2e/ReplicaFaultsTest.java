package holdfast.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.client.Replicas;
import holdfast.client.Server;
import holdfast.store.Fsck;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Three real servers keep a capsule, and a writer counts a record as kept when two have signed for
 * it. One thing after another goes wrong, each with one server. Writing goes on all the time,
 * nothing acknowledged is lost, nothing wrong is served, and in the end all three hold the same.
 *
 * <p>Longer: {@code -Dholdfast.faults.seconds=600}. Which faults, on which server, in which order
 * is drawn from {@code -Dholdfast.faults.seed}; {@code -Dholdfast.faults.kinds=ROTTEN,EMPTIED}
 * limits the choice. {@code -Dholdfast.faults.mount=false} does without disks of their own, as
 * where this process may not mount.
 */
class ReplicaFaultsTest {
  private static final int PATIENCE_SECONDS = 240;
  private static final long POLL_NANOS = 20_000_000;

  @TempDir Path folder;

  private final long seed = Long.getLong("holdfast.faults.seed", System.nanoTime());
  private final int seconds = Integer.getInteger("holdfast.faults.seconds", 10);
  private final String kinds = System.getProperty("holdfast.faults.kinds", "");
  private final boolean mount =
      Boolean.parseBoolean(System.getProperty("holdfast.faults.mount", "true"));

  private final List<String> schedule = Collections.synchronizedList(new ArrayList<>());
  private final Map<Fault, Integer> counts = new EnumMap<>(Fault.class);
  private final Map<Fault, Long> slowestNanos = new EnumMap<>(Fault.class);
  private final Map<String, Integer> rotFates = new TreeMap<>();

  private interface Condition {
    boolean holds() throws Exception;
  }

  private interface Account {
    String text();
  }

  private static void await(String what, Condition condition, Account account) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (!condition.holds()) {
      if (System.nanoTime() - deadline > 0) {
        throw new AssertionError(
            what + ": not within " + PATIENCE_SECONDS + " s; " + account.text());
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  @Test
  void d24NoFaultOfOneServerStopsWritersOrLosesWhatTwoHaveSignedFor() throws Exception {
    try (FaultyReplicas replicas = new FaultyReplicas(folder, mount)) {
      try {
        run(replicas);
      } catch (Throwable e) {
        StringBuilder text = new StringBuilder("seed " + seed + "; what happened:\n");
        schedule.forEach(line -> text.append("  ").append(line).append('\n'));
        for (FaultyReplica replica : replicas.all()) {
          text.append("end of the log of server ").append(replica.name()).append(":\n");
          List<String> log = replica.log().lines().toList();
          log.subList(Math.max(0, log.size() - 15), log.size())
              .forEach(line -> text.append("  ").append(line).append('\n'));
        }
        text.append("to play this again: ./mvnw -pl e2e -am test -Dtest=ReplicaFaultsTest")
            .append(" -Dsurefire.failIfNoSpecifiedTests=false -Dholdfast.faults.seed=" + seed)
            .append(" -Dholdfast.faults.seconds=" + seconds)
            .append(kinds.isEmpty() ? "" : " -Dholdfast.faults.kinds=" + kinds)
            .append(mount ? "" : " -Dholdfast.faults.mount=false");
        throw new AssertionError(text.toString(), e);
      }
    }
  }

  private void run(FaultyReplicas replicas) throws Exception {
    Workload workload = new Workload(seed);
    for (FaultyReplica replica : replicas.all()) {
      workload.create(replica.server());
      workload.place(replica.server(), replicas.members());
    }
    boolean disks = replicas.all().stream().allMatch(replica -> replica.disk() != null);
    try (Replicas writing = Replicas.of(List.of(workload.placement(replicas.members())));
        Replicas reading = Replicas.of(List.of(workload.placement(replicas.members())));
        ReplicaChecks checks = new ReplicaChecks(workload, seed)) {
      ReplicatedStream stream = new ReplicatedStream(workload, writing, seed);
      for (int i = 0; i < FaultyReplicas.COUNT; i++) {
        checks.probe(reading.servers().get(i), seed + i);
      }
      Rounds rounds = new Rounds(replicas, workload, stream, checks, reading.servers());
      long begun = System.nanoTime();
      List<Fault> next = new ArrayList<>();
      Random random = new Random(seed);
      rounds.settle();
      while (System.nanoTime() - begun < TimeUnit.SECONDS.toNanos(seconds)) {
        if (next.isEmpty()) {
          next.addAll(chosen(disks));
          Collections.shuffle(next, random);
        }
        rounds.play(
            next.removeLast(),
            random.nextInt(FaultyReplicas.COUNT),
            new Random(random.nextLong()),
            TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun));
      }
      stream.end();
      stream.requireRunning();
      end(replicas, workload, checks);
      report(workload, stream, checks, disks);
    }
  }

  private List<Fault> chosen(boolean disks) {
    return Arrays.stream(Fault.values())
        .filter(fault -> kinds.isEmpty() || List.of(kinds.split(",", -1)).contains(fault.name()))
        .filter(fault -> disks || fault != Fault.POWER_CUT)
        .toList();
  }

  /** All that was promised is read from each; they are compared; their files are looked at. */
  private void end(FaultyReplicas replicas, Workload workload, ReplicaChecks checks)
      throws Exception {
    List<Hash> promised = workload.promised();
    assertThat(promised).isNotEmpty();
    for (FaultyReplica replica : replicas.all()) {
      checks.distrust(replica);
      await("all is read", () -> checks.hasAll(replica, promised), checks::lacking);
    }
    await("all hold the same", () -> checks.equal(replicas.all()), checks::lacking);
    checks.close();
    checks.requireNothingWrong();
    for (FaultyReplica replica : replicas.all()) {
      replica.stop();
      List<String> problems = new ArrayList<>();
      Fsck.check(replica.data(), ServerMain.options(replica.data()).store(), problems::add);
      assertThat(problems).as("what fsck says of server %s", replica.name()).isEmpty();
    }
  }

  /** One fault at a time, each until nothing is left of it. */
  private final class Rounds {
    private final FaultyReplicas replicas;
    private final Workload workload;
    private final ReplicatedStream stream;
    private final ReplicaChecks checks;
    private final List<Server> fronts;

    Rounds(
        FaultyReplicas replicas,
        Workload workload,
        ReplicatedStream stream,
        ReplicaChecks checks,
        List<Server> fronts) {
      this.replicas = replicas;
      this.workload = workload;
      this.stream = stream;
      this.checks = checks;
      this.fronts = fronts;
    }

    /** Waits until every server is written to, and has all that was promised. */
    void settle() throws Exception {
      int place = stream.appended();
      await("all are written to", () -> stream.allFollow(place), stream::standing);
      List<Hash> promised = workload.promised();
      for (FaultyReplica replica : replicas.all()) {
        await("has all", () -> checks.hasAll(replica, promised), checks::lacking);
      }
    }

    void play(Fault fault, int victim, Random random, long atMillis) throws Exception {
      FaultyReplica replica = replicas.all().get(victim);
      String what = atMillis + " ms: server " + replica.name() + " " + fault;
      schedule.add(what);
      FaultyReplicas.Inflicted inflicted = replicas.inflict(fault, victim, random);
      schedule.set(schedule.size() - 1, what + " " + inflicted.what());
      int place = stream.appended() + random.nextInt(150);
      await("writing goes on", () -> stream.wentOn(place), stream::standing);
      List<Server> faultyFirst = new ArrayList<>(fronts);
      Collections.swap(faultyFirst, 0, victim);
      await("what was written is read", () -> checks.readable(faultyFirst), checks::lacking);

      long healing = System.nanoTime();
      int logged = replica.log().length();
      if (fault == Fault.DISK_FULL) {
        await(
            "the full disk is noticed",
            () -> !replica.process().running() || stream.diskFull(replica.identity()),
            stream::standing);
      }
      heal(fault, replica, inflicted);
      note("mended " + tenths(healing));
      int after = stream.appended();
      await(
          "it is written to again",
          () -> revived(fault, replica) && stream.allFollow(after),
          stream::standing);
      note("written to again " + tenths(healing));
      List<Hash> promised = workload.promised();
      await(
          "it has all",
          () -> revived(fault, replica) && checks.hasAll(replica, promised),
          checks::lacking);
      note("has all " + tenths(healing));
      settle();
      note("healed " + tenths(healing));
      if (fault == Fault.ROTTEN) {
        String said = replica.log().substring(logged);
        fate(
            said.contains(" mended by copies of a peer")
                ? "found, and mended by copies of others"
                : said.contains("damaged") ? "found" : "harmless");
      }
      slowestNanos.merge(fault, System.nanoTime() - healing, Math::max);
      counts.merge(fault, 1, Integer::sum);
    }

    private void heal(Fault fault, FaultyReplica replica, FaultyReplicas.Inflicted inflicted)
        throws Exception {
      switch (fault) {
        case EMPTIED, POWER_CUT -> checks.distrust(replica);
        case ROTTEN -> {
          checks.distrust(replica);
          rotten(replica, inflicted);
          return;
        }
        case KILLED, FROZEN, CUT, DELAYED, NARROWED, PARTITIONED, ONE_WAY, DISK_FULL -> {}
      }
      inflicted.healing().heal();
    }

    /** After damage a server may refuse to start. It is then emptied, and gets all from others. */
    private void rotten(FaultyReplica replica, FaultyReplicas.Inflicted inflicted)
        throws Exception {
      try {
        inflicted.healing().heal();
      } catch (ServerProcess.Refused e) {
        note("refused to start: " + e.getMessage());
        fate("refused to start, was emptied and refilled");
        replica.empty();
        replica.start();
      }
    }

    /** Starts a server again that stopped as it may; true when it runs. */
    private boolean revived(Fault fault, FaultyReplica replica) throws Exception {
      if (replica.process().running()) {
        return true;
      }
      assertThat(fault)
          .as("server %s has ended", replica.name())
          .isIn(Fault.DISK_FULL, Fault.ROTTEN);
      assertThat(replica.process().awaitExit()).isEqualTo(ServerMain.STORE_FAILED);
      note("its store stopped");
      checks.distrust(replica);
      if (fault == Fault.ROTTEN) {
        fate("stopped, was emptied and refilled");
        replica.empty();
      }
      replica.start();
      return true;
    }

    private void note(String more) {
      schedule.set(schedule.size() - 1, schedule.getLast() + "; " + more);
    }

    private static String tenths(long sinceNanos) {
      return String.format(Locale.ROOT, "after %.1f s", (System.nanoTime() - sinceNanos) / 1e9);
    }

    private void fate(String what) {
      rotFates.merge(what, 1, Integer::sum);
    }
  }

  private void report(
      Workload workload, ReplicatedStream stream, ReplicaChecks checks, boolean disks) {
    StringBuilder out = new StringBuilder();
    int all = counts.values().stream().mapToInt(Integer::intValue).sum();
    out.append(
        String.format(
            Locale.ROOT,
            "replicas: %d faults, %,d records acknowledged by 2 of 3 servers, all read and proven"
                + " on each; %,d reads during faults, none wrong; longest pause of the writer"
                + " %.1f s (seed %d)%n",
            all,
            workload.promised().size(),
            checks.probes(),
            stream.longestPauseNanos() / 1e9,
            seed));
    counts.forEach((fault, count) ->
        out.append(
            String.format(
                Locale.ROOT,
                "  %-12s %3d times, healed after %.1f s at most%n",
                fault,
                count,
                slowestNanos.getOrDefault(fault, 0L) / 1e9)));
    rotFates.forEach(
        (fate, count) -> out.append("  rot: ").append(count).append(" ").append(fate).append('\n'));
    if (!disks) {
      out.append("  NOT TESTED: power cuts, which need the right to mount an image\n");
    }
    schedule.forEach(line -> out.append("  ").append(line).append('\n'));
    System.out.print(out);
  }
}
