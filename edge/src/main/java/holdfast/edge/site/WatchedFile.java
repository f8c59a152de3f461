package holdfast.edge.site;

import holdfast.base.HoldfastException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What some files say, read again when one of them has changed. While what is there cannot be used,
 * what was read last holds, and the reason is in the log once.
 *
 * @param <T> what the files say
 */
final class WatchedFile<T> {
  private static final Logger LOG = LoggerFactory.getLogger(WatchedFile.class);

  private final List<Path> files;
  private final UnaryOperator<@Nullable T> reading;
  private List<Stamp> stamps;
  private T value;

  /** What tells one version of a file from another, as far as the file system says. */
  private record Stamp(@Nullable FileTime modified, long size, @Nullable Object key) {
    static final Stamp ABSENT = new Stamp(null, -1, null);

    static Stamp of(Path file) {
      try {
        BasicFileAttributes found = Files.readAttributes(file, BasicFileAttributes.class);
        return new Stamp(found.lastModifiedTime(), found.size(), found.fileKey());
      } catch (IOException e) {
        // Reading it will say what is wrong.
        return ABSENT;
      }
    }
  }

  /**
   * Reads the files at once.
   *
   * @param reading gets what was read before, null at first
   * @throws HoldfastException when they cannot be used
   */
  WatchedFile(List<Path> files, UnaryOperator<@Nullable T> reading) {
    this.files = List.copyOf(files);
    this.reading = reading;
    this.stamps = stamps();
    this.value = required(reading.apply(null));
  }

  private static <T> T required(@Nullable T read) {
    if (read == null) {
      throw new AssertionError("reading returns something or throws");
    }
    return read;
  }

  private List<Stamp> stamps() {
    return files.stream().map(Stamp::of).toList();
  }

  /** What the files say now. */
  synchronized T get() {
    List<Stamp> now = stamps();
    if (!now.equals(stamps)) {
      stamps = now;
      try {
        value = required(reading.apply(value));
        LOG.info("{} was read again", files);
      } catch (HoldfastException e) {
        LOG.warn("what was read of {} before still holds: {}", files, e.getMessage());
      }
    }
    return value;
  }
}
