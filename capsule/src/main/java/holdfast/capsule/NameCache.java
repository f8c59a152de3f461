package holdfast.capsule;

import holdfast.base.Hash;
import org.jspecify.annotations.Nullable;

/**
 * A direct-mapped table of recent name → arrival facts, which never change. It grows with the
 * capsule up to a bound and costs nothing to be wrong about: a miss asks the map.
 */
final class NameCache {
  private static final int LEAST = 1 << 10;
  private static final int GREATEST = 1 << 18;

  private @Nullable Hash[] names = new Hash[LEAST];
  private long[] arrivals = new long[LEAST];

  long get(Hash name) {
    int at = (int) (name.prefix() >>> 20) & (names.length - 1);
    return name.equals(names[at]) ? arrivals[at] : -1;
  }

  void put(Hash name, long arrival, long capsuleSize) {
    if (names.length < GREATEST && capsuleSize > names.length) {
      grow();
    }
    int at = (int) (name.prefix() >>> 20) & (names.length - 1);
    names[at] = name;
    arrivals[at] = arrival;
  }

  private void grow() {
    @Nullable Hash[] oldNames = names;
    long[] oldArrivals = arrivals;
    names = new Hash[2 * oldNames.length];
    arrivals = new long[2 * oldNames.length];
    for (int i = 0; i < oldNames.length; i++) {
      Hash name = oldNames[i];
      if (name != null) {
        int at = (int) (name.prefix() >>> 20) & (names.length - 1);
        names[at] = name;
        arrivals[at] = oldArrivals[i];
      }
    }
  }

  /** About what it takes in memory, were it full. */
  long memoryBytes() {
    return 60L * names.length;
  }

  void clear() {
    names = new Hash[LEAST];
    arrivals = new long[LEAST];
  }
}
