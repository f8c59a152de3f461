package holdfast.device;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Who a device is, in the folder of its queue: its key in {@code key.pem}, which only its owner may
 * read, and the name under which it was enrolled in {@code name}.
 */
public final class DeviceFolder {
  private static final String KEY = "key.pem";
  private static final String NAME = "name";

  private final Path path;

  /** The folder, which need not be there yet. */
  public DeviceFolder(Path path) {
    this.path = path;
  }

  /** The folder itself. */
  public Path path() {
    return path;
  }

  /** The device's key, made when there is none yet. */
  public DeviceKey key() throws IOException {
    Path file = path.resolve(KEY);
    try {
      return DeviceKey.parsePem(Files.readString(file));
    } catch (NoSuchFileException e) {
      OwnerOnly.createFolders(path);
      write(KEY, DeviceKey.generate(new SecureRandom()).toPem(), false);
      // Whoever came first has made it.
      return DeviceKey.parsePem(Files.readString(file));
    }
  }

  /** The name under which the device was enrolled. */
  public Optional<String> name() throws IOException {
    try {
      String name = Files.readString(path.resolve(NAME)).strip();
      Text.checkDevice(name);
      return Optional.of(name);
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
  }

  /**
   * Where changes are kept that an edge will never take; there is no such file before the first.
   */
  public Path rejected() {
    return path.resolve(RejectedChanges.FILE);
  }

  /** How many changes are kept there. */
  public long rejectedChanges() throws IOException {
    try (Stream<String> lines = Files.lines(rejected())) {
      return lines.count();
    } catch (NoSuchFileException e) {
      return 0;
    }
  }

  void enrolled(String name) throws IOException {
    write(NAME, name + "\n", true);
  }

  /** Gives a file its name unless there is one of that name: of several at once one is first. */
  private static void first(Path made, Path name) throws IOException {
    try {
      Files.createLink(name, made);
    } catch (FileAlreadyExistsException e) {
      return;
    } catch (UnsupportedOperationException e) {
      // Without links a race is possible, and nothing better.
      if (!Files.exists(name)) {
        Files.move(made, name);
      }
    }
  }

  private void write(String name, String text, boolean replace) throws IOException {
    Path made = Files.createTempFile(path, name, ".new");
    try {
      if (Files.getFileStore(made).supportsFileAttributeView("posix")) {
        Files.setPosixFilePermissions(made, PosixFilePermissions.fromString("rw-------"));
      }
      Files.writeString(made, text, StandardOpenOption.SYNC);
      if (replace) {
        Files.move(made, path.resolve(name), StandardCopyOption.ATOMIC_MOVE);
      } else {
        first(made, path.resolve(name));
      }
      new QueueFolder(path).sync();
    } finally {
      Files.deleteIfExists(made);
    }
  }
}
