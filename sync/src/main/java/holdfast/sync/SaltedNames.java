package holdfast.sync;

import holdfast.base.Hash;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
import java.util.List;

/**
 * The names of one side, each with its <em>id</em>: 64 bits that the name and the round's joint
 * salt determine. In ascending order of ids, read as unsigned numbers.
 *
 * <p>A side has to learn which of its own names the peer lacks, not what the peer's are called; ids
 * are a quarter of a name's size and, unlike names, uniform whatever others choose. When a name of
 * one side meets another of the other side in one id, which happens once in 2<sup>64</sup> pairs,
 * both are overlooked; the next round has another salt.
 */
final class SaltedNames {
  private final NameHasher hasher;
  private final Hash[] names;
  private final long[] ids;

  /**
   * @throws IllegalArgumentException if a name is given twice, or there are too many
   */
  SaltedNames(Hash salt, Collection<Hash> from) {
    if (from.size() > SetLimits.NAMES) {
      throw new IllegalArgumentException(from.size() + " names are too many to compare at once");
    }
    hasher = new NameHasher(salt, NameHasher.Purpose.IDS);
    names = new Hash[from.size()];
    ids = new long[names.length];
    sort(from.toArray(new Hash[0]));
    for (int i = 1; i < ids.length; i++) {
      if (ids[i] == ids[i - 1] && names[i].equals(names[i - 1])) {
        throw new IllegalArgumentException("the name " + names[i].brief() + " is given twice");
      }
    }
  }

  /** Bucket sort, a few names in each bucket as ids are uniform; within them insertion sort. */
  private void sort(Hash[] from) {
    long[] unsorted = new long[from.length];
    int shift = Math.min(63, 1 + Long.numberOfLeadingZeros(from.length));
    int[] starts = new int[(1 << (64 - shift)) + 1];
    for (int i = 0; i < from.length; i++) {
      hasher.hash(from[i]);
      unsorted[i] = hasher.first();
      starts[(int) (unsorted[i] >>> shift) + 1]++;
    }
    for (int i = 1; i < starts.length; i++) {
      starts[i] += starts[i - 1];
    }
    for (int i = 0; i < from.length; i++) {
      int at = starts[(int) (unsorted[i] >>> shift)]++;
      for (; at > 0 && Long.compareUnsigned(ids[at - 1], unsorted[i]) > 0; at--) {
        ids[at] = ids[at - 1];
        names[at] = names[at - 1];
      }
      ids[at] = unsorted[i];
      names[at] = from[i];
    }
  }

  /** Number of names. */
  int size() {
    return ids.length;
  }

  /** The id at an index. */
  long id(int index) {
    return ids[index];
  }

  /** The name at an index. */
  Hash name(int index) {
    return names[index];
  }

  /** Another 64 bits that the name at an index and the salt determine. */
  long second(int index) {
    hasher.hash(names[index]);
    return hasher.second();
  }

  /** The first index whose id is not below {@code id}. */
  int indexOf(long id) {
    return indexOf(id, 0, ids.length);
  }

  /** The same, in a part of the indices that is known to hold the place. */
  int indexOf(long id, int from, int to) {
    int low = from;
    int high = to;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (Long.compareUnsigned(ids[middle], id) < 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** Marks all names with an id; false if there is none. */
  boolean mark(long id, BitSet marked) {
    int index = indexOf(id);
    boolean found = false;
    for (; index < ids.length && ids[index] == id; index++) {
      marked.set(index);
      found = true;
    }
    return found;
  }

  /** The names at the marked indices. */
  List<Hash> at(BitSet marked) {
    List<Hash> list = new ArrayList<>(marked.cardinality());
    for (int i = marked.nextSetBit(0); i >= 0; i = marked.nextSetBit(i + 1)) {
      list.add(names[i]);
    }
    return list;
  }
}
