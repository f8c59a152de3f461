package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Metadata;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArraySet;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.rocksdb.ColumnFamilyHandle;
import org.rocksdb.CompactRangeOptions;
import org.rocksdb.FlushOptions;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.rocksdb.WriteBatch;
import org.rocksdb.WriteOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** All capsules of one node, in one folder. Safe for use by many threads. */
public final class CapsuleStore implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(CapsuleStore.class);
  private static final byte[] UNFREED = Keys.setting("unfreed");
  private static final byte[] NEXT_CAPSULE = Keys.setting("next-capsule");
  private static final byte[] IDENTITY = Keys.setting("identity");
  private static final byte[] FORMAT = Keys.setting("format");
  private static final byte FORMAT_VERSION = 1;
  private static final long SPACE_CHECK_NANOS = 50_000_000;

  private final Path folder;
  private final StoreOptions options;
  private final Tables tables;
  private final SyncedMark mark;
  private final RecordBlocks blocks;
  private final Bodies bodies;
  private final RecordCache cache;
  private final Committer committer;
  private final Map<Hash, StoredCapsule> capsules = new ConcurrentHashMap<>();
  private final Set<Consumer<StoredCapsule>> listeners = new CopyOnWriteArraySet<>();
  private final Object creating = new Object();
  private volatile @Nullable Consumer<String> onFailure;
  private volatile long spaceCheckedAt = System.nanoTime() - SPACE_CHECK_NANOS;

  private CapsuleStore(Path folder, StoreOptions options, Tables tables, SyncedMark mark) {
    this.folder = folder;
    this.options = options;
    this.tables = tables;
    this.mark = mark;
    this.blocks = new RecordBlocks(tables);
    this.bodies = new Bodies(tables);
    this.cache = new RecordCache(options.recordCacheBytes());
    this.committer = new Committer(this, mark);
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
    Path database = databaseFolder(dataFolder);
    SyncedMark mark = null;
    Tables tables = null;
    try {
      boolean existed = Files.exists(database.resolve("CURRENT"));
      boolean marked = Files.exists(markFile(dataFolder));
      if (existed != marked && (existed || hasFiles(database))) {
        throw new HoldfastException(
            ErrorCode.DAMAGED,
            "of the database in "
                + dataFolder
                + " a part is missing: "
                + (existed ? markFile(dataFolder) : database.resolve("CURRENT")));
      }
      if (marked && !existed) {
        throw new HoldfastException(
            ErrorCode.DAMAGED, "the database that belongs to " + markFile(dataFolder) + " is gone");
      }
      Files.createDirectories(database);
      if (existed) {
        Fsck.requireNothingLost(dataFolder, options);
      }
      tables = Tables.open(database, options, false);
      mark = SyncedMark.open(markFile(dataFolder));
      CapsuleStore store = new CapsuleStore(dataFolder, options, tables, mark);
      store.begin(!existed);
      return store;
    } catch (IOException | RocksDBException e) {
      if (tables != null) {
        tables.close();
      }
      throw new HoldfastException(
          ErrorCode.INTERNAL,
          "cannot open the data folder " + dataFolder + ": " + e.getMessage(),
          e);
    }
  }

  private static boolean hasFiles(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      return false;
    }
    try (var files = Files.list(folder)) {
      return files.findAny().isPresent();
    }
  }

  private void begin(boolean fresh) throws RocksDBException, IOException {
    if (fresh) {
      try (WriteOptions sync = new WriteOptions().setSync(true)) {
        tables.db.put(tables.settings, sync, FORMAT, new byte[] {FORMAT_VERSION});
      }
      mark.move(tables.db.getLatestSequenceNumber());
    } else {
      byte[] format = tables.db.get(tables.settings, FORMAT);
      if (format == null || format[0] != FORMAT_VERSION) {
        throw new HoldfastException(
            ErrorCode.INVALID,
            "the data in " + folder + " has a format that this version does not read");
      }
    }
    if (tables.db.get(tables.settings, UNFREED) != null) {
      LOG.info("finishing an erasure that was interrupted");
      freeErased(List.of());
    }
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

  void announce(StoredCapsule capsule) {
    for (Consumer<StoredCapsule> listener : listeners) {
      listener.accept(capsule);
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

  void noteUnfreed(WriteBatch batch) throws RocksDBException {
    batch.put(tables.settings, UNFREED, new byte[] {1});
  }

  /**
   * Makes the disk give up what was erased: the log by flushing, the tables by compacting every
   * level.
   *
   * @param then what to do when the bytes are gone
   */
  void freeErased(List<Runnable> then) {
    Thread.ofPlatform()
        .name("holdfast-erase")
        .start(() -> {
          try (CompactRangeOptions every =
                  new CompactRangeOptions()
                      .setBottommostLevelCompaction(
                          CompactRangeOptions.BottommostLevelCompaction.kForceOptimized);
              FlushOptions wait = new FlushOptions().setWaitForFlush(true)) {
            tables.db.flush(wait, tables.all());
            tables.db.compactRange(tables.bodies, null, null, every);
            tables.db.delete(tables.settings, UNFREED);
            then.forEach(Runnable::run);
          } catch (RocksDBException e) {
            LOG.error("erased data could not be freed; the next start tries again", e);
          }
        });
  }

  // ---- The store --------------------------------------------------------------------------------

  /** Tells of a failure after which nothing is written any more. */
  public void onFailure(Consumer<String> listener) {
    onFailure = listener;
  }

  /** Adds a listener that is told of every capsule in which something new is visible. */
  public void onChange(Consumer<StoredCapsule> listener) {
    listeners.add(listener);
  }

  /** Creates a capsule, durably; nothing happens when it is there already. */
  public StoredCapsule create(Metadata metadata, byte[] signature) throws ProofException {
    metadata.verifyCreation(signature);
    byte[] encoded = metadata.encode();
    Hash name = Metadata.nameOf(encoded);
    synchronized (creating) {
      StoredCapsule present = capsule(name);
      if (present != null) {
        return present;
      }
      requireSpace();
      try (WriteBatch batch = new WriteBatch();
          WriteOptions options = new WriteOptions()) {
        byte[] counter = tables.db.get(tables.settings, NEXT_CAPSULE);
        int number = counter == null ? 1 : ByteBuffer.wrap(counter).getInt();
        batch.put(tables.settings, NEXT_CAPSULE, ByteBuffer.allocate(4).putInt(number + 1).array());
        ByteBuffer value = ByteBuffer.allocate(4 + signature.length + encoded.length);
        value.putInt(number).put(signature).put(encoded);
        batch.put(tables.settings, Keys.capsule(name), value.array());
        tables.db.write(options, batch);
        return capsules.computeIfAbsent(name, n -> load(value.array()));
      } catch (RocksDBException e) {
        throw Tables.failure("cannot create the capsule", e);
      }
    }
  }

  /** The capsule of this name; null when it is not here. */
  public @Nullable StoredCapsule capsule(Hash name) {
    StoredCapsule known = capsules.get(name);
    if (known != null) {
      return known;
    }
    try {
      byte[] stored = tables.db.get(tables.settings, Keys.capsule(name));
      return stored == null ? null : capsules.computeIfAbsent(name, n -> load(stored));
    } catch (RocksDBException e) {
      throw Tables.failure("cannot look up capsule " + name.brief(), e);
    }
  }

  private StoredCapsule load(byte[] stored) {
    try {
      return new StoredCapsule(
          this,
          ByteBuffer.wrap(stored).getInt(),
          Arrays.copyOfRange(stored, 68, stored.length),
          Arrays.copyOfRange(stored, 4, 68));
    } catch (ProofException e) {
      throw new HoldfastException(
          ErrorCode.DAMAGED, "a stored capsule is damaged: " + e.getMessage(), e);
    }
  }

  /** Up to {@code limit} capsule names that begin with these hexadecimal digits. */
  public List<Hash> capsulesThatBegin(String hexPrefix, int limit) {
    List<Hash> names = new ArrayList<>();
    byte[] from = Keys.capsule(Hash.parse((hexPrefix + "0".repeat(64)).substring(0, 64)));
    try (RocksIterator entries = tables.db.newIterator(tables.settings)) {
      for (entries.seek(from); entries.isValid() && names.size() < limit; entries.next()) {
        byte[] key = entries.key();
        if (key[0] != 'c' || key.length != 33) {
          break;
        }
        Hash name = Hash.read(key, 1);
        if (!name.toString().startsWith(hexPrefix)) {
          break;
        }
        names.add(name);
      }
      entries.status();
    } catch (RocksDBException e) {
      throw Tables.failure("cannot list capsules", e);
    }
    return names;
  }

  /** Queues a batch; refuses it with {@link ErrorCode#BUSY} when too much waits. */
  public void submit(StoreBatch batch) {
    committer.submit(batch);
  }

  /** Runs something once everything that is visible now is durable. */
  public void whenSynced(Runnable then) {
    committer.whenSynced(then);
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

  /** Finishes what is queued, flushes and closes. */
  @Override
  public void close() {
    committer.close();
    try (FlushOptions wait = new FlushOptions().setWaitForFlush(true)) {
      if (!committer.failed()) {
        tables.db.flush(wait, tables.all());
        tables.db.syncWal();
        mark.move(tables.db.getLatestSequenceNumber());
      }
    } catch (RocksDBException | IOException e) {
      LOG.error("the store was not closed cleanly; the next start recovers it", e);
    }
    tables.close();
    try {
      mark.close();
    } catch (IOException e) {
      LOG.warn("the synced mark was not closed", e);
    }
  }
}
