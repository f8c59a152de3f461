package holdfast.store;

import holdfast.base.Closing;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Metadata;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.crypto.VerifyKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArraySet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.rocksdb.ColumnFamilyHandle;
import org.rocksdb.FlushOptions;
import org.rocksdb.RocksDBException;
import org.rocksdb.WriteBatch;
import org.rocksdb.WriteOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** All capsules of one node, in one folder. Safe for use by many threads. */
public final class CapsuleStore implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(CapsuleStore.class);
  static final byte[] NEXT_CAPSULE = Keys.setting("next-capsule");
  private static final byte[] IDENTITY = Keys.setting("identity");
  private static final long SPACE_CHECK_NANOS = 50_000_000;

  /** Of what was damaged before this start, so much is looked into again; there may be a lot. */
  private static final int SUSPECTS = 256;

  private final Path folder;
  private final StoreOptions options;
  private final Tables tables;
  private final SyncedMark mark;
  private final RecordBlocks blocks;
  private final Bodies bodies;
  private final RecordCache cache;
  private final Quarantine quarantine;
  private final Usage usage;
  private final DatabaseWatch databaseWatch;
  private final Freeing freeing;
  private final Committer committer;
  private final OpenCapsules capsules;
  private final Set<BiConsumer<StoredCapsule, List<Statement>>> listeners =
      new CopyOnWriteArraySet<>();
  private final Object creating = new Object();
  private final AtomicBoolean closed = new AtomicBoolean();
  private volatile @Nullable Consumer<String> onFailure;
  private volatile long spaceCheckedAt = System.nanoTime() - SPACE_CHECK_NANOS;

  CapsuleStore(Path folder, StoreOptions options, Tables tables, SyncedMark mark)
      throws RocksDBException {
    this.folder = folder;
    this.options = options;
    this.capsules = new OpenCapsules(options.capsuleBytes());
    this.tables = tables;
    this.mark = mark;
    this.blocks = new RecordBlocks(tables);
    this.bodies = new Bodies(tables);
    this.cache = new RecordCache(options.recordCacheBytes());
    this.quarantine = new Quarantine(tables);
    this.usage = new Usage(tables, options.ownerBytes());
    this.databaseWatch =
        new DatabaseWatch(tables, folder, () -> freeBytes() >= options.reserveBytes());
    quarantine.onDamage(databaseWatch::suspect);
    this.freeing = new Freeing(tables, databaseFolder(folder), databaseWatch::rotten);
    this.committer = new Committer(this, mark);
    databaseWatch.begin();
  }

  /** Where the database lies within a data folder. */
  public static Path databaseFolder(Path dataFolder) {
    return dataFolder.resolve("db");
  }

  static Path markFile(Path dataFolder) {
    return dataFolder.resolve("synced");
  }

  /**
   * Opens the store in a data folder, which is created when it does not exist.
   *
   * @throws HoldfastException {@link ErrorCode#DAMAGED} when less is there than was promised
   */
  public static CapsuleStore open(Path dataFolder, StoreOptions options) {
    return Opening.open(dataFolder, options);
  }

  // ---- For the rest of the package ------------------------------------------------------------

  Tables tables() {
    return tables;
  }

  StoreOptions options() {
    return options;
  }

  RecordBlocks blocks() {
    return blocks;
  }

  Bodies bodies() {
    return bodies;
  }

  RecordCache cache() {
    return cache;
  }

  void announce(StoredCapsule capsule, List<Statement> statements) {
    for (BiConsumer<StoredCapsule, List<Statement>> listener : listeners) {
      try {
        listener.accept(capsule, statements);
      } catch (RuntimeException e) {
        LOG.error("a listener failed at news of capsule {}", capsule.name().brief(), e);
      }
    }
  }

  void stopped(String reason) {
    Consumer<String> listener = onFailure;
    if (listener != null) {
      listener.accept(reason);
    }
  }

  /**
   * Refuses writes while the disk is nearly full, so that the database never meets the end itself.
   */
  void requireSpace() {
    if (System.nanoTime() - spaceCheckedAt < SPACE_CHECK_NANOS) {
      return;
    }
    long free = freeBytes();
    if (free < options.reserveBytes()) {
      throw new HoldfastException(
          ErrorCode.DISK_FULL,
          "the disk of the server is full: "
              + free / (1 << 20)
              + " MiB are free, "
              + options.reserveBytes() / (1 << 20)
              + " MiB are kept in reserve; reads go on");
    }
    spaceCheckedAt = System.nanoTime();
  }

  /** Closes the file of the mark, so that the next sync fails: for tests of that. */
  void breakMark() throws IOException {
    mark.close();
  }

  Freeing freeing() {
    return freeing;
  }

  OpenCapsules open() {
    return capsules;
  }

  Quarantine quarantine() {
    return quarantine;
  }

  DatabaseWatch databaseWatch() {
    return databaseWatch;
  }

  /** Has the tables looked at behind what was damaged before this start, as far as it still is. */
  void lookIntoKnownDamage() {
    quarantine.some(SUSPECTS).forEach(databaseWatch::known);
  }

  // ---- The store --------------------------------------------------------------------------------

  /** Tells of a failure after which nothing is written any more. */
  public void onFailure(Consumer<String> listener) {
    onFailure = listener;
  }

  /**
   * Adds a listener that is told of every capsule in which something new is visible, and of the
   * statements that came, in their order. Called on the thread that commits; must be quick.
   */
  public void onChange(BiConsumer<StoredCapsule, List<Statement>> listener) {
    listeners.add(listener);
  }

  /** Creates a capsule, durably; nothing happens when it is there already. */
  public StoredCapsule create(Metadata metadata, byte[] signature) throws ProofException {
    metadata.verifyCreation(signature);
    byte[] encoded = metadata.encode();
    Hash name = Metadata.nameOf(encoded);
    synchronized (creating) {
      StoredCapsule present = find(name);
      if (present != null) {
        return present;
      }
      if (committer.failed()) {
        throw new HoldfastException(ErrorCode.STOPPING, "the server is stopping");
      }
      requireSpace();
      try (WriteBatch batch = new WriteBatch();
          WriteOptions options = new WriteOptions()) {
        byte[] lost = tables.db.get(tables.settings, Keys.lost(name));
        byte[] counter = tables.db.get(tables.settings, NEXT_CAPSULE);
        int next = counter == null ? 1 : ByteBuffer.wrap(counter).getInt();
        int number = lost == null ? next : ByteBuffer.wrap(lost).getInt();
        if (lost == null) {
          batch.put(tables.settings, NEXT_CAPSULE, ByteBuffer.allocate(4).putInt(next + 1).array());
        } else {
          Aftermath.beforeReturn(tables, number);
          batch.delete(tables.settings, Keys.lost(name));
        }
        CapsuleEntry entry = CapsuleEntry.of(name, number, signature, encoded);
        batch.put(tables.settings, Keys.capsule(name), entry.stored());
        tables.db.write(options, batch);
        StoredCapsule made = capsules.get(name, () -> load(entry));
        if (lost != null) {
          scrubber().look(made, 0, Long.MAX_VALUE - 1);
        }
        return made;
      } catch (RocksDBException e) {
        throw Tables.failure("cannot create the capsule", e);
      }
    }
  }

  /** The capsule of this name; null when it is not here. */
  public @Nullable StoredCapsule capsule(Hash name) {
    StoredCapsule found = find(name);
    if (found == null && entryLost(name)) {
      throw new HoldfastException(
          ErrorCode.DAMAGED,
          "the entry of capsule "
              + name.brief()
              + " has rotted away; create or import the capsule again, its records are here");
    }
    return found;
  }

  private boolean entryLost(Hash name) {
    try {
      return tables.db.get(tables.settings, Keys.lost(name)) != null;
    } catch (RocksDBException e) {
      throw Tables.failure("cannot look up capsule " + name.brief(), e);
    }
  }

  private @Nullable StoredCapsule find(Hash name) {
    StoredCapsule known = capsules.find(name);
    if (known != null) {
      return known;
    }
    try {
      byte[] stored = tables.db.get(tables.settings, Keys.capsule(name));
      return stored == null ? null : capsules.get(name, () -> load(new CapsuleEntry(name, stored)));
    } catch (RocksDBException e) {
      throw Tables.failure("cannot look up capsule " + name.brief(), e);
    }
  }

  /** A capsule that was listed. */
  StoredCapsule require(Hash name) {
    StoredCapsule found = capsule(name);
    if (found == null) {
      throw new HoldfastException(
          ErrorCode.DAMAGED, "capsule " + name.brief() + " was listed and is not there");
    }
    return found;
  }

  private StoredCapsule load(CapsuleEntry entry) {
    try {
      return new StoredCapsule(this, entry);
    } catch (ProofException e) {
      throw damaged(e);
    }
  }

  private static VerifyKey ownerOf(CapsuleEntry entry) {
    try {
      return entry.metadata().owner();
    } catch (ProofException e) {
      throw damaged(e);
    }
  }

  private static HoldfastException damaged(ProofException e) {
    return new HoldfastException(
        ErrorCode.DAMAGED, "a stored capsule is damaged: " + e.getMessage(), e);
  }

  /** How many bytes of records owners have here, and may have. */
  public Usage usage() {
    return usage;
  }

  /** How many capsules each owner has here. */
  public Map<VerifyKey, Integer> capsulesByOwner() {
    Map<VerifyKey, Integer> counts = new HashMap<>();
    try {
      CapsuleEntry.visit(tables, entry -> counts.merge(ownerOf(entry), 1, Integer::sum));
    } catch (RocksDBException e) {
      throw Tables.failure("cannot list capsules", e);
    }
    return counts;
  }

  /** Up to {@code limit} capsule names that begin with these hexadecimal digits. */
  public List<Hash> capsulesThatBegin(String hexPrefix, int limit) {
    List<Hash> names = new ArrayList<>();
    Hash from = Hash.parse((hexPrefix + "0".repeat(64)).substring(0, 64));
    try {
      CapsuleEntry.visit(
          tables,
          tables.reads,
          from,
          entry ->
              names.size() < limit
                  && entry.name().toString().startsWith(hexPrefix)
                  && names.add(entry.name()));
    } catch (RocksDBException e) {
      throw Tables.failure("cannot list capsules", e);
    }
    return names;
  }

  /**
   * Capsules whose entries have rotted away while their records are here. Each is back when it is
   * created again.
   */
  public List<Hash> capsulesWithoutEntry() {
    try {
      return Listing.withoutEntry(tables);
    } catch (RocksDBException e) {
      throw Tables.failure("cannot list capsules", e);
    }
  }

  /** How many capsules are here. */
  public long capsuleCount() {
    try {
      byte[] counter = tables.db.get(tables.settings, NEXT_CAPSULE);
      return counter == null ? 0 : ByteBuffer.wrap(counter).getInt() - 1;
    } catch (RocksDBException e) {
      throw Tables.failure("cannot count capsules", e);
    }
  }

  /** What looks for damage in this store; it does nothing until it is started. */
  public Scrubber scrubber() {
    return new Scrubber(this);
  }

  /** Sets who hears of each capsule in which more damage was found; must be quick. */
  public void onDamage(Consumer<Hash> listener) {
    quarantine.onNews(listener);
  }

  /**
   * Sets who hears that the store should be opened anew, and why: that gets rid of a rotten table,
   * because of which tables are not merged any more, and of a database that a full disk has stopped
   * for good. Must be quick.
   */
  public void onRestartHelps(Consumer<String> listener) {
    databaseWatch.onRestartHelps(listener);
  }

  /** Whether to open the store anew gets rid of what keeps it from merging tables or writing. */
  public boolean restartHelps() throws InterruptedException {
    return databaseWatch.restartHelps();
  }

  /** Records of all capsules that are known to be damaged. */
  public int damagedCount() {
    return quarantine.count();
  }

  /**
   * Puts intact copies in the place of records that are damaged here, each once it is checked that
   * it is the record of that name; erased bodies stay erased. What is not damaged is not touched.
   * On return readers see the repaired records; {@link #whenSynced} says when they are durable.
   *
   * @return how many of them are intact now that were not before
   * @throws HoldfastException {@link ErrorCode#NOT_FOUND} for a record that was never here, {@link
   *     ErrorCode#INVALID} for one that lacks a body that is not erased
   * @throws ProofException when a copy is not what its name says
   */
  public int repair(StoredCapsule capsule, List<Record> copies) throws ProofException {
    return new Repair(this, capsule).repair(copies);
  }

  /** Queues a batch; refuses it with {@link ErrorCode#BUSY} when too much waits. */
  public void submit(StoreBatch batch) {
    committer.submit(batch);
  }

  /** Bytes of batches that wait to be durable. */
  public long pendingBytes() {
    return committer.waitingBytes();
  }

  /**
   * Runs something once everything that is visible now is durable.
   *
   * @param otherwise is told in its place when the store stops before
   * @throws HoldfastException {@link ErrorCode#STOPPING} when it has stopped; neither runs then
   */
  public void whenSynced(Runnable then, Consumer<HoldfastException> otherwise) {
    committer.whenSynced(then, otherwise);
  }

  /** Whether the store still writes. */
  public boolean writable() {
    return !committer.failed();
  }

  /** Free space on the disk, in bytes. */
  public long freeBytes() {
    return folder.toFile().getUsableSpace();
  }

  /** Bytes of the database's live tables. */
  public long dataBytes() {
    try {
      long sum = 0;
      for (ColumnFamilyHandle family : tables.all()) {
        sum += tables.db.getLongProperty(family, "rocksdb.live-sst-files-size");
        sum += tables.db.getLongProperty(family, "rocksdb.cur-size-all-mem-tables");
      }
      return sum;
    } catch (RocksDBException e) {
      throw Tables.failure("cannot ask for sizes", e);
    }
  }

  /**
   * Remembers the public key of the node at first, and checks that it is still the same later: a
   * rotten key file would otherwise make another node of it.
   */
  public void bindIdentity(byte[] publicKey) {
    try {
      byte[] known = tables.db.get(tables.settings, IDENTITY);
      if (known == null) {
        tables.db.put(tables.settings, IDENTITY, publicKey);
      } else if (!Arrays.equals(known, publicKey)) {
        throw new HoldfastException(
            ErrorCode.DAMAGED,
            "the identity key in "
                + folder
                + " is not the one this store was made with; restore it from a backup");
      }
    } catch (RocksDBException e) {
      throw Tables.failure("cannot check the node's identity", e);
    }
  }

  /**
   * Finishes what is queued, flushes and closes. Nothing else may be using the store any more; an
   * erasure whose bytes are still being freed is broken off and finished at the next start.
   */
  @Override
  public void close() {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    Closing.inTurn(
        committer, freeing, databaseWatch, this::flush, () -> Opening.closeAll(tables, mark));
  }

  private void flush() {
    try (FlushOptions wait = new FlushOptions().setWaitForFlush(true)) {
      if (!committer.failed()) {
        tables.db.flush(wait, tables.all());
        tables.db.syncWal();
        mark.move(tables.db.getLatestSequenceNumber());
      }
    } catch (RocksDBException | IOException e) {
      LOG.error("the store was not closed cleanly; the next start recovers it", e);
    }
  }
}
