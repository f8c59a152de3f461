package holdfast.device;

import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * Where the operations of a queue stand in its file: those that wait, in order, and the latest one
 * of each key.
 *
 * <p>Primitive arrays, about 36 bytes for an operation, so that values may stay on disk. A
 * <em>position</em> is a place in the arrays; appending may move them all. Places of operations
 * that were taken out hold the sequence number 0 until then.
 */
final class LiveIndex {
  /** What a search gives when there is nothing. */
  static final int NONE = -1;

  private static final int SMALLEST = 64;

  private long[] sequences = new long[SMALLEST];
  private long[] offsets = new long[SMALLEST];
  private int[] sizes = new int[SMALLEST];
  private int[] hashes = new int[SMALLEST];
  private int[] ages = new int[SMALLEST];
  private int head;
  private int tail;
  private int count;
  private long bytes;

  /** Open addressing with linear probing: position + 1 of the latest operation of a key, or 0. */
  private int[] table = new int[2 * SMALLEST];

  /** Operations that wait. */
  int count() {
    return count;
  }

  /** Bytes of their entries. */
  long bytes() {
    return bytes;
  }

  long sequence(int position) {
    return sequences[position];
  }

  long offset(int position) {
    return offsets[position];
  }

  int size(int position) {
    return sizes[position];
  }

  int age(int position) {
    return ages[position];
  }

  /** The first position, or {@link #NONE}. */
  int first() {
    return next(head - 1);
  }

  /** The first position after this one, or {@link #NONE}. */
  int next(int position) {
    for (int at = position + 1; at < tail; at++) {
      if (sequences[at] != 0) {
        return at;
      }
    }
    return NONE;
  }

  /** The first position whose sequence number is above {@code sequence}, or {@link #NONE}. */
  int after(long sequence) {
    int low = head;
    int high = tail;
    while (low < high) {
      int middle = (low + high) >>> 1;
      int at = next(middle - 1);
      if (at == NONE || at >= high || sequences[at] > sequence) {
        high = middle;
      } else {
        low = at + 1;
      }
    }
    return next(low - 1);
  }

  /** The latest operation with this hash that {@code sameKey} takes for its own, or NONE. */
  int find(int hash, IntPredicate sameKey) {
    for (int slot = slot(hash); table[slot] != 0; slot = (slot + 1) & mask()) {
      int position = table[slot] - 1;
      if (hashes[position] == hash && sameKey.test(position)) {
        return position;
      }
    }
    return NONE;
  }

  /** Whether no later operation of the same key was added. */
  boolean latest(int position) {
    for (int slot = slot(hashes[position]); table[slot] != 0; slot = (slot + 1) & mask()) {
      if (table[slot] == position + 1) {
        return true;
      }
    }
    return false;
  }

  private int mask() {
    return table.length - 1;
  }

  /**
   * Adds an operation at the end.
   *
   * @param earlier position of the one that was the latest of its key until now, or NONE; it stays
   *     where it is, but is not found any more
   */
  void append(long sequence, long offset, int size, int hash, int age, int earlier) {
    if (earlier != NONE) {
      forget(earlier);
    }
    if (tail == sequences.length) {
      makeRoom();
    }
    sequences[tail] = sequence;
    offsets[tail] = offset;
    sizes[tail] = size;
    hashes[tail] = hash;
    ages[tail] = age;
    insert(tail);
    tail++;
    count++;
    bytes += size;
  }

  /** Takes an operation out. */
  void remove(int position) {
    forget(position);
    sequences[position] = 0;
    count--;
    bytes -= sizes[position];
    while (head < tail && sequences[head] == 0) {
      head++;
    }
  }

  /** Says where the entry of an operation stands now. */
  void moved(int position, long offset) {
    offsets[position] = offset;
  }

  private int slot(int hash) {
    return ((hash * 0x9E3779B1) >>> 7) & mask();
  }

  private void insert(int position) {
    int slot = slot(hashes[position]);
    while (table[slot] != 0) {
      slot = (slot + 1) & mask();
    }
    table[slot] = position + 1;
  }

  /** Takes a position out of the table, if it is there, and closes the gap. */
  private void forget(int position) {
    int mask = mask();
    int slot = slot(hashes[position]);
    while (table[slot] != position + 1) {
      if (table[slot] == 0) {
        return;
      }
      slot = (slot + 1) & mask;
    }
    int gap = slot;
    for (int at = (gap + 1) & mask; table[at] != 0; at = (at + 1) & mask) {
      int home = slot(hashes[table[at] - 1]);
      // It may fill the gap when its home is not cyclically within (gap, at].
      if (((at - home) & mask) >= ((at - gap) & mask)) {
        table[gap] = table[at];
        gap = at;
      }
    }
    table[gap] = 0;
  }

  /** Moves everything to the front, into arrays of a size that suits, and makes the table anew. */
  private void makeRoom() {
    int capacity = Math.max(SMALLEST, Integer.highestOneBit(Math.max(1, count)) * 2);
    if (count > capacity - capacity / 4) {
      capacity *= 2;
    }
    boolean[] latest = new boolean[tail];
    for (int entry : table) {
      if (entry != 0) {
        latest[entry - 1] = true;
      }
    }
    long[] oldSequences = sequences;
    long[] oldOffsets = offsets;
    int[] oldSizes = sizes;
    int[] oldHashes = hashes;
    int[] oldAges = ages;
    sequences = new long[capacity];
    offsets = new long[capacity];
    sizes = new int[capacity];
    hashes = new int[capacity];
    ages = new int[capacity];
    if (table.length == 2 * capacity) {
      Arrays.fill(table, 0);
    } else {
      table = new int[2 * capacity];
    }
    int to = 0;
    for (int from = head; from < tail; from++) {
      if (oldSequences[from] != 0) {
        sequences[to] = oldSequences[from];
        offsets[to] = oldOffsets[from];
        sizes[to] = oldSizes[from];
        hashes[to] = oldHashes[from];
        ages[to] = oldAges[from];
        if (latest[from]) {
          insert(to);
        }
        to++;
      }
    }
    head = 0;
    tail = to;
  }
}
