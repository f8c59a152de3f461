package holdfast.client;

import holdfast.base.ProofException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/** A file that appears under its name when it is complete and durable, and not before. */
public final class CompleteFile {
  private CompleteFile() {}

  /** Writes what the file is to hold. */
  public interface Content {
    /** Writes all of it. */
    void write(OutputStream out) throws IOException, ProofException;
  }

  /**
   * Writes a file beside its place and moves it there; replaces one that is there. When writing
   * fails, the old file stays and nothing is left behind.
   */
  public static void write(Path file, Content content) throws IOException, ProofException {
    Path target = file.toAbsolutePath();
    Path folder = target.getParent();
    if (folder != null && !Files.isDirectory(folder)) {
      throw new FileNotFoundException(
          "there is no folder " + folder + " to write " + target.getFileName() + " in");
    }
    Path draft = target.resolveSibling("." + target.getFileName() + ".part");
    try {
      try (FileChannel channel =
          FileChannel.open(
              draft,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE)) {
        content.write(Channels.newOutputStream(channel));
        channel.force(true);
      }
      Files.move(
          draft, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      PrivateFiles.sync(target.getParent());
    } finally {
      Files.deleteIfExists(draft);
    }
  }
}
