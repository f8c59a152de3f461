package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.rocksdb.RocksDBException;
import org.rocksdb.WriteOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens the store of a data folder: refuses one that has lost something, gets rid of tables that
 * are known to be rotten, begins a new one.
 */
final class Opening {
  private static final Logger LOG = LoggerFactory.getLogger(Opening.class);
  private static final byte[] FORMAT = Keys.setting("format");
  private static final byte FORMAT_VERSION = 1;

  private Opening() {}

  /** Opens; when a rotten table is in the way, once more without it, and so on. */
  static CapsuleStore open(Path dataFolder, StoreOptions options) {
    while (true) {
      try {
        return attempt(dataFolder, options);
      } catch (HoldfastException e) {
        if (!noted(dataFolder, e)) {
          throw e;
        }
        LOG.error("a rotten table is in the way, and is replaced: {}", e.getMessage());
      }
    }
  }

  /** Notes the table that a failure names, if it is rotten; false when that is not news. */
  private static boolean noted(Path dataFolder, HoldfastException e) {
    long number = TableFile.numberIn(e.getMessage());
    Path file = CapsuleStore.databaseFolder(dataFolder).resolve("%06d.sst".formatted(number));
    if (number < 0 || !Files.exists(file)) {
      return false;
    }
    try {
      List<RotNotes.Note> notes = new ArrayList<>(RotNotes.load(dataFolder));
      if (notes.stream().anyMatch(n -> n instanceof RotNotes.Rotten r && r.table() == number)
          || TableFile.rot(file) == null) {
        return false;
      }
      notes.add(new RotNotes.Rotten("start", number));
      RotNotes.save(dataFolder, notes);
      return true;
    } catch (IOException | RocksDBException also) {
      e.addSuppressed(also);
      return false;
    }
  }

  private static CapsuleStore attempt(Path dataFolder, StoreOptions options) {
    Path database = CapsuleStore.databaseFolder(dataFolder);
    Path markFile = CapsuleStore.markFile(dataFolder);
    SyncedMark mark = null;
    Tables tables = null;
    try {
      Files.createDirectories(database);
      if (!Files.exists(markFile)) {
        if (hasFiles(database)) {
          throw new HoldfastException(
              ErrorCode.DAMAGED,
              "of the database in " + dataFolder + " a part is missing: " + markFile);
        }
        SyncedMark.create(markFile, 0);
      }
      mark = SyncedMark.open(markFile);
      // Until the mark has moved nothing was promised: a first start may have been broken off.
      boolean fresh = mark.sequence() == 0;
      List<RotNotes.Note> salvaged = List.of();
      if (Files.exists(database.resolve("CURRENT"))) {
        Fsck.requireNothingLost(dataFolder, mark.sequence(), options);
        salvaged = RottenTables.run(dataFolder, options);
      } else if (!fresh) {
        throw new HoldfastException(
            ErrorCode.DAMAGED, "the database that belongs to " + markFile + " is gone");
      }
      tables = Tables.open(database, options, false);
      begin(dataFolder, tables, mark, fresh);
      CapsuleStore made = new CapsuleStore(dataFolder, options, tables, mark);
      // From here on they are the store's to close.
      tables = null;
      mark = null;
      try {
        finish(made, dataFolder, salvaged);
        made.lookIntoKnownDamage();
        return made;
      } catch (IOException | RocksDBException | RuntimeException | Error e) {
        made.close();
        throw e;
      }
    } catch (IOException | RocksDBException e) {
      closeAll(tables, mark);
      throw new HoldfastException(
          ErrorCode.INTERNAL,
          "cannot open the data folder " + dataFolder + ": " + e.getMessage(),
          e);
    } catch (RuntimeException | Error e) {
      closeAll(tables, mark);
      throw e;
    }
  }

  /** What may be lost with rotten tables is noted before anything is served; then all is done. */
  private static void finish(CapsuleStore store, Path dataFolder, List<RotNotes.Note> salvaged)
      throws IOException, RocksDBException {
    if (salvaged.isEmpty()) {
      return;
    }
    Aftermath.lookAt(store, salvaged);
    store.tables().db.syncWal();
    store.databaseWatch().done();
    LOG.info("the rotten tables of {} are replaced", dataFolder);
  }

  static void closeAll(@Nullable Tables tables, @Nullable SyncedMark mark) {
    if (tables != null) {
      tables.close();
    }
    try {
      if (mark != null) {
        mark.close();
      }
    } catch (IOException e) {
      LOG.warn("the synced mark was not closed", e);
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

  private static void begin(Path folder, Tables tables, SyncedMark mark, boolean fresh)
      throws RocksDBException, IOException {
    if (fresh) {
      keepFormat(tables);
      mark.move(tables.db.getLatestSequenceNumber());
    } else {
      byte[] format = tables.db.get(tables.settings, FORMAT);
      if (format == null || format[0] != FORMAT_VERSION) {
        throw new HoldfastException(
            ErrorCode.INVALID,
            "the data in " + folder + " has a format that this version does not read");
      }
    }
  }

  /** Notes the format of what is stored, where it is not noted. */
  static void keepFormat(Tables tables) throws RocksDBException {
    if (tables.db.get(tables.settings, FORMAT) == null) {
      try (WriteOptions sync = new WriteOptions().setSync(true)) {
        tables.db.put(tables.settings, sync, FORMAT, new byte[] {FORMAT_VERSION});
      }
    }
  }
}
