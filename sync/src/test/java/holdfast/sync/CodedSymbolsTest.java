package holdfast.sync;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Decoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.testkit.Gen;
import holdfast.testkit.Property;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Test;

/** The rateless sketch: "Practical Rateless Set Reconciliation", sections 3 to 5. */
class CodedSymbolsTest {
  private static final int END = 1 << 20;

  private static CodedSymbols of(long... ids) {
    CodedSymbols symbols = new CodedSymbols(END, ids.length);
    for (long id : ids) {
      symbols.add(id);
    }
    return symbols;
  }

  private static long[] ids(int count, Gen gen) {
    LongSupplier any = () -> gen.hash().prefix();
    long[] ids = new long[count];
    Arrays.setAll(ids, i -> any.getAsLong());
    return ids;
  }

  /** Section 4.1: the probability of an id in symbol i is 1 / (1 + i/2). */
  @Test
  void symbolsHoldFewerAndFewerIds() {
    int count = 20_000;
    long[] ids = ids(count, new Gen(1));
    int[] held = new int[1000];
    for (long id : ids) {
      long state = id;
      for (int i = 0; i < held.length; ) {
        held[i]++;
        state = CodedSymbols.next(state);
        i = CodedSymbols.next(i, state);
      }
    }
    assertThat(held[0]).isEqualTo(count);
    for (int i : new int[] {1, 2, 3, 10, 50}) {
      double expected = count / (1 + i / 2.0);
      assertThat((double) held[i]).isBetween(expected * 0.85, expected * 1.15);
    }
    int sum = 0;
    double expected = 0;
    for (int i = 100; i < 1000; i++) {
      sum += held[i];
      expected += count / (1 + i / 2.0);
    }
    assertThat((double) sum).isBetween(expected * 0.97, expected * 1.03);
  }

  /** However the symbols are divided into batches, they are the same. */
  @Test
  void batchesMakeNoDifference() {
    Property.check(
        20,
        gen -> {
          long[] ids = ids(gen.between(0, 300), gen);
          int total = gen.between(1, 3000);
          long[] sums = new long[total];
          long[] checks = new long[total];
          of(ids).take(total, sums, checks, 0);

          long[] batchSums = new long[total];
          long[] batchChecks = new long[total];
          CodedSymbols batches = of(ids);
          while (batches.taken() < total) {
            int count = gen.between(1, total - batches.taken());
            batches.take(count, batchSums, batchChecks, batches.taken());
          }
          assertThat(batchSums).isEqualTo(sums);
          assertThat(batchChecks).isEqualTo(checks);
        });
  }

  private static Decoder wire(CodedSymbols symbols, int count) {
    long[] sums = new long[count];
    long[] checks = new long[count];
    symbols.take(count, sums, checks, 0);
    ByteBuffer bytes = ByteBuffer.allocate(16 * count);
    for (int i = 0; i < count; i++) {
      bytes.putLong(sums[i]).putLong(checks[i]);
    }
    return new Decoder(bytes.array(), "symbols");
  }

  /** Section 5: 1.35 symbols for each id when there are many, 1.72 at worst, on average. */
  @Test
  void fewMoreSymbolsThanIdsAreNeeded() throws ProofException {
    Gen gen = new Gen(2);
    for (int difference : new int[] {1, 4, 20, 300, 5000}) {
      int runs = difference > 1000 ? 3 : 100;
      int needed = 0;
      for (int run = 0; run < runs; run++) {
        CodedSymbols theirs = of(ids(difference, gen));
        SketchDecoder decoder = new SketchDecoder(of(), END);
        int step = 1 + difference / 100;
        do {
          decoder.receive(wire(theirs, step), step);
        } while (!decoder.decoded());
        needed += decoder.size();
        assertThat(decoder.ids()).isEqualTo(theirs.sortedIds());
      }
      assertThat((double) needed / runs / difference).as("%d ids", difference).isBetween(1., 1.85);
      if (difference > 1000) {
        assertThat((double) needed / runs / difference).isBetween(1.3, 1.42);
      }
    }
  }

  @Test
  void whatIsCommonCostsNothing() throws ProofException {
    long[] ids = ids(5000, new Gen(3));
    CodedSymbols theirs = of(ids);
    theirs.add(17);
    SketchDecoder decoder = new SketchDecoder(of(ids), END);
    decoder.receive(wire(theirs, 8), 8);
    assertThat(decoder.decoded()).isTrue();
    assertThat(decoder.ids()).containsExactly(17);
  }

  /**
   * A symbol that, once an id has been taken out of it, seems to hold the same one again: without a
   * limit the decoder would take it out of one symbol after the other for ever.
   */
  @Test
  void symbolsThatContradictEachOtherDoNotKeepTheDecoderBusyForEver() {
    // Only symbol 0 and a few others of the first 64 hold the id; another one claims to.
    long id = 4711;
    int count = 64;
    boolean[] holds = new boolean[count];
    long state = id;
    for (int i = 0; i < count; ) {
      holds[i] = true;
      state = CodedSymbols.next(state);
      i = CodedSymbols.next(i, state);
    }
    ByteBuffer bytes = ByteBuffer.allocate(16 * count);
    for (int i = 0; i < count; i++) {
      bytes.putLong(holds[i] ? 0 : id).putLong(holds[i] ? 0 : CodedSymbols.check(id));
    }
    SketchDecoder decoder = new SketchDecoder(of(), END);
    assertThatThrownBy(() -> decoder.receive(new Decoder(bytes.array(), "batch of symbols"), count))
        .isInstanceOf(ProofException.class)
        .hasMessageContaining("batch of symbols yields more names than it has symbols");
  }

  @Test
  void idsAreSortedAndFound() {
    Property.check(
        50,
        gen -> {
          List<Hash> list = gen.list(gen.between(0, 500), gen::hash);
          SaltedNames names = new SaltedNames(gen.hash(), list);
          assertThat(names.size()).isEqualTo(list.size());
          for (int i = 0; i < names.size(); i++) {
            if (i > 0) {
              assertThat(Long.compareUnsigned(names.id(i - 1), names.id(i))).isNegative();
            }
            assertThat(names.indexOf(names.id(i))).isEqualTo(i);
          }
          BitSet all = new BitSet();
          all.set(0, names.size());
          assertThat(names.at(all)).containsExactlyInAnyOrderElementsOf(list);
        });
  }
}
