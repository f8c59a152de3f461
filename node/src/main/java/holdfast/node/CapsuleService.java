package holdfast.node;

import holdfast.capsule.Statement;
import holdfast.crypto.SigningKey;
import holdfast.node.replication.Holdings;
import holdfast.node.replication.Replication;
import holdfast.store.CapsuleStore;
import holdfast.store.Scrubber;
import holdfast.store.StoredCapsule;
import holdfast.wire.CapsulesGrpc;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
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
  private final Map<StoredCapsule, Set<Session>> watching = new ConcurrentHashMap<>();
  final Holdings holdings;
  private volatile boolean stopping;

  /** Set before the first session opens. */
  volatile @Nullable Replication replication;

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
    store.onChange(this::wake);
  }

  int sessions() {
    return sessions.get();
  }

  @Override
  public StreamObserver<Request> session(StreamObserver<Reply> replies) {
    ServerCallStreamObserver<Reply> out = (ServerCallStreamObserver<Reply>) replies;
    if (stopping || sessions.incrementAndGet() > options.sessions()) {
      if (!stopping) {
        sessions.decrementAndGet();
      }
      out.onError(
          Status.UNAVAILABLE
              .withDescription(
                  stopping ? "the server is stopping" : "the server has all the sessions it takes")
              .asRuntimeException());
      return Ignoring.REQUESTS;
    }
    out.setOnReadyThreshold(READY_BYTES);
    return new Session(this, out);
  }

  void closed() {
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

  private void wake(StoredCapsule capsule, List<Statement> statements) {
    for (Session session : watching.getOrDefault(capsule, Set.of())) {
      session.wake(capsule, statements);
    }
  }

  void stop() {
    stopping = true;
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
