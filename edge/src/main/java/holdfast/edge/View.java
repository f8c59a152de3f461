package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.device.Octets;
import holdfast.store.DerivedTable;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiPredicate;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * What an edge answers from: the values that keys have now, what they had before, users, devices
 * and limits. It follows from the records of the edge's capsule and holds nothing else, so it may
 * be deleted at any time the edge is not running.
 *
 * <p>{@link ViewUpdate} makes the changes, when the edge runs and when it recovers. One thread
 * applies; any may ask.
 */
final class View implements AutoCloseable {
  private static final long MEMTABLE_BYTES = 64L << 20;
  private static final long CACHE_BYTES = 64L << 20;

  /** How much of the view a crash costs at most, in time. */
  static final long FLUSH_MILLIS = 60_000;

  final DerivedTable table;

  /** All users, in memory: each request asks for one. */
  final ConcurrentHashMap<String, EdgeLeaf.User> users = new ConcurrentHashMap<>();

  /** All limits and sizes of spaces. */
  final ConcurrentHashMap<String, SpaceState> spaces = new ConcurrentHashMap<>();

  /** Whether a device may be enrolled; used by the thread that applies. */
  boolean enrolments = true;

  /** Used by the thread that applies. */
  final ValueSizes sizes = new ValueSizes();

  /**
   * No answer to an idempotency key is older; {@link Long#MIN_VALUE} when that is not known. Used
   * by the thread that applies.
   */
  long oldestAnswerMillis = Long.MIN_VALUE;

  private final ReentrantLock news = new ReentrantLock();
  private final Condition changed = news.newCondition();
  private volatile Mark mark;

  /** What the record holds that is written now, or may have been; null for none. */
  private volatile @Nullable Tried tried;

  /** For the thread that looks after the table. */
  private Mark flushed;

  private long flushedAtMillis;

  /**
   * A record that may have been stored.
   *
   * @param timeMillis its time, which no other record has
   */
  record Tried(long timeMillis, List<EdgeLeaf> leaves) {
    /** Keeps the leaves as they are now. */
    Tried {
      leaves = List.copyOf(leaves);
    }
  }

  /**
   * How far the view has come.
   *
   * @param record the last record applied; {@link Hash#ZERO} before the first
   * @param arrival the arrival number from which records may not be applied yet
   * @param number the last change that took effect
   * @param timeMillis the time of the last record
   */
  record Mark(Hash record, long arrival, long number, long timeMillis) {
    static final Mark START = new Mark(Hash.ZERO, 0, 0, 0);

    byte[] encode() {
      return new Encoder(64).hash(record).u64(arrival).u64(number).u64(timeMillis).toBytes();
    }

    static Mark decode(byte[] entry) throws ProofException {
      Decoder in = new Decoder(entry, "the mark of the view");
      Mark read = new Mark(in.hash(), in.u64(), in.u64(), in.u64());
      in.end();
      return read;
    }
  }

  /**
   * What is in a space.
   *
   * @param keys how many keys have a value
   * @param bytes of those keys and values
   * @param last number of the last change
   */
  record SpaceState(long keys, long bytes, long last, long quotaBytes, long retentionMillis) {
    static final SpaceState EMPTY = new SpaceState(0, 0, 0, 0, 0);

    byte[] encode() {
      return new Encoder(40)
          .u64(keys)
          .u64(bytes)
          .u64(last)
          .u64(quotaBytes)
          .u64(retentionMillis)
          .toBytes();
    }

    static SpaceState decode(byte[] entry) throws ProofException {
      Decoder in = new Decoder(entry, "a space in the view");
      return new SpaceState(in.u64(), in.u64(), in.u64(), in.u64(), in.u64());
    }

    SpaceState plus(long moreKeys, long moreBytes, long number) {
      return new SpaceState(
          keys + moreKeys, bytes + moreBytes, number, quotaBytes, retentionMillis);
    }
  }

  /** A claim that was taken. */
  record Taken(long last, Hash claim, Place place) {
    byte[] encode() {
      return new Encoder(80).u64(last).hash(claim).hash(place.record()).u32(place.leaf()).toBytes();
    }

    static Taken decode(byte[] entry) throws ProofException {
      Decoder in = new Decoder(entry, "a claim in the view");
      return new Taken(in.u64(), in.hash(), new Place(in.hash(), in.u32(Integer.MAX_VALUE)));
    }
  }

  /** What answered a request with an idempotency key. */
  record Answer(Hash request, Place first, int changes, boolean created) {
    byte[] encode() {
      return new Encoder(80)
          .hash(request)
          .hash(first.record())
          .u32(first.leaf())
          .u16(changes)
          .u8(created ? 1 : 0)
          .toBytes();
    }

    static Answer decode(byte[] entry) throws ProofException {
      Decoder in = new Decoder(entry, "an answer in the view");
      return new Answer(
          in.hash(), new Place(in.hash(), in.u32(Integer.MAX_VALUE)), in.u16(), in.u8() == 1);
    }
  }

