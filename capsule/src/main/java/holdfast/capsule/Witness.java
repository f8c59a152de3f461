package holdfast.capsule;

/**
 * What is known about the best way to prove a record (DCS paper, section 3.3).
 *
 * <p>Held as a <em>rank</em>, an unsigned number that only ever falls: the distance to a signed
 * record, with the top bit set when the chain vouches for the record without showing its
 * authorship. So an authored chain beats every chain that only vouches, and among equals the
 * shorter wins.
 *
 * @param rank the rank; {@link #UNPROVEN} when there is no chain
 * @param nextHop arrival number of the record that points here on that chain; meaningless for a
 *     signed or unproven record
 */
public record Witness(int rank, long nextHop) {
  /** The rank of a record that cannot be proven yet. */
  public static final int UNPROVEN = -1;

  /** Set in the rank of a chain that only vouches. */
  static final int VOUCHED = 1 << 31;

  /** Whether there is any chain. */
  public boolean proven() {
    return rank != UNPROVEN;
  }

  /** Whether the chain shows that the record's own writer made it. */
  public boolean authored() {
    return rank >= 0;
  }

  /** Whether the record carries a signature itself. */
  public boolean signed() {
    return proven() && distance() == 0;
  }

  /** Number of hops to the signed record; 0 for a signed one. */
  public int distance() {
    return rank & ~VOUCHED;
  }

  /** Whether {@code candidate} is strictly better than {@code current}. */
  static boolean better(int candidate, int current) {
    return Integer.compareUnsigned(candidate, current) < 0;
  }

  /** The rank a parent gets through a child of this rank. */
  static int through(int childRank, boolean sameWriter) {
    if (childRank == UNPROVEN) {
      return UNPROVEN;
    }
    int distance = (childRank & ~VOUCHED) + 1;
    return childRank >= 0 && sameWriter ? distance : VOUCHED | distance;
  }
}
