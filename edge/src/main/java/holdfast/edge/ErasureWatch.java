package holdfast.edge;

import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Follows the owner's erasures in the edge's capsules. What is erased leaves the view, and what the
 * erased leaves had said of users, devices and limits is said again in new ones:
 *
 * <pre>
 *   statement of the owner ──► 1  no record gets a time that it erases
 *                              2  the view goes to the disk
 *                              3  users, enrolments, limits, last batches: leaves anew
 *                              4  a key whose last change is erased is deleted, in a leaf
 *                              5  the erased versions leave the view
 *                              6  a leaf that names the statement: it is settled
 * </pre>
 *
 * <p>An edge that recovers trusts no user, no enrolment and no limit that stands before an erased
 * leaf, since that may have been their end; so it has them from step 3 only, which is why it comes
 * before the steps that take long. Every step may be done twice: what a crash interrupts is begun
 * anew. docs/decisions/0011 has the reasons.
 */
final class ErasureWatch implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ErasureWatch.class);
  private static final long LOOK_MILLIS = 1000;
  private static final long PATIENCE_MILLIS = 60_000;
  private static final int AT_ONCE = 200;
  private static final int DROPPED_AT_ONCE = 4000;

  private final View view;
  private final Flusher flusher;
  private final EdgeCapsule newest;

  /** For the one thread that settles. */
  private final Map<Hash, CapsuleReader> readers = new HashMap<>();

  private final Set<Hash> done = new HashSet<>();
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition poked = lock.newCondition();
  private final Thread thread;
  private boolean stopping;
  private boolean look;
  private volatile int unsettled;

  ErasureWatch(View view, Flusher flusher, EdgeCapsule newest) {
    this.view = view;
    this.flusher = flusher;
    this.newest = newest;
    this.thread = Thread.ofPlatform().name("holdfast-erasures").daemon(true).unstarted(this::run);
  }

  /** Settles what there is, and then what comes. Nothing may be served before this returns. */
  void start() throws ProofException {
    settle();
    flusher.onErased(this::poke);
    thread.start();
  }

  /** Erasures that are known and not yet followed. */
  int unsettled() {
    return unsettled;
  }

  private void poke() {
    lock.lock();
    try {
      look = true;
      poked.signal();
    } finally {
      lock.unlock();
    }
  }

  private void run() {
    while (awaitTurn()) {
      try {
        settle();
        view.flushNowAndThen(TimeUnit.NANOSECONDS.toMillis(System.nanoTime()));
      } catch (ProofException | HoldfastException | Problem e) {
        closeReaders();
        LOG.warn("erasures are not followed yet: {}", e.getMessage());
      } catch (RuntimeException | Error e) {
        // What is thrown on would end the watch in silence, and erasures would be followed no more.
        LOG.error("erasures cannot be followed now", e);
        closeReaders();
      }
    }
  }

  private boolean awaitTurn() {
    lock.lock();
    try {
      long left = TimeUnit.MILLISECONDS.toNanos(LOOK_MILLIS);
      while (!stopping && !look && left > 0) {
        left = poked.awaitNanos(left);
      }
      look = false;
      return !stopping;
    } catch (InterruptedException e) {
      return false;
    } finally {
      lock.unlock();
    }
  }

  // ---- Settling ---------------------------------------------------------------------------------

  private void settle() throws ProofException {
    List<Statement.Erasure> fresh = fresh();
    unsettled = fresh.size();
    if (fresh.isEmpty()) {
      return;
    }
    // What is in the view need not be read again, when some of it is erased.
    view.table.flush();
    restate(List.copyOf(view.users.keySet()), ErasureWatch::userAgain);
    restate(devices(), ErasureWatch::deviceAgain);
    restate(List.copyOf(view.spaces.keySet()), Flush::limitsNow);
    restate(view.lastTaken(), (flush, taken) -> taken);
    List<ViewKeys.VersionOf> erased = erased(fresh);
    for (int i = 0; i < erased.size(); i += DROPPED_AT_ONCE) {
      List<ViewKeys.VersionOf> some =
          erased.subList(i, Math.min(erased.size(), i + DROPPED_AT_ONCE));
      write(some, flush -> List.of(), some.size());
    }
    view.compact();
    restate(fresh, (flush, erasure) -> new EdgeLeaf.Settled(erasure.name()));
    fresh.forEach(erasure -> done.add(erasure.name()));
    unsettled = 0;
    LOG.info(
        "{} erasures of the owner are followed; {} versions left the view",
        fresh.size(),
        erased.size());
  }

  static EdgeLeaf.@Nullable User userAgain(Flush flush, String name) {
    EdgeLeaf.User now = flush.userNow(name);
    return now == null
        ? null
        : new EdgeLeaf.User(flush.timeMillis(), "", name, now.passwordHash(), now.grants());
  }

  static EdgeLeaf.@Nullable Device deviceAgain(Flush flush, String name) {
    EdgeLeaf.Device now = flush.deviceNow(name);
    return now == null
        ? null
        : new EdgeLeaf.Device(
            flush.timeMillis(), now.user(), name, now.key(), now.signature(), now.enrolled());
  }

  /** The owner's erasures that are not settled; none of them will meet what is written now. */
  private List<Statement.Erasure> fresh() throws ProofException {
    List<Statement.Erasure> fresh = new ArrayList<>();
    for (Hash capsule : newest.names()) {
      for (Statement statement : reader(capsule).statements(true)) {
        if (statement instanceof Statement.Erasure erasure && !done.contains(erasure.name())) {
          if (erasure.erased() instanceof Statement.Erased.OfTimes times
              && capsule.equals(newest.name())) {
            flusher.notBefore(times.toMillis());
          }
          if (view.settled(erasure.name())) {
            done.add(erasure.name());
          } else {
            fresh.add(erasure);
          }
        }
      }
    }
    return fresh;
  }

  private CapsuleReader reader(Hash capsule) throws ProofException {
    CapsuleReader open = readers.get(capsule);
    if (open == null) {
      open = newest.named(capsule).openReader(ReaderOptions.withoutCache());
      readers.put(capsule, open);
    }
    return open;
  }

  private List<ViewKeys.VersionOf> erased(List<Statement.Erasure> erasures) throws ProofException {
    List<ViewKeys.VersionOf> found = new ArrayList<>();
    for (Hash capsule : newest.names()) {
      List<Statement.Erasure> here =
          erasures.stream().filter(erasure -> erasure.capsule().equals(capsule)).toList();
      if (!here.isEmpty()) {
        found.addAll(erased(capsule, here));
      }
    }
    return found;
  }

  /** The versions that erasures of one capsule take away. */
  private List<ViewKeys.VersionOf> erased(Hash capsule, List<Statement.Erasure> erasures)
      throws ProofException {
    Set<Hash> records = new HashSet<>();
    Set<Place> leaves = new HashSet<>();
    List<Statement.Erased.OfTimes> times = new ArrayList<>();
    for (Statement.Erasure erasure : erasures) {
      switch (erasure.erased()) {
        case Statement.Erased.OfRecord(Hash record) -> records.add(record);
        case Statement.Erased.OfLeaf(Hash record, int leaf) -> leaves.add(new Place(record, leaf));
        case Statement.Erased.OfTimes range -> times.add(range);
      }
    }
    List<ViewKeys.VersionOf> found = new ArrayList<>();
    // The time of a version is that of its record; whose capsule that is has to be asked.
    Map<Hash, List<ViewKeys.VersionOf>> inTime = new LinkedHashMap<>();
    view.versions((which, version) -> {
      Place place = version.place();
      if (records.contains(place.record()) || leaves.contains(place)) {
        found.add(which);
      } else if (times.stream().anyMatch(range -> range.covers(version.timeMillis()))) {
        inTime.computeIfAbsent(place.record(), _ -> new ArrayList<>()).add(which);
      }
      return true;
    });
    for (Hash record : present(capsule, List.copyOf(inTime.keySet()))) {
      found.addAll(inTime.getOrDefault(record, List.of()));
    }
    return found;
  }

  /** Those of some records that a capsule holds. */
  private List<Hash> present(Hash capsule, List<Hash> records) throws ProofException {
    if (newest.names().size() == 1) {
      return records;
    }
    List<Hash> present = new ArrayList<>();
    for (int i = 0; i < records.size(); i += AT_ONCE) {
      List<Hash> some = records.subList(i, Math.min(records.size(), i + AT_ONCE));
      for (ReadResult one : reader(capsule).readHeaders(some)) {
        if (!(one instanceof ReadResult.Absent)) {
          present.add(one.name());
        }
      }
    }
    return present;
  }

  private List<String> devices() {
    List<String> names = new ArrayList<>();
    view.devices("", device -> names.add(device.name()));
    return names;
  }

  // ---- Writing ----------------------------------------------------------------------------------

  /** Makes a leaf from what holds when its turn has come; null for none. */
  private interface Restating<T> {
    @Nullable EdgeLeaf leaf(Flush flush, T of);
  }

  private <T> void restate(List<T> all, Restating<? super T> how) {
    for (int i = 0; i < all.size(); i += AT_ONCE) {
      List<T> some = all.subList(i, Math.min(all.size(), i + AT_ONCE));
      write(
          List.of(),
          flush -> {
            List<EdgeLeaf> leaves = new ArrayList<>();
            for (T one : some) {
              EdgeLeaf leaf = how.leaf(flush, one);
              if (leaf != null) {
                leaves.add(leaf);
              }
            }
            return leaves;
          },
          some.size());
    }
  }

  private void write(
      List<ViewKeys.VersionOf> drop, Function<Flush, List<EdgeLeaf>> restate, int leaves) {
    Ticket ticket = new Ticket();
    flusher.submit(new Task.Restate(ticket, drop, restate, leaves));
    ticket.await(PATIENCE_MILLIS);
  }

  private void closeReaders() {
    readers.values().forEach(CapsuleReader::close);
    readers.clear();
  }

  @Override
  public void close() {
    lock.lock();
    try {
      stopping = true;
      poked.signal();
    } finally {
      lock.unlock();
    }
    thread.interrupt();
    try {
      thread.join(TimeUnit.SECONDS.toMillis(30));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    closeReaders();
  }
}
