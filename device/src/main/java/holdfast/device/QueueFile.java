package holdfast.device;

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.zip.CRC32;

/**
 * A queue's file as header and framed entries: u32 length ‖ u8 type ‖ payload ‖ u32 CRC-32.
 *
 * <p>A write that fails half way is cut off again, so that the file ends with a whole entry. After
 * a failed sync, or when cutting off fails too, nobody knows what is on the disk, and the file is
 * not written any more.
 */
final class QueueFile implements Closeable {
  static final int HEADER_SIZE = 8 + Claim.INCARNATION_SIZE + Claim.KEY_SIZE + 8 + 4;
  static final int OVERHEAD = 4 + 1 + 4;
  static final int MAX_PAYLOAD = 2 << 20;

  static final int OPERATION = 1;
  static final int LOST = 2;
  static final int BATCH = 3;
  static final int DONE = 4;
  static final int DOUBT = 5;

  private static final byte[] MAGIC = "HFQUEUE1".getBytes(StandardCharsets.US_ASCII);
  private static final int BUFFER = 64 << 10;

  /** What the head of a file says. */
  record Header(Octets incarnation, Octets device, long next) {
    byte[] encode() {
      ByteBuffer out = ByteBuffer.allocate(HEADER_SIZE);
      out.put(MAGIC).put(incarnation.unsafeArray()).put(device.unsafeArray()).putLong(next);
      out.putInt(crc(out.array(), 0, HEADER_SIZE - 4));
      return out.array();
    }

    static Header decode(byte[] bytes) throws MalformedException {
      Input in = new Input(bytes, "the head of the queue");
      Octets magic = in.octets(MAGIC.length);
      Octets incarnation = in.octets(Claim.INCARNATION_SIZE);
      Octets device = in.octets(Claim.KEY_SIZE);
      long next = in.u64();
      int sum = ByteBuffer.wrap(in.raw(4)).getInt();
      in.end();
      if (!magic.equals(Octets.wrap(MAGIC))) {
        throw in.malformed("does not begin with HFQUEUE1");
      }
      if (sum != crc(bytes, 0, HEADER_SIZE - 4)) {
        throw in.malformed("has another CRC-32 than it says");
      }
      if (next < 1) {
        throw in.malformed("counts from 0");
      }
      return new Header(incarnation, device, next);
    }
  }

  private final DiskFile disk;
  private byte[] buffer = new byte[BUFFER];
  private long end;
  private boolean broken;

  private QueueFile(DiskFile disk, long end) {
    this.disk = disk;
    this.end = end;
  }

  /** Begins a file; nothing is synced yet. */
  static QueueFile create(DiskFile disk, Header header) throws IOException {
    QueueFile file = new QueueFile(disk, 0);
    file.appendRaw(header.encode());
    return file;
  }

  /** A new file without anything in it. */
  static QueueFile bare(DiskFile disk) {
    return new QueueFile(disk, 0);
  }

  /** A file that is there and ends with a whole entry. */
  static QueueFile of(DiskFile disk) throws IOException {
    return new QueueFile(disk, disk.size());
  }

  static int crc(byte[] bytes, int offset, int length) {
    CRC32 crc = new CRC32();
    crc.update(bytes, offset, length);
    return (int) crc.getValue();
  }

  /** Where the next entry will stand; also the size of the file. */
  long end() {
    return end;
  }

  /** Appends an entry and returns where it stands. Nothing of it is there when this fails. */
  long append(int type, byte[] payload) throws IOException {
    int size = OVERHEAD + payload.length;
    if (payload.length > MAX_PAYLOAD) {
      throw new IllegalArgumentException("an entry of " + payload.length + " bytes");
    }
    if (buffer.length < size) {
      buffer = new byte[Math.max(size, 2 * buffer.length)];
    }
    ByteBuffer out = ByteBuffer.wrap(buffer);
    out.putInt(payload.length).put((byte) type).put(payload);
    out.putInt(crc(buffer, 0, size - 4));
    long offset = end;
    write(buffer, size);
    return offset;
  }

  /** An entry as it stands in the file. */
  static byte[] entry(int type, byte[] payload) {
    ByteBuffer out = ByteBuffer.allocate(OVERHEAD + payload.length);
    out.putInt(payload.length).put((byte) type).put(payload);
    out.putInt(crc(out.array(), 0, out.position()));
    return out.array();
  }

  /** Appends bytes that are whole entries already. */
  void appendRaw(byte[] entries) throws IOException {
    write(entries, entries.length);
  }

  private void write(byte[] bytes, int length) throws IOException {
    if (broken) {
      throw new IOException("the queue cannot be written since a write or sync failed; reopen it");
    }
    try {
      disk.write(end, bytes, 0, length);
      end += length;
    } catch (IOException e) {
      cutOff(e);
      throw e;
    }
  }

  /** Says that what is on the disk is not known any more. */
  void distrust() {
    broken = true;
  }

  private void cutOff(IOException cause) {
    try {
      disk.truncate(end);
    } catch (IOException e) {
      broken = true;
      cause.addSuppressed(e);
    }
  }

  /** Makes everything safe from loss of power. */
  void sync() throws IOException {
    if (broken) {
      throw new IOException("the queue cannot be synced since a write or sync failed; reopen it");
    }
    try {
      disk.sync();
    } catch (IOException e) {
      // What a later sync would say of these pages means nothing any more.
      broken = true;
      throw e;
    }
  }

  /** Bytes from the middle of the file. */
  byte[] read(long offset, int size) throws IOException {
    byte[] into = new byte[size];
    if (disk.read(offset, into, 0, size) < size) {
      throw new EOFException("the queue ends within an entry at " + offset);
    }
    return into;
  }

  /** The payload of the entry at {@code offset}, checked against its CRC-32. */
  byte[] payload(long offset, int entrySize) throws IOException, MalformedException {
    byte[] entry = read(offset, entrySize);
    ByteBuffer view = ByteBuffer.wrap(entry);
    if (view.getInt() != entrySize - OVERHEAD
        || view.getInt(entrySize - 4) != crc(entry, 0, entrySize - 4)) {
      throw new MalformedException("the entry at " + offset + " of the queue was altered on disk");
    }
    byte[] payload = new byte[entrySize - OVERHEAD];
    System.arraycopy(entry, 5, payload, 0, payload.length);
    return payload;
  }

  /** Whether the file holds exactly these bytes there. */
  boolean holds(long offset, byte[] bytes, int from, int length) throws IOException {
    byte[] into = new byte[length];
    return disk.read(offset, into, 0, length) == length
        && Arrays.equals(into, 0, length, bytes, from, from + length);
  }

  @Override
  public void close() throws IOException {
    disk.close();
  }
}
