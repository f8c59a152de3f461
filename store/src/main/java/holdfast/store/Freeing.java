package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.rocksdb.CompactRangeOptions;
import org.rocksdb.FlushOptions;
import org.rocksdb.LiveFileMetaData;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.rocksdb.WriteBatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes the disk give up what was erased: the log by flushing, the tables by compacting the keys
 * concerned down to the last level, and then waiting until the old files are deleted.
 *
 * <p>A note of the keys is committed together with each erasure and removed when the bytes are
 * gone, so that a start after a crash finishes what was begun. Notes have numbers of their own: one
 * erasure being freed never takes away the note of the next.
 */
final class Freeing implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Freeing.class);
  private static final byte[] NOTES = Keys.setting("unfreed/");
  private static final long PURGE_SECONDS = 60;
  private static final long LOOK_MILLIS = 10;

  /** After so many looks the database is asked once more to delete what it does not need. */
  private static final int LOOKS = 20;

  private final Tables tables;
  private final Path database;
  private final BooleanSupplier rotten;
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(Thread.ofPlatform().name("holdfast-erase").factory());
  private @Nullable CompactRangeOptions running;
  private boolean closed;
  private long nextNote;

  @SuppressWarnings("ArrayRecordComponent") // lives within this class
  private record Note(byte[] key, byte[] from, byte[] to) {}

  /**
   * Begins with what was left to be freed.
   *
   * @param rotten whether a table is known to be rotten, so that nothing may be compacted
   */
  Freeing(Tables tables, Path database, BooleanSupplier rotten) throws RocksDBException {
    this.tables = tables;
    this.rotten = rotten;
    this.database = database;
    List<Note> left = notes(tables);
    if (!left.isEmpty()) {
      nextNote = numberOf(left.getLast()) + 1;
      LOG.info("finishing {} erasures that were interrupted", left.size());
      free(reason -> {});
    }
  }

  /** Notes, in the write batch that erases them, which bodies are to be freed. */
  void note(WriteBatch batch, int capsule, long leastArrival, long greatestArrival)
      throws RocksDBException {
    note(tables, batch, nextNote++, capsule, leastArrival, greatestArrival);
  }

  /** Notes, in a database at rest, which bodies the next start is to free. */
  static void noteAtRest(
      Tables tables, WriteBatch batch, int capsule, long leastArrival, long greatestArrival)
      throws RocksDBException {
    List<Note> left = notes(tables);
    long number = left.isEmpty() ? 0 : numberOf(left.getLast()) + 1;
    note(tables, batch, number, capsule, leastArrival, greatestArrival);
  }

  private static long numberOf(Note note) {
    return ByteBuffer.wrap(note.key(), NOTES.length, 8).getLong();
  }

  private static void note(
      Tables tables,
      WriteBatch batch,
      long number,
      int capsule,
      long leastArrival,
      long greatestArrival)
      throws RocksDBException {
    byte[] key = ByteBuffer.allocate(NOTES.length + 8).put(NOTES).putLong(number).array();
    byte[] range =
        ByteBuffer.allocate(32)
            .put(Keys.chunk(capsule, leastArrival, 0))
            .put(Keys.chunk(capsule, greatestArrival + 1, 0))
            .array();
    batch.put(tables.settings, key, range);
  }

  private static List<Note> notes(Tables tables) throws RocksDBException {
    List<Note> found = new ArrayList<>();
    try (RocksIterator entries = tables.db.newIterator(tables.settings)) {
      for (entries.seek(NOTES); entries.isValid(); entries.next()) {
        byte[] key = entries.key();
        if (key.length != NOTES.length + 8
            || !Arrays.equals(key, 0, NOTES.length, NOTES, 0, NOTES.length)) {
          break;
        }
        byte[] range = entries.value();
        found.add(new Note(key, Arrays.copyOf(range, 16), Arrays.copyOfRange(range, 16, 32)));
      }
      entries.status();
    }
    return found;
  }

  /**
   * Frees everything noted so far.
   *
   * @param then is told when the bytes are gone (null), or why they are not
   */
  void free(Consumer<@Nullable HoldfastException> then) {
    try {
      thread.execute(() -> {
        HoldfastException failure = null;
        try {
          freeNow();
        } catch (HoldfastException e) {
          failure = interrupted(e);
          LOG.warn("the next start frees what was erased: {}", e.getMessage());
        } catch (RocksDBException | RuntimeException | Error e) {
          // Whatever it was: who erased something waits to hear of it.
          failure = interrupted(Tables.failure("erased data could not be freed", e));
          LOG.error("the next start frees what was erased", e);
        }
        then.accept(failure);
      });
    } catch (RejectedExecutionException e) {
      then.accept(new HoldfastException(ErrorCode.STOPPING, "the server is stopping", e));
    }
  }

  private synchronized HoldfastException interrupted(HoldfastException e) {
    return closed ? new HoldfastException(ErrorCode.STOPPING, "the server is stopping", e) : e;
  }

  private void freeNow() throws RocksDBException {
    try (CompactRangeOptions every =
            new CompactRangeOptions()
                .setBottommostLevelCompaction(
                    CompactRangeOptions.BottommostLevelCompaction.kForceOptimized);
        FlushOptions wait = new FlushOptions().setWaitForFlush(true)) {
      begin(every);
      try {
        freeNoted(every, wait);
      } finally {
        // Before the options are closed: closing the store would cancel what is no more.
        end();
      }
    }
  }

  private void freeNoted(CompactRangeOptions every, FlushOptions wait) throws RocksDBException {
    List<Note> notes = notes(tables);
    if (notes.isEmpty()) {
      return;
    }
    if (rotten.getAsBoolean()) {
      throw new HoldfastException(
          ErrorCode.BUSY,
          "a table of the database is rotten; erased bytes are freed once it is replaced, at the"
              + " next start of the server");
    }
    Set<String> logs = files(".log");
    tables.db.flush(wait, tables.all());
    Set<String> before = files(".sst");
    for (Note note : notes) {
      tables.db.compactRange(tables.bodies, note.from(), note.to(), every);
      tables.db.compactRange(
          tables.headers, RecordBlocks.keyAt(note.from()), RecordBlocks.keyAt(note.to()), every);
    }
    awaitDeletion(before, logs);
    for (Note note : notes) {
      tables.db.delete(tables.settings, note.key());
    }
  }

  private synchronized void begin(CompactRangeOptions options) {
    if (closed) {
      throw new HoldfastException(ErrorCode.STOPPING, "the server is stopping");
    }
    running = options;
  }

  private synchronized void end() {
    running = null;
  }

  private synchronized boolean stopping() {
    return closed;
  }

  private Set<String> files(String ending) {
    Set<String> names = new HashSet<>();
    try (var files = Files.newDirectoryStream(database, "*" + ending)) {
      files.forEach(file -> names.add(String.valueOf(file.getFileName())));
    } catch (IOException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "cannot list " + database, e);
    }
    return names;
  }

  /**
   * RocksDB deletes files a little later, and not while somebody reads them. A single read that was
   * under way when the tables were merged keeps the old ones from being deleted then, and does not
   * delete them itself when it ends: that would wait for the next flush or merging, which may never
   * come. So it is asked for again.
   */
  private void awaitDeletion(Set<String> tablesBefore, Set<String> logsBefore)
      throws RocksDBException {
    long firstLog = tables.db.getLongProperty("rocksdb.min-log-number-to-keep");
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PURGE_SECONDS);
    for (int look = 1; ; look++) {
      Set<String> left = files(".sst");
      left.retainAll(tablesBefore);
      for (LiveFileMetaData live : tables.db.getLiveFilesMetaData()) {
        left.remove(live.fileName().substring(1));
      }
      Set<String> logs = files(".log");
      logs.retainAll(logsBefore);
      logs.removeIf(name -> Long.parseLong(name.substring(0, name.length() - 4)) >= firstLog);
      left.addAll(logs);
      if (left.isEmpty()) {
        return;
      }
      if (stopping() || System.nanoTime() > deadline) {
        throw new HoldfastException(
            ErrorCode.INTERNAL, "files with erased data are still in use: " + left);
      }
      if (look % LOOKS == 0) {
        deleteUnneeded();
      }
      try {
        Thread.sleep(LOOK_MILLIS);
      } catch (InterruptedException e) {
        throw new HoldfastException(ErrorCode.STOPPING, "the server is stopping", e);
      }
    }
  }

  /**
   * Has the database look for files that it does not need: it does when deleting is allowed again.
   */
  private void deleteUnneeded() throws RocksDBException {
    tables.db.disableFileDeletions();
    tables.db.enableFileDeletions();
  }

  /** Breaks off what is under way; the next start goes on with it. */
  @Override
  public void close() {
    synchronized (this) {
      closed = true;
      if (running != null) {
        running.setCanceled(true);
      }
    }
    Finishing.finish(thread);
  }
}
