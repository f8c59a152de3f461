package holdfast.sync;

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
}
