package holdfast.capsule;

import holdfast.base.Hash;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/** Names of absent records that something here waits for, and what waits for each. */
final class MissingNames {
  /** Where the arrival number stands in a key. */
  private static final int CHILD = 1 + Hash.SIZE;

  private static final int KEY_BYTES = CHILD + 8 + 2;

  private final OrderedMap map;
  private final GraphBlocks blocks;
  private final Map<Hash, List<Hole>> staged = new HashMap<>();
  private final List<byte[]> filled = new ArrayList<>();
  private long count;

  /**
   * A pointer that leads nowhere yet.
   *
   * @param child arrival number of the record that points; -1 for the succession that closed the
   *     capsule, which waits for a final head
   * @param pointer which of the record's pointers
   */
  record Hole(long child, int pointer) {
    boolean ofSuccession() {
      return child < 0;
    }
  }

  MissingNames(OrderedMap map, GraphBlocks blocks) {
    this.map = map;
    this.blocks = blocks;
  }

  /** Number of holes; a name has as many as wait for it. */
  long count() {
    return count;
  }

  void add(Hash name, Hole hole) {
    staged.computeIfAbsent(name, absent -> new ArrayList<>()).add(hole);
    count++;
  }

  /** Adds an absent final head, once. */
  void addFinalHead(Hash name) {
    if (at(name).stream().noneMatch(Hole::ofSuccession)) {
      add(name, new Hole(-1, 0));
    }
  }

  /** What waits for a name. */
  List<Hole> at(Hash name) {
    List<Hole> found = new ArrayList<>(staged.getOrDefault(name, List.of()));
    byte[] prefix = GraphTables.key(GraphTables.MISSING_NAMES, name);
    map.scan(
        prefix,
        GraphTables.after(prefix),
        (key, value) -> {
          ByteBuffer in = ByteBuffer.wrap(key, CHILD, KEY_BYTES - CHILD);
          Hole hole = new Hole(in.getLong(), in.getShort() & 0xFFFF);
          if (hole.ofSuccession() || open(hole)) {
            found.add(hole);
          }
          return true;
        });
    return found;
  }

  /** A hole filled earlier in this batch is still in the map, not in the graph. */
  private boolean open(Hole hole) {
    GraphBlock block = blocks.of(hole.child());
    int first = block.pointerStart[GraphBlocks.slot(hole.child())];
    return block.pointers[first + hole.pointer()] == GraphBlock.MISSING;
  }

  /** Takes out what waited for a name that has arrived. */
  List<Hole> fill(Hash name) {
    List<Hole> waiting = at(name);
    count -= waiting.size();
    staged.remove(name);
    byte[] prefix = GraphTables.key(GraphTables.MISSING_NAMES, name);
    map.scan(
        prefix,
        GraphTables.after(prefix),
        (key, value) -> {
          filled.add(key);
          return true;
        });
    return waiting;
  }

  /**
   * The names, each once, at most {@code limit}.
   *
   * @param absent whether a name is still missing
   */
  List<Hash> names(int limit, Predicate<Hash> absent) {
    List<Hash> missing = new ArrayList<>(staged.keySet());
    map.scan(
        new byte[] {GraphTables.MISSING_NAMES},
        GraphTables.after(GraphTables.MISSING_NAMES),
        (key, value) -> {
          Hash name = Hash.read(key, 1);
          if ((missing.isEmpty() || !missing.getLast().equals(name))
              && !staged.containsKey(name)
              && absent.test(name)) {
            missing.add(name);
          }
          return missing.size() < limit;
        });
    return missing.size() > limit ? missing.subList(0, limit) : missing;
  }

  void flush() {
    filled.forEach(map::remove);
    filled.clear();
    staged.forEach((name, holes) -> {
      for (Hole hole : holes) {
        byte[] key =
            ByteBuffer.allocate(KEY_BYTES)
                .put(GraphTables.key(GraphTables.MISSING_NAMES, name))
                .putLong(hole.child())
                .putShort((short) hole.pointer())
                .array();
        map.put(key, GraphTables.PRESENT);
      }
    });
    staged.clear();
  }

  /**
   * Begins with what the map holds.
   *
   * @param stored number of holes there
   */
  void load(long stored) {
    staged.clear();
    filled.clear();
    count = stored;
  }
}
