package holdfast.device;

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.zip.CRC32;

/**
 * A queue's file as header and framed entries: u32 length ‖ u8 type ‖ payload ‖ u32 CRC-32.
 *
 * <p>The sums of entries begin with the file's salt, which whoever makes a value does not know: a
 * value that looks like entries is not taken for some when a damaged file is searched.
 *
 * <p>A write that fails half way is cut off again, so that the file ends with a whole entry. After
 * a failed sync, or when cutting off fails too, nobody knows what is on the disk, and the file is
 * not written any more.
 */
final class QueueFile implements Closeable {
  /** Bytes of the salt, which stands in the head twice, each time with its CRC-32. */
  static final int SALT_SIZE = 16;

  static final int HEADER_SIZE =
      8
          + SALT_SIZE
          + 4
          + Claim.INCARNATION_SIZE
          + Claim.KEY_SIZE
          + Origin.SIZE
          + 8
          + SALT_SIZE
          + 4
          + 4;
  static final int OVERHEAD = 4 + 1 + 4;
  static final int MAX_PAYLOAD = 2 << 20;

  static final int OPERATION = 1;
  static final int LOST = 2;
  static final int BATCH = 3;
  static final int DONE = 4;
  static final int DOUBT = 5;

  private static final byte[] MAGIC = "HFQUEUE3".getBytes(StandardCharsets.US_ASCII);
  private static final int BUFFER = 64 << 10;

  private static final int FIRST_SALT = 8;
  private static final int SECOND_SALT = HEADER_SIZE - 4 - SALT_SIZE - 4;
  private static final byte[] NO_SALT = {};

  /** What the head of a file says. */
  record Header(Octets salt, Octets incarnation, Octets device, Origin origin, long next) {
    /** The head of a file that is made now. */
    static Header fresh(Octets incarnation, Octets device, Origin origin, long next) {
      return new Header(Octets.wrap(freshSalt()), incarnation, device, origin, next);
    }

    byte[] encode() {
      ByteBuffer out = ByteBuffer.allocate(HEADER_SIZE);
      int saltSum = sum(salt.unsafeArray(), 0, SALT_SIZE);
      out.put(MAGIC).put(salt.unsafeArray()).putInt(saltSum);
      out.put(incarnation.unsafeArray()).put(device.unsafeArray());
      origin.encode(out);
      out.putLong(next);
      out.put(salt.unsafeArray()).putInt(saltSum);
      out.putInt(sum(out.array(), 0, HEADER_SIZE - 4));
      return out.array();
    }

    static Header decode(byte[] bytes) throws MalformedException {
      Input in = new Input(bytes, "the head of the queue");
      Octets magic = in.octets(MAGIC.length);
      Octets salt = in.octets(SALT_SIZE);
      in.raw(4);
      Octets incarnation = in.octets(Claim.INCARNATION_SIZE);
      Octets device = in.octets(Claim.KEY_SIZE);
      Origin origin = Origin.read(in);
      long next = in.u64();
      in.raw(SALT_SIZE + 4);
      int sum = ByteBuffer.wrap(in.raw(4)).getInt();
      in.end();
      if (!magic.equals(Octets.wrap(MAGIC))) {
        throw in.malformed("does not begin with HFQUEUE3");
      }
      if (sum != sum(bytes, 0, HEADER_SIZE - 4)) {
        throw in.malformed("has another CRC-32 than it says");
      }
      if (next < 1) {
        throw in.malformed("counts from 0");
      }
      if (!salt.equals(Octets.wrap(saltOf(bytes)))) {
        throw in.malformed("holds two salts");
      }
      return new Header(salt, incarnation, device, origin, next);
    }
  }

  private final DiskFile disk;
  private final byte[] salt;
  private byte[] buffer = new byte[BUFFER];
  private long end;
  private boolean broken;

  private QueueFile(DiskFile disk, byte[] salt, long end) {
    this.disk = disk;
    this.salt = salt;
    this.end = end;
  }

  /** Begins a file; nothing is synced yet. */
  static QueueFile create(DiskFile disk, Header header) throws IOException {
    QueueFile file = new QueueFile(disk, header.salt().toArray(), 0);
    file.appendRaw(header.encode());
    return file;
  }

  /** A queue's file that is there, with the salt that its head names. */
  static QueueFile of(DiskFile disk) throws IOException {
    byte[] head = new byte[HEADER_SIZE];
    disk.read(0, head, 0, HEADER_SIZE);
    return new QueueFile(disk, saltOf(head), disk.size());
  }

  /** A new file without anything in it, whose sums begin with no salt: it is never searched. */
  static QueueFile bare(DiskFile disk) {
    return new QueueFile(disk, NO_SALT, 0);
  }

  /** A file without a salt that is there and ends with a whole entry. */
  static QueueFile bareOf(DiskFile disk) throws IOException {
    return new QueueFile(disk, NO_SALT, disk.size());
  }

  DiskFile disk() {
    return disk;
  }

  private static byte[] freshSalt() {
    byte[] salt = new byte[SALT_SIZE];
    new SecureRandom().nextBytes(salt);
    return salt;
  }

  /** The first of the two that is whole; without one a new one, with which nothing is an entry. */
  private static byte[] saltOf(byte[] head) {
    for (int at : new int[] {FIRST_SALT, SECOND_SALT}) {
      if (ByteBuffer.wrap(head).getInt(at + SALT_SIZE) == sum(head, at, SALT_SIZE)) {
        return Arrays.copyOfRange(head, at, at + SALT_SIZE);
      }
    }
    return freshSalt();
  }

  private static int sum(byte[] bytes, int offset, int length) {
    CRC32 crc = new CRC32();
    crc.update(bytes, offset, length);
    return (int) crc.getValue();
  }

  /** The CRC-32 of the salt and these bytes: an entry's length, type and payload. */
  int crc(byte[] bytes, int offset, int length) {
    CRC32 crc = new CRC32();
    crc.update(salt);
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

  /** An entry as it stands in this file. */
  byte[] entry(int type, byte[] payload) {
    ByteBuffer out = ByteBuffer.allocate(OVERHEAD + payload.length);
    out.putInt(payload.length).put((byte) type).put(payload);
    out.putInt(crc(out.array(), 0, out.position()));
    return out.array();
  }

  /**
   * Makes an operation's entry of another file one of this, in place.
   *
   * <p>A sum that was wrong stays wrong: bytes that were altered on disk do not become whole here.
   *
   * @param shift subtracted from the sequence number
   */
  void adopt(byte[] entry, QueueFile from, long shift) {
    ByteBuffer view = ByteBuffer.wrap(entry);
    int size = entry.length - 4;
    int wrong = view.getInt(size) ^ from.crc(entry, 0, size);
    view.putLong(5, view.getLong(5) - shift);
    view.putInt(size, crc(entry, 0, size) ^ wrong);
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
