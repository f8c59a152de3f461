package holdfast.client;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Freshness;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * What several servers say is newest.
 *
 * @param answers signed by distinct members, each for this question, its heads proven
 * @param heads what they list together, without those that lie below another of them
 * @param groups the placements that hold jointly, the newest first; one when nothing changes; then
 *     those that were left without the owner's word, with as many of their members as bore out that
 *     the newest have all
 */
public record QuorumFreshness(List<Freshness> answers, List<Hash> heads, List<Group> groups) {
  /** Headers looked at to find out whether one head lies below another. */
  private static final int WALKED = 4096;

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

  /**
   * The heads of all answers, without those met on the way back from others. Only headers decide:
   * that a server does not list a record which it has shows nothing.
   */
  static List<Hash> topmost(ReplicatedReader reader, List<Freshness> answers)
      throws ProofException {
    Set<Hash> heads = new LinkedHashSet<>();
    answers.forEach(answer -> heads.addAll(answer.heads()));
    boolean agreed = answers.stream().allMatch(a -> heads.equals(new HashSet<>(a.heads())));
    Set<Hash> seen = new HashSet<>(heads);
    List<Hash> next = agreed ? List.of() : List.copyOf(heads);
    while (!next.isEmpty() && seen.size() < WALKED) {
      Set<Hash> below = new LinkedHashSet<>();
      for (ReadResult result : reader.readHeaders(next)) {
        if (result instanceof ReadResult.Proven one) {
          below.addAll(one.record().header().pointers());
        }
      }
      heads.removeAll(below);
      below.removeIf(name -> !seen.add(name));
      next = List.copyOf(below);
    }
    return List.copyOf(heads);
  }
}
