package holdfast.store;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * The list of tables that belong to a database at rest, which is a log of changes: here is added
 * that tables belong to it no more. RocksDB itself offers this only for tables that lie above the
 * first level and only by ranges of keys.
 *
 * <p>A change is: varint 200 and the number of the column family ‖ varint 6, level, and number of
 * the table. It stands in the log as a record: u32 CRC-32C of type and content, rotated and shifted
 * by a constant ‖ u16 length ‖ u8 type ‖ content; little-endian. Records do not cross the bounds of
 * blocks of 32 KiB: what does not fit is a first, middle ones, and a last; a rest too short for the
 * head of a record is filled with zeros.
 */
final class Manifest {
  private static final int BLOCK = 32 << 10;
  private static final int HEAD = 7;
  private static final byte WHOLE = 1;
  private static final byte FIRST = 2;
  private static final byte MIDDLE = 3;
  private static final byte LAST = 4;
  private static final int FAMILY = 200;
  private static final int DELETED_TABLE = 6;
  private static final int CHECKSUM_SHIFT = 0xa282ead8;

  private Manifest() {}

  /** A table to be taken from the list. */
  record Table(int family, int level, long number) {}

  /**
   * Takes tables from the list of a database that nobody has open. On return that is durable; a
   * crash leaves the list as it was, or as it is to be. The next opening deletes the files.
   */
  static void remove(Path database, List<Table> tables) throws IOException {
    Path list = database.resolve(Files.readString(database.resolve("CURRENT")).strip());
    byte[] before = Files.readAllBytes(list);
    ByteArrayOutputStream out = new ByteArrayOutputStream(before.length + 64 * tables.size());
    out.write(before);
    for (Table table : tables) {
      append(out, change(table));
    }
    // RocksDB takes files of this name for drafts, and deletes those that a crash has left.
    Path draft = database.resolve("000000.dbtmp");
    write(draft, out.toByteArray());
    Files.move(draft, list, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    SyncedMark.syncFolder(database);
  }

  private static void write(Path file, byte[] bytes) throws IOException {
    try (FileChannel out =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      ByteBuffer left = ByteBuffer.wrap(bytes);
      while (left.hasRemaining()) {
        out.write(left);
      }
      out.force(true);
    }
  }

  private static byte[] change(Table table) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    varint(out, FAMILY);
    varint(out, table.family());
    varint(out, DELETED_TABLE);
    varint(out, table.level());
    varint(out, table.number());
    return out.toByteArray();
  }

  private static void varint(ByteArrayOutputStream out, long value) {
    long left = value;
    while (left >= 0x80) {
      out.write((int) ((left & 0x7F) | 0x80));
      left >>>= 7;
    }
    out.write((int) left);
  }

  /** Appends a change: as one record, or in pieces where the block ends within it. */
  static void append(ByteArrayOutputStream out, byte[] change) throws IOException {
    int done = 0;
    do {
      int room = BLOCK - out.size() % BLOCK;
      if (room < HEAD) {
        out.write(new byte[room]);
        continue;
      }
      int count = Math.min(room - HEAD, change.length - done);
      boolean last = done + count == change.length;
      byte type = done == 0 ? (last ? WHOLE : FIRST) : (last ? LAST : MIDDLE);
      record(out, type, change, done, count);
      done += count;
      if (last) {
        return;
      }
    } while (true);
  }

  private static void record(
      ByteArrayOutputStream out, byte type, byte[] change, int from, int count) {
    CRC32C checksum = new CRC32C();
    checksum.update(type);
    checksum.update(change, from, count);
    int masked = Integer.rotateRight((int) checksum.getValue(), 15) + CHECKSUM_SHIFT;
    byte[] head =
        ByteBuffer.allocate(HEAD)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putInt(masked)
            .putShort((short) count)
            .put(type)
            .array();
    out.write(head, 0, HEAD);
    out.write(change, from, count);
  }
}
