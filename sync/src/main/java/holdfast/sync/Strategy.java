package holdfast.sync;

import holdfast.base.Hash;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** How a round finds out what each side lacks. All end in equal sets; they differ in cost. */
public enum Strategy {
  /**
   * What the numbers of entries suggest: all names of a few, a tree when one side has far more,
   * else a sketch. The default; docs/performance.md compares.
   */
  ADAPTIVE(0),
  /**
   * The paper's stages: Bloom filters over what is new since the last round, then Lu's algorithm.
   */
  STAGED(1),
  /** All names of what is new since the last round. */
  NAIVE(2),
  /** A Merkle tree over name prefixes, as in Dynamo. */
  TREE(3),
  /** Lu's algorithm alone, over the whole record graph. */
  LU(4),
  /** A rateless set sketch: cost follows the size of the difference. */
  SKETCH(5);

  /** Entries of both sides whose names are shorter than the first message of a sketch. */
  private static final int NAMED = 256;

  private final int number;

  Strategy(int number) {
    this.number = number;
  }

  /** Its number in messages. */
  public int number() {
    return number;
  }

  /** The strategy of a number; null when there is none. */
  static @Nullable Strategy of(int number) {
    for (Strategy one : values()) {
      if (one.number == number) {
        return one;
      }
    }
    return null;
  }

  /** This one or, if it adapts, what finds the difference of such sets in few turns and bytes. */
  Strategy fitting(long one, long other) {
    if (this != ADAPTIVE) {
      return this;
    }
    long all = one + other;
    if (all <= NAMED) {
      return NAIVE;
    }
    return Math.abs(one - other) > all / 10 ? TREE : SKETCH;
  }

  /** Whether it finds out by Lu's algorithm what the difference did not show. */
  boolean walks() {
    return this == STAGED || this == LU;
  }

  /** What finds out with the peer's twin which of these names the peer lacks. */
  Reconciler reconciler(boolean initiator, Hash salt, List<Hash> names) {
    return switch (this) {
      case STAGED -> new BloomReconciler(initiator, salt, names);
      case NAIVE -> new NaiveReconciler(initiator, names);
      case TREE -> new TreeReconciler(initiator, salt, names);
      case SKETCH, LU, ADAPTIVE -> new SketchReconciler(initiator, salt, names);
    };
  }
}
