package holdfast.capsule;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongPredicate;

/** A set of arrival numbers, in a table of its own; changes are staged. */
final class ArrivalSet {
  private final OrderedMap map;
  private final byte table;

  /** Arrivals that have joined (true) or left (false) since the last flush. */
  private final Map<Long, Boolean> changes = new HashMap<>();

  ArrivalSet(OrderedMap map, byte table) {
    this.map = map;
    this.table = table;
  }

  void join(long arrival) {
    changes.put(arrival, true);
  }

  /** Takes a member out; one that only joined since the last flush leaves no trace. */
  void leave(long arrival) {
    if (!changes.remove(arrival, true)) {
      changes.put(arrival, false);
    }
  }

  /** Members in ascending order, at most {@code limit}. */
  long[] members(int limit) {
    return members(limit, arrival -> true);
  }

  /** The same of those that are wanted. */
  long[] members(int limit, LongPredicate wanted) {
    List<Long> found = new ArrayList<>();
    map.scan(
        new byte[] {table},
        GraphTables.after(table),
        (key, value) -> {
          long arrival = ByteBuffer.wrap(key, 1, 8).getLong();
          if (changes.getOrDefault(arrival, true) && wanted.test(arrival)) {
            found.add(arrival);
          }
          return found.size() < limit;
        });
    for (Map.Entry<Long, Boolean> change : changes.entrySet()) {
      if (change.getValue() && !found.contains(change.getKey()) && wanted.test(change.getKey())) {
        found.add(change.getKey());
      }
    }
    return found.stream().mapToLong(Long::longValue).sorted().limit(limit).toArray();
  }

  void flush() {
    for (Map.Entry<Long, Boolean> change : changes.entrySet()) {
      byte[] key = GraphTables.key(table, change.getKey());
      if (change.getValue()) {
        map.put(key, GraphTables.PRESENT);
      } else {
        map.remove(key);
      }
    }
    changes.clear();
  }

  void discard() {
    changes.clear();
  }
}
