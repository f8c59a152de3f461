package holdfast.client;

import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import holdfast.capsule.Statement.Placement;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The owner's placements and releases of one capsule, as far as they are known, and what follows
 * from them: which placements hold jointly. What is known only grows, so that nobody who shows less
 * takes anything back. Not safe for use by several threads.
 */
final class KnownPlacements {
  private final Set<Statement> known = new HashSet<>();

  /**
   * Those that were found to be over though the owner has not said so, with how many of their
   * members bore it out.
   */
  private final Map<Placement, Integer> over = new HashMap<>();

  /** The same of what others know. */
  KnownPlacements(Collection<? extends Statement> statements) {
    learn(statements);
    if (Placement.current(known) == null) {
      throw new IllegalArgumentException("there is a placement");
    }
  }

  /** Takes in statements; those of other kinds are passed over. */
  void learn(Collection<? extends Statement> statements) {
    for (Statement one : statements) {
      if (one instanceof Placement || one instanceof Release) {
        known.add(one);
      }
    }
  }

  /** The newest members have all that an old placement acknowledged. */
  void over(JointPlacement.Left old) {
    over.merge(old.placement(), old.agreed(), Math::max);
  }

  /**
   * The placements that were left and not released. That they were over was the word of some of
   * their members, and what is found by the newer ones alone survives no more liars than that did.
   */
  List<JointPlacement.Left> left() {
    List<Placement> now = joint();
    return Release.joint(known).stream()
        .filter(one -> !now.contains(one))
        .map(one -> new JointPlacement.Left(one, over.getOrDefault(one, 0)))
        .toList();
  }

  /** The placements that hold jointly, oldest first; the last is the newest. */
  List<Placement> joint() {
    List<Placement> joint = Release.joint(known);
    return joint.stream()
        .filter(one -> one.equals(joint.getLast()) || !over.containsKey(one))
        .toList();
  }

  /** The placement that holds over all others. */
  Placement newest() {
    return joint().getLast();
  }

  /**
   * Whether there can be no other: none is missing between the lowest version that was not released
   * and the newest.
   */
  boolean complete() {
    return Release.complete(known);
  }
}
