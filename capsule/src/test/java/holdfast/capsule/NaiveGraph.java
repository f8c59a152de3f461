package holdfast.capsule;

import holdfast.base.Hash;
import holdfast.testkit.Gen;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiPredicate;

/**
 * What a {@link RecordGraph} must answer, computed from scratch over plain maps each time it is
 * asked, by the definitions.
 */
final class NaiveGraph {
  final Map<Hash, RecordHeader> present = new LinkedHashMap<>();
  final Map<Hash, Set<Integer>> signers = new HashMap<>();
  final Set<Hash> finalHeads = new HashSet<>();
  boolean closed;

  NaiveGraph copy() {
    NaiveGraph copy = new NaiveGraph();
    copy.present.putAll(present);
    signers.forEach((name, by) -> copy.signers.put(name, new HashSet<>(by)));
    copy.finalHeads.addAll(finalHeads);
    copy.closed = closed;
    return copy;
  }

  List<Hash> arrivals() {
    return new ArrayList<>(present.keySet());
  }

  private Set<Hash> pointedAt(Set<Hash> by) {
    Set<Hash> pointedAt = new HashSet<>();
    for (Hash name : by) {
      pointedAt.addAll(header(name).pointers());
    }
    return pointedAt;
  }

  RecordHeader header(Hash name) {
    return java.util.Objects.requireNonNull(present.get(name));
  }

  Set<Hash> heads() {
    Set<Hash> heads = new TreeSet<>(present.keySet());
    heads.removeAll(pointedAt(present.keySet()));
    return heads;
  }

  Set<Hash> roots() {
    Set<Hash> roots = new TreeSet<>(present.keySet());
    roots.removeIf(name -> header(name).pointers().stream().anyMatch(present::containsKey));
    return roots;
  }

  Set<Hash> missing() {
    Set<Hash> missing = new TreeSet<>(pointedAt(present.keySet()));
    missing.addAll(finalHeads);
    missing.removeAll(present.keySet());
    return missing;
  }

  long holes() {
    long holes = finalHeads.stream().filter(name -> !present.containsKey(name)).count();
    for (RecordHeader header : present.values()) {
      holes += header.pointers().stream().filter(name -> !present.containsKey(name)).count();
    }
    return holes;
  }

  /**
   * Distances from the records that {@code source} accepts, along the links that {@code link} does.
   */
  private Map<Hash, Integer> distances(
      BiPredicate<RecordHeader, Set<Integer>> source,
      BiPredicate<RecordHeader, RecordHeader> link) {
    Map<Hash, Integer> distances = new HashMap<>();
    Deque<Hash> queue = new ArrayDeque<>();
    for (RecordHeader header : present.values()) {
      if (source.test(header, signers.getOrDefault(header.name(), Set.of()))) {
        distances.put(header.name(), 0);
        queue.add(header.name());
      }
    }
    while (!queue.isEmpty()) {
      Hash child = queue.remove();
      for (Hash parent : header(child).pointers()) {
        if (present.containsKey(parent)
            && link.test(header(child), header(parent))
            && !distances.containsKey(parent)) {
          distances.put(parent, distances.get(child) + 1);
          queue.add(parent);
        }
      }
    }
    return distances;
  }

  /** Shortest distances to any signed record. */
  Map<Hash, Integer> provenDistances() {
    return distances((header, by) -> !by.isEmpty(), (child, parent) -> true);
  }

  /** Shortest distances to a record signed by its own writer, over records of that writer. */
  Map<Hash, Integer> authoredDistances() {
    return distances(
        (header, by) -> by.contains(header.writer()),
        (child, parent) -> child.writer() == parent.writer());
  }

  /** Whether this writer signed the record or a descendant of it. */
  boolean vouchedBy(Hash name, int signer) {
    return distances((header, by) -> by.contains(signer), (child, parent) -> true)
        .containsKey(name);
  }

  Set<Hash> provenHeads() {
    Set<Hash> heads = new TreeSet<>(provenDistances().keySet());
    heads.removeAll(pointedAt(provenDistances().keySet()));
    return heads;
  }

  /** The final heads and those of their ancestors that can be seen from here, absent ones too. */
  Set<Hash> finalNames() {
    Set<Hash> found = new HashSet<>();
    Deque<Hash> queue = new ArrayDeque<>(finalHeads);
    while (!queue.isEmpty()) {
      Hash name = queue.remove();
      if (found.add(name) && present.containsKey(name)) {
        queue.addAll(header(name).pointers());
      }
    }
    return found;
  }

  /**
   * A history with branches, merges and skip pointers, parents first. Most records follow a recent
   * head; some begin anew, some merge several heads, some point far back.
   */
  static List<RecordHeader> history(Gen gen, Fixture fixture, int records) {
    List<RecordHeader> made = new ArrayList<>();
    Set<Hash> heads = new TreeSet<>();
    for (int i = 0; i < records; i++) {
      Set<Hash> pointers = new TreeSet<>(Comparator.reverseOrder());
      List<Hash> from = new ArrayList<>(heads);
      if (!made.isEmpty() && !gen.oneIn(15)) {
        pointers.add(gen.oneIn(5) ? gen.pick(made).name() : gen.pick(from));
        if (gen.oneIn(4)) {
          pointers.add(gen.pick(from));
        }
        while (gen.oneIn(3)) {
          pointers.add(gen.pick(made).name());
        }
      }
      int writer = gen.below(fixture.writers.size());
      RecordHeader header = fixture.header(gen, writer, gen.shuffled(new ArrayList<>(pointers)));
      made.add(header);
      heads.removeAll(pointers);
      heads.add(header.name());
    }
    return made;
  }
}
