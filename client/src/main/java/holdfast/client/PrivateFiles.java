package holdfast.client;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Files that only their owner can read, written whole or not at all. */
public final class PrivateFiles {
  private static final FileAttribute<Set<PosixFilePermission>> FILE =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
  private static final FileAttribute<Set<PosixFilePermission>> FOLDER =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));

  private PrivateFiles() {}

  /** Makes a folder and those above it, closed to others. */
  public static void createFolders(Path folder) throws IOException {
    Files.createDirectories(folder, FOLDER);
  }

  /** Writes a file, replacing the one that is there. Durable when this returns. */
  public static void write(Path file, String content) throws IOException {
    write(file, content, true);
  }

  /**
   * Writes a file that must not exist yet. Durable when this returns.
   *
   * @throws java.nio.file.FileAlreadyExistsException when it does
   */
  public static void create(Path file, String content) throws IOException {
    write(file, content, false);
  }

  private static void write(Path file, String content, boolean replace) throws IOException {
    Path target = file.toAbsolutePath();
    Path folder = target.getParent();
    if (folder == null) {
      throw new IOException(file + " is no file");
    }
    createFolders(folder);
    Path draft = Files.createTempFile(folder, "." + target.getFileName(), ".new", FILE);
    try {
      try (FileChannel out = FileChannel.open(draft, StandardOpenOption.WRITE)) {
        ByteBuffer bytes = ByteBuffer.wrap(content.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
          out.write(bytes);
        }
        out.force(true);
      }
      if (replace) {
        Files.move(draft, target, StandardCopyOption.ATOMIC_MOVE);
      } else {
        // A link, unlike a move, fails when the name is taken.
        Files.createLink(target, draft);
      }
    } finally {
      Files.deleteIfExists(draft);
    }
    sync(folder);
  }

  /** Makes a folder's list of files durable. */
  public static void sync(@Nullable Path folder) throws IOException {
    if (folder != null) {
      try (FileChannel names = FileChannel.open(folder, StandardOpenOption.READ)) {
        names.force(true);
      }
    }
  }
}
