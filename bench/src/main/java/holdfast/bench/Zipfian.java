package holdfast.bench;

import java.util.SplittableRandom;

/**
 * Numbers 0…n−1 of which few are frequent, after Gray et al., "Quickly generating billion-record
 * synthetic databases" (SIGMOD 1994), with YCSB's constant 0.99; scattered over the range by a
 * hash.
 */
final class Zipfian {
  private static final double THETA = 0.99;

  private final long items;
  private final double zetaN;
  private final double alpha = 1 / (1 - THETA);
  private final double eta;
  private final SplittableRandom random;

  Zipfian(long items, SplittableRandom random) {
    this.items = items;
    this.random = random;
    this.zetaN = zeta(items);
    this.eta = (1 - Math.pow(2.0 / items, 1 - THETA)) / (1 - zeta(2) / zetaN);
  }

  private static double zeta(long n) {
    double sum = 0;
    for (long i = 1; i <= n; i++) {
      sum += 1 / Math.pow((double) i, THETA);
    }
    return sum;
  }

  /** The rank: 0 is the most frequent. */
  long rank() {
    double u = random.nextDouble();
    double uz = u * zetaN;
    if (uz < 1) {
      return 0;
    }
    if (uz < 1 + Math.pow(0.5, THETA)) {
      return 1;
    }
    return Math.min(items - 1, (long) (items * Math.pow(eta * u - eta + 1, alpha)));
  }

  /** An item; which ones are frequent is scattered. */
  long scattered() {
    long hash = rank() * 0x9E3779B97F4A7C15L;
    return Long.remainderUnsigned(hash ^ hash >>> 29, items);
  }
}
