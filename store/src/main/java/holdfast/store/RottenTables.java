package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.rocksdb.ColumnFamilyHandle;
import org.rocksdb.FlushOptions;
import org.rocksdb.LiveFileMetaData;
import org.rocksdb.RocksDBException;
import org.rocksdb.WriteBatch;
import org.rocksdb.WriteOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gets rid of tables in which blocks are rotten, before the store is served. As long as such a
 * table belongs to the database, the compaction that meets it stops all writing.
 *
 * <ol>
 *   <li><em>RottenTables</em>: every key that can be read in the table is written anew with the
 *       value that the whole database has for it. What the database answers is the same before and
 *       after; but now nothing depends on the table, apart from what cannot be read and from
 *       deletions.
 *   <li><em>Note</em> what could not be read, and make all that durable.
 *   <li><em>Take the table from the list</em> ({@link Manifest}).
 *   <li><em>Look after</em> what it leaves ({@link Aftermath}): without it older values may show,
 *       and what only the rotten block held is missing.
 * </ol>
 *
 * <p>Each step can be done again from its beginning: a crash in any of them leaves the notes, and
 * the next start goes on.
 */
final class RottenTables implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RottenTables.class);
  private static final long BATCH_BYTES = 1 << 20;

  private final Path dataFolder;
  private final Tables tables;
  private final Map<Long, LiveFileMetaData> live = new HashMap<>();
  private final Deque<Long> waiting = new ArrayDeque<>();
  private final Map<Long, RotNotes.Salvaged> done = new LinkedHashMap<>();
  private final SortedSet<Integer> graphs = new TreeSet<>();
  private WriteBatch batch = new WriteBatch();

  private RottenTables(Path dataFolder, Tables tables) {
    this.dataFolder = dataFolder;
    this.tables = tables;
    for (LiveFileMetaData one : tables.db.getLiveFilesMetaData()) {
      live.put(TableFile.numberIn(one.fileName()), one);
    }
  }

  /**
   * Reads all tables of a database at rest and notes the rotten ones, beside what is noted already.
   *
   * @return how many are rotten
   */
  static int note(Path dataFolder, StoreOptions options, Consumer<String> says) throws IOException {
    List<RotNotes.Note> notes = new ArrayList<>(RotNotes.load(dataFolder));
    int found = 0;
    try (Tables tables = Tables.open(CapsuleStore.databaseFolder(dataFolder), options, true)) {
      for (LiveFileMetaData table : tables.db.getLiveFilesMetaData()) {
        String rot = TableFile.rot(fileOf(table));
        if (rot != null) {
          found++;
          long number = TableFile.numberIn(table.fileName());
          says.accept("table " + number + " of " + nameOf(table) + " is rotten: " + rot);
          if (notes.stream().noneMatch(one -> isOf(one, number))) {
            notes.add(new RotNotes.Rotten(nameOf(table), number));
          }
        }
      }
    } catch (RocksDBException e) {
      throw Tables.failure("cannot read the tables in " + dataFolder, e);
    }
    if (found > 0) {
      RotNotes.save(dataFolder, notes);
    }
    return found;
  }

  private static boolean isOf(RotNotes.Note note, long number) {
    return switch (note) {
      case RotNotes.Rotten rotten -> rotten.table() == number;
      case RotNotes.Salvaged salvaged -> salvaged.table() == number;
      case RotNotes.Graph graph -> false;
    };
  }

  /**
   * Does what the notes of a data folder ask for, up to where only a served store can go on.
   *
   * @return what is to be looked at then, by {@link Aftermath#lookAt}
   */
  static List<RotNotes.Note> run(Path dataFolder, StoreOptions options) throws IOException {
    List<RotNotes.Note> notes = RotNotes.load(dataFolder);
    if (notes.isEmpty()) {
      return notes;
    }
    List<Manifest.Table> gone = new ArrayList<>();
    List<RotNotes.Note> left = salvage(dataFolder, options, notes, gone);
    if (!gone.isEmpty()) {
      Manifest.remove(CapsuleStore.databaseFolder(dataFolder), gone);
    }
    restore(dataFolder, options, left);
    return left;
  }

  /**
   * Steps 1 and 2.
   *
   * @param gone takes the tables on which nothing depends any more
   * @return the notes for what follows
   */
  static List<RotNotes.Note> salvage(
      Path dataFolder, StoreOptions options, List<RotNotes.Note> notes, List<Manifest.Table> gone)
      throws IOException {
    try (Tables tables = Tables.openResting(CapsuleStore.databaseFolder(dataFolder), options);
        RottenTables salvage = new RottenTables(dataFolder, tables)) {
      List<RotNotes.Note> left = salvage.salvage(notes);
      for (RotNotes.Salvaged table : salvage.done.values()) {
        gone.add(salvage.place(table.table()));
      }
      RotNotes.save(dataFolder, left);
      return left;
    } catch (RocksDBException e) {
      throw Tables.failure("what is left of rotten tables cannot be written anew", e);
    }
  }

  /** Step 4, as far as it is done at rest. */
  private static void restore(Path dataFolder, StoreOptions options, List<RotNotes.Note> notes) {
    try (Tables tables = Tables.openResting(CapsuleStore.databaseFolder(dataFolder), options)) {
      requireGone(tables, notes);
      new Aftermath(tables).restore(notes);
      flush(tables);
    } catch (RocksDBException e) {
      throw Tables.failure("what rotten tables have left cannot be put in order", e);
    }
  }

  private static void flush(Tables tables) throws RocksDBException {
    try (FlushOptions wait = new FlushOptions().setWaitForFlush(true)) {
      tables.db.flush(wait, tables.all());
      tables.db.syncWal();
    }
  }

  private Manifest.Table place(long number) {
    LiveFileMetaData table = Objects.requireNonNull(live.get(number));
    return new Manifest.Table(family(table).getID(), table.level(), number);
  }

  private ColumnFamilyHandle family(LiveFileMetaData table) {
    return tables.family(nameOf(table));
  }

  private static String nameOf(LiveFileMetaData table) {
    return new String(table.columnFamilyName(), java.nio.charset.StandardCharsets.US_ASCII);
  }

  static Path fileOf(LiveFileMetaData table) {
    return Path.of(table.path(), table.fileName());
  }

  private static void requireGone(Tables tables, List<RotNotes.Note> notes) {
    for (LiveFileMetaData one : tables.db.getLiveFilesMetaData()) {
      long number = TableFile.numberIn(one.fileName());
      if (notes.stream().anyMatch(n -> n instanceof RotNotes.Salvaged s && s.table() == number)) {
        throw new HoldfastException(
            ErrorCode.INTERNAL, "table " + number + " still belongs to the database");
      }
    }
  }

  private List<RotNotes.Note> salvage(List<RotNotes.Note> notes)
      throws RocksDBException, IOException {
    List<RotNotes.Note> left = new ArrayList<>();
    for (RotNotes.Note note : notes) {
      switch (note) {
        case RotNotes.Rotten rotten -> waiting.add(rotten.table());
        case RotNotes.Graph graph -> graphs.add(graph.capsule());
        case RotNotes.Salvaged before -> {
          // Still there: the list was not changed, and the database may have been served since.
          if (live.containsKey(before.table())) {
            waiting.add(before.table());
          } else {
            left.add(before);
          }
        }
      }
    }
    for (Long number = waiting.poll(); number != null; number = waiting.poll()) {
      LiveFileMetaData table = live.get(number);
      if (table == null || done.containsKey(number)) {
        continue;
      }
      String rot = TableFile.rot(fileOf(table));
      if (rot == null) {
        LOG.warn("table {} was noted as rotten; now all of it can be read", number);
      } else {
        done.put(number, salvage(number, table, rot));
      }
    }
    write();
    flush(tables);
    left.addAll(done.values());
    graphs.forEach(capsule -> left.add(new RotNotes.Graph(capsule)));
    return left;
  }

  /** Writes anew what can be read of a table. */
  private RotNotes.Salvaged salvage(long number, LiveFileMetaData table, String rot)
      throws RocksDBException {
    String family = nameOf(table);
    ColumnFamilyHandle handle = family(table);
    long[] entries = {0};
    List<TableFile.Gap> gaps =
        TableFile.read(
            fileOf(table),
            table.smallestKey(),
            table.largestKey(),
            (key, value) -> {
              entries[0]++;
              byte[] shown = shown(handle, key, value);
              if (shown != null) {
                put(handle, key, shown);
              }
              touched(family, key, key);
            });
    gaps.forEach(gap -> touched(family, gap.from(), gap.to()));
    if (family.equals(Tables.SETTINGS)) {
      keepDeleted(number);
    }
    LOG.warn(
        "table {} of {} in {} is rotten ({}): {} entries are written anew, {} pieces are lost",
        number,
        family,
        dataFolder,
        rot,
        entries[0],
        gaps.size());
    return new RotNotes.Salvaged(
        family,
        number,
        table.numDeletions() > 0,
        table.smallestKey(),
        table.largestKey(),
        List.copyOf(gaps));
  }

  /**
   * The value that the database has for a key of the table; null when it is deleted. Where a newer
   * one is rotten in its turn, the table's own is the best that is left.
   */
  private byte @Nullable [] shown(ColumnFamilyHandle family, byte[] key, byte[] own)
      throws RocksDBException {
    try {
      return tables.db.get(family, tables.passing, key);
    } catch (RocksDBException e) {
      if (!TableFile.isRot(e)) {
        throw e;
      }
      waiting.add(TableFile.numberIn(e.getMessage()));
      return own;
    }
  }

  /** What a graph's table held is derived anew: its heads and holes come and go by deletions. */
  private void touched(String family, byte[] from, byte[] to) {
    if (family.equals(Tables.GRAPH)) {
      int last = capsuleOf(to);
      for (int capsule = capsuleOf(from); capsule <= last; capsule++) {
        graphs.add(capsule);
      }
    }
  }

  /** The number of the capsule to which a key belongs. */
  static int capsuleOf(byte[] key) {
    return ByteBuffer.wrap(Arrays.copyOf(key, 4)).getInt();
  }

  /**
   * Settings are few: what another table has and the database does not show is deleted, and stays
   * deleted when this table is gone.
   */
  private void keepDeleted(long number) throws RocksDBException {
    for (Map.Entry<Long, LiveFileMetaData> other : live.entrySet()) {
      LiveFileMetaData table = other.getValue();
      if (other.getKey() != number && nameOf(table).equals(Tables.SETTINGS)) {
        TableFile.read(
            fileOf(table),
            table.smallestKey(),
            table.largestKey(),
            (key, value) -> {
              if (shown(tables.settings, key, value) == null) {
                batch.delete(tables.settings, key);
              }
            });
      }
    }
  }

  private void put(ColumnFamilyHandle family, byte[] key, byte[] value) throws RocksDBException {
    batch.put(family, key, value);
    if (batch.getDataSize() >= BATCH_BYTES) {
      write();
    }
  }

  private void write() throws RocksDBException {
    try (WriteOptions unsynced = new WriteOptions()) {
      tables.db.write(unsynced, batch);
    }
    batch.close();
    batch = new WriteBatch();
  }

  @Override
  public void close() {
    batch.close();
  }
}
