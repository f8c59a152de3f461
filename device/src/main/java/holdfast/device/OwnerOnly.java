package holdfast.device;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * Makes files and folders that only their owner can read, whatever the umask says: what a device
 * measures is nobody else's. Where the file system knows no such thing they are made as usual.
 */
final class OwnerOnly {
  private static final boolean POSIX =
      FileSystems.getDefault().supportedFileAttributeViews().contains("posix");

  private OwnerOnly() {}

  private static FileAttribute<?>[] may(String permissions) {
    return POSIX
        ? new FileAttribute<?>[] {
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(permissions))
        }
        : new FileAttribute<?>[0];
  }

  /** Makes a folder and those above it that are not there; those that are stay as they are. */
  static void createFolders(Path folder) throws IOException {
    Files.createDirectories(folder, may("rwx------"));
  }

  /** Makes an empty file unless there is one. */
  static void createFile(Path file) throws IOException {
    try {
      Files.createFile(file, may("rw-------"));
    } catch (FileAlreadyExistsException e) {
      // It was made so, or by somebody who wanted it otherwise.
      return;
    }
  }
}
