package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Statement;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Sends batches to all members of a placement and settles each when enough of them have signed for
 * it, in order. Every member has a {@link Replica} of its own: one that is slow, silent or gone
 * holds nobody up but itself. What replicas share is guarded by this object's monitor; nobody waits
 * for a server while holding it.
 *
 * <p>When the owner places the capsule elsewhere while it is open ({@link PlacementWatch}), both
 * placements hold <em>jointly</em>: members that are new get what is undecided, in its order, and
 * all that follows; every batch wants enough receipts from each placement by itself. Once the new
 * members have signed that they hold what the old ones hold, the old placement holds no more, and
 * members that are in it alone are sent nothing and end when their queue is empty. A server that
 * knows of a newer placement sooner says so when it is written to ({@link Delivery}), and refuses
 * what does not go by it; what is undecided then goes to the new members as well.
 */
final class ReplicatedDelivery implements Outlet {
  private final SigningKey key;
  private final WriterOptions options;
  private final ReplicationOptions bounds;

  private final KnownPlacements known;

  /** The placements that hold jointly, by their order; the newest is the last. */
  private List<Statement.Placement> joint;

  /** The members of all of them. */
  private final Map<VerifyKey, Replica> replicas = new LinkedHashMap<>();

  /** Those that were left; they may be busy with what was sent to them before. */
  private final List<Replica> left = new ArrayList<>();

  private final ArrayDeque<Undecided> undecided = new ArrayDeque<>();
  private final PlacementWatch watch;
  private volatile @Nullable Consumer<WriteResult.Stored> listener;
  private @Nullable Runnable mover;
  private boolean closed;

  /** A batch whose fate is not known yet, or was not when it was sent. */
  static final class Undecided {
    final Batch batch;
    final long sentNanos = System.nanoTime();
    private final Map<VerifyKey, WriteResult.Stored> stored = new LinkedHashMap<>();
    private final Set<VerifyKey> failed = new HashSet<>();
    private final Set<VerifyKey> refused = new HashSet<>();
    private @Nullable HoldfastException refusal;
    private @Nullable Exception failure;

    Undecided(Batch batch) {
      this.batch = batch;
    }

    private int storedOn(Statement.Placement placement) {
      return count(placement, stored::containsKey);
    }

    /** Members that have stored it, or may do so yet. */
    private int hopedFor(Statement.Placement placement) {
      return count(
          placement,
          one -> stored.containsKey(one) || !(failed.contains(one) || refused.contains(one)));
    }

    private static int count(Statement.Placement placement, Predicate<VerifyKey> which) {
      return Math.toIntExact(
          placement.members().stream().filter(one -> which.test(one.identity())).count());
    }
  }

  /**
   * Prepares for the placements that are known.
   *
   * @param servers the members of the newest, in the same order; closed by whoever opened them
   */
  ReplicatedDelivery(
      KnownPlacements known,
      List<Server> servers,
      SigningKey key,
      WriterOptions options,
      ReplicationOptions bounds) {
    this.key = key;
    this.options = options;
    this.bounds = bounds;
    this.known = known;
    this.joint = known.joint();
    Statement.Placement newest = joint.getLast();
    bounds.neededOf(newest);
    for (int i = 0; i < servers.size(); i++) {
      Statement.Placement.Member member = newest.members().get(i);
      replicas.put(member.identity(), replica(member, servers.get(i), false));
    }
    joiningMembers().forEach(one -> replicas.put(one.member().identity(), one));
    this.watch = new PlacementWatch(this, newest.capsule(), bounds.lookMillis());
  }

  private Replica replica(Statement.Placement.Member member, Server server, boolean own) {
    return new Replica(this, member, server, own, joint.getLast().capsule(), key, options, bounds);
  }

  /**
   * Members of a placement that have to sign. Of the newest more than it has are never reached; of
   * an older one that has fewer, all.
   */
  int needed(Statement.Placement placement) {
    if (bounds.needed() == 0) {
      return placement.majority();
    }
    return placement.equals(joint.getLast())
        ? bounds.needed()
        : Math.min(bounds.needed(), placement.members().size());
  }

  // ---- Placements -------------------------------------------------------------------------------

  /** The placements that hold jointly, oldest first. */
  synchronized List<Statement.Placement> joint() {
    return joint;
  }

