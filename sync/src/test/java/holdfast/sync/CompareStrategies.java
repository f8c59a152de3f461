package holdfast.sync;

import holdfast.base.Hash;
import holdfast.testkit.Gen;
import java.util.List;
import java.util.Locale;

/**
 * Prints what each strategy costs: messages, bytes, and time of both sides together, for sets of
 * 100,000 names. Not a test. Arguments, all optional: names in common; differences, half of them on
 * each side.
 */
final class CompareStrategies {
  private static final int[] DIFFERENCES = {0, 1, 10, 100, 1000, 10_000, 30_000};

  private CompareStrategies() {}

  public static void main(String[] args) throws Exception {
    int common = args.length == 0 ? 100_000 : Integer.parseInt(args[0]);
    filters(new Gen(1));
    System.out.printf(
        "%-8s %10s %9s %12s %9s%n", "strategy", "difference", "messages", "bytes", "ms");
    for (int difference : DIFFERENCES) {
      int first = (difference + 1) / 2;
      for (Way strategy : Way.values()) {
        double best = Double.MAX_VALUE;
        Exchange exchange = null;
        for (int run = 0; run < 3; run++) {
          SetPair pair =
              SetPair.of(new Gen(difference), common - difference / 2, first, difference - first);
          long start = System.nanoTime();
          exchange = pair.exchange(strategy);
          exchange.run();
          best = Math.min(best, (System.nanoTime() - start) / 1e6);
        }
        System.out.printf(
            Locale.ROOT,
            "%-8s %10d %9d %12d %9.1f%n",
            strategy,
            difference,
            exchange.messages.size(),
            exchange.bytes(),
            best);
      }
    }
  }

  private static void filters(Gen gen) {
    List<Hash> names = gen.list(100_000, gen::hash);
    List<Hash> others = gen.list(100_000, gen::hash);
    for (int run = 0; run < 10; run++) {
      long start = System.nanoTime();
      BloomFilter filter = BloomFilter.of(gen.hash(), names);
      long added = System.nanoTime();
      int contained = 0;
      for (int i = 0; i < names.size(); i++) {
        contained += filter.mayContain(names.get(i)) ? 1 : 0;
        contained += filter.mayContain(others.get(i)) ? 1 : 0;
      }
      long tested = System.nanoTime();
      if (run == 9) {
        System.out.printf(
            Locale.ROOT,
            "filter: add %.1f ns, test %.1f ns, %d of 200000 contained%n",
            (added - start) / 1e5,
            (tested - added) / 2e5,
            contained);
      }
    }
  }
}
