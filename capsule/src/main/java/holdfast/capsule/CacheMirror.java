package holdfast.capsule;

import java.util.ArrayDeque;
import java.util.Arrays;

/**
 * The server's mirror of a reader's {@link VerificationCache}: arrival numbers in place of names, 8
 * bytes an entry and 8 in the ring that remembers their order.
 *
 * <p>Additions wait until the reader acknowledges the answer that carried them, in the order of the
 * answers; so the mirror never runs ahead of the reader (paper, section 3.3). A mirror that is
 * wrong nevertheless makes proofs fail at the reader, who then asks again without it: speed is
 * lost, nothing else.
 *
 * <p>A key is {@code arrival << 21 | node}: node 0 is the record itself, others are Merkle nodes as
 * numbered by {@link #node}.
 */
public final class CacheMirror {
  private static final int NODE_BITS = 21;
  private static final int HEIGHT = 20;
  private static final long FREE = -1;

  /** Additions that may wait however small the cache is: about those of one large answer. */
  private static final int OVERDUE = 1 << 16;

  private static final class Pending {
    final long answer;
    final long[] additions;

    Pending(long answer, long[] additions) {
      this.answer = answer;
      this.additions = additions;
    }
  }

  private final int capacity;
  private final ArrayDeque<Pending> pending = new ArrayDeque<>();
  private long[] ring;
  private long[] table;
  private int size;
  private long awaitedAdditions;
  private int oldest;

  /** A mirror of at most {@code capacity} entries; memory is taken as it fills. */
  public CacheMirror(int capacity) {
    this.capacity = capacity;
    this.ring = new long[Math.min(64, capacity)];
    this.table = new long[64];
    Arrays.fill(table, FREE);
  }

  /** Entries that fit. */
  public int capacity() {
    return capacity;
  }

  /** Entries held. */
  public int size() {
    return size;
  }

  /** The number of a Merkle node within its record: 1 and up, unique over levels and indices. */
  public static int node(int level, int index) {
    return (1 << (HEIGHT - level)) + index;
  }

  /** The key of a record. */
  public static long key(long arrival) {
    return arrival << NODE_BITS;
  }

  /** The key of a Merkle node. */
  public static long key(long arrival, int node) {
    return arrival << NODE_BITS | node;
  }

  /** Whether the reader has verified this. */
  public boolean contains(long key) {
    if (size == 0) {
      return false;
    }
    for (int at = home(key); table[at] != FREE; at = (at + 1) & (table.length - 1)) {
      if (table[at] == key) {
        return true;
      }
    }
    return false;
  }

  /** Remembers what answer number {@code answer} adds once the reader acknowledges it. */
  public void await(long answer, long[] additions) {
    pending.add(new Pending(answer, additions));
    awaitedAdditions += additions.length;
  }

  /** Answers that wait for an acknowledgement. */
  public int awaiting() {
    return pending.size();
  }

  /** Whether more additions wait than the cache has room for: a reader that never acknowledges. */
  public boolean overdue() {
    return awaitedAdditions > Math.max(capacity, OVERDUE);
  }

  /** Applies the additions of every answer up to {@code answer}. */
  public void acknowledge(long answer) {
    for (Pending first = pending.peek();
        first != null && first.answer <= answer;
        first = pending.peek()) {
      for (long key : first.additions) {
        add(key);
      }
      pending.remove();
      awaitedAdditions -= first.additions.length;
    }
  }

  /** Adds an entry at once, as when a cache is resumed. */
  public void add(long key) {
    if (capacity == 0 || contains(key)) {
      return;
    }
    if (size == capacity) {
      remove(ring[oldest]);
      ring[oldest] = key;
      oldest = (oldest + 1) % capacity;
    } else {
      if (size == ring.length) {
        ring = Arrays.copyOf(ring, Math.min(capacity, 2 * ring.length));
      }
      ring[size++] = key;
    }
    if (2 * size > table.length) {
      grow();
    }
    place(key);
  }

  private void place(long key) {
    int at = home(key);
    while (table[at] != FREE) {
      at = (at + 1) & (table.length - 1);
    }
    table[at] = key;
  }

  private void grow() {
    long[] old = table;
    table = new long[2 * old.length];
    Arrays.fill(table, FREE);
    for (long key : old) {
      if (key != FREE) {
        place(key);
      }
    }
  }

  private void remove(long key) {
    int mask = table.length - 1;
    int at = home(key);
    while (table[at] != key) {
      at = (at + 1) & mask;
    }
    // Linear probing without tombstones: close the gap with entries that would be cut off by it.
    int gap = at;
    for (int probe = (gap + 1) & mask; table[probe] != FREE; probe = (probe + 1) & mask) {
      int home = home(table[probe]);
      if (((probe - home) & mask) >= ((probe - gap) & mask)) {
        table[gap] = table[probe];
        gap = probe;
      }
    }
    table[gap] = FREE;
  }

  private int home(long key) {
    long mixed = key * 0x9E3779B97F4A7C15L;
    return (int) (mixed >>> 32) & (table.length - 1);
  }
}
