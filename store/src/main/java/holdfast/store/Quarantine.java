package holdfast.store;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The records known to be damaged: noted in the database, so that a restart forgets none, and in
 * memory, so that reading a sound record costs one look at a counter. Safe for use by many threads.
 *
 * <p>An entry is: u8 part ‖ u64 time found ‖ u8 1 and name, or u8 0 ‖ u16 length and text.
 */
final class Quarantine {
  private static final Logger LOG = LoggerFactory.getLogger(Quarantine.class);
  private static final byte[] PREFIX = Keys.setting("damaged/");
  private static final int TEXT = 400;

  /** More than this is a disk to be replaced, not a list to be worked off. */
  private static final int ENTRIES = 1 << 17;

  private final Tables tables;
  private final Map<Integer, NavigableMap<Long, Damage>> entries = new ConcurrentHashMap<>();
  private final AtomicInteger count = new AtomicInteger();
  private volatile Consumer<Hash> listener = capsule -> {};
  private volatile Consumer<Damage> suspects = damage -> {};

  Quarantine(Tables tables) throws RocksDBException {
    this.tables = tables;
    try (RocksIterator stored = tables.db.newIterator(tables.settings)) {
      for (stored.seek(PREFIX); stored.isValid(); stored.next()) {
        byte[] key = stored.key();
        if (key.length != PREFIX.length + 12
            || !Arrays.equals(key, 0, PREFIX.length, PREFIX, 0, PREFIX.length)) {
          break;
        }
        load(key, stored.value());
      }
      stored.status();
    }
    if (count() > 0) {
      LOG.warn("{} records are damaged and wait to be repaired", count());
    }
  }

  private void load(byte[] key, byte[] value) {
    ByteBuffer at = ByteBuffer.wrap(key, PREFIX.length, 12);
    int capsule = at.getInt();
    long arrival = at.getLong();
    try {
      Decoder in = new Decoder(value, "note of damage");
      Damage.Part part = Damage.Part.read(in);
      long found = in.u64();
      Hash name = in.u8() == 0 ? null : in.hash();
      remember(new Damage(capsule, arrival, name, part, in.text16(2 * TEXT), found));
    } catch (ProofException e) {
      throw new HoldfastException(
          ErrorCode.DAMAGED, "the list of damaged records is damaged: " + e.getMessage(), e);
    }
  }

  private static byte[] key(int capsule, long arrival) {
    return ByteBuffer.allocate(PREFIX.length + 12)
        .put(PREFIX)
        .putInt(capsule)
        .putLong(arrival)
        .array();
  }

  private static byte[] encode(Damage damage) {
    Encoder out = new Encoder().u8(damage.part().number()).u64(damage.foundMillis());
    Hash name = damage.name();
    if (name == null) {
      out.u8(0);
    } else {
      out.u8(1).hash(name);
    }
    byte[] text = damage.what().getBytes(StandardCharsets.US_ASCII);
    return out.bytes16(Arrays.copyOf(text, Math.min(TEXT, text.length))).toBytes();
  }

  private void remember(Damage damage) {
    Damage before =
        entries
            .computeIfAbsent(damage.capsule(), none -> new ConcurrentSkipListMap<>())
            .put(damage.arrival(), damage);
    if (before == null) {
      count.incrementAndGet();
    }
  }

  /** Damaged records of all capsules. */
  int count() {
    return count.get();
  }

  /** Damaged records of one capsule. */
  int count(int capsule) {
    NavigableMap<Long, Damage> of = entries.get(capsule);
    return of == null ? 0 : of.size();
  }

  /** What is wrong with a record; null when nothing is known to be. */
  @Nullable Damage find(int capsule, long arrival) {
    if (count.get() == 0) {
      return null;
    }
    NavigableMap<Long, Damage> of = entries.get(capsule);
    return of == null ? null : of.get(arrival);
  }

  /** Whether intact copies would mend something of a capsule. */
  boolean wantsCopies(int capsule) {
    NavigableMap<Long, Damage> of = entries.get(capsule);
    return of != null && of.values().stream().anyMatch(damage -> damage.part().mendedByCopy());
  }

  /** Sets who hears the names of capsules in which damage was found; must be quick. */
  void onNews(Consumer<Hash> hears) {
    listener = hears;
  }

  /** Sets who looks for the cause of what was found damaged; must be quick. */
  void onDamage(Consumer<Damage> hears) {
    suspects = hears;
  }

  /** Up to {@code limit} damaged records of a capsule, by arrival. */
  List<Damage> list(int capsule, int limit) {
    NavigableMap<Long, Damage> of = entries.get(capsule);
    List<Damage> found = new ArrayList<>();
    if (of != null) {
      of.values().stream().limit(limit).forEach(found::add);
    }
    return found;
  }

  /** Up to {@code limit} damaged records of all capsules. */
  List<Damage> some(int limit) {
    return entries.values().stream().flatMap(of -> of.values().stream()).limit(limit).toList();
  }

  /**
   * Notes damage; what was noted of the record before stays when it is worse.
   *
   * @param capsule the name of the capsule
   * @return whether that is news
   */
  boolean note(Hash capsule, Damage damage) {
    Damage before = find(damage.capsule(), damage.arrival());
    if (before != null && before.part().compareTo(damage.part()) <= 0) {
      return false;
    }
    if (before == null && count() >= ENTRIES) {
      LOG.error("more than {} records are damaged; no more are noted", ENTRIES);
      return false;
    }
    remember(damage);
    Hash name = damage.name();
    LOG.error(
        "record number {} ({}) of capsule {} is damaged and not served: {}",
        damage.arrival(),
        name == null ? "name not known" : name.brief(),
        capsule.brief(),
        damage.what());
    try {
      tables.db.put(tables.settings, key(damage.capsule(), damage.arrival()), encode(damage));
    } catch (RocksDBException e) {
      LOG.error("damage is noted in memory only: {}", e.getMessage());
    }
    suspects.accept(damage);
    listener.accept(capsule);
    return true;
  }

  /** Forgets damage that is no more. */
  void lift(int capsule, long arrival) {
    NavigableMap<Long, Damage> of = entries.get(capsule);
    if (of == null || of.remove(arrival) == null) {
      return;
    }
    count.decrementAndGet();
    LOG.info("record number {} (capsule number {}) is intact again", arrival, capsule);
    try {
      tables.db.delete(tables.settings, key(capsule, arrival));
    } catch (RocksDBException e) {
      LOG.error("that a record is intact again is noted in memory only: {}", e.getMessage());
    }
  }
}
