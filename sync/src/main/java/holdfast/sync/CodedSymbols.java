package holdfast.sync;

import java.util.Arrays;

/**
 * The coded symbols of a set of ids, in order: the encoder of Yang, Gilad and Alizadeh, "Practical
 * Rateless Set Reconciliation", SIGCOMM 2024.
 *
 * <p>Symbol i is the exclusive or of ids and the exclusive or of their checks. It holds each id
 * with probability 1 / (1 + i/2), section 4.1; the gaps between the symbols that hold an id are
 * drawn from a sequence that the id seeds, section 4.2. The symbols of one set, combined with those
 * of another, are those of the ids that only one of them has.
 *
 * <p>The paper's symbols have a count besides, which says whose a recovered item is; here this is
 * seen in the own set.
 *
 * <p>Each id waits in a list for the page of symbols where it comes next; with that, m symbols of n
 * ids take about 2·n·ln m steps.
 */
final class CodedSymbols {
  private static final int PAGE = 256;
  private static final long STEP = 0x9E3779B97F4A7C15L;
  private static final long CHECK = 0xD1B54A32D192ED03L;
  private static final int NONE = -1;

  private final int end;
  private final int[] lists;
  private long[] ids;
  private long[] states;
  private int[] indices;
  private int[] links;
  private int size;
  private int at;

  /** The symbols of no ids yet; symbol {@code end - 1} is the last that can be had. */
  CodedSymbols(int end, int room) {
    this.end = end;
    lists = new int[end / PAGE + 1];
    Arrays.fill(lists, NONE);
    ids = new long[room];
    states = new long[room];
    indices = new int[room];
    links = new int[room];
  }

  /** The check of an id, 64 bits; not linear, so that it tells one id from several combined. */
  static long check(long id) {
    return mix(id ^ CHECK);
  }

  /** The state of the sequence that follows {@code state}; the first one is the id itself. */
  static long next(long state) {
    return state + STEP;
  }

  /**
   * The next symbol that holds an id which symbol {@code index} holds; the approximation that the
   * paper gives for its mapping. At most 2<sup>31</sup> - 1.
   */
  static int next(int index, long state) {
    double uniform = ((mix(state) >>> 11) + 1) * 0x1p-53;
    double gap = Math.ceil((index + 1.5) * (1 / Math.sqrt(uniform) - 1));
    return (int) Math.min(Integer.MAX_VALUE, index + Math.max(1, gap));
  }

  /** SplitMix64's (Steele, Lea and Flood, "Fast splittable pseudorandom number generators"). */
  private static long mix(long bits) {
    long z = (bits ^ (bits >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  /** Adds an id to all symbols, none of which has been taken yet. */
  void add(long id) {
    add(id, id, 0);
  }

  /**
   * Adds an id to the symbols not taken yet.
   *
   * @param index the first of them that holds it
   * @param state the state of its sequence there
   */
  void add(long id, long state, int index) {
    if (size == ids.length) {
      int room = 2 * size + 16;
      ids = Arrays.copyOf(ids, room);
      states = Arrays.copyOf(states, room);
      indices = Arrays.copyOf(indices, room);
      links = Arrays.copyOf(links, room);
    }
    ids[size] = id;
    states[size] = state;
    indices[size] = index;
    wait(size++);
  }

  private void wait(int item) {
    if (indices[item] < end) {
      int page = indices[item] / PAGE;
      links[item] = lists[page];
      lists[page] = item;
    }
  }

  /** Number of ids. */
  int size() {
    return size;
  }

  /** The ids, in ascending order as unsigned numbers. */
  long[] sortedIds() {
    long[] sorted = Arrays.copyOf(ids, size);
    for (int i = 0; i < size; i++) {
      sorted[i] ^= Long.MIN_VALUE;
    }
    Arrays.sort(sorted);
    for (int i = 0; i < size; i++) {
      sorted[i] ^= Long.MIN_VALUE;
    }
    return sorted;
  }

  /** Symbols taken so far. */
  int taken() {
    return at;
  }

  /** Takes the next {@code count} symbols: combines them with what is in the arrays. */
  void take(int count, long[] sums, long[] checks, int offset) {
    int first = at;
    int limit = at + count;
    for (int page = first / PAGE; page * PAGE < limit; page++) {
      int item = lists[page];
      lists[page] = NONE;
      while (item != NONE) {
        int after = links[item];
        long id = ids[item];
        long check = check(id);
        long state = states[item];
        int index = indices[item];
        while (index < limit) {
          sums[offset + index - first] ^= id;
          checks[offset + index - first] ^= check;
          state = next(state);
          index = next(index, state);
        }
        states[item] = state;
        indices[item] = index;
        wait(item);
        item = after;
      }
    }
    at = limit;
  }
}
