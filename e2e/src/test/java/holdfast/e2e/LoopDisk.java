package holdfast.e2e;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * A small disk of its own: an ext4 image, mounted. It can be copied as a power cut would leave it,
 * and filled without filling anything else.
 */
final class LoopDisk implements AutoCloseable {
  private static final int ATTEMPTS = 20;
  private static final int MOUNTS = 3;
  private static final long STEP_BYTES = 64 << 10;

  private final Path image;
  private final Path at;

  private LoopDisk(Path image, Path at) {
    this.image = image;
    this.at = at;
  }

  /**
   * Makes an empty disk.
   *
   * @param image the file that holds it; sparse
   * @param at where it is mounted; a folder that does not exist yet
   * @return null when this process may not mount
   */
  static @org.jspecify.annotations.Nullable LoopDisk make(Path image, Path at, int megabytes)
      throws IOException, InterruptedException {
    Files.createDirectory(at);
    boolean made =
        run("truncate", "-s", megabytes + "M", image.toString())
            && run("mkfs.ext4", "-q", "-F", "-m", "0", image.toString())
            && mounted(image, at);
    return made ? new LoopDisk(image, at) : null;
  }

  /** Mounts an image that is there. */
  static LoopDisk mount(Path image, Path at) throws IOException, InterruptedException {
    Files.createDirectories(at);
    mustMount(image, at);
    return new LoopDisk(image, at);
  }

  /** Where it is mounted. */
  Path folder() {
    return at;
  }

  /**
   * Copies the image until nothing has changed while it was copied. Whoever writes to it must stand
   * still meanwhile. What the file system has not written yet is not in the copy.
   */
  void copyAtRest(Path copy) throws IOException, InterruptedException {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      must("cp", "--reflink=never", "--sparse=always", image.toString(), copy.toString());
      if (run("cmp", "-s", image.toString(), copy.toString())) {
        return;
      }
    }
    throw new IOException(image + " does not come to rest");
  }

  /** Takes a copy in the place of what is here now. Nothing may use the disk. */
  void goBackTo(Path copy) throws IOException, InterruptedException {
    must("umount", at.toString());
    Files.move(copy, image, StandardCopyOption.REPLACE_EXISTING);
    mustMount(image, at);
  }

  /** Takes all its room but some bytes. */
  void fill(long leftBytes) throws IOException, InterruptedException {
    Path filler = at.resolve("filler");
    long bytes = Files.getFileStore(at).getUsableSpace() - leftBytes;
    // The file system needs some blocks to keep account of the others.
    while (!run("fallocate", "-l", String.valueOf(bytes), filler.toString())) {
      bytes -= STEP_BYTES;
      if (bytes < 0) {
        throw new IOException(at + " cannot be filled");
      }
    }
    if (leftBytes == 0) {
      try (OutputStream out = Files.newOutputStream(at.resolve("rest"))) {
        byte[] block = new byte[4096];
        while (true) {
          out.write(block);
        }
      } catch (IOException e) {
        // There is no room left, which is what this is for.
        Files.move(at.resolve("rest"), at.resolve("filler.rest"));
      }
    }
  }

  /** Gives the room back. */
  void free() throws IOException {
    Files.deleteIfExists(at.resolve("filler"));
    Files.deleteIfExists(at.resolve("filler.rest"));
  }

  @Override
  public void close() throws IOException {
    try {
      must("umount", at.toString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whether a command can be run and ends well. */
  static boolean run(String... command) throws InterruptedException {
    return tell(command).exitCode() == 0;
  }

  /** How a command ended, and what it said; -1 if it cannot be run. */
  private record Ran(int exitCode, String said) {}

  private static Ran tell(String... command) throws InterruptedException {
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      byte[] said = process.getInputStream().readAllBytes();
      return new Ran(process.waitFor(), new String(said, StandardCharsets.UTF_8).strip());
    } catch (IOException e) {
      return new Ran(-1, String.valueOf(e.getMessage()));
    }
  }

  /** Mounts an image; another process may take the loop device that was free a moment ago. */
  private static Ran tellMount(Path image, Path at) throws InterruptedException {
    Ran ran = new Ran(-1, "");
    for (int attempt = 0; attempt < MOUNTS && ran.exitCode() != 0; attempt++) {
      ran = tell("mount", "-o", "loop", image.toString(), at.toString());
    }
    return ran;
  }

  private static boolean mounted(Path image, Path at) throws InterruptedException {
    Ran ran = tellMount(image, at);
    if (ran.exitCode() != 0) {
      System.out.println("no disk could be mounted: " + ran.said());
    }
    return ran.exitCode() == 0;
  }

  private static void mustMount(Path image, Path at) throws IOException, InterruptedException {
    Ran ran = tellMount(image, at);
    if (ran.exitCode() != 0) {
      throw new IOException(image + " cannot be mounted: " + ran.said());
    }
  }

  private static void must(String... command) throws IOException, InterruptedException {
    Ran ran = tell(command);
    if (ran.exitCode() != 0) {
      throw new IOException(String.join(" ", command) + " failed: " + ran.said());
    }
  }
}
