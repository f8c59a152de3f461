package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.rocksdb.ColumnFamilyHandle;
import org.rocksdb.FlushOptions;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.rocksdb.WriteBatch;
import org.rocksdb.WriteOptions;

/**
 * Writes the database of a stopped server anew, without the blocks on disk that cannot be read. A
 * database with such a block cannot be mended in place: what is written over it lies above it, and
 * the first compaction that meets the block fails.
 *
 * <p>What stood in the damaged blocks is missing then, and is found to be, record by record, by the
 * check that follows. The old database stays beside the new one, for whoever wants to look at it.
 * The list of capsules and the record graph must be whole: a graph with gaps could not be told from
 * a sound one of fewer records.
 *
 * <p>Breaking off is harmless. Until the new database is complete and has its mark, the next
 * attempt goes back to the old one:
 *
 * <pre>
 *   write db.new, sync · db → db.old · db.new → db · new mark · db.old → db.damaged-N
 * </pre>
 */
public final class Salvage {
  private static final int BATCH_BYTES = 4 << 20;

  /** Longer than any key: the space in which the end of a damaged block is searched. */
  private static final int KEY_BYTES = 48;

  private final Tables from;
  private final Tables to;

  private Salvage(Tables from, Tables to) {
    this.from = from;
    this.to = to;
  }

  /**
   * Writes the database anew if a block of it is damaged; else changes nothing.
   *
   * @param says is told what is done, in plain words
   * @return whether it was written anew
   * @throws HoldfastException {@link ErrorCode#DAMAGED} when it cannot be
   */
  public static boolean run(Path dataFolder, StoreOptions options, Consumer<String> says) {
    Path database = CapsuleStore.databaseFolder(dataFolder);
    Path fresh = dataFolder.resolve("db.new");
    Path old = dataFolder.resolve("db.old");
    try {
      if (Files.exists(old)) {
        // Broken off between the first move and the last: the old one is whole, the new one is not
        // known to be.
        delete(database);
        Files.move(old, database);
      }
      delete(fresh);
      try (SyncedMark mark = SyncedMark.open(CapsuleStore.markFile(dataFolder))) {
        Fsck.requireNothingLost(dataFolder, mark.sequence(), options);
      }
      long sequence;
      try (Tables from = Tables.open(database, options, true)) {
        if (sound(from)) {
          return false;
        }
        says.accept("blocks on disk are damaged; the database is written anew without them");
        try (Tables to = Tables.open(fresh, options, false)) {
          sequence = new Salvage(from, to).copyAll();
        }
      }
      Path kept = dataFolder.resolve("db.damaged-" + System.currentTimeMillis());
      Files.move(database, old);
      Files.move(fresh, database);
      SyncedMark.create(CapsuleStore.markFile(dataFolder), sequence);
      Files.move(old, kept);
      says.accept("the damaged database is kept as " + kept + "; delete it when all is well");
      return true;
    } catch (IOException e) {
      throw new HoldfastException(
          ErrorCode.INTERNAL, "cannot write the database anew: " + e.getMessage(), e);
    }
  }

  private static boolean sound(Tables tables) {
    try {
      tables.db.verifyChecksum();
      return true;
    } catch (RocksDBException e) {
      HoldfastException failure = Tables.failure("cannot check the blocks on disk", e);
      if (failure.code() != ErrorCode.DAMAGED) {
        throw failure;
      }
      return false;
    }
  }

  private static void delete(Path tree) throws IOException {
    if (Files.exists(tree)) {
      try (var files = Files.walk(tree)) {
        for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  private long copyAll() {
    try (FlushOptions flush = new FlushOptions().setWaitForFlush(true)) {
      for (int family = 0; family < from.all().size(); family++) {
        ColumnFamilyHandle source = from.all().get(family);
        boolean gaps = copy(source, to.all().get(family));
        if (gaps && (source.equals(from.settings) || source.equals(from.graph))) {
          throw new HoldfastException(
              ErrorCode.DAMAGED,
              "the list of capsules or the record graph is damaged, and no copies of records mend"
                  + " that: restore the folder, or let a new server fetch the capsules");
        }
      }
      to.db.flush(flush, to.all());
      to.db.syncWal();
      return to.db.getLatestSequenceNumber();
    } catch (RocksDBException e) {
      throw Tables.failure("cannot write the database anew", e);
    }
  }

  /** Copies what can be read of a family; says whether something could not. */
  private boolean copy(ColumnFamilyHandle source, ColumnFamilyHandle target)
      throws RocksDBException {
    boolean gaps = false;
    byte[] next = new byte[0];
    while (next != null) {
      byte[] last = copyFrom(next, source, target);
      gaps |= last != null;
      next = last == null ? null : beyond(last, source);
    }
    return gaps;
  }

  /**
   * Copies until the end or a damaged block.
   *
   * @return null at the end; else the last key that could be read, or the first that was sought
   */
  private byte @Nullable [] copyFrom(
      byte[] first, ColumnFamilyHandle source, ColumnFamilyHandle target) throws RocksDBException {
    byte[] last = first;
    try (RocksIterator entries = from.db.newIterator(source, from.passing);
        WriteOptions unsynced = new WriteOptions();
        WriteBatch out = new WriteBatch()) {
      for (entries.seek(first); entries.isValid(); entries.next()) {
        last = entries.key();
        out.put(target, last, entries.value());
        if (out.getDataSize() > BATCH_BYTES) {
          to.db.write(unsynced, out);
          out.clear();
        }
      }
      to.db.write(unsynced, out);
      return damaged(entries) ? last : null;
    }
  }

  private static boolean damaged(RocksIterator entries) throws RocksDBException {
    try {
      entries.status();
      return false;
    } catch (RocksDBException e) {
      if (Tables.failure("", e).code() != ErrorCode.DAMAGED) {
        throw e;
      }
      return true;
    }
  }

  /**
   * A key behind a damaged block, from which on reading goes well again; null when there is none.
   * Looks further and further away, then halves: what lies closely between two damaged blocks may
   * be passed over.
   */
  private byte @Nullable [] beyond(byte[] last, ColumnFamilyHandle source) throws RocksDBException {
    BigInteger begin = new BigInteger(1, Arrays.copyOf(last, KEY_BYTES));
    BigInteger end = BigInteger.ONE.shiftLeft(8 * KEY_BYTES).subtract(BigInteger.ONE);
    BigInteger bad = begin;
    BigInteger good = null;
    for (int distance = 0; good == null; distance++) {
      BigInteger at = begin.add(BigInteger.ONE.shiftLeft(distance)).min(end);
      if (readable(at, source)) {
        good = at;
      } else if (at.equals(end)) {
        return null;
      } else {
        bad = at;
      }
    }
    while (good.subtract(bad).bitLength() > 1) {
      BigInteger middle = bad.add(good).shiftRight(1);
      if (readable(middle, source)) {
        good = middle;
      } else {
        bad = middle;
      }
    }
    return key(good);
  }

  private boolean readable(BigInteger at, ColumnFamilyHandle source) throws RocksDBException {
    try (RocksIterator entries = from.db.newIterator(source, from.passing)) {
      entries.seek(key(at));
      return entries.isValid() || !damaged(entries);
    }
  }

  private static byte[] key(BigInteger at) {
    byte[] bytes = Objects.requireNonNull(at.toByteArray());
    byte[] key = new byte[KEY_BYTES];
    int length = Math.min(bytes.length, KEY_BYTES);
    System.arraycopy(bytes, bytes.length - length, key, KEY_BYTES - length, length);
    return key;
  }
}
