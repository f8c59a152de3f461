package holdfast.capsule;

import holdfast.base.Hash;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** Which arrival number each name has. */
final class NameIndex {
  private final OrderedMap map;
  private final LongSupplier size;
  private final NameCache cache = new NameCache();
  private final Map<Hash, Long> staged = new HashMap<>();

  /**
   * An index kept in a map.
   *
   * @param size how many records there are by now
   */
  NameIndex(OrderedMap map, LongSupplier size) {
    this.map = map;
    this.size = size;
  }

  /** Names a record that has just arrived. */
  void put(Hash name, long arrival) {
    staged.put(name, arrival);
    cache.put(name, arrival, size.getAsLong());
  }

  /** The arrival number of a record, or -1 when it is not here. */
  long arrivalOf(Hash name) {
    long known = known(name);
    if (known >= 0) {
      return known;
    }
    byte[] stored = map.get(GraphTables.key(GraphTables.NAMES, name));
    return stored == null ? -1 : read(name, stored);
  }

  /** The arrival number if it is known without asking the map; else -1. */
  long known(Hash name) {
    long cached = cache.get(name);
    return cached >= 0 ? cached : staged.getOrDefault(name, -1L);
  }

  /** The arrival numbers of many records, asking the map once; -1 for each that is not here. */
  long[] arrivalsOf(List<Hash> wanted) {
    long[] arrivals = new long[wanted.size()];
    List<Integer> unknown = new ArrayList<>();
    for (int i = 0; i < arrivals.length; i++) {
      arrivals[i] = known(wanted.get(i));
      if (arrivals[i] < 0) {
        unknown.add(i);
      }
    }
    if (!unknown.isEmpty()) {
      byte[][] keys = new byte[unknown.size()][];
      for (int i = 0; i < keys.length; i++) {
        keys[i] = GraphTables.key(GraphTables.NAMES, wanted.get(unknown.get(i)));
      }
      byte[] @Nullable [] values = map.getAll(keys);
      for (int i = 0; i < keys.length; i++) {
        byte[] value = values[i];
        if (value != null) {
          int at = unknown.get(i);
          arrivals[at] = read(wanted.get(at), value);
        }
      }
    }
    return arrivals;
  }

  private long read(Hash name, byte[] stored) {
    long arrival = ByteBuffer.wrap(stored).getLong();
    cache.put(name, arrival, size.getAsLong());
    return arrival;
  }

  void flush() {
    // In order, because neighbouring inserts are cheaper for a store that sorts.
    Hash[] sorted = staged.keySet().toArray(new Hash[0]);
    Arrays.sort(sorted);
    for (Hash name : sorted) {
      map.put(
          GraphTables.key(GraphTables.NAMES, name),
          ByteBuffer.allocate(8).putLong(staged.getOrDefault(name, -1L)).array());
    }
    staged.clear();
  }

  void discard() {
    staged.clear();
    cache.clear();
  }

  /** Drops what can be read again from the map. */
  void forgetDecoded() {
    cache.clear();
  }

  /** About how many bytes of memory are held by what can be read again from the map. */
  long memoryBytes() {
    return cache.memoryBytes();
  }
}
