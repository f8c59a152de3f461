package holdfast.store;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.RecordGraph;
import holdfast.capsule.RecordHeader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads everything that is stored, again and again and slowly, and derives it again ({@link
 * RecordCheck}), so that rot is found while there are still copies elsewhere. What is damaged goes
 * into the quarantine; what is intact again leaves it.
 *
 * <p>Capsules come in the order of their names, records in the order of arrival. The position is
 * kept in the database, so that a pass goes on after a restart. A pass begins a day after the one
 * before it began, or when that has ended.
 */
public final class Scrubber implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Scrubber.class);
  private static final byte[] POSITION = Keys.setting("scrub");
  private static final long PASS_MILLIS = TimeUnit.DAYS.toMillis(1);
  private static final long SAVE_NANOS = TimeUnit.SECONDS.toNanos(5);
  private static final long FAILURE_NANOS = TimeUnit.MINUTES.toNanos(1);
  private static final int SLICE_RECORDS = 256;
  private static final int SLICE_BYTES = 1 << 18;

  /** What looking at a record costs beside its bytes, in bytes. */
  private static final int RECORD_BYTES = 512;

  private static final int NAME_BYTES = 44;

  private final CapsuleStore store;
  private final Tables tables;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private @Nullable Thread thread;
  private boolean closed;
  private long savedAtNanos = System.nanoTime() - SAVE_NANOS;
  private volatile Position position;

  /**
   * How far it is.
   *
   * @param completedMillis when the last whole pass ended; 0 when there was none
   * @param share of the capsules, from 0 to 1, that the pass under way has seen; 1 between passes
   */
  public record Progress(long completedMillis, double share) {}

  /** Where the pass under way goes on; between passes at no capsule. */
  private record Position(
      boolean underWay,
      long beganMillis,
      long completedMillis,
      Hash capsule,
      long arrival,
      long capsulesDone,
      double within) {}

  Scrubber(CapsuleStore store) {
    this.store = store;
    this.tables = store.tables();
    this.position = load();
  }

  private Position load() {
    try {
      byte[] stored = tables.db.get(tables.settings, POSITION);
      if (stored == null) {
        return new Position(false, 0, 0, Hash.ZERO, 0, 0, 0);
      }
      Decoder in = new Decoder(stored, "position of the scrubber");
      return new Position(in.u8() == 1, in.u64(), in.u64(), in.hash(), in.u64(), in.u64(), 0);
    } catch (RocksDBException e) {
      throw Tables.failure("cannot read the position of the scrubber", e);
    } catch (ProofException e) {
      LOG.warn("the position of the scrubber is damaged; it begins anew: {}", e.getMessage());
      return new Position(false, 0, 0, Hash.ZERO, 0, 0, 0);
    }
  }

  private void save() {
    Position at = position;
    savedAtNanos = System.nanoTime();
    try {
      tables.db.put(
          tables.settings,
          POSITION,
          new Encoder(64)
              .u8(at.underWay() ? 1 : 0)
              .u64(at.beganMillis())
              .u64(at.completedMillis())
              .hash(at.capsule())
              .u64(at.arrival())
              .u64(at.capsulesDone())
              .toBytes());
    } catch (RocksDBException e) {
      throw Tables.failure("cannot keep the position of the scrubber", e);
    }
  }

  /** How far the scrubber is. */
  public Progress progress() {
    Position at = position;
    long capsules = Math.max(1, store.capsuleCount());
    double share = at.underWay() ? Math.min(1, (at.capsulesDone() + at.within()) / capsules) : 1;
    return new Progress(at.completedMillis(), share);
  }

  /** Looks at the records of a capsule from one arrival number to another, both among them. */
  void look(StoredCapsule capsule, long first, long last) {
    RecordGraph kept = RecordCheck.graph(store, capsule);
    long end = Aftermath.bound(first, last, kept.size());
    if (end < Math.min(last, kept.size() - 1)) {
      LOG.warn(
          "capsule {}: records from number {} on are left to the next pass",
          capsule.name().brief(),
          end + 1);
    }
    for (long at = first; at <= end; ) {
      at = slice(capsule, kept, at).end();
    }
  }

  /** Looks once more at what is known to be damaged in a capsule. */
  void lookAgain(StoredCapsule capsule) {
    Set<Long> known = new HashSet<>();
    for (Damage damage : capsule.damaged(Integer.MAX_VALUE)) {
      if (damage.arrival() != Damage.WHOLE_CAPSULE) {
        known.add(damage.arrival());
      }
    }
    confirm(capsule, known);
  }

  // ---- One pass
  // -----------------------------------------------------------------------------------

  /** Goes through all that is left of the pass under way, or through a whole one, at full speed. */
  void pass() {
    do {
      step();
    } while (position.underWay());
  }

  /** Goes through everything from the beginning, at full speed; for a store that nobody uses. */
  public void wholePass() {
    if (position.underWay()) {
      pass();
    }
    pass();
  }

  /**
   * The names of damaged records of a capsule that intact copies would mend.
   *
   * @return as many as are known; a header that is lost may have taken the name with it
   */
  public List<Hash> mendable(StoredCapsule capsule) {
    return new Repair(store, capsule).mendable();
  }

  /**
   * Checks some records.
   *
   * @return about how many bytes were looked at
   * @throws HoldfastException when the database does not answer at all
   */
  long step() {
    Position at = position;
    if (!at.underWay()) {
      at = new Position(true, now(), at.completedMillis(), Hash.ZERO, 0, 0, 0);
      position = at;
    }
    long bytes = step(at);
    if (!position.underWay() || System.nanoTime() - savedAtNanos >= SAVE_NANOS) {
      save();
    }
    return bytes;
  }

  private static long now() {
    return System.currentTimeMillis();
  }

  private long step(Position at) {
    Hash name = capsuleFrom(at.capsule());
    if (name == null) {
      position = new Position(false, at.beganMillis(), now(), Hash.ZERO, 0, 0, 0);
      LOG.info("everything stored was looked at; {} records are damaged", store.damagedCount());
      return 0;
    }
    long first = name.equals(at.capsule()) ? at.arrival() : 0;
    StoredCapsule capsule;
    RecordGraph kept;
    try {
      capsule = store.require(name);
      kept = RecordCheck.graph(store, capsule);
      store.quarantine().lift(capsule.number(), Damage.WHOLE_CAPSULE);
    } catch (RuntimeException | Error e) {
      if (e instanceof AssertionError
          || (e instanceof HoldfastException failure && failure.code() == ErrorCode.DAMAGED)) {
        damagedCapsule(name, String.valueOf(e.getMessage()));
      } else {
        passOver(e);
      }
      goOn(at, next(name), 0, 1, 0);
      return SLICE_BYTES;
    }
    long size = kept.size();
    Slice slice;
    try {
      slice = slice(capsule, kept, first);
    } catch (RuntimeException | Error e) {
      passOver(e);
      slice = new Slice(Math.min(size, first + SLICE_RECORDS), SLICE_BYTES);
    }
    if (slice.end() >= size) {
      goOn(at, next(name), 0, 1, 0);
    } else {
      goOn(at, name, slice.end(), 0, (double) slice.end() / size);
    }
    return slice.bytes();
  }

  private static void passOver(Throwable e) {
    LOG.error("the scrubber passes over what it cannot look at", e);
  }

  /** Records that were looked at, up to an arrival number, and about how many bytes that took. */
  private record Slice(long end, long bytes) {}

  private Slice slice(StoredCapsule capsule, RecordGraph kept, long first) {
    long bytes = RECORD_BYTES;
    long arrival = first;
    RecordCheck check = RecordCheck.of(store, capsule, kept);
    Set<Long> suspects = new HashSet<>();
    for (int count = 0;
        arrival < kept.size() && count < SLICE_RECORDS && bytes < SLICE_BYTES;
        arrival++, count++) {
      bytes += RECORD_BYTES;
      boolean[] sound = {true};
      RecordHeader header = check.check(arrival, (part, what) -> sound[0] = false);
      if (header != null) {
        bytes += header.size() + header.sealedSize();
        check.signatures(arrival, header, capsule.metadata(), (part, what) -> sound[0] = false);
      }
      if (!sound[0] || store.quarantine().find(capsule.number(), arrival) != null) {
        suspects.add(arrival);
      }
    }
    return new Slice(arrival, bytes + confirm(capsule, suspects));
  }

  private void goOn(Position from, @Nullable Hash capsule, long arrival, int done, double within) {
    if (capsule == null) {
      // The name of all ones; none can follow.
      position = new Position(false, from.beganMillis(), now(), Hash.ZERO, 0, 0, 0);
      return;
    }
    position =
        new Position(
            true,
            from.beganMillis(),
            from.completedMillis(),
            capsule,
            arrival,
            from.capsulesDone() + done,
            within);
  }

  /** The first capsule whose name is not less; null when there is none. */
  private @Nullable Hash capsuleFrom(Hash least) {
    List<Hash> found = new ArrayList<>(1);
    try {
      CapsuleEntry.visit(
          tables,
          tables.passing,
          least,
          entry -> {
            found.add(entry.name());
            return false;
          });
      return found.isEmpty() ? null : found.getFirst();
    } catch (RocksDBException e) {
      throw Tables.failure("cannot list capsules", e);
    }
  }

  /** The least name that is greater; null when there is none. */
  private static @Nullable Hash next(Hash name) {
    byte[] bytes = name.toBytes();
    for (int i = bytes.length - 1; i >= 0; i--) {
      if (++bytes[i] != 0) {
        return Hash.of(bytes);
      }
    }
    return null;
  }

  private void damagedCapsule(Hash name, String what) {
    int number;
    try {
      number =
          ByteBuffer.wrap(
                  Objects.requireNonNull(tables.db.get(tables.settings, Keys.capsule(name))))
              .getInt();
    } catch (RocksDBException e) {
      throw Tables.failure("cannot look up capsule " + name.brief(), e);
    }
    store
        .quarantine()
        .note(name, new Damage(number, Damage.WHOLE_CAPSULE, null, Damage.Part.GRAPH, what, now()));
  }

  /**
   * Looks at suspects once more, while nothing can change: what was read before may have been
   * overtaken by an erasure.
   */
  private long confirm(StoredCapsule capsule, Set<Long> suspects) {
    Map<Long, Damage> damaged = new HashMap<>();
    for (long arrival : suspects) {
      capsule.lock.lock();
      try {
        Damage damage = RecordCheck.inspect(store, capsule, arrival);
        if (damage == null) {
          store.quarantine().lift(capsule.number(), arrival);
        } else {
          damaged.put(arrival, damage);
        }
      } finally {
        capsule.lock.unlock();
      }
    }
    Set<Long> nameless = new HashSet<>();
    damaged.forEach((arrival, damage) -> {
      Damage known = store.quarantine().find(capsule.number(), arrival);
      if (damage.name() == null && (known == null || known.name() == null)) {
        nameless.add(arrival);
      }
    });
    long bytes = 0;
    if (!nameless.isEmpty()) {
      Map<Long, Hash> names = new HashMap<>();
      bytes = namesOf(capsule, nameless, names);
      names.forEach((arrival, name) ->
          damaged.computeIfPresent(
              arrival,
              (key, damage) ->
                  new Damage(
                      damage.capsule(),
                      arrival,
                      name,
                      damage.part(),
                      damage.what(),
                      damage.foundMillis())));
    }
    damaged.values().forEach(damage -> store.quarantine().note(capsule.name(), damage));
    return bytes;
  }

  /** Looks through the names of a capsule for those of records whose headers are lost. */
  private long namesOf(StoredCapsule capsule, Set<Long> wanted, Map<Long, Hash> found) {
    byte[] from = Keys.within(capsule.number(), new byte[0], 0);
    byte[] to = Keys.within(capsule.number() + 1, new byte[0], 0);
    long bytes = 0;
    try (org.rocksdb.Slice end = new org.rocksdb.Slice(to);
        var options = new org.rocksdb.ReadOptions(tables.passing).setIterateUpperBound(end);
        RocksIterator entries = tables.db.newIterator(tables.names, options)) {
      for (entries.seek(from); entries.isValid() && found.size() < wanted.size(); entries.next()) {
        long arrival = ByteBuffer.wrap(entries.value()).getLong();
        if (wanted.contains(arrival)) {
          found.put(arrival, Hash.read(entries.key(), 4));
        }
        bytes += NAME_BYTES;
      }
      entries.status();
    } catch (RocksDBException e) {
      LOG.warn("names of damaged records cannot be looked up: {}", e.getMessage());
    }
    return bytes;
  }

  // ---- In the background
  // --------------------------------------------------------------------------

  /**
   * Begins to scrub.
   *
   * @param bytesPerSecond how fast at most
   */
  public void start(long bytesPerSecond) {
    Thread made =
        Thread.ofPlatform()
            .name("holdfast-scrub")
            .daemon(true)
            .unstarted(() -> run(bytesPerSecond));
    thread = made;
    made.start();
  }

  private void run(long bytesPerSecond) {
    while (store.writable()) {
      Position at = position;
      long wait = at.beganMillis() + PASS_MILLIS - now();
      if (!at.underWay() && wait > 0) {
        if (!rest(TimeUnit.MILLISECONDS.toNanos(Math.min(wait, PASS_MILLIS)))) {
          return;
        }
        continue;
      }
      if (!rest(paced(bytesPerSecond))) {
        return;
      }
    }
  }

  /**
   * Takes a step; says how many nanoseconds to rest then. Whatever goes wrong with it passes, or is
   * passed over in time: without the scrubber rot stays until it is asked for.
   */
  private long paced(long bytesPerSecond) {
    long begin = System.nanoTime();
    try {
      long bytes = step();
      return (long) (bytes * 1e9 / bytesPerSecond) - (System.nanoTime() - begin);
    } catch (HoldfastException e) {
      LOG.error("the scrubber waits for the database to answer: {}", e.getMessage());
      return FAILURE_NANOS;
    } catch (RuntimeException | Error e) {
      LOG.error("the scrubber rests for a minute", e);
      return FAILURE_NANOS;
    }
  }

  /** Waits; false when it is closed. */
  private boolean rest(long nanos) {
    lock.lock();
    try {
      long left = nanos;
      while (!closed && left > 0) {
        left = changed.awaitNanos(left);
      }
      return !closed;
    } catch (InterruptedException e) {
      return false;
    } finally {
      lock.unlock();
    }
  }

  /** Stops, and keeps the position. To be called before the store closes. */
  @Override
  public void close() {
    lock.lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
    Thread running = thread;
    boolean interrupted = false;
    while (running != null && running.isAlive()) {
      try {
        running.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (store.writable()) {
      try {
        save();
      } catch (HoldfastException e) {
        // A database that has met rot takes no writes; the store has to be closed all the same.
        LOG.warn("the next pass begins where this one was kept last: {}", e.getMessage());
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
