package holdfast.capsule;

import holdfast.base.Limits;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongPredicate;
import org.jspecify.annotations.Nullable;

/**
 * Which headers prove a batch of records to a reader, in the order in which they are to be checked:
 * each header is signed, known to the reader, or pointed at by one before it.
 *
 * <p>Every target follows its witness upwards until it meets something signed, something in the
 * reader's mirrored cache, or a header that is in the plan already; so a batch shares headers. In a
 * closed capsule it goes on to a final head. A plan is made in one of the two ways, never both.
 */
public final class ProofPlan {
  /** The header carries a signature. */
  public static final int SIGNED = -1;

  /** The reader has verified the header before. */
  public static final int CACHED = -2;

  /** What came of adding a record. */
  public enum Outcome {
    /** The plan proves it, or the reader has verified it before. */
    PROVEN,
    /** There is no way to prove it yet, or only one that is too long. */
    UNPROVEN,
    /** The way to prove it leads through a record that cannot be read here. */
    BLOCKED
  }

  private final List<Long> arrivals = new ArrayList<>();
  private final List<Integer> reasons = new ArrayList<>();
  private final Map<Long, Integer> positions = new HashMap<>();

  /**
   * Adds what proves one more record.
   *
   * @param mirror the reader's cache; null to prove without it
   * @return false when the record cannot be proven yet, or the proof would exceed the limit
   */
  public boolean add(RecordGraph graph, @Nullable CacheMirror mirror, long target) {
    return add(graph, mirror, target, arrival -> false) == Outcome.PROVEN;
  }

  /**
   * Adds what proves one more record, through headers that can be read.
   *
   * @param mirror the reader's cache; null to prove without it
   * @param unreadable whether a record is damaged here, so that no proof may lead through it
   */
  public Outcome add(
      RecordGraph graph, @Nullable CacheMirror mirror, long target, LongPredicate unreadable) {
    if (positions.containsKey(target)
        || (mirror != null && mirror.contains(CacheMirror.key(target)))) {
      return Outcome.PROVEN;
    }
    List<Long> path = new ArrayList<>();
    long at = target;
    int reason;
    while (true) {
      Integer known = positions.get(at);
      if (known != null) {
        reason = known;
        break;
      }
      if (arrivals.size() + path.size() >= Limits.PROOF_HEADERS) {
        return Outcome.UNPROVEN;
      }
      if (unreadable.test(at)) {
        return Outcome.BLOCKED;
      }
      path.add(at);
      if (mirror != null && mirror.contains(CacheMirror.key(at))) {
        reason = CACHED;
        break;
      }
      Witness witness = graph.witness(at);
      if (!witness.proven()) {
        return Outcome.UNPROVEN;
      }
      if (witness.distance() == 0) {
        reason = SIGNED;
        break;
      }
      at = witness.nextHop();
    }
    for (int i = path.size() - 1; i >= 0; i--) {
      place(path.get(i), reason);
      reason = arrivals.size() - 1;
    }
    return Outcome.PROVEN;
  }

  private void place(long arrival, int reason) {
    positions.put(arrival, arrivals.size());
    arrivals.add(arrival);
    reasons.add(reason);
  }

  /**
   * Adds what proves one more record of a closed capsule, and that it belongs there: see {@link
   * FinalHeads}. The way leads over the record's witness to the next signature, so that authorship
   * shows, and from there to a final head, all of it within the final part.
   *
   * @param target a record that {@link RecordGraph#isFinal}
   * @param mirror the reader's cache, of nothing but final records; null to prove without it
   * @return false when the record cannot be proven within the final part, or the proof would exceed
   *     the limit
   */
  public boolean addFinal(RecordGraph graph, @Nullable CacheMirror mirror, long target) {
    return addFinal(graph, mirror, target, arrival -> false) == Outcome.PROVEN;
  }

  /**
   * The same, through headers that can be read.
   *
   * @param unreadable whether a record is damaged here, so that no proof may lead through it
   */
  public Outcome addFinal(
      RecordGraph graph, @Nullable CacheMirror mirror, long target, LongPredicate unreadable) {
    if (positions.containsKey(target)
        || (mirror != null && mirror.contains(CacheMirror.key(target)))) {
      return Outcome.PROVEN;
    }
    List<Long> path = new ArrayList<>();
    long at = target;
    int reason;
    boolean signed = false;
    while (true) {
      Integer known = positions.get(at);
      if (known != null) {
        reason = known;
        break;
      }
      if (arrivals.size() + path.size() >= Limits.PROOF_HEADERS) {
        return Outcome.UNPROVEN;
      }
      if (unreadable.test(at)) {
        return Outcome.BLOCKED;
      }
      path.add(at);
      if (mirror != null && mirror.contains(CacheMirror.key(at))) {
        reason = CACHED;
        break;
      }
      Witness witness = graph.witness(at);
      signed |= witness.signed();
      boolean alongWitness = !signed && witness.proven() && graph.isFinal(witness.nextHop());
      long next = alongWitness ? witness.nextHop() : graph.finalHop(at);
      if (next == at) {
        if (!graph.signed(at)) {
          return Outcome.UNPROVEN;
        }
        reason = SIGNED;
        break;
      }
      at = next;
    }
    for (int i = path.size() - 1; i >= 0; i--) {
      boolean top = i == path.size() - 1;
      place(path.get(i), !top && graph.witness(path.get(i)).signed() ? SIGNED : reason);
      reason = arrivals.size() - 1;
    }
    return Outcome.PROVEN;
  }

  /** Number of headers. */
  public int size() {
    return arrivals.size();
  }

  /** Arrival number of the header at a position. */
  public long arrival(int position) {
    return arrivals.get(position);
  }

  /** {@link #SIGNED}, {@link #CACHED}, or the position of the header that points at this one. */
  public int reason(int position) {
    return reasons.get(position);
  }

  /** What the reader's cache gains when it has checked the proof, in order. */
  public long[] additions() {
    return arrivals.stream().mapToLong(CacheMirror::key).toArray();
  }
}
