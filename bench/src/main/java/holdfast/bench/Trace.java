package holdfast.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * A YCSB workload: keys to load, then operations. Generated here, or read from the trace files of
 * the DCS authors ({@code SET key value}, {@code GET key}, a line each; values hold any byte but
 * newline).
 */
final class Trace {
  /** One operation: the key's number, and whether it writes. */
  final int[] keys;

  final boolean[] writes;
  final int load;
  final int keyCount;
  final List<byte[]> names;

  private Trace(int load, List<byte[]> names, int[] keys, boolean[] writes) {
    this.load = load;
    this.names = names;
    this.keyCount = names.size();
    this.keys = keys;
    this.writes = writes;
  }

  static double writeShare(char workload) {
    return switch (workload) {
      case 'a' -> 0.5;
      case 'b', 'd' -> 0.05;
      case 'c' -> 0;
      default -> throw new IllegalArgumentException("the workloads are a, b, c and d");
    };
  }

  static Trace generate(char workload, int records, int operations, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    Zipfian zipfian = new Zipfian(records, random);
    double share = writeShare(workload);
    int[] keys = new int[operations];
    boolean[] writes = new boolean[operations];
    int inserted = records;
    for (int i = 0; i < operations; i++) {
      writes[i] = random.nextDouble() < share;
      if (workload != 'd') {
        keys[i] = (int) zipfian.scattered();
      } else if (writes[i]) {
        keys[i] = inserted++;
      } else {
        keys[i] = (int) (inserted - 1 - zipfian.rank());
      }
    }
    List<byte[]> names = new ArrayList<>(inserted);
    for (int i = 0; i < inserted; i++) {
      names.add(String.format("user%012d", i).getBytes(StandardCharsets.US_ASCII));
    }
    return new Trace(records, names, keys, writes);
  }

  static Trace read(Path folder, char workload) throws IOException {
    Map<String, Integer> numbers = new HashMap<>();
    List<byte[]> names = new ArrayList<>();
    List<Integer> keys = new ArrayList<>();
    List<Boolean> writes = new ArrayList<>();
    lines(
        folder.resolve("tracea_load_" + workload + ".txt"),
        numbers,
        names,
        new ArrayList<>(),
        new ArrayList<>());
    int load = names.size();
    lines(folder.resolve("tracea_run_" + workload + ".txt"), numbers, names, keys, writes);
    int[] keyArray = keys.stream().mapToInt(Integer::intValue).toArray();
    boolean[] writeArray = new boolean[keyArray.length];
    for (int i = 0; i < writeArray.length; i++) {
      writeArray[i] = writes.get(i);
    }
    return new Trace(load, names, keyArray, writeArray);
  }

  private static void lines(
      Path file,
      Map<String, Integer> numbers,
      List<byte[]> names,
      List<Integer> keys,
      List<Boolean> writes)
      throws IOException {
    byte[] all = Files.readAllBytes(file);
    int start = 0;
    for (int at = 0; at <= all.length; at++) {
      if (at == all.length || all[at] == '\n') {
        if (at > start) {
          operation(file, Arrays.copyOfRange(all, start, at), numbers, names, keys, writes);
        }
        start = at + 1;
      }
    }
  }

  private static void operation(
      Path file,
      byte[] line,
      Map<String, Integer> numbers,
      List<byte[]> names,
      List<Integer> keys,
      List<Boolean> writes)
      throws IOException {
    String text = new String(line, StandardCharsets.ISO_8859_1);
    String[] parts = text.split(" ", 3);
    boolean write = parts[0].equals("SET");
    if (parts.length < 2 || (!write && !parts[0].equals("GET"))) {
      throw new IOException("a line of " + file + " is neither SET key value nor GET key: " + text);
    }
    Integer number = numbers.get(parts[1]);
    if (number == null) {
      number = names.size();
      numbers.put(parts[1], number);
      names.add(parts[1].getBytes(StandardCharsets.ISO_8859_1));
    }
    keys.add(number);
    writes.add(write);
  }

  int operations() {
    return keys.length;
  }
}
