package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Statement;
import holdfast.crypto.SigningKey;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Sends batches to all members of a placement and settles each when enough of them have signed for
 * it, in order. Every member has a {@link Replica} of its own: one that is slow, silent or gone
 * holds nobody up but itself. What replicas share is guarded by this object's monitor; nobody waits
 * for a server while holding it.
 */
final class ReplicatedDelivery implements Outlet {
  private final Statement.Placement placement;
  private final int needed;
  private final ReplicationOptions bounds;
  private final List<Replica> replicas;
  private final ArrayDeque<Undecided> undecided = new ArrayDeque<>();
  private volatile @Nullable Consumer<WriteResult.Stored> listener;

  /** A batch whose fate is not known yet, or was not when it was sent. */
  static final class Undecided {
    final Batch batch;
    final long sentNanos = System.nanoTime();
    private final List<WriteResult.Stored> stored = new ArrayList<>();
    private int failed;
    private int refused;
    private @Nullable HoldfastException refusal;
    private @Nullable Exception failure;

    Undecided(Batch batch) {
      this.batch = batch;
    }
  }

  /**
   * Prepares for a placement.
   *
   * @param servers its members, in the same order
   */
  ReplicatedDelivery(
      Statement.Placement placement,
      List<Server> servers,
      SigningKey key,
      WriterOptions options,
      ReplicationOptions bounds) {
    this.placement = placement;
    this.needed = bounds.neededOf(placement);
    this.bounds = bounds;
    this.replicas =
        IntStream.range(0, servers.size())
            .mapToObj(i ->
                new Replica(
                    this,
                    placement.members().get(i),
                    servers.get(i),
                    placement.capsule(),
                    key,
                    options,
                    bounds))
            .toList();
  }

  /** Connects, and waits for as many members as have to acknowledge; others come when they can. */
  synchronized List<Replica.Start> open() throws ProofException {
    replicas.forEach(Replica::start);
    try {
      while (starts().size() < needed && !replicas.stream().allMatch(Replica::tried)) {
        wait();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new HoldfastException(ErrorCode.UNREACHABLE, "interrupted while connecting", e);
    }
    List<Exception> failures = new ArrayList<>();
    for (ReplicaState state : states()) {
      Exception failure = state.failure();
      if (failure != null) {
        failures.add(failure);
      }
    }
    for (Exception failure : failures) {
      if (failure instanceof HoldfastException e && e.code() == ErrorCode.SUCCEEDED) {
        throw e;
      }
    }
    if (starts().size() < needed) {
      throw unopened(failures);
    }
    return starts();
  }

  private HoldfastException unopened(List<Exception> failures) throws ProofException {
    for (Exception failure : failures) {
      if (failure instanceof ProofException proof) {
        throw proof;
      }
    }
    Exception first = failures.getFirst();
    return new HoldfastException(
        first instanceof HoldfastException e ? e.code() : ErrorCode.UNREACHABLE,
        starts().size()
            + " of "
            + replicas.size()
            + " servers can be written to, "
            + needed
            + " are to acknowledge; "
            + first.getMessage(),
        first);
  }

  private List<Replica.Start> starts() {
    List<Replica.Start> starts = new ArrayList<>();
    for (Replica replica : replicas) {
      Replica.Start one = replica.started();
      if (one != null) {
        starts.add(one);
      }
    }
    return starts;
  }

  void onAcknowledged(Consumer<WriteResult.Stored> consumer) {
    listener = consumer;
  }

  synchronized List<ReplicaState> states() {
    return replicas.stream().map(Replica::state).toList();
  }

  @Override
  public synchronized void send(Batch batch) {
    Undecided one = new Undecided(batch);
    undecided.add(one);
    replicas.forEach(replica -> replica.offer(one));
  }

  @Override
  public synchronized int underWay() {
    return undecided.size();
  }

  // ---- What replicas tell -----------------------------------------------------------------------

  void stored(Undecided one, WriteResult.Stored by) {
    synchronized (this) {
      one.stored.add(by);
      notifyAll();
    }
    Consumer<WriteResult.Stored> hearing = listener;
    if (hearing != null) {
      hearing.accept(by);
    }
  }

  synchronized void refused(Undecided one, HoldfastException reason) {
    one.refused++;
    one.refusal = reason;
    notifyAll();
  }

  /** From a replica that cannot say what became of a batch. */
  synchronized void failed(Undecided one, Exception reason) {
    one.failed++;
    // Bad evidence says more than that a server could not be reached.
    if (one.failure == null || reason instanceof ProofException) {
      one.failure = reason;
    }
    notifyAll();
  }

  // ---- Settling ---------------------------------------------------------------------------------

  @Override
  public synchronized WriteResult settle() throws ProofException {
    Undecided oldest = undecided.element();
    try {
      while (oldest.stored.size() < needed
          && replicas.size() - oldest.failed - oldest.refused >= needed) {
        wait();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new HoldfastException(ErrorCode.UNREACHABLE, "interrupted while waiting", e);
    }
    undecided.remove();
    return oldest.stored.size() >= needed
        ? new WriteResult.Replicated(
            oldest.batch.names(), placement, needed, List.copyOf(oldest.stored))
        : missed(oldest);
  }

  private WriteResult missed(Undecided one) throws ProofException {
    HoldfastException refusal = one.refusal;
    if (refusal != null && one.refused == replicas.size()) {
      return new WriteResult.Refused(one.batch.names(), refusal);
    }
    Exception why = one.failure != null ? one.failure : refusal;
    if (why instanceof ProofException proof) {
      throw proof;
    }
    return new WriteResult.Unknown(
        one.batch.names(),
        new HoldfastException(
            ErrorCode.UNREACHABLE,
            one.stored.size()
                + " of "
                + replicas.size()
                + " servers have acknowledged it, "
                + needed
                + " were to"
                + (why == null ? "" : "; " + why.getMessage())));
  }

  /** Gives connected members a little time for what nobody waits for, and ends. */
  @Override
  public void close() {
    long deadline = System.nanoTime() + bounds.lingerMillis() * 1_000_000;
    synchronized (this) {
      replicas.forEach(Replica::finish);
    }
    replicas.forEach(replica -> replica.awaitEnd(deadline));
  }
}
