package holdfast.sync;

import holdfast.base.Decoder;
import holdfast.base.ProofException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;

/**
 * Recovers the ids that only one side has from the peer's coded symbols combined with one's own:
 * the decoder of "Practical Rateless Set Reconciliation", section 3.
 *
 * <p>A symbol that holds one id only shows it; the id is then taken out of all symbols, which
 * leaves others with one id only, and so on. An honest symbol shows one id at most, so there are
 * never more ids than symbols; a peer that makes it seem so is refused, and no other one can keep
 * this going. 20 bytes a symbol and 24 an id recovered are held.
 */
final class SketchDecoder {
  /** Bytes of a symbol on the wire: sum, check. */
  static final int SYMBOL_BYTES = 16;

  /** Symbols for each id: 1.35 when there are many, section 5 of the paper, and some for error. */
  private static final double OVERHEAD = 1.42;

  private final CodedSymbols own;
  private final CodedSymbols recovered;
  private final BitSet queued = new BitSet();
  private long[] sums = new long[64];
  private long[] checks = new long[64];
  private int[] queue = new int[64];
  private int waiting;
  private int size;
  private double estimate;
  private boolean blind;

  /**
   * @param own the symbols of one's own ids, none taken yet
   * @param end symbols that may come at most
   */
  SketchDecoder(CodedSymbols own, int end) {
    this.own = own;
    recovered = new CodedSymbols(end, 16);
  }

  /** Symbols taken in. */
  int size() {
    return size;
  }

  /** Takes in the next symbols of the peer. */
  void receive(Decoder in, int count) throws ProofException {
    ByteBuffer symbols = ByteBuffer.wrap(in.raw(SYMBOL_BYTES * count));
    reserve(size + count);
    for (int i = size; i < size + count; i++) {
      sums[i] = symbols.getLong();
      checks[i] = symbols.getLong();
    }
    own.take(count, sums, checks, size);
    estimate(size, size + count);
    recovered.take(count, sums, checks, size);
    int first = size;
    size += count;
    for (int i = first; i < size; i++) {
      queueIfPure(i);
    }
    peel(in);
  }

  private void reserve(int needed) {
    if (needed > sums.length) {
      int room = Math.max(needed, sums.length + sums.length / 2);
      sums = Arrays.copyOf(sums, room);
      checks = Arrays.copyOf(checks, room);
      queue = Arrays.copyOf(queue, room);
    }
  }

  /** Symbol i is empty with probability about exp(-d / (1 + i/2)), d ids being to be found. */
  private void estimate(int from, int to) {
    int empty = 0;
    for (int i = from; i < to; i++) {
      empty += sums[i] == 0 && checks[i] == 0 ? 1 : 0;
    }
    double middle = 1 + (from + to) / 4.0;
    estimate = middle * Math.log((to - from) / Math.max(0.5, empty));
    blind = empty == 0;
  }

  private void queueIfPure(int symbol) {
    if (checks[symbol] == CodedSymbols.check(sums[symbol]) && !queued.get(symbol)) {
      queued.set(symbol);
      queue[waiting++] = symbol;
    }
  }

  private void peel(Decoder in) throws ProofException {
    while (waiting > 0) {
      int symbol = queue[--waiting];
      queued.clear(symbol);
      long id = sums[symbol];
      long check = CodedSymbols.check(id);
      if (checks[symbol] != check) {
        continue;
      }
      if (recovered.size() == size) {
        throw in.malformed("yields more names than it has symbols");
      }
      long state = id;
      int index = 0;
      while (index < size) {
        sums[index] ^= id;
        checks[index] ^= check;
        queueIfPure(index);
        state = CodedSymbols.next(state);
        index = CodedSymbols.next(index, state);
      }
      recovered.add(id, state, index);
    }
  }

  /** Whether all is found: every id is in symbol 0, which then is empty. */
  boolean decoded() {
    return sums[0] == 0 && checks[0] == 0;
  }

  /**
   * How many more symbols will probably do, at least 1.
   *
   * <p>The estimate is of the symbols received last. While none of them is empty it says only that
   * many more are needed: then four times as many as so far are to be there, because a round trip
   * costs more than symbols that turn out to be too many.
   */
  int wanted() {
    double more = Math.max(OVERHEAD * estimate + 4 - size, blind ? 3.0 * size : 0);
    return (int) Math.max(8 + size / 10, Math.min(more, SetLimits.NAMES));
  }

  /** The ids found, ascending as unsigned numbers. */
  long[] ids() {
    return recovered.sortedIds();
  }
}
