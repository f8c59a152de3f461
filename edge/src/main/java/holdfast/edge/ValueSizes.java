package holdfast.edge;

import holdfast.base.Bytes;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How large the values are of keys that were changed lately. Each change of a key asks whether it
 * had a value before, and of how many bytes; sensors write the same keys again and again, and the
 * table has them among all their versions. Follows from the table, and is bounded: {@value #MOST}
 * keys of at most {@value #LONGEST_KEY} bytes, those asked for last. For one thread at a time.
 */
final class ValueSizes {
  /** Of a key without a value. */
  static final int NONE = -1;

  static final int MOST = 8192;
  static final int LONGEST_KEY = 128;

  private final LinkedHashMap<Bytes, Integer> sizes =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Bytes, Integer> eldest) {
          return size() > MOST;
        }
      };

  /** Bytes of the value under a key of the table, {@link #NONE} without one; null if not known. */
  @Nullable Integer of(Bytes tableKey) {
    return sizes.get(tableKey);
  }

  /** Takes over what a record has changed, once the table has it. */
  void committed(Map<Bytes, Integer> changed) {
    changed.forEach((key, size) -> {
      if (key.size() <= LONGEST_KEY) {
        sizes.put(key, size);
      }
    });
  }

  int count() {
    return sizes.size();
  }
}
