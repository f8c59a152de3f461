package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.rocksdb.LiveFileMetaData;
import org.rocksdb.MutableColumnFamilyOptions;
import org.rocksdb.RocksDBException;
import org.rocksdb.WriteBatch;
import org.rocksdb.WriteOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds, while the store is served, what only opening it anew mends: a database that a full disk
 * has stopped for good, and tables that are rotten, behind damage that the scrubber or a read has
 * met or a compaction has. A rotten table is noted for the next start, which gets rid of it ({@link
 * RottenTables}); until then its family merges no tables, so that no compaction meets the rot and
 * stops the writing.
 *
 * <p>Files are read on a thread of its own. Damage that no file accounts for is not its affair,
 * unless it is of a record graph: that is noted to be derived anew.
 */
final class DatabaseWatch implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(DatabaseWatch.class);

  /** For so long a table that was found sound is not read again. */
  private static final long SOUND_NANOS = TimeUnit.MINUTES.toNanos(10);

  private static final long ASK_SECONDS = 5;

  /** So often it is asked before a database that has room and writes nothing is given up. */
  private static final int ASKED_FOR_ROOM = 3;

  private final Tables tables;
  private final Path dataFolder;
  private final BooleanSupplier room;
  private final ScheduledExecutorService thread =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("holdfast-rot").daemon(true).factory());
  private volatile @Nullable ScheduledFuture<?> asking;
  private final List<RotNotes.Note> before = new ArrayList<>();
  private final List<RotNotes.Note> notes = new ArrayList<>();
  private final Map<Long, Long> soundAtNanos = new HashMap<>();
  private volatile boolean notesSaved = true;

  /** Which rotten tables are to be told of once they are noted. */
  private final List<String> untold = new ArrayList<>();

  private long failuresSeen;

  /** The database has refused a write for want of room, and was not seen to write since. */
  private volatile boolean refused;

  private int refusedWithRoom;

  /** A rotten table waits for the next start. */
  private volatile boolean rotten;

  /** The database writes nothing any more, although there is room. */
  private volatile boolean stuck;

  private volatile Consumer<String> listener = message -> {};

  /**
   * A watch that keeps the notes which are being worked off, until they are {@link #done}.
   *
   * @param room whether the disk has room to write
   */
  DatabaseWatch(Tables tables, Path dataFolder, BooleanSupplier room) {
    this.tables = tables;
    this.dataFolder = dataFolder;
    this.room = room;
    try {
      before.addAll(RotNotes.load(dataFolder));
    } catch (IOException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "cannot read notes of rotten tables", e);
    }
  }

  /** Begins to ask the database now and then how it is. To be called when all else is open. */
  void begin() {
    asking =
        thread.scheduleWithFixedDelay(
            () -> run(this::ask), ASK_SECONDS, ASK_SECONDS, TimeUnit.SECONDS);
  }

  /** Sets who hears that a restart helps, and with what; must be quick. */
  void onRestartHelps(Consumer<String> hears) {
    listener = hears;
  }

  /** Whether another start would mend something, after all that was met has been looked at. */
  boolean restartHelps() throws InterruptedException {
    CountDownLatch looked = new CountDownLatch(1);
    try {
      later(this::ask);
      thread.execute(looked::countDown);
      looked.await();
    } catch (RejectedExecutionException e) {
      LOG.debug("closed; what was found stands");
    }
    return (rotten && notesSaved) || stuck;
  }

  /**
   * Asks the database whether it has failed at something by itself, and looks at the table that it
   * names if that was rot. It is asked, because of the failures that it would tell by itself some
   * end the process on their way through its Java interface.
   */
  private void ask() throws RocksDBException {
    saveNotes();
    askForRoom();
    long failures = tables.db.getLongProperty("rocksdb.background-errors");
    if (failures == failuresSeen) {
      return;
    }
    try (WriteBatch nothing = new WriteBatch();
        WriteOptions unsynced = new WriteOptions()) {
      tables.db.write(unsynced, nothing);
    } catch (RocksDBException e) {
      if (TableFile.isRot(e)) {
        failed(String.valueOf(e.getMessage()));
      }
    }
    // Last: what could not be looked at now is looked at again.
    failuresSeen = failures;
  }

  /** The database has refused a write for want of room. */
  void refusedForRoom() {
    refused = true;
  }

  /**
   * After a full disk the database mostly goes on by itself once there is room. Where its log could
   * not be appended to it may refuse for ever, and only opening it anew helps.
   */
  private void askForRoom() throws RocksDBException {
    if (!refused || !room.getAsBoolean()) {
      refusedWithRoom = 0;
      return;
    }
    try (WriteBatch nothing = new WriteBatch();
        WriteOptions unsynced = new WriteOptions()) {
      tables.db.write(unsynced, nothing);
      refused = false;
      refusedWithRoom = 0;
    } catch (RocksDBException e) {
      if (++refusedWithRoom == ASKED_FOR_ROOM) {
        LOG.error("the disk has room again, and the database writes nothing: {}", e.getMessage());
        stuck = true;
        listener.accept("the disk was full, and the database does not go on by itself");
      }
    }
  }

  private void failed(String message) {
    LOG.error(
        "the database met rot when it merged its tables, and writes nothing until the next start;"
            + " reading goes on: {}",
        message);
    long number = TableFile.numberIn(message);
    List<LiveFileMetaData> all = tables.db.getLiveFilesMetaData();
    List<LiveFileMetaData> named = new ArrayList<>(all);
    named.removeIf(table -> TableFile.numberIn(table.fileName()) != number);
    if (!check(named)) {
      check(all);
    }
  }

  /** A record is damaged; is it for the rot of a table? */
  void suspect(Damage damage) {
    later(() -> {
      boolean rotten = check(candidates(damage));
      if (!rotten && damage.part() == Damage.Part.GRAPH) {
        note(new RotNotes.Graph(damage.capsule()));
      }
    });
  }

  /** A record was damaged before this start; a crash may have come before its table was noted. */
  void known(Damage damage) {
    later(() -> check(candidates(damage)));
  }

  private interface Look {
    void run() throws RocksDBException;
  }

  private void later(Look look) {
    try {
      thread.execute(() -> run(look));
    } catch (RejectedExecutionException e) {
      LOG.debug("closed; the next start finds it again");
    }
  }

  private static void run(Look look) {
    try {
      look.run();
    } catch (RocksDBException | RuntimeException | Error e) {
      // What is done at intervals would never be done again.
      LOG.error("tables that may be rotten cannot be looked at", e);
    }
  }

  /** The tables in which what is damaged of a record may lie. */
  private List<LiveFileMetaData> candidates(Damage damage) {
    int capsule = damage.capsule();
    long arrival = damage.arrival();
    byte[] none = new byte[0];
    Map<String, byte[][]> keys = new HashMap<>();
    byte[] block = Keys.record(capsule, arrival >>> RecordBlocks.SHIFT);
    byte[][] all = {Keys.within(capsule, none, 0), Keys.within(capsule + 1, none, 0)};
    Hash name = damage.name();
    if (name != null) {
      byte[] named = Keys.within(capsule, name.toBytes(), 0);
      keys.put(Tables.NAMES, new byte[][] {named, named});
    }
    switch (damage.part()) {
      case HEADER -> keys.put(Tables.HEADERS, new byte[][] {block, block});
      case GRAPH -> {
        keys.put(Tables.GRAPH, all);
        keys.put(Tables.NAMES, all);
      }
      case SIGNATURE ->
          keys.put(
              Tables.STATEMENTS,
              new byte[][] {
                Keys.signature(capsule, arrival, 0), Keys.signature(capsule, arrival + 1, 0)
              });
      case BODY -> {
        keys.put(Tables.HEADERS, new byte[][] {block, block});
        keys.put(
            Tables.BODIES,
            new byte[][] {Keys.chunk(capsule, arrival, 0), Keys.chunk(capsule, arrival + 1, 0)});
      }
    }
    List<LiveFileMetaData> found = new ArrayList<>();
    for (LiveFileMetaData table : tables.db.getLiveFilesMetaData()) {
      byte[][] range = keys.get(family(table));
      if (range != null
          && Arrays.compareUnsigned(table.smallestKey(), range[1]) <= 0
          && Arrays.compareUnsigned(table.largestKey(), range[0]) >= 0) {
        found.add(table);
      }
    }
    return found;
  }

  private static String family(LiveFileMetaData table) {
    return new String(table.columnFamilyName(), StandardCharsets.US_ASCII);
  }

  /** Reads tables from the disk and notes those that are rotten; says whether any is. */
  private boolean check(List<LiveFileMetaData> candidates) {
    boolean found = false;
    for (LiveFileMetaData table : candidates) {
      long number = TableFile.numberIn(table.fileName());
      Long sound = soundAtNanos.get(number);
      if (sound != null && System.nanoTime() - sound < SOUND_NANOS) {
        continue;
      }
      RotNotes.Rotten noted = new RotNotes.Rotten(family(table), number);
      if (notes.contains(noted)) {
        found = true;
        continue;
      }
      String rot = rot(table);
      if (rot == null) {
        soundAtNanos.put(number, System.nanoTime());
      } else {
        found = true;
        rotten = true;
        rest(noted);
        LOG.error(
            "table {} of {} is rotten; the next start of the server replaces it: {}",
            number,
            noted.family(),
            rot);
        untold.add("table " + number + " of " + noted.family() + " is rotten");
        note(noted);
      }
    }
    return found;
  }

  private @Nullable String rot(LiveFileMetaData table) {
    try {
      return TableFile.rot(RottenTables.fileOf(table));
    } catch (RocksDBException e) {
      // Merged with others meanwhile, or the disk does not answer: neither says that it is rotten.
      LOG.info("table {} cannot be looked at: {}", table.fileName(), e.getMessage());
      return null;
    }
  }

  /** Has a family merge no tables. One that a compaction has failed at does so by itself. */
  private void rest(RotNotes.Rotten table) {
    try {
      tables.db.setOptions(
          tables.family(table.family()),
          MutableColumnFamilyOptions.builder().setDisableAutoCompactions(true).build());
    } catch (RocksDBException e) {
      LOG.warn("compaction of {} goes on: {}", table.family(), e.getMessage());
    }
  }

  /** All that was noted before this start is done; what was met since stands. */
  synchronized void done() throws IOException {
    before.clear();
    save();
  }

  /**
   * Notes what the next start has to do. Where it cannot be written now it is written later, and
   * told then: a start that finds no note mends nothing, and the server would start again and
   * again.
   */
  private synchronized void note(RotNotes.Note note) {
    if (!notes.contains(note)) {
      notes.add(note);
      notesSaved = false;
      saveNotes();
    }
  }

  private synchronized void saveNotes() {
    if (!notesSaved) {
      try {
        save();
        notesSaved = true;
        untold.forEach(listener);
        untold.clear();
      } catch (IOException e) {
        LOG.error("what the next start has to do is not written yet: {}", e.getMessage());
      }
    }
  }

  private void save() throws IOException {
    List<RotNotes.Note> all = new ArrayList<>(before);
    all.addAll(notes);
    RotNotes.save(dataFolder, all);
  }

  /** Whether rotten tables are known, so that nothing is to be compacted. */
  boolean rotten() {
    return rotten;
  }

  /** Finishes what was met. To be called before the database closes. */
  @Override
  public void close() {
    ScheduledFuture<?> begun = asking;
    if (begun != null) {
      begun.cancel(false);
    }
    later(this::ask);
    Finishing.finish(thread);
  }
}
