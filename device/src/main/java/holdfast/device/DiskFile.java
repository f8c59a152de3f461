package holdfast.device;

import java.io.Closeable;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;

/**
 * A file that is read and written at places. Not a {@code FileChannel}, which closes itself when
 * the thread that uses it is interrupted: a caller who is told to stop must not take the queue
 * along. For one thread at a time. Tests replace it by one that fails.
 */
class DiskFile implements Closeable {
  private final RandomAccessFile file;

  /**
   * Opens a file for reading and writing, and makes it when it is not there, for its owner alone.
   */
  DiskFile(Path path) throws IOException {
    OwnerOnly.createFile(path);
    file = new RandomAccessFile(path.toFile(), "rw");
  }

  /** Reads up to {@code length} bytes; fewer only at the end of the file. */
  int read(long position, byte[] into, int offset, int length) throws IOException {
    file.seek(position);
    int count = 0;
    while (count < length) {
      int got = file.read(into, offset + count, length - count);
      if (got < 0) {
        break;
      }
      count += got;
    }
    return count;
  }

  void write(long position, byte[] from, int offset, int length) throws IOException {
    file.seek(position);
    file.write(from, offset, length);
  }

  void truncate(long size) throws IOException {
    file.setLength(size);
  }

  /** Makes what was written safe from loss of power. */
  void sync() throws IOException {
    file.getFD().sync();
  }

  long size() throws IOException {
    return file.length();
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