  /** The version of the newest placement that is gone by; the members of it get what is sent. */
  synchronized long version() {
    return joint.getLast().version();
  }

  /** The members that can be asked something: those that are connected. */
  synchronized List<Server> connected() {
    return replicas.values().stream().filter(Replica::connected).map(Replica::server).toList();
  }

  /**
   * Takes in what the owner has said: newer placements, older ones that hold jointly with them, and
   * releases.
   *
   * @param statements verified
   */
  synchronized void adopt(List<Statement> statements) {
    known.learn(statements);
    follow();
  }

  /** Goes on without a placement that holds no more. */
  synchronized void leave(JointPlacement.Left placement) {
    known.over(placement);
    follow();
  }

  @Override
  public synchronized boolean moving() {
    return joint.size() > 1;
  }

  /**
   * Names who hears when the capsule begins to move; must be quick. At once if it moves already.
   */
  synchronized void onMove(Runnable hearing) {
    mover = hearing;
    if (moving()) {
      hearing.run();
    }
  }

  /** Brings the replicas in line with the placements that hold. */
  private void follow() {
    List<Statement.Placement> now = known.joint();
    if (closed || now.equals(joint)) {
      return;
    }
    boolean begins = joint.size() == 1 && now.size() > 1;
    joint = now;
    Runnable told = mover;
    if (begins && told != null) {
      told.run();
    }
    for (Replica one : joiningMembers()) {
      Replica elsewhere = replicas.put(one.member().identity(), one);
      if (elsewhere != null) {
        leave(elsewhere);
      }
      one.start();
      undecided.forEach(one::offer);
    }
    for (Replica one : List.copyOf(replicas.values())) {
      VerifyKey identity = one.member().identity();
      if (joint.stream().noneMatch(still -> still.names(identity))) {
        replicas.remove(identity);
        leave(one);
      }
    }
    notifyAll();
  }

  /** A replica for each member that has none, or one at another address than it has now. */
  private List<Replica> joiningMembers() {
    // A later placement has the later address.
    Map<VerifyKey, Statement.Placement.Member> members = new LinkedHashMap<>();
    joint.forEach(one -> one.members().forEach(member -> members.put(member.identity(), member)));
    List<Replica> joining = new ArrayList<>();
    for (Statement.Placement.Member member : members.values()) {
      Replica present = replicas.get(member.identity());
      if (present == null || !present.member().equals(member)) {
        joining.add(replica(member, Replicas.connect(member), true));
      }
    }
    return joining;
  }

  private void leave(Replica one) {
    left.add(one);
    one.finish();
  }

