package holdfast.node;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Statement;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.net.Refusal;
import holdfast.node.heartbeat.Heartbeats;
import holdfast.node.heartbeat.PeerHealth;
import holdfast.node.replication.Holdings;
import holdfast.node.replication.Replication;
import holdfast.store.CapsuleStore;
import holdfast.store.Scrubber;
import holdfast.store.StoredCapsule;
import holdfast.wire.CapsuleStatus;
import holdfast.wire.CapsulesGrpc;
import holdfast.wire.Heartbeat;
import holdfast.wire.Kept;
import holdfast.wire.KeptCapsule;
import holdfast.wire.KeptPage;
import holdfast.wire.PeerStatus;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** Opens sessions, up to a limit, and holds what they share. */
final class CapsuleService extends CapsulesGrpc.CapsulesImplBase {
  private static final int READY_BYTES = 1 << 20;
  private static final int KEPT_PER_PAGE = 100;

  /** To count what a capsule holds reads every name of it, and anybody may ask for that. */
  private static final Turns.Bounds COUNTING = new Turns.Bounds(2, 32, 1024);

  final NodeOptions options;
  final SigningKey identity;
  final CapsuleStore store;
  final Scrubber scrubber;
  final Metrics metrics;
  final Executor workers;
  final AtomicLong mirroredEntries = new AtomicLong();
  final AtomicLong stagedBytes = new AtomicLong();
  final Ownership ownership;
  final long startedMillis = System.currentTimeMillis();
  private final AtomicInteger sessions = new AtomicInteger();
  private final Set<Session> open = ConcurrentHashMap.newKeySet();
  private final Map<StoredCapsule, Set<Session>> watching = new ConcurrentHashMap<>();
  final Holdings holdings;
  final Turns counting;
  private volatile boolean stopping;

  /** Set before the first session opens. */
  volatile @Nullable Replication replication;

  /** Set before the first session opens. */
  volatile @Nullable Heartbeats heartbeats;

  CapsuleService(
      NodeOptions options,
      SigningKey identity,
      CapsuleStore store,
      Scrubber scrubber,
      Metrics metrics,
      Executor workers) {
    this.options = options;
    this.identity = identity;
    this.store = store;
    this.scrubber = scrubber;
    this.metrics = metrics;
    this.workers = workers;
    this.ownership = new Ownership(options, store);
    this.holdings = new Holdings(identity);
    this.counting = new Turns(COUNTING, workers);
    store.onChange(this::wake);
  }

  int sessions() {
    return sessions.get();
  }

  @Override
  public StreamObserver<Request> session(StreamObserver<Reply> replies) {
    ServerCallStreamObserver<Reply> out = (ServerCallStreamObserver<Reply>) replies;
    if (stopping) {
      out.onError(Refusal.of(ErrorCode.STOPPING, "the server is stopping"));
      return Ignoring.REQUESTS;
    }
    if (sessions.incrementAndGet() > options.sessions()) {
      sessions.decrementAndGet();
      out.onError(Refusal.of(ErrorCode.BUSY, "the server has all the sessions it takes"));
      return Ignoring.REQUESTS;
    }
    out.setOnReadyThreshold(READY_BYTES);
    Session session = new Session(this, out);
    open.add(session);
    if (stopping) {
      session.drain();
    }
    if (session.gone()) {
      open.remove(session);
    }
    return session;
  }

  void closed(Session session) {
    open.remove(session);
    sessions.decrementAndGet();
  }

  void watch(StoredCapsule capsule, Session session) {
    watching.computeIfAbsent(capsule, none -> ConcurrentHashMap.newKeySet()).add(session);
  }

  void unwatch(StoredCapsule capsule, Session session) {
    watching.computeIfPresent(
        capsule,
        (key, watchers) -> {
          watchers.remove(session);
          return watchers.isEmpty() ? null : watchers;
        });
  }

  /** The other servers that keep a capsule: how far they are, and when they were heard of. */
  List<PeerStatus> peersOf(Replication meets, Hash capsule) {
    List<PeerStatus> peers = new ArrayList<>();
    Heartbeats heard = heartbeats;
    for (PeerStatus.Builder status : meets.peers(capsule)) {
      PeerHealth health = heard == null ? null : heard.health(identity(status));
      if (health != null) {
        status.setSilentMillis(health.silentMillis()).setLost(health.lost());
        Heartbeat said = health.said();
        if (said != null) {
          status.setSaid(said);
        }
      }
      peers.add(status.build());
    }
    return peers;
  }

  private static VerifyKey identity(PeerStatus.Builder peer) {
    try {
      return VerifyKey.ed25519(peer.getIdentity().toByteArray());
    } catch (ProofException e) {
      throw new AssertionError("peers are known by their keys", e);
    }
  }

  /** A page of the capsules that are kept here by a placement. */
  KeptPage kept(Kept asked) {
    KeptPage.Builder page = KeptPage.newBuilder();
    Replication meets = replication;
    if (meets == null) {
      return page.setEnd(true).build();
    }
    Hash after = asked.getAfter().isEmpty() ? Hash.ZERO : Hash.of(asked.getAfter().toByteArray());
    int limit = Math.clamp(asked.getLimit(), 1, KEPT_PER_PAGE);
    List<Hash> names = meets.kept(after, limit);
    for (Hash name : names) {
      StoredCapsule capsule = store.capsule(name);
      if (capsule != null) {
        page.addCapsules(kept(meets, capsule));
      }
    }
    return page.setEnd(names.size() < limit).build();
  }

  private KeptCapsule kept(Replication meets, StoredCapsule capsule) {
    KeptCapsule.Builder kept =
        KeptCapsule.newBuilder()
            .setMetadata(Session.bytes(capsule.encodedMetadata()))
            .setStatus(status(capsule).addAllPeers(peersOf(meets, capsule.name())));
    Statement.Placement placement = capsule.placement();
    if (placement != null) {
      kept.setPlacement(Session.bytes(placement.encode()));
    }
    Statement.Succession succession = capsule.succession();
    if (succession != null) {
      kept.setSuccession(Session.bytes(succession.encode()));
    }
    return kept.build();
  }

  static CapsuleStatus.Builder status(StoredCapsule capsule) {
    return capsule.withGraph(graph ->
        CapsuleStatus.newBuilder()
            .setRecords(graph.size())
            .setProven(graph.provenCount())
            .setHoles(graph.holeCount())
            .setDamaged(capsule.damagedCount())
            .setClosed(graph.closed()));
  }

  /** What this server says of itself in heartbeats. */
  record Speaking(CapsuleStore store) implements Heartbeats.Voice {
    @Override
    public Heartbeat.Builder speak(Hash name) {
      StoredCapsule capsule = store.capsule(name);
      return Heartbeat.newBuilder()
          .setVersion(Inquiries.VERSION)
          .setWritable(store.writable())
          .setRecords(capsule == null ? 0 : capsule.withGraph(graph -> graph.size()));
    }
  }

  private void wake(StoredCapsule capsule, List<Statement> statements) {
    for (Session session : watching.getOrDefault(capsule, Set.of())) {
      session.wake(capsule, statements);
    }
  }

  /**
   * Opens no session any more, and ends those there are, each once what it has asked for is done.
   */
  void stop() {
    stopping = true;
    open.forEach(Session::drain);
  }

  /** Takes requests of a session that was refused. */
  private enum Ignoring implements StreamObserver<Request> {
    REQUESTS;

    @Override
    public void onNext(Request value) {}

    @Override
    public void onError(Throwable failure) {}

    @Override
    public void onCompleted() {}
  }
}