  /** Tells how old a value is, and when the next record is written. */
  volatile LongSupplier clock = System::currentTimeMillis;

  private View(DerivedTable table) throws ProofException {
    this.table = table;
    byte[] found = table.get(ViewKeys.MARK);
    this.mark = found == null ? Mark.START : Mark.decode(found);
    this.flushed = mark;
    List<ProofException> bad = new ArrayList<>();
    table.scan(
        ViewKeys.first('u'),
        ViewKeys.end('u'),
        (key, value) -> {
          if (EdgeLeaf.decodeOwn(value) instanceof EdgeLeaf.User user) {
            users.put(user.name(), user);
          }
          return true;
        });
    table.scan(
        ViewKeys.first('s'),
        ViewKeys.end('s'),
        (key, value) -> {
          try {
            spaces.put(new String(key, 1, key.length - 1, UTF_8), SpaceState.decode(value));
          } catch (ProofException e) {
            bad.add(e);
          }
          return true;
        });
    if (!bad.isEmpty()) {
      throw bad.getFirst();
    }
  }

  /** Opens the view in a folder; it may be behind its capsule. */
  static View open(Path folder) {
    DerivedTable table = DerivedTable.open(folder, MEMTABLE_BYTES, CACHE_BYTES);
    boolean opened = false;
    try {
      View view = new View(table);
      opened = true;
      return view;
    } catch (ProofException | RuntimeException e) {
      throw new IllegalStateException("the view in " + folder + " cannot be read", e);
    } finally {
      if (!opened) {
        table.close();
      }
    }
  }

  // ---- Values -----------------------------------------------------------------------------------

  /** The value of a key; null when there is none, or it is older than the space keeps values. */
  Version.@Nullable Current get(String space, String key) {
    Version.Current found = Version.Current.decode(table.get(ViewKeys.value(space, key)));
    return found == null || expired(space, found.timeMillis()) ? null : found;
  }

  /** Whether something of this age is not shown any more, though it may still be in the table. */
  boolean expired(String space, long timeMillis) {
    SpaceState state = spaces.get(space);
    return state != null
        && state.retentionMillis() > 0
        && clock.getAsLong() - timeMillis > state.retentionMillis();
  }

  /** What is in a space. */
  SpaceState space(String space) {
    return spaces.getOrDefault(space, SpaceState.EMPTY);
  }

  /** Visits the keys that begin with a prefix and come after another key, in order of bytes. */
  void list(
      String space,
      String prefix,
      @Nullable String after,
      BiPredicate<String, Version.Current> visitor) {
    byte[] from = ViewKeys.value(space, prefix);
    byte[] to = ViewKeys.after(from);
    if (after != null) {
      // The smallest key above another is that one and a zero byte.
      byte[] next = ViewKeys.value(space, after + "\0");
      from = java.util.Arrays.compareUnsigned(next, from) > 0 ? next : from;
    }
    table.scan(
        from,
        to,
        (key, value) -> {
          Version.Current current = java.util.Objects.requireNonNull(Version.Current.decode(value));
          return expired(space, current.timeMillis())
              || visitor.test(ViewKeys.keyOfValue(space, key), current);
        });
  }

  /** Visits the versions of a key below a number, newest first. */
  void history(String space, String key, long below, Predicate<Version> visitor) {
    table.scan(
        ViewKeys.history(space, key, below - 1),
        ViewKeys.after(ViewKeys.history(space, key, 0)),
        (entry, value) -> {
          Version version = Version.decode(value);
          return !expired(space, version.timeMillis()) && visitor.test(version);
        });
  }

  /** One version of a key; null when the view does not remember it. */
  @Nullable Version version(String space, String key, long number) {
    byte[] found = table.get(ViewKeys.history(space, key, number));
    return found == null ? null : Version.decode(found);
  }

  /** Visits all versions of all keys, the newest of a key first. */
  void versions(BiPredicate<ViewKeys.VersionOf, Version> visitor) {
    table.scan(
        ViewKeys.first('h'),
        ViewKeys.end('h'),
        (key, value) -> visitor.test(ViewKeys.versionOf(key), Version.decode(value)));
  }

  /** The number of the newest version of a key, however old it is; 0 when none is remembered. */
  long newest(String space, String key) {
    long[] found = new long[1];
    table.scan(
        ViewKeys.history(space, key, Long.MAX_VALUE),
        ViewKeys.after(ViewKeys.history(space, key, 0)),
        (entry, value) -> {
          found[0] = Version.decode(value).number();
          return false;
        });
    return found[0];
  }

  /** Whether what an erasure takes away is taken out of the view. */
  boolean settled(Hash statement) {
    return table.get(ViewKeys.settled(statement)) != null;
  }

  /** Visits the changes of a space above a number, oldest first. */
  void changes(String space, long above, BiPredicate<Long, String> visitor) {
    table.scan(
        ViewKeys.log(space, above + 1),
        ViewKeys.log(space, Long.MAX_VALUE),
        (key, value) -> visitor.test(ViewKeys.numberOfLog(key), new String(value, UTF_8)));
  }

