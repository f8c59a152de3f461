package holdfast.device;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** The folder of a queue: its files by name, and its lock. Tests replace it by one that fails. */
class QueueFolder {
  /**
   * Folders that this process holds. Closing any descriptor of a file gives up the process's record
   * locks on it, so a second attempt must be refused before it opens the lock file.
   */
  private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

  private final Path path;

  QueueFolder(Path path) throws IOException {
    OwnerOnly.createFolders(path);
    this.path = path.toRealPath();
  }

  Path path() {
    return path;
  }

  Path file(String name) {
    return path.resolve(name);
  }

  boolean exists(String name) {
    return Files.exists(file(name));
  }

  DiskFile create(String name) throws IOException {
    Files.deleteIfExists(file(name));
    return new DiskFile(file(name));
  }

  DiskFile open(String name) throws IOException {
    return new DiskFile(file(name));
  }

  void delete(String name) throws IOException {
    Files.deleteIfExists(file(name));
  }

  /** Renames a file, over another if need be. */
  void rename(String from, String to) throws IOException {
    Files.move(
        file(from), file(to), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  /** Keeps a file under a second name; where a file has one name only, as a copy. */
  void keep(String name, String second) throws IOException {
    try {
      Files.createLink(file(second), file(name));
    } catch (UnsupportedOperationException | FileSystemException e) {
      Files.copy(file(name), file(second), StandardCopyOption.REPLACE_EXISTING);
    }
  }

  /** Makes renames durable. */
  void sync() throws IOException {
    // A channel closes itself when its thread is interrupted; this must be done all the same.
    boolean interrupted = Thread.interrupted();
    while (true) {
      try (FileChannel folder = FileChannel.open(path, StandardOpenOption.READ)) {
        folder.force(true);
        break;
      } catch (ClosedByInterruptException e) {
        interrupted = true;
        Thread.interrupted();
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** The exclusive use of a folder. */
  static final class Held implements AutoCloseable {
    private final Path path;
    private final FileChannel channel;

    private Held(Path path, FileChannel channel) {
      this.path = path;
      this.channel = channel;
    }

    @Override
    public void close() throws IOException {
      try {
        channel.close();
      } finally {
        HELD.remove(path);
      }
    }
  }

  /** Takes the folder for this process, or fails because another has it. */
  Held hold() throws IOException {
    String refusal = "the queue " + path + " is in use by another process or device object";
    if (!HELD.add(path)) {
      throw new IOException(refusal);
    }
    FileChannel channel = null;
    FileLock lock = null;
    try {
      OwnerOnly.createFile(file("lock"));
      channel = FileChannel.open(file("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      lock = channel.tryLock();
      if (lock == null) {
        throw new IOException(refusal);
      }
      return new Held(path, channel);
    } finally {
      if (lock == null) {
        HELD.remove(path);
        if (channel != null) {
          channel.close();
        }
      }
    }
  }
}
