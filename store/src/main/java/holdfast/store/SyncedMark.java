package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import java.util.zip.CRC32C;

/**
 * The sequence number of the last write that was promised to be durable, in a small file of its
 * own.
 *
 * <p>Two slots are written in turn, so that a torn write leaves the one before it. A slot is
 * generation ‖ sequence ‖ CRC-32C, 20 bytes, each in a 512-byte sector of its own.
 */
final class SyncedMark implements AutoCloseable {
  private static final int SECTOR = 512;
  private static final int SLOT = 20;

  private final Path path;
  private final FileChannel channel;
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(SLOT);
  private long generation;
  private long sequence;

  private SyncedMark(Path path, FileChannel channel) {
    this.path = path;
    this.channel = channel;
  }

  /** Makes a mark that promises nothing yet, or whatever is given; replaces one that is there. */
  static void create(Path path, long sequence) throws IOException {
    Path draft = path.resolveSibling(path.getFileName() + ".new");
    Files.deleteIfExists(draft);
    try (FileChannel channel =
            FileChannel.open(draft, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        SyncedMark mark = new SyncedMark(draft, channel)) {
      channel.write(ByteBuffer.allocate(2 * SECTOR), 0);
      mark.move(sequence);
      mark.move(sequence);
      channel.force(true);
    }
    Files.move(draft, path, StandardCopyOption.ATOMIC_MOVE);
    syncFolder(Objects.requireNonNull(path.toAbsolutePath().getParent()));
  }

  /** Makes the names in a folder durable. */
  static void syncFolder(Path folder) throws IOException {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  /** Opens a mark that is there; {@link ErrorCode#DAMAGED} when it is not, or cannot be read. */
  static SyncedMark open(Path path) throws IOException {
    if (!Files.exists(path)) {
      throw new HoldfastException(
          ErrorCode.DAMAGED,
          "the file "
              + path
              + " is gone: how much was synced is not known. 'holdfast fsck --data "
              + path.getParent()
              + "' says what is there; with --accept-loss it makes a new mark");
    }
    FileChannel channel = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
    SyncedMark mark = new SyncedMark(path, channel);
    try {
      mark.load();
    } catch (IOException | HoldfastException e) {
      channel.close();
      throw e;
    }
    return mark;
  }

  private void load() throws IOException {
    boolean found = false;
    for (int slot = 0; slot < 2; slot++) {
      ByteBuffer in = ByteBuffer.allocate(SLOT);
      if (channel.read(in, (long) slot * SECTOR) == SLOT) {
        in.flip();
        long slotGeneration = in.getLong();
        long slotSequence = in.getLong();
        if (in.getInt() == checksum(slotGeneration, slotSequence) && slotGeneration > generation) {
          generation = slotGeneration;
          sequence = slotSequence;
          found = true;
        }
      }
    }
    if (!found) {
      throw new HoldfastException(
          ErrorCode.DAMAGED,
          "the file "
              + path
              + " is damaged: how much was synced is not known. 'holdfast fsck --data "
              + path.getParent()
              + "' says what is there; with --accept-loss it makes a new mark");
    }
  }

  /** The sequence number last promised. */
  long sequence() {
    return sequence;
  }

  /** Promises a sequence number; durable on return. */
  void move(long to) throws IOException {
    long next = generation + 1;
    buffer.clear();
    buffer.putLong(next).putLong(to).putInt(checksum(next, to)).flip();
    int written = channel.write(buffer, (next & 1) * SECTOR);
    if (written != SLOT) {
      throw new IOException("only " + written + " bytes of the synced mark were written");
    }
    channel.force(false);
    generation = next;
    sequence = to;
  }

  private static int checksum(long generation, long sequence) {
    CRC32C crc = new CRC32C();
    crc.update(ByteBuffer.allocate(16).putLong(generation).putLong(sequence).flip());
    return (int) crc.getValue();
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
