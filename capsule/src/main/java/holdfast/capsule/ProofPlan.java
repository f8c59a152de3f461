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

  /** Where a proof goes on from a header. */
  private interface Way {
    /** There is none. */
    long NOWHERE = -1;

    /** Arrival number of the next header; {@code at} itself where its signature ends the proof. */
    long next(long at);

    /** Whether a header below the topmost is shown by its signature, not by the one above it. */
    boolean showsSignature(long at);
  }

  /** Along the witnesses, which is the shortest way to a signature. */
  private record AlongWitnesses(RecordGraph graph) implements Way {
    @Override
    public long next(long at) {
      Witness witness = graph.witness(at);
      if (!witness.proven()) {
        return NOWHERE;
      }
      return witness.signed() ? at : witness.nextHop();
    }

    @Override
    public boolean showsSignature(long at) {
      return false;
    }
  }

  /** Along the witnesses to the next signature, and from there to a final head. */
  private static final class ToFinalHead implements Way {
    private final RecordGraph graph;
    private boolean signatureMet;

    ToFinalHead(RecordGraph graph) {
      this.graph = graph;
    }

    @Override
    public long next(long at) {
      Witness witness = graph.witness(at);
      signatureMet |= witness.signed();
      boolean alongWitness = !signatureMet && witness.proven() && graph.isFinal(witness.nextHop());
      long next = alongWitness ? witness.nextHop() : graph.finalHop(at);
      return next == at && !graph.signed(at) ? NOWHERE : next;
    }

    @Override
    public boolean showsSignature(long at) {
      return graph.witness(at).signed();
    }
  }

  /**
   * Adds what proves one more record, through headers that can be read.
   *
   * @param mirror the reader's cache; null to prove without it
   * @param unreadable whether a record is damaged here, so that no proof may lead through it
   */
  public Outcome add(
      RecordGraph graph, @Nullable CacheMirror mirror, long target, LongPredicate unreadable) {
    return add(new AlongWitnesses(graph), mirror, target, unreadable);
  }

  /**
   * Adds what proves one more record of a closed capsule, and that it belongs there: see {@link
   * FinalHeads}. The way leads over the record's witness to the next signature, so that authorship
   * shows, and from there to a final head, all of it within the final part.
   *
   * @param target a record that {@link RecordGraph#isFinal}
   * @param mirror the reader's cache, of nothing but final records; null to prove without it
   * @param unreadable whether a record is damaged here, so that no proof may lead through it
   */
  public Outcome addFinal(
      RecordGraph graph, @Nullable CacheMirror mirror, long target, LongPredicate unreadable) {
    return add(new ToFinalHead(graph), mirror, target, unreadable);
  }

  private Outcome add(
      Way way, @Nullable CacheMirror mirror, long target, LongPredicate unreadable) {
    if (positions.containsKey(target) || cached(mirror, target)) {
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
      if (cached(mirror, at)) {
        reason = CACHED;
        break;
      }
      long next = way.next(at);
      if (next == Way.NOWHERE) {
        return Outcome.UNPROVEN;
      }
      if (next == at) {
        reason = SIGNED;
        break;
      }
      at = next;
    }
    place(path.removeLast(), reason);
    for (long below : path.reversed()) {
      place(below, way.showsSignature(below) ? SIGNED : arrivals.size() - 1);
    }
    return Outcome.PROVEN;
  }

  private static boolean cached(@Nullable CacheMirror mirror, long arrival) {
    return mirror != null && mirror.contains(CacheMirror.key(arrival));
  }

  private void place(long arrival, int reason) {
    positions.put(arrival, arrivals.size());
    arrivals.add(arrival);
    reasons.add(reason);
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
