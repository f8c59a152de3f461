package holdfast.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.client.Server;
import holdfast.node.Node;
import holdfast.store.Fsck;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Damage to any file of a data folder is detected, or does no harm; nothing wrong is served. More
 * flips: {@code -Dholdfast.flips=200}.
 */
class RotTest {
  @TempDir Path folder;

  private final long seed = Long.getLong("holdfast.seed", System.nanoTime());
  private final Random random = new Random(seed);
  private final List<Workload> capsules =
      List.of(new Workload(seed), new Workload(seed + 1), new Workload(seed + 2));
  private final Map<String, Map<Fate, Integer>> table = new TreeMap<>();
  private int copies;

  /** What came of damage. */
  private enum Fate {
    REFUSED_AT_START,
    FOUND_AT_READ,
    HARMLESS_AND_FOUND_BY_FSCK,
    HARMLESS
  }

  private interface Damage {
    void to(Path file) throws IOException;
  }

  @Test
  void noDamageIsServed() throws Exception {
    int flips = Integer.getInteger("holdfast.flips", 40);
    Path closed = folder.resolve("closed");
    Path killed = folder.resolve("killed");
    build(closed, killed);
    copy(closed, folder.resolve("judged"));
    assertThat(judge(folder.resolve("judged"))).isEqualTo(Fate.HARMLESS);
    copy(killed, folder.resolve("judged"));
    assertThat(judge(folder.resolve("judged"))).isEqualTo(Fate.HARMLESS);

    // All kinds of files in turn, so that the small ones are met too.
    List<Path> from = List.of(closed, killed);
    List<String> kinds = new ArrayList<>();
    for (Path data : from) {
      for (String kind : byKind(data).keySet()) {
        kinds.add(from.indexOf(data) + kind);
      }
    }
    for (int i = 0; i < flips; i++) {
      String chosen = kinds.get(i % kinds.size());
      Path data = from.get(chosen.charAt(0) - '0');
      List<Path> files = byKind(data).get(chosen.substring(1));
      Path file = files.get(random.nextInt(files.size()));
      if (Files.size(file) > 0) {
        long bit = (long) (random.nextDouble() * 8 * Files.size(file));
        damage(data, file, "flip in " + kind(file), copy -> flip(copy, bit));
      }
    }
    targeted(closed, killed);
    report();
  }

  /** Damage that chance would not meet. */
  private void targeted(Path closed, Path killed) throws Exception {
    List<Path> logs = byKind(killed).get("*.log");
    Path lastLog = logs.getLast();
    long end = Files.size(lastLog);
    must(killed, lastLog, "log, last byte flipped", f -> flip(f, 8 * end - 5));
    must(killed, lastLog, "log, torn in the middle", f -> cut(f, end / 2));
    must(killed, lastLog, "log, torn at the end", f -> cut(f, end - 3));
    must(killed, lastLog, "log, emptied", f -> cut(f, 0));
    must(killed, lastLog, "log, last deleted", Files::delete);
    must(killed, logs.getFirst(), "log, first deleted", Files::delete);
    must(killed, logs.getFirst(), "log, first torn", f -> cut(f, Files.size(f) / 2));
    must(killed, logs.getFirst(), "log, first emptied", f -> cut(f, 0));
    for (Path data : List.of(closed, killed)) {
      Path sst = byKind(data).get("*.sst").getFirst();
      must(data, sst, "sst, torn", f -> cut(f, Files.size(f) / 2));
      must(data, sst, "sst, deleted", Files::delete);
      Path manifest = byKind(data).get("MANIFEST").getFirst();
      must(data, manifest, "manifest, deleted", Files::delete);
      must(data, manifest, "manifest, torn", f -> cut(f, Files.size(f) / 2));
      Path current = data.resolve("db/CURRENT");
      must(data, current, "CURRENT, another", f -> Files.writeString(f, "MANIFEST-000001\n"));
      must(data, current, "CURRENT, deleted", Files::delete);
      must(data, data.resolve("synced"), "synced, deleted", Files::delete);
      must(data, data.resolve("identity.pem"), "identity, deleted", Files::delete);
    }
    List<Path> tables = byKind(closed).get("*.sst");
    must(
        closed,
        tables.getFirst(),
        "sst, another's content",
        f ->
            Files.copy(
                f.resolveSibling(tables.getLast().getFileName()),
                f,
                StandardCopyOption.REPLACE_EXISTING));
  }

  private void must(Path data, Path file, String what, Damage damage) throws Exception {
    assertThat(damage(data, file, what, damage))
        .as(what + " of " + folder.relativize(file))
        .isIn(Fate.REFUSED_AT_START, Fate.FOUND_AT_READ);
  }

  private Fate damage(Path data, Path file, String what, Damage damage) throws Exception {
    // Each has a folder of its own, so that nothing that one leaves behind meets the next.
    Path copy = folder.resolve("copy-" + copies++);
    copy(data, copy);
    damage.to(copy.resolve(data.relativize(file).toString()));
    Fate fate;
    try {
      fate = judge(copy);
    } catch (AssertionError e) {
      throw new AssertionError(
          "after " + what + " of " + folder.relativize(file) + " (seed " + seed + ")", e);
    }
    requireAllClosed(copy);
    table.computeIfAbsent(what, w -> new EnumMap<>(Fate.class)).merge(fate, 1, Integer::sum);
    delete(copy);
    delete(checked());
    return fate;
  }

  private Path checked() {
    return folder.resolve("checked-" + copies);
  }

