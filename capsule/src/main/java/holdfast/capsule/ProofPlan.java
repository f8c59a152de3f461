package holdfast.capsule;

import holdfast.base.Limits;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Which headers prove a batch of records to a reader, in the order in which they are to be checked:
 * each header is signed, known to the reader, or pointed at by one before it.
 *
 * <p>Every target follows its witness upwards until it meets something signed, something in the
 * reader's mirrored cache, or a header that is in the plan already; so a batch shares headers.
 */
public final class ProofPlan {
  /** The header carries a signature. */
  public static final int SIGNED = -1;

  /** The reader has verified the header before. */
  public static final int CACHED = -2;

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
    if (positions.containsKey(target)
        || (mirror != null && mirror.contains(CacheMirror.key(target)))) {
      return true;
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
        return false;
      }
      path.add(at);
      if (mirror != null && mirror.contains(CacheMirror.key(at))) {
        reason = CACHED;
        break;
      }
      Witness witness = graph.witness(at);
      if (!witness.proven()) {
        return false;
      }
      if (witness.distance() == 0) {
        reason = SIGNED;
        break;
      }
      at = witness.nextHop();
    }
    for (int i = path.size() - 1; i >= 0; i--) {
      positions.put(path.get(i), arrivals.size());
      arrivals.add(path.get(i));
      reasons.add(reason);
      reason = arrivals.size() - 1;
    }
    return true;
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