  // ---- Devices ----------------------------------------------------------------------------------

  /** A device by its name; null when none has it. */
  EdgeLeaf.@Nullable Device device(String name) {
    byte[] found = table.get(ViewKeys.device(name));
    return found != null && EdgeLeaf.decodeOwn(found) instanceof EdgeLeaf.Device device
        ? device
        : null;
  }

  /** All devices whose names come after another. */
  void devices(String after, Predicate<EdgeLeaf.Device> visitor) {
    table.scan(
        ViewKeys.device(after + "\0"),
        ViewKeys.end('d'),
        (key, value) ->
            !(EdgeLeaf.decodeOwn(value) instanceof EdgeLeaf.Device device) || visitor.test(device));
  }

  /** The last sequence number that was taken of an incarnation; 0 for none. */
  long lastSequence(String device, Octets incarnation) {
    byte[] found = table.get(ViewKeys.incarnation(device, incarnation));
    return found == null ? 0 : number(found);
  }

  static long number(byte[] entry) {
    return java.nio.ByteBuffer.wrap(entry).getLong();
  }

  /** The incarnations of a device from one on, with the last number taken of each. */
  void incarnations(String device, Octets first, BiPredicate<Octets, Long> visitor) {
    byte[] from = ViewKeys.incarnation(device, Octets.EMPTY);
    table.scan(
        ViewKeys.incarnation(device, first),
        ViewKeys.after(from),
        (key, value) ->
            visitor.test(
                Octets.wrap(java.util.Arrays.copyOfRange(key, from.length, key.length)),
                number(value)));
  }

  /** The claim of an incarnation that begins at a number; null when none does. */
  @Nullable Taken taken(String device, Octets incarnation, long first) {
    byte[] found = table.get(ViewKeys.claim(device, incarnation, first));
    return found == null ? null : taken(found);
  }

  private static Taken taken(byte[] entry) {
    try {
      return Taken.decode(entry);
    } catch (ProofException e) {
      throw new AssertionError("the view is written by this program alone", e);
    }
  }

  /** The batches that were taken last of all incarnations of all devices. */
  List<EdgeLeaf.LastTaken> lastTaken() {
    List<EdgeLeaf.LastTaken> found = new ArrayList<>();
    table.scan(
        ViewKeys.first('c'),
        ViewKeys.end('c'),
        (key, value) -> {
          EdgeLeaf.LastTaken next = ViewKeys.lastTaken(key, taken(value));
          EdgeLeaf.LastTaken before = found.isEmpty() ? null : found.getLast();
          if (before != null
              && before.device().equals(next.device())
              && before.incarnation().equals(next.incarnation())) {
            found.removeLast();
          }
          found.add(next);
          return true;
        });
    return found;
  }

  /** What answered an idempotency key; null when it is not known, or forgotten. */
  @Nullable Answer answer(String user, Hash key) {
    byte[] found = table.get(ViewKeys.answer(user, key));
    try {
      return found == null ? null : Answer.decode(found);
    } catch (ProofException e) {
      throw new AssertionError("the view is written by this program alone", e);
    }
  }

  // ---- News -------------------------------------------------------------------------------------

  Mark mark() {
    return mark;
  }

  /** Called when changes have become visible. */
  void moved(Mark to) {
    mark = to;
    news.lock();
    try {
      changed.signalAll();
    } finally {
      news.unlock();
    }
  }

  /**
   * Waits until there is a change above a number.
   *
   * @return whether there is one
   */
  boolean awaitAbove(long number, long timeoutMillis) throws InterruptedException {
    long left = TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
    news.lock();
    try {
      while (mark.number() <= number && left > 0) {
        left = changed.awaitNanos(left);
      }
      return mark.number() > number;
    } finally {
      news.unlock();
    }
  }

  /** Remembers what a record is to hold, until the view has it; null for none. */
  void tried(@Nullable Tried record) {
    tried = record;
  }

  /** What the record of this time was to hold, if it is the one that was tried last. */
  @Nullable Tried tried(long timeMillis) {
    Tried known = tried;
    return known != null && known.timeMillis() == timeMillis ? known : null;
  }

  /**
   * Brings the view to the disk when the last time is a minute ago. What an edge that was killed
   * reads again is short, then: an owner may have erased some of it meanwhile, and what it cannot
   * read it takes for the worst.
   *
   * @param nowMillis milliseconds that only go forward
   */
  void flushNowAndThen(long nowMillis) {
    Mark now = mark;
    if (!now.equals(flushed) && nowMillis - flushedAtMillis >= FLUSH_MILLIS) {
      table.flush();
      flushed = now;
      flushedAtMillis = nowMillis;
    }
  }

  /** Takes from the disk what is not in the view any more. */
  void compact() {
    table.compact();
  }

  /** Brings the view to the disk, so that less is to be done at the next start. */
  @Override
  public void close() {
    try {
      table.flush();
    } finally {
      table.close();
    }
  }
}
