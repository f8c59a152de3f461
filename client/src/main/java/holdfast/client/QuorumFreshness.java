package holdfast.client;

import holdfast.base.Hash;
import holdfast.capsule.Freshness;
import java.util.List;

/**
 * What several servers say is newest.
 *
 * @param answers signed by distinct members, each for this question, its heads proven
 * @param heads what they list together, without those that lie below another of them
 * @param groups the placements that hold jointly, the newest first; one when nothing changes
 */
public record QuorumFreshness(List<Freshness> answers, List<Hash> heads, List<Group> groups) {
  /** Checks that there is a group. */
  public QuorumFreshness {
    answers = List.copyOf(answers);
    heads = List.copyOf(heads);
    groups = List.copyOf(groups);
    if (groups.isEmpty()) {
      throw new IllegalArgumentException("somebody is asked");
    }
  }

  /**
   * The servers of one placement. A server may be in several.
   *
   * @param answered how many of them have answered: r
   * @param acknowledgements how many of them every write is taken to be acknowledged by: k
   * @param members how many there are: n
   */
  public record Group(int answered, int acknowledgements, int members) {
    /** A placement that may hold and that nobody has shown; its servers could not be asked. */
    public static final Group UNKNOWN = new Group(0, 0, 0);

    /** How many lying servers of this group the answer survives: f = k + r − n − 1. */
    public int survives() {
      return acknowledgements + answered - members - 1;
    }
  }

  /**
   * How many lying servers the answer survives: the least of all groups. A write that k servers of
   * a group have acknowledged is known to an honest one among those of it that answered; while
   * placements hold jointly, one that was acknowledged before the change is known to the old group
   * alone. Below 0 the answer may miss such a write though nobody lies.
   */
  public int survives() {
    return groups.stream().mapToInt(Group::survives).min().orElseThrow();
  }
}
