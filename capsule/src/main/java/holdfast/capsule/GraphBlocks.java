package holdfast.capsule;

import holdfast.base.ProofException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The entries of a {@link RecordGraph}, by arrival number, in blocks. Blocks are decoded when they
 * are asked for; those used lately stay in memory up to a bound, changed ones until they are
 * flushed.
 */
final class GraphBlocks {
  private final OrderedMap map;
  private final LinkedHashMap<Long, GraphBlock> cache;
  private final Map<Long, GraphBlock> dirty = new HashMap<>();
  private long size;
  private long lastIndex = -1;
  private @Nullable GraphBlock last;

  GraphBlocks(OrderedMap map, int cachedBlocks) {
    this.map = map;
    this.cache =
        new LinkedHashMap<>(16, 0.75f, true) {
          private static final long serialVersionUID = 1L;

          @Override
          protected boolean removeEldestEntry(Map.Entry<Long, GraphBlock> eldest) {
            return size() > cachedBlocks && !dirty.containsKey(eldest.getKey());
          }
        };
  }

  /** Where a record stands within its block. */
  static int slot(long arrival) {
    return (int) (arrival & (GraphBlock.SIZE - 1));
  }

  /** Number of records; also the next arrival number. */
  long size() {
    return size;
  }

  /** Adds an entry under the next arrival number. */
  void append(int writer, long timeMillis, long[] targets) {
    change(size++).add(writer, timeMillis, targets);
  }

  /** The block of a record, to be read. */
  GraphBlock of(long arrival) {
    long index = arrival >>> GraphBlock.SHIFT;
    if (index == lastIndex && last != null) {
      return last;
    }
    if (arrival < 0 || arrival >= size) {
      throw new AssertionError("there is no record " + arrival + " among " + size);
    }
    GraphBlock block = dirty.get(index);
    if (block == null) {
      block = cache.get(index);
    }
    if (block == null) {
      byte[] stored = map.get(GraphTables.key(GraphTables.BLOCKS, index));
      try {
        block =
            stored == null
                ? new GraphBlock()
                : GraphBlock.decode(stored, index << GraphBlock.SHIFT);
      } catch (ProofException e) {
        throw new AssertionError("graph block " + index + " is damaged: " + e.getMessage(), e);
      }
      cache.put(index, block);
    }
    lastIndex = index;
    last = block;
    return block;
  }

  /** The block of a record, to be changed. */
  GraphBlock change(long arrival) {
    GraphBlock block = of(arrival);
    if (!block.dirty) {
      block.dirty = true;
      dirty.put(arrival >>> GraphBlock.SHIFT, block);
    }
    return block;
  }

  void flush() {
    for (Map.Entry<Long, GraphBlock> entry : dirty.entrySet()) {
      long index = entry.getKey();
      map.put(
          GraphTables.key(GraphTables.BLOCKS, index),
          entry.getValue().encode(index << GraphBlock.SHIFT));
      entry.getValue().dirty = false;
    }
    dirty.clear();
  }

  /**
   * Begins with what the map holds.
   *
   * @param stored number of records there
   */
  void load(long stored) {
    dirty.clear();
    forgetDecoded();
    size = stored;
  }

  /** Drops what can be read again from the map. */
  void forgetDecoded() {
    cache.clear();
    lastIndex = -1;
    last = null;
  }

  /** About how many bytes of memory are held by what can be read again from the map. */
  long memoryBytes() {
    return cache.size() * GraphBlock.MEMORY_BYTES;
  }
}
