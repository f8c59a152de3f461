package holdfast.client;

import holdfast.base.Hash;
import holdfast.capsule.Freshness;
import java.util.List;

/**
 * What several servers say is newest.
 *
 * @param answers signed by distinct members, each for this question, its heads proven
 * @param heads what they list together, without those that lie below another of them
 * @param acknowledgements how many members every write is taken to be acknowledged by: k
 * @param members how many there are: n
 */
public record QuorumFreshness(
    List<Freshness> answers, List<Hash> heads, int acknowledgements, int members) {
  /**
   * How many lying servers the answer survives: f = k + r − n − 1, where r servers have answered.
   * Every write that k servers have acknowledged is then known to an honest one among the r. Below
   * 0 the answer may miss such a write though nobody lies.
   */
  public int survives() {
    return acknowledgements + answers.size() - members - 1;
  }
}
