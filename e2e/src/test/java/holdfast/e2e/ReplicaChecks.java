package holdfast.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Opener;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.Cursor;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.ReplicatedReader;
import holdfast.client.Server;
import holdfast.wire.CapsuleStatus;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Knows what was promised and reads it back: from each replica by itself, and from all of them
 * while one is faulty. Whatever a replica serves must be right at any time.
 */
final class ReplicaChecks implements AutoCloseable {
  private static final int READ_AT_ONCE = 500;
  private static final int OLD_ONES = 100;
  private static final int PROBED = 8;
  private static final int PROBE_MILLIS = 20;
  private static final ReaderOptions IMPATIENT = new ReaderOptions(0, 700);

  private final Workload workload;
  private final Random random;
  private final Map<FaultyReplica, Integer> verified = new HashMap<>();
  private final List<Thread> probing = new ArrayList<>();
  private final AtomicBoolean ended = new AtomicBoolean();
  private final AtomicInteger probes = new AtomicInteger();
  private final AtomicInteger denied = new AtomicInteger();
  private volatile @Nullable Throwable wrong;
  private String lacking = "nothing was read yet";

  ReplicaChecks(Workload workload, long seed) {
    this.workload = workload;
    this.random = new Random(seed);
  }

  // ---- While a fault lasts ----------------------------------------------------------------------

  /**
   * Begins to read from a server, over and over. It may say that it cannot, or does not have it.
   */
  void probe(Server server, long seed) {
    Random choice = new Random(seed);
    probing.add(
        Thread.ofPlatform()
            .daemon()
            .name("probe " + server.endpoint())
            .start(() -> {
              try {
                while (!ended.get()) {
                  probeOnce(server, choice);
                  LockSupport.parkNanos(PROBE_MILLIS * 1_000_000L);
                }
              } catch (Throwable e) {
                wrong = new AssertionError("server " + server.endpoint() + " served this", e);
              }
            }));
  }

  private void probeOnce(Server server, Random choice) throws ProofException {
    try (CapsuleReader reader = workload.openReader(server, ReaderOptions.withoutCache())) {
      for (ReadResult result : reader.readAll(some(choice, PROBED))) {
        if (result instanceof ReadResult.Proven) {
          workload.expect(reader.opener(), result);
          probes.incrementAndGet();
        } else {
          denied.incrementAndGet();
        }
      }
    } catch (HoldfastException e) {
      denied.incrementAndGet();
    }
  }

  private List<Hash> some(Random choice, int count) {
    List<Hash> promised = workload.promised();
    List<Hash> some = new ArrayList<>();
    for (int i = 0; i < count && !promised.isEmpty(); i++) {
      some.add(promised.get(choice.nextInt(promised.size())));
    }
    return some.stream().distinct().toList();
  }

  /** Fails when a server has served what is wrong. */
  void requireNothingWrong() {
    Throwable found = wrong;
    if (found != null) {
      throw new AssertionError(found);
    }
  }

  /** Records that servers have served while they were being looked at, all of them right. */
  int probes() {
    return probes.get();
  }

  /**
   * Whether the newest records, and some old ones, can be read from the servers, of which the first
   * may be faulty.
   */
  boolean readable(List<Server> servers) throws ProofException {
    requireNothingWrong();
    List<Hash> promised = workload.promised();
    List<Hash> names = new ArrayList<>(some(random, OLD_ONES));
    promised.subList(Math.max(0, promised.size() - OLD_ONES), promised.size()).stream()
        .filter(name -> !names.contains(name))
        .forEach(names::add);
    Opener opener = workload.opener();
    try (ReplicatedReader reader = workload.openReader(servers, IMPATIENT)) {
      for (ReadResult result : reader.readAll(names)) {
        if (!(result instanceof ReadResult.Proven)) {
          lacking = "all three: " + result;
          return false;
        }
        workload.expect(opener, result);
      }
      assertThat(reader.evidence()).as("what servers gave that does not hold").isEmpty();
      return true;
    } catch (HoldfastException e) {
      lacking = "all three: " + e.getMessage();
      return false;
    }
  }

  // ---- After a fault ----------------------------------------------------------------------------

  /** Everything that this replica has is to be read again. */
  void distrust(FaultyReplica replica) {
    verified.remove(replica);
  }

  /**
   * Whether a replica has all that was promised by now, proven and intact; what was read before is
   * not read again, but for some of it.
   */
  boolean hasAll(FaultyReplica replica, List<Hash> promised) throws ProofException {
    requireNothingWrong();
    int at = verified.getOrDefault(replica, 0);
    try (CapsuleReader reader = workload.openReader(replica.server(), ReaderOptions.defaults())) {
      while (at < promised.size()) {
        int to = Math.min(promised.size(), at + READ_AT_ONCE);
        if (!all(replica, reader, promised.subList(at, to))) {
          return false;
        }
        at = to;
        verified.put(replica, at);
      }
      if (!all(replica, reader, some(random, OLD_ONES))) {
        return false;
      }
      CapsuleStatus status = reader.status().getCapsule();
      if (status.getDamaged() > 0) {
        lacking = replica.name() + ": " + status.getDamaged() + " records are damaged";
      }
      return status.getDamaged() == 0;
    } catch (HoldfastException e) {
      lacking = replica.name() + ": " + e.code() + " " + e.getMessage();
      return false;
    }
  }

  private boolean all(FaultyReplica replica, CapsuleReader reader, List<Hash> names)
      throws ProofException {
    for (ReadResult result : reader.readAll(names)) {
      if (result instanceof ReadResult.Cached) {
        continue;
      }
      if (!(result instanceof ReadResult.Proven)) {
        lacking = replica.name() + ": " + result;
        return false;
      }
      workload.expect(reader.opener(), result);
    }
    return true;
  }

  /** What was missing when something was last looked for. */
  String lacking() {
    return lacking;
  }

  // ---- At the end -------------------------------------------------------------------------------

  /** All that a replica has of the capsule. */
  private record Held(long records, Set<Hash> names, Set<Hash> heads, Set<Statement> statements) {}

  /** Whether all replicas hold the same records and statements, all proven, without holes. */
  boolean equal(List<FaultyReplica> replicas) throws ProofException {
    List<Held> held = new ArrayList<>();
    for (FaultyReplica replica : replicas) {
      try (CapsuleReader reader = workload.openReader(replica.server(), ReaderOptions.defaults())) {
        CapsuleStatus status = reader.status().getCapsule();
        Set<Hash> names = new HashSet<>();
        Cursor cursor = reader.scan(0);
        for (ReadResult next = cursor.next(); next != null; next = cursor.next()) {
          names.add(next.name());
        }
        held.add(
            new Held(
                status.getRecords(),
                names,
                new HashSet<>(reader.heads().heads()),
                new HashSet<>(reader.statements(false))));
        if (status.getRecords() != status.getProven()
            || status.getHoles() > 0
            || status.getDamaged() > 0
            || names.size() != status.getRecords()) {
          lacking = replica.name() + ": " + names.size() + " records of " + status;
          return false;
        }
      } catch (HoldfastException e) {
        lacking = replica.name() + ": " + e.code() + " " + e.getMessage();
        return false;
      }
    }
    boolean same = held.stream().distinct().count() == 1;
    if (!same) {
      lacking =
          "they differ: "
              + held.stream()
                  .map(one ->
                      one.records()
                          + " records, heads "
                          + one.heads()
                          + ", "
                          + one.statements().size()
                          + " statements")
                  .toList();
    }
    return same;
  }

  @Override
  public void close() {
    ended.set(true);
    try {
      for (Thread thread : probing) {
        thread.join();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