  /** Starts a server on a folder and reads everything. Whatever is served must be right. */
  private Fate judge(Path data) throws Exception {
    Path checked = checked();
    copy(data, checked);
    try (Node node = Node.start(ServerMain.options(data));
        Server server = Server.at(node.endpoint(), node.identity())) {
      for (Workload capsule : capsules) {
        capsule.expectAllOrDamaged(server);
      }
    } catch (HoldfastException e) {
      assertThat(e.code()).as(e.toString()).isIn(ErrorCode.DAMAGED, ErrorCode.INTERNAL);
      // A store that was left open would refuse all that follow, whatever their damage.
      assertThat(e).hasMessageNotContaining("LOCK");
      return Fate.REFUSED_AT_START;
    } catch (Workload.DamageShown e) {
      assertThat(e.getSuppressed()).as("the server stops orderly").isEmpty();
      return Fate.FOUND_AT_READ;
    } catch (ProofException e) {
      throw new AssertionError("the server served what the client had to refuse", e);
    }
    List<String> problems = new ArrayList<>();
    Fsck.check(checked, ServerMain.options(checked).store(), problems::add);
    return problems.isEmpty() ? Fate.HARMLESS : Fate.HARMLESS_AND_FOUND_BY_FSCK;
  }

  /** A server that has stopped has no file of its folder open any more. */
  private static void requireAllClosed(Path data) throws IOException {
    List<String> open = new ArrayList<>();
    try (var descriptors = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (Path descriptor : descriptors) {
        try {
          Path file = Files.readSymbolicLink(descriptor);
          if (file.startsWith(data)) {
            open.add(file.toString());
          }
        } catch (NoSuchFileException e) {
          // Closed since it was listed, such as the one of this listing.
        }
      }
    }
    assertThat(open).as("open files").isEmpty();
  }

  private void build(Path closed, Path killed) throws Exception {
    Path data = folder.resolve("data");
    try (Node node = Node.start(ServerMain.options(data));
        Server server = Server.at(node.endpoint(), node.identity())) {
      for (Workload capsule : capsules) {
        capsule.create(server);
      }
      for (int round = 0; round < 3; round++) {
        for (Workload capsule : capsules) {
          capsule.write(server, 220);
        }
      }
      for (int extra = 0; extra < 30 && !logsMatter(killed); extra++) {
        capsules.getFirst().write(server, 30);
        copyAtRest(data, killed);
      }
      assertThat(logsMatter(killed)).as("the last of several logs is not empty").isTrue();
    }
    copy(data, closed);
  }

  private static boolean logsMatter(Path data) throws IOException {
    List<Path> logs = byKind(data).getOrDefault("*.log", List.of());
    return logs.size() > 1 && Files.size(logs.getLast()) > 20_000;
  }

  private static void flip(Path file, long bit) throws IOException {
    try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
      out.seek(bit / 8);
      int old = out.read();
      out.seek(bit / 8);
      out.write(old ^ 1 << (bit % 8));
    }
  }

  private static void cut(Path file, long size) throws IOException {
    try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
      out.setLength(size);
    }
  }

  private static String kind(Path file) {
    String name = String.valueOf(file.getFileName());
    int dot = name.lastIndexOf('.');
    if (name.endsWith(".sst") || name.endsWith(".log")) {
      return "*" + name.substring(dot);
    }
    int dash = name.indexOf('-');
    return dash < 0 ? name : name.substring(0, dash);
  }

  private static Map<String, List<Path>> byKind(Path data) throws IOException {
    Map<String, List<Path>> kinds = new TreeMap<>();
    if (!Files.exists(data)) {
      return kinds;
    }
    try (var files = Files.walk(data)) {
      for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
        kinds.computeIfAbsent(kind(file), k -> new ArrayList<>()).add(file);
      }
    }
    return kinds;
  }

  private static void copyAtRest(Path from, Path to) throws IOException {
    for (int attempt = 0; attempt < 50; attempt++) {
      try {
        List<Path> before = list(from);
        copy(from, to);
        if (list(from).equals(before) && tablesAreWhole(from, to)) {
          return;
        }
      } catch (NoSuchFileException e) {
        // A file was deleted meanwhile; the next attempt sees the folder without it.
      }
    }
    throw new AssertionError("the folder does not come to rest");
  }

  /** Whether no table was copied while it was being written: a crash leaves none like that. */
  private static boolean tablesAreWhole(Path from, Path to) throws IOException {
    for (Path table : list(from)) {
      if (table.toString().endsWith(".sst")
          && Files.size(table) != Files.size(to.resolve(from.relativize(table).toString()))) {
        return false;
      }
    }
    return true;
  }

  private static List<Path> list(Path from) throws IOException {
    try (var files = Files.walk(from)) {
      return files.sorted().toList();
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private static void copy(Path from, Path to) throws IOException {
    delete(to);
    for (Path file : list(from)) {
      Path target = to.resolve(from.relativize(file).toString());
      if (Files.isDirectory(file)) {
        Files.createDirectories(target);
      } else {
        Files.copy(file, target);
      }
    }
  }

  private static void delete(Path tree) throws IOException {
    if (Files.exists(tree)) {
      for (Path file : list(tree).reversed()) {
        Files.delete(file);
      }
    }
  }

  private void report() {
    StringBuilder out = new StringBuilder("damage (seed " + seed + "):\n");
    table.forEach((what, fates) -> out.append("  %-28s %s%n".formatted(what, fates)));
    System.out.print(out);
  }
}
