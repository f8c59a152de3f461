package holdfast.client;

import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import holdfast.capsule.Statement.Placement;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The owner's placements and releases of one capsule, as far as they are known, and what follows
 * from them: which placements hold jointly. What is known only grows, so that nobody who shows less
 * takes anything back. Not safe for use by several threads.
 */
final class KnownPlacements {
  private final Set<Statement> known = new HashSet<>();

  /** Those that were found to be over though the owner has not said so. */
  private final Set<Placement> over = new HashSet<>();

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
  void over(Placement old) {
    over.add(old);
  }

  /** The placements that hold jointly, oldest first; the last is the newest. */
  List<Placement> joint() {
    List<Placement> joint = Release.joint(known);
    return joint.stream()
        .filter(one -> one.equals(joint.getLast()) || !over.contains(one))
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
