package holdfast.edge;

import holdfast.base.Hash;
import holdfast.device.Claim;
import holdfast.device.Octets;
import holdfast.device.Origin;
import holdfast.device.Range;
import holdfast.device.Reason;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What has become of the numbers of a device's queues, as far as an audit has come: which claims
 * the view of the edge takes, by its own rule, and which numbers those account for.
 *
 * <p>After an erasure the edge says again how far it had taken each queue, and its view goes by
 * that. So it counts here too: for what the view passes over behind it, and as a number up to which
 * something must have been there. It accounts for none.
 */
final class DeviceNumbers {
  private final Map<Octets, Queue> queues = new LinkedHashMap<>();
  private final Origins origins = new Origins();

  /** One queue of the device. */
  private static final class Queue {
    /** The last number that the view has taken, from whomever. */
    long last;

    /** Where the edge has said the last number again; null when a claim gave it. */
    @Nullable String said;

    /**
     * The last number in the window that the device has signed, whether its batch counts or not, or
     * that the edge says it has taken.
     */
    long known;

    /** The names of the claims that the view has taken. */
    final Set<Hash> taken = new HashSet<>();

    /** What is signed, whole and taken; ascending. */
    final List<Covered> covered = new ArrayList<>();
  }

  /** What a claim covers. */
  private record Covered(Claim claim, boolean inWindow, long erasedBefore) {}

  /** What the view does with a claim when its turn has come. */
  sealed interface Turn {
    /** It is taken. */
    record Fresh() implements Turn {}

    /** It was taken before. */
    record Again() implements Turn {}

    /** It is passed over, since a claim with {@code last} stands before it. */
    record Behind(long last) implements Turn {}

    /** It is passed over, since the edge says in a leaf that it has taken {@code last}. */
    record SaidToBeTaken(long last, String where) implements Turn {}
  }

  private Queue queue(Octets incarnation) {
    return queues.computeIfAbsent(incarnation, _ -> new Queue());
  }

  /** How many queues there are. */
  int queues() {
    return queues.size();
  }

  /** What the device could not say of how its queues follow each other, in words. */
  List<String> unlinked() {
    return origins.unknown();
  }

  /** Takes what the device has signed of its numbers, whatever becomes of the batch. */
  void signed(Claim claim, boolean counts) {
    Origin origin = claim.origin();
    if (origin != null) {
      origins.say(claim.incarnation(), origin, counts);
    }
    if (counts) {
      Queue queue = queue(claim.incarnation());
      queue.known = Math.max(queue.known, claim.last());
    }
  }

  /** Takes a claim, or passes it over, as the view does. */
  Turn take(Claim claim) {
    Queue queue = queue(claim.incarnation());
    Hash name = ViewUpdate.nameOf(claim);
    if (claim.first() > queue.last) {
      queue.last = claim.last();
      queue.said = null;
      queue.taken.add(name);
      return new Turn.Fresh();
    }
    String said = queue.said;
    if (queue.taken.contains(name)) {
      return new Turn.Again();
    }
    return said == null ? new Turn.Behind(queue.last) : new Turn.SaidToBeTaken(queue.last, said);
  }

  /** The claim that was taken just now is signed and whole. */
  void covered(Claim claim, boolean counts, long erasedBefore) {
    queue(claim.incarnation()).covered.add(new Covered(claim, counts, erasedBefore));
  }

  /** Whether the claim that is said again was taken. */
  boolean took(EdgeLeaf.LastTaken said) {
    return queue(said.incarnation()).taken.contains(said.claim());
  }

  /** Goes by what the edge says again of a queue. */
  void saidAgain(EdgeLeaf.LastTaken said, String where, boolean counts) {
    Queue queue = queue(said.incarnation());
    if (said.last() > queue.last) {
      queue.last = said.last();
      queue.said = where;
    }
    if (counts) {
      queue.known = Math.max(queue.known, said.last());
    }
  }

  /**
   * The numbers that are no operations, and why.
   *
   * @param erasedLeaves how many leaves of any kind were erased in all
   */
  List<EdgeAudit.Gap> gaps(long erasedLeaves) {
    List<EdgeAudit.Gap> gaps = new ArrayList<>();
    for (Octets before : origins.before()) {
      queue(before);
    }
    queues.forEach((incarnation, queue) -> {
      String hex = incarnation.toHex();
      long last = 0;
      long erasedBefore = 0;
      for (Covered covered : queue.covered) {
        Claim claim = covered.claim();
        if (covered.inWindow()) {
          if (claim.first() - 1 > last) {
            boolean perhapsErased = covered.erasedBefore() > erasedBefore;
            gaps.add(missing(hex, perhapsErased, last + 1, claim.first() - 1));
          }
          for (Range range : claim.ranges()) {
            gaps.add(new EdgeAudit.Gap(hex, text(range.reason()), range.first(), range.last()));
          }
        }
        last = claim.last();
        erasedBefore = covered.erasedBefore();
      }
      long known = Math.max(queue.known, origins.end(incarnation));
      if (known > last) {
        // Somebody who must know has said these numbers, and what stands there is not theirs.
        gaps.add(missing(hex, erasedLeaves > erasedBefore, last + 1, known));
      }
    });
    return gaps;
  }

  private static EdgeAudit.Gap missing(String hex, boolean perhapsErased, long first, long last) {
    return new EdgeAudit.Gap(hex, perhapsErased ? "erased or missing" : "missing", first, last);
  }

  private static String text(Reason reason) {
    return reason.name().toLowerCase(Locale.ROOT);
  }
}