  /**
   * Connects, and waits for as many members of each placement as have to acknowledge; others come
   * when they can.
   */
  synchronized List<Replica.Start> open() throws ProofException {
    replicas.values().forEach(Replica::start);
    try {
      while (lacking() != null && !replicas.values().stream().allMatch(Replica::tried)) {
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
    Statement.Placement lacking = lacking();
    if (lacking != null) {
      throw unopened(failures, lacking);
    }
    watch.start();
    return starts();
  }

  /** A placement of which too few can be written to; null when there is none. */
  private Statement.@Nullable Placement lacking() {
    return joint.stream().filter(one -> startsOf(one) < needed(one)).findFirst().orElse(null);
  }

  private long startsOf(Statement.Placement placement) {
    return placement.members().stream()
        .map(member -> replicas.get(member.identity()))
        .filter(one -> one != null && one.started() != null)
        .count();
  }

  private HoldfastException unopened(List<Exception> failures, Statement.Placement lacking)
      throws ProofException {
    for (Exception failure : failures) {
      if (failure instanceof ProofException proof) {
        throw proof;
      }
    }
    Exception first = failures.getFirst();
    return new HoldfastException(
        first instanceof HoldfastException e ? e.code() : ErrorCode.UNREACHABLE,
        startsOf(lacking)
            + " of "
            + lacking.members().size()
            + " servers"
            + ofVersion(lacking)
            + " can be written to, "
            + needed(lacking)
            + " are to acknowledge; "
            + first.getMessage(),
        first);
  }

  private List<Replica.Start> starts() {
    List<Replica.Start> starts = new ArrayList<>();
    for (Replica replica : replicas.values()) {
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
    return replicas.values().stream().map(Replica::state).toList();
  }

  @Override
  public synchronized void send(Batch batch) {
    Undecided one = new Undecided(batch);
    undecided.add(one);
    replicas.values().forEach(replica -> replica.offer(one));
  }

  @Override
  public synchronized int underWay() {
    return undecided.size();
  }

  // ---- What replicas tell -----------------------------------------------------------------------

  void stored(Undecided one, WriteResult.Stored by) {
    synchronized (this) {
      one.stored.putIfAbsent(by.receipt().server(), by);
      notifyAll();
    }
    Consumer<WriteResult.Stored> hearing = listener;
    if (hearing != null) {
      hearing.accept(by);
    }
  }

  synchronized void refused(Replica by, Undecided one, HoldfastException reason) {
    if (speaks(by)) {
      one.refused.add(by.member().identity());
      one.refusal = reason;
      notifyAll();
    }
  }

  /** From a replica that cannot say what became of a batch. */
  synchronized void failed(Replica by, Undecided one, Exception reason) {
    if (speaks(by)) {
      one.failed.add(by.member().identity());
      // Bad evidence says more than that a server could not be reached.
      if (one.failure == null || reason instanceof ProofException) {
        one.failure = reason;
      }
      notifyAll();
    }
  }

  /** A server that was placed at another address is tried there; here it is given up. */
  private boolean speaks(Replica one) {
    return one.equals(replicas.get(one.member().identity()));
  }

  // ---- Settling ---------------------------------------------------------------------------------

  @Override
  public synchronized WriteResult settle() throws ProofException {
    Undecided oldest = undecided.element();
    try {
      while (!decided(oldest) && hopeful(oldest)) {
        wait();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new HoldfastException(ErrorCode.UNREACHABLE, "interrupted while waiting", e);
    }
    undecided.remove();
    return decided(oldest) ? replicated(oldest) : missed(oldest);
  }

  /** Whether each placement by itself has enough receipts. */
  private boolean decided(Undecided one) {
    return joint.stream().allMatch(placement -> one.storedOn(placement) >= needed(placement));
  }

  private boolean hopeful(Undecided one) {
    return joint.stream().allMatch(placement -> one.hopedFor(placement) >= needed(placement));
  }

  private WriteResult replicated(Undecided one) {
    Statement.Placement placement = joint.getLast();
    List<WriteResult.Stored> by = new ArrayList<>(one.stored.values());
    by.removeIf(stored -> !placement.names(stored.receipt().server()));
    return new WriteResult.Replicated(
        one.batch.names(), placement, needed(placement), List.copyOf(by));
  }

  private WriteResult missed(Undecided one) throws ProofException {
    HoldfastException refusal = one.refusal;
    if (refusal != null && one.refused.containsAll(replicas.keySet())) {
      return new WriteResult.Refused(one.batch.names(), refusal);
    }
    Exception why = one.failure != null ? one.failure : refusal;
    if (why instanceof ProofException proof) {
      throw proof;
    }
    Statement.Placement lacking =
        joint.stream()
            .filter(placement -> one.storedOn(placement) < needed(placement))
            .findFirst()
            .orElseThrow();
    return new WriteResult.Unknown(
        one.batch.names(),
        new HoldfastException(
            ErrorCode.UNREACHABLE,
            one.storedOn(lacking)
                + " of "
                + lacking.members().size()
                + " servers"
                + ofVersion(lacking)
                + " have acknowledged it, "
                + needed(lacking)
                + " were to"
                + (why == null ? "" : "; " + why.getMessage())));
  }

  private String ofVersion(Statement.Placement placement) {
    return joint.size() > 1 ? " of version " + placement.version() + " of the placement" : "";
  }

  /** Gives connected members a little time for what nobody waits for, and ends. */
  @Override
  public void close() {
    watch.close();
    long deadline = System.nanoTime() + bounds.lingerMillis() * 1_000_000;
    List<Replica> all;
    synchronized (this) {
      closed = true;
      all = new ArrayList<>(left);
      all.addAll(replicas.values());
      all.forEach(Replica::finish);
    }
    all.forEach(replica -> replica.awaitEnd(deadline));
  }
}
