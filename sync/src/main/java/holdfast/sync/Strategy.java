package holdfast.sync;

/** How a round finds out what each side lacks. All end in equal sets; they differ in cost. */
public enum Strategy {
  /**
   * What the numbers of entries suggest: all names of a few, a tree when one side has far more,
   * else a sketch. The default; docs/performance.md compares.
   */
  ADAPTIVE,
  /**
   * The paper's stages: Bloom filters over what is new since the last round, then Lu's algorithm.
   */
  STAGED,
  /** All names of what is new since the last round. */
  NAIVE,
  /** A Merkle tree over name prefixes, as in Dynamo. */
  TREE,
  /** Lu's algorithm alone, over the whole record graph. */
  LU,
  /** A rateless set sketch: cost follows the size of the difference. */
  SKETCH
}
