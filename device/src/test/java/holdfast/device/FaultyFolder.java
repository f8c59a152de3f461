package holdfast.device;

import java.io.IOException;
import java.nio.file.Path;

/**
 * A folder whose disk fails at its n-th write, sync or rename, and that can be looked at before
 * each.
 */
final class FaultyFolder extends QueueFolder {
  private final Faults faults;

  FaultyFolder(Path path, Faults faults) throws IOException {
    super(path);
    this.faults = faults;
  }

  /** Looks at the folder as it is between two steps. */
  @FunctionalInterface
  interface Look {
    void at(String step) throws IOException;
  }

  /** Counts what is done to the disk, and fails. */
  static final class Faults {
    int left;
    Look look = step -> {};
    private final boolean forEver;

    Faults(int left, boolean forEver) {
      this.left = left;
      this.forEver = forEver;
    }

    private boolean failsNow() {
      left--;
      return forEver ? left < 0 : left == -1;
    }

    private void step(String what) throws IOException {
      look.at("before " + what);
      if (failsNow()) {
        throw new IOException("no space left on device (" + what + ")");
      }
    }
  }

  @Override
  DiskFile create(String name) throws IOException {
    faults.step("create");
    delete(name);
    return new FaultyFile(file(name), faults);
  }

  @Override
  DiskFile open(String name) throws IOException {
    return new FaultyFile(file(name), faults);
  }

  @Override
  void rename(String from, String to) throws IOException {
    faults.step("rename");
    super.rename(from, to);
  }

  @Override
  void keep(String name, String second) throws IOException {
    faults.step("second name");
    super.keep(name, second);
  }

  @Override
  void sync() throws IOException {
    faults.step("sync of the folder");
    super.sync();
  }

  /** A file whose writes may stop half way. */
  private static final class FaultyFile extends DiskFile {
    private final Faults faults;

    FaultyFile(Path path, Faults faults) throws IOException {
      super(path);
      this.faults = faults;
    }

    @Override
    void write(long position, byte[] from, int offset, int length) throws IOException {
      faults.look.at("before write");
      super.write(position, from, offset, length / 2);
      if (faults.failsNow()) {
        throw new IOException("no space left on device (write)");
      }
      faults.look.at("within write");
      super.write(position, from, offset, length);
    }

    @Override
    void truncate(long size) throws IOException {
      // Cutting off needs no room.
      faults.look.at("before truncate");
      super.truncate(size);
    }

    @Override
    void sync() throws IOException {
      faults.step("sync");
      super.sync();
    }
  }
}
