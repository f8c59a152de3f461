package holdfast.store;

import holdfast.base.ErrorCode;
import java.math.BigInteger;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.rocksdb.Options;
import org.rocksdb.ReadOptions;
import org.rocksdb.RocksDBException;
import org.rocksdb.SstFileReader;
import org.rocksdb.SstFileReaderIterator;

/**
 * One table of the database as a file, read past the database and past all that it keeps in memory.
 * Where a block of it is rotten the reading goes on behind that block.
 */
final class TableFile {
  /** The place of a block, as RocksDB names it when the block's checksum fails. */
  private static final Pattern BLOCK = Pattern.compile("offset (\\d+) size \\d+");

  /** The number of a table, as RocksDB names it. */
  private static final Pattern NUMBER = Pattern.compile("(\\d+)\\.sst");

  private TableFile() {}

  /**
   * Keys of which it is not known what a table held: from one key on, and below another. The block
   * that held them cannot be read.
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Gap(byte[] from, byte[] to) {}

  /** Takes the entries of a table. */
  @FunctionalInterface
  interface Entries {
    void entry(byte[] key, byte[] value) throws RocksDBException;
  }

  /** The number of the table that a message of the database is about; -1 when it names none. */
  static long numberIn(@Nullable String message) {
    Matcher found = NUMBER.matcher(String.valueOf(message));
    return found.find() ? Long.parseLong(found.group(1)) : -1;
  }

  /** Whether a failure says that what was read is not what was written. */
  static boolean isRot(RocksDBException e) {
    return Tables.failure("", e).code() == ErrorCode.DAMAGED;
  }

  /**
   * Reads all blocks of a table from the disk.
   *
   * @return what is wrong with it; null when nothing is
   * @throws RocksDBException when the file cannot be read at all, which says nothing of its content
   */
  static @Nullable String rot(Path file) throws RocksDBException {
    try (Options options = new Options();
        SstFileReader reader = new SstFileReader(options)) {
      reader.open(file.toString());
      reader.verifyChecksum();
      return null;
    } catch (RocksDBException e) {
      if (isRot(e)) {
        return String.valueOf(e.getMessage());
      }
      throw e;
    }
  }

  /**
   * Reads the entries of a table in ascending order: of each key the newest that the table has, and
   * no keys that it deletes.
   *
   * @param smallest the least key of the table
   * @param largest its greatest key
   * @return what could not be read
   */
  static List<Gap> read(Path file, byte[] smallest, byte[] largest, Entries entries)
      throws RocksDBException {
    List<Gap> gaps = new ArrayList<>();
    byte[] end = after(largest);
    try (Options options = new Options();
        SstFileReader reader = new SstFileReader(options);
        ReadOptions reads = new ReadOptions().setFillCache(false)) {
      try {
        reader.open(file.toString());
      } catch (RocksDBException e) {
        if (!isRot(e)) {
          throw e;
        }
        return List.of(new Gap(smallest, end));
      }
      byte[] next = smallest;
      while (true) {
        String rot;
        // A new iterator each time: one that has met rot takes other blocks for it.
        try (SstFileReaderIterator at = reader.newIterator(reads)) {
          for (at.seek(next); at.isValid(); at.next()) {
            next = after(at.key());
            entries.entry(at.key(), at.value());
          }
          rot = rotAt(at);
        }
        if (rot == null) {
          return gaps;
        }
        byte[] behind = behind(reader, reads, rot, next, end);
        gaps.add(new Gap(next, behind));
        if (Arrays.equals(behind, end)) {
          return gaps;
        }
        next = behind;
      }
    }
  }

  /** The least key that follows another. */
  private static byte[] after(byte[] key) {
    return Arrays.copyOf(key, key.length + 1);
  }

  /** The rotten block that an iterator stands before; null when it only stands at the end. */
  private static @Nullable String rotAt(SstFileReaderIterator at) throws RocksDBException {
    try {
      at.status();
      return null;
    } catch (RocksDBException e) {
      if (!isRot(e)) {
        throw e;
      }
      Matcher block = BLOCK.matcher(String.valueOf(e.getMessage()));
      return block.find() ? block.group(1) : "";
    }
  }

  /**
   * The least key that does not lead into a rotten block. Where a block ends only its table's index
   * knows; but all keys from its first to its last fail at it, and no others, so that halving the
   * space of keys finds the end.
   */
  private static byte[] behind(
      SstFileReader reader, ReadOptions reads, String block, byte[] from, byte[] end)
      throws RocksDBException {
    int width = Math.max(from.length, end.length);
    BigInteger within = number(from, width);
    BigInteger beyond = number(end, width);
    while (beyond.subtract(within).compareTo(BigInteger.ONE) > 0) {
      BigInteger middle = within.add(beyond).shiftRight(1);
      if (leadsInto(reader, reads, block, bytes(middle, width))) {
        within = middle;
      } else {
        beyond = middle;
      }
    }
    byte[] found = bytes(beyond, width);
    if (Arrays.compareUnsigned(found, end) >= 0) {
      return end;
    }
    // Keys are shorter than the numbers here; those that only lack zeros come before.
    while (found.length > 0 && found[found.length - 1] == 0) {
      byte[] shorter = Arrays.copyOf(found, found.length - 1);
      if (Arrays.compareUnsigned(shorter, from) <= 0 || leadsInto(reader, reads, block, shorter)) {
        break;
      }
      found = shorter;
    }
    return found;
  }

  /** Whether a key is looked for in a rotten block. */
  private static boolean leadsInto(
      SstFileReader reader, ReadOptions reads, String block, byte[] key) throws RocksDBException {
    try (SstFileReaderIterator at = reader.newIterator(reads)) {
      at.seek(key);
      return !at.isValid() && block.equals(rotAt(at));
    }
  }

  private static BigInteger number(byte[] key, int width) {
    return new BigInteger(1, Arrays.copyOf(key, width));
  }

  private static byte[] bytes(BigInteger number, int width) {
    byte[] digits = number.toByteArray();
    byte[] key = new byte[width];
    int count = Math.min(width, digits.length);
    System.arraycopy(digits, digits.length - count, key, width - count, count);
    return key;
  }
}
