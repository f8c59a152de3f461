package holdfast.device;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Takes batches exactly as docs/edge-format.md, section 2, says: what an edge keeps of them, and
 * what it answers. Every number is covered once, or there is a gap.
 */
final class ReferenceEdge {
  /** What is answered to a batch. */
  sealed interface Answer {
    /** Taken now or before. */
    record Taken(long last, boolean duplicate) implements Answer {}

    /** Numbers that were taken with other contents. */
    record Conflict(long last) implements Answer {}

    /** Some operations of it are never taken, and nothing of it was. */
    record Rejected(List<Long> sequences) implements Answer {}

    /** Not a batch, or not signed by the device. */
    record Refused(String problem) implements Answer {}
  }

  /** Spaces in which the user of the device may not write. */
  final Set<String> forbidden = new HashSet<>();

  final Map<String, String> values = new LinkedHashMap<>();
  final List<Operation> applied = new ArrayList<>();
  final List<Range> ranges = new ArrayList<>();
  final List<String> gaps = new ArrayList<>();
  private final Map<Octets, Long> last = new HashMap<>();
  private final Map<Octets, List<SignedClaim>> taken = new HashMap<>();

  /** Another edge that has taken the same. */
  ReferenceEdge copy() {
    ReferenceEdge copy = new ReferenceEdge();
    copy.forbidden.addAll(forbidden);
    copy.values.putAll(values);
    copy.applied.addAll(applied);
    copy.ranges.addAll(ranges);
    copy.gaps.addAll(gaps);
    copy.last.putAll(last);
    taken.forEach((queue, claims) -> copy.taken.put(queue, new ArrayList<>(claims)));
    return copy;
  }

  long last(Octets incarnation) {
    return last.getOrDefault(incarnation, 0L);
  }

  Map<Octets, Long> lasts() {
    return last;
  }

  Answer take(byte[] bytes, Octets deviceKey) {
    Batch batch;
    try {
      batch = Batch.decode(bytes);
    } catch (MalformedException e) {
      return new Answer.Refused(e.getMessage());
    }
    Claim claim = batch.claim();
    if (!claim.device().equals(deviceKey) || !batch.verifies()) {
      return new Answer.Refused("the signature is not the device's");
    }
    List<SignedClaim> before =
        taken.computeIfAbsent(claim.incarnation(), incarnation -> new ArrayList<>());
    long known = last(claim.incarnation());
    if (claim.first() <= known) {
      return before.contains(batch.signed())
          ? new Answer.Taken(claim.last(), true)
          : new Answer.Conflict(known);
    }
    List<Long> rejected =
        batch.operations().stream()
            .filter(one -> forbidden.contains(one.space()))
            .map(Operation::sequence)
            .toList();
    if (!rejected.isEmpty()) {
      return new Answer.Rejected(rejected);
    }
    if (claim.first() > known + 1) {
      gaps.add(claim.incarnation() + ": " + (known + 1) + " to " + (claim.first() - 1));
    }
    before.add(batch.signed());
    last.put(claim.incarnation(), claim.last());
    ranges.addAll(claim.ranges());
    for (Operation operation : batch.operations()) {
      applied.add(operation);
      String name = operation.space() + "/" + operation.key();
      switch (operation) {
        case Operation.Put put -> values.put(name, put.value().toHex());
        case Operation.Delete _ -> values.remove(name);
      }
    }
    return new Answer.Taken(claim.last(), false);
  }

  long lost(Reason reason) {
    return ranges.stream().filter(r -> r.reason() == reason).mapToLong(Range::count).sum();
  }
}
