package holdfast.node;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Possession;
import holdfast.capsule.Statement;
import holdfast.capsule.Versions;
import holdfast.net.Inbound;
import holdfast.net.PeerAddress;
import holdfast.net.Refusal;
import holdfast.store.StoredCapsule;
import holdfast.wire.Done;
import holdfast.wire.Error;
import holdfast.wire.Init;
import holdfast.wire.Opened;
import holdfast.wire.Page;
import holdfast.wire.Range;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client's stream. Requests are handled one after the other; the next is taken in only when the
 * client reads its replies and not too many batches are being written.
 */
final class Session implements StreamObserver<Request> {
  private static final Logger LOG = LoggerFactory.getLogger(Session.class);
  private static final SecureRandom RANDOM = new SecureRandom();
  private static final int BATCHES_IN_FLIGHT = 32;

  /** The part of what may wait to be durable beyond which one session is held back. */
  private static final int SHARE = 4;

  final CapsuleService service;

  /** The address that the client speaks from. */
  final String from;

  private final ServerCallStreamObserver<Reply> out;

  /** The request that is being handled, and batches that are being written. */
  private final AtomicInteger inFlight = new AtomicInteger();

  private final long share;
  private final AtomicBoolean held = new AtomicBoolean();
  private final AtomicBoolean closed = new AtomicBoolean();
  private final Writing writing;
  private final SessionMirror mirror;
  private final Reading reading;
  private final Paging paging;
  private final Inquiries inquiries;
  private final Watching watching;
  private final Inbound inbound;

  private @Nullable StoredCapsule capsule;
  private Hash clientNonce = Hash.ZERO;
  private Hash serverNonce = Hash.ZERO;
  private volatile boolean draining;

  /** Nothing may be said any more; guarded by {@link #out}. */
  private boolean ended;

  private volatile int writer = -1;
  private boolean begun;
  private long first;
  private @Nullable Versions clientSpeaks;

  Session(CapsuleService service, ServerCallStreamObserver<Reply> out) {
    this.service = service;
    this.out = out;
    this.from = PeerAddress.current();
    this.share = Math.max(1, service.options.store().pendingBytes() / SHARE);
    this.writing = new Writing(this);
    this.mirror = new SessionMirror(this);
    this.reading = new Reading(this, mirror);
    this.paging = new Paging(this, reading);
    this.inquiries = new Inquiries(this);
    this.watching = new Watching(this);
    this.inbound = Inbound.current();
    inbound.onOverflow(() ->
        service.workers.execute(() ->
            terminate(
                Status.UNAVAILABLE
                    .withDescription(
                        "more large messages are coming in than this server takes on; try again")
                    .asRuntimeException())));
    out.disableAutoRequest();
    out.setOnReadyHandler(() -> {
      watching.pump();
      resume();
    });
    out.setOnCancelHandler(this::close);
    out.setOnCloseHandler(this::close);
    out.request(1);
  }

  // ---- Flow -------------------------------------------------------------------------------------

  @Override
  public void onNext(Request request) {
    inFlight.incrementAndGet();
    try {
      if (gone()) {
        // What was on its way when the session ended; nobody would hear what became of it.
        return;
      }
      handle(request);
    } catch (HoldfastException e) {
      fail(request.getId(), e);
    } catch (ProofException e) {
      service.metrics.violations.increment();
      fail(
          request.getId(),
          new HoldfastException(ErrorCode.VIOLATION, e.violation() + ": " + e.getMessage(), e));
    } catch (RuntimeException e) {
      LOG.error("a request failed", e);
      fail(
          request.getId(),
          new HoldfastException(ErrorCode.INTERNAL, "the server failed; its log says more", e));
    } catch (AssertionError e) {
      LOG.error("an impossible state was met; the session ends", e);
      terminate(
          Status.INTERNAL
              .withDescription("the server met an impossible state")
              .asRuntimeException());
      return;
    } finally {
      inbound.handled();
      inFlight.decrementAndGet();
    }
    held.set(true);
    resume();
  }

  /** Takes in nothing more, and ends once all that was taken in is done. */
  void drain() {
    draining = true;
    resume();
  }

  /** Takes in the next request if there is room for what it may cause. */
  private void resume() {
    if (draining) {
      if (inFlight.get() == 0) {
        terminate(Refusal.of(ErrorCode.STOPPING, "the server is stopping"));
      }
    } else if (inFlight.get() < BATCHES_IN_FLIGHT
        && writing.pendingBytes() < share
        && out.isReady()
        && held.compareAndSet(true, false)) {
      out.request(1);
    }
  }

  /** Takes in more when batches of this session have become durable. */
  void roomMade() {
    resume();
  }

  void batchBegins() {
    inFlight.incrementAndGet();
  }

  void batchEnds() {
    inFlight.decrementAndGet();
    resume();
  }

  boolean gone() {
    return closed.get();
  }

  boolean ready() {
    return out.isReady();
  }

  void wake(StoredCapsule in, List<Statement> statements) {
    if (!closed.get()) {
      watching.note(in, statements);
      service.workers.execute(watching::pump);
    }
  }

  void send(Reply.Builder reply) {
    send(reply.build());
  }

  void send(Reply reply) {
    synchronized (out) {
      if (!ended && !closed.get()) {
        out.onNext(reply.getId() == first ? stating(reply) : reply);
      }
    }
  }

  void fail(long id, HoldfastException e) {
    service.metrics.error(e.code());
    send(
        Reply.newBuilder()
            .setId(id)
            .setError(
                Error.newBuilder()
                    .setCode(e.code().number())
                    .setMessage(String.valueOf(e.getMessage()))
                    .setRetryAfterMillis(e.retryAfterMillis())));
  }

  private void terminate(StatusRuntimeException reason) {
    end(() -> out.onError(reason));
  }

  /** Ends the stream, once: the client, a stop and a batch that is done may all mean to. */
  private void end(Runnable saying) {
    synchronized (out) {
      if (!ended && !closed.get()) {
        ended = true;
        saying.run();
      }
    }
    close();
  }

  private void close() {
    if (closed.compareAndSet(false, true)) {
      writing.close();
      mirror.close();
      watching.close();
      service.closed(this);
    }
  }

  @Override
  public void onError(Throwable failure) {
    close();
  }

  @Override
  public void onCompleted() {
    end(out::onCompleted);
  }

  // ---- Operations
  // ---------------------------------------------------------------------------------

  private void handle(Request request) throws ProofException {
    heed(request);
    mirror.acknowledge(request);
    if (!request.hasInit()) {
      mirror.tellIfClosed(capsule);
    }
    long id = request.getId();
    switch (request.getOperationCase()) {
      case CREATE -> writing.create(id, request.getCreate());
      case INIT -> init(id, request.getInit());
      case POSSESS -> possess(request);
      case WRITE -> writing.write(id, request.getWrite(), request.getPlacement());
      case COMMIT -> writing.commit(id, request.getCommit(), request.getPlacement());
      case DECLARE -> writing.declare(id, request.getDeclare());
      case READ -> reading.read(id, request.getRead());
      case READ_BODY -> reading.body(id, request.getReadBody());
      case FRESH ->
          inquiries.fresh(id, names(request.getFresh().getNonce(), 1).getFirst(), mirror.told());
      case ABSENT -> reading.absent(id, request.getAbsent());
      case HOLD -> inquiries.hold(id, names(request.getHold().getSalt(), 1).getFirst());
      case RANGE -> paging.range(id, request.getRange());
      case STATEMENTS -> paging.statements(id, request.getStatements());
      case WATCH -> watching.begin(id, request.getWatch());
      case UNWATCH -> {
        watching.end(request.getUnwatch().getWatch());
        done(id);
      }
      case RESOLVE -> inquiries.resolve(id, request.getResolve());
      case STATUS -> inquiries.status(id, capsule);
      case KEPT -> send(Reply.newBuilder().setId(id).setKept(service.kept(request.getKept())));
      case ACKNOWLEDGE -> {}
      case OPERATION_NOT_SET ->
          throw new HoldfastException(
              ErrorCode.INVALID, "the request holds no operation known here");
    }
  }

  /** Takes note of the versions that the client states; without one in common nothing is done. */
  private void heed(Request request) {
    if (!begun) {
      begun = true;
      first = request.getId();
      if (request.hasSpeaks()) {
        clientSpeaks =
            new Versions(request.getSpeaks().getLowest(), request.getSpeaks().getHighest());
      }
    }
    (clientSpeaks == null ? Versions.UNSTATED : clientSpeaks).commonWith(Versions.SPOKEN);
  }

  private Reply stating(Reply reply) {
    return reply.toBuilder()
        .setSpeaks(
            holdfast.wire.Versions.newBuilder()
                .setLowest(Versions.SPOKEN.lowest())
                .setHighest(Versions.SPOKEN.highest()))
        .build();
  }

  private void done(long id) {
    send(Reply.newBuilder().setId(id).setDone(Done.getDefaultInstance()));
  }

  private void init(long id, Init init) throws ProofException {
    Hash name = names(init.getCapsule(), 1).getFirst();
    Hash nonce = names(init.getClientNonce(), 1).getFirst();
    StoredCapsule found = service.store.capsule(name);
    if (found == null) {
      throw new HoldfastException(
          ErrorCode.UNKNOWN_CAPSULE, "capsule " + name.brief() + " is not on this server");
    }
    List<Hash> cached = names(init.getCachedNames(), Limits.RESUMED_NAMES);
    watching.close();
    writing.abort();
    capsule = found;
    writer = -1;
    clientNonce = nonce;
    byte[] random = new byte[Hash.SIZE];
    RANDOM.nextBytes(random);
    serverNonce = Hash.of(random);
    Statement.Placement placement = found.placement();
    byte[] taken = mirror.begin(found, init.getCacheEntries(), cached);
    send(
        Reply.newBuilder()
            .setId(id)
            .setOpened(
                Opened.newBuilder()
                    .setMetadata(bytes(found.encodedMetadata()))
                    .setOwnerSignature(bytes(found.creationSignature()))
                    .setServerNonce(bytes(random))
                    .setCacheEntries(mirror.capacity())
                    .setCached(bytes(taken))
                    .setSuccession(bytes(mirror.toldSuccession()))
                    .setPlacement(placement == null ? 0 : placement.version())
                    .setRecords(found.withGraph(graph -> graph.size()))));
  }

  private void possess(Request request) throws ProofException {
    StoredCapsule current = capsule();
    int index = request.getPossess().getWriter();
    if (index < 0) {
      throw new HoldfastException(ErrorCode.INVALID, "a writer's index is not negative");
    }
    Possession.verify(
        current.metadata().writerKey(index),
        service.identity.verifyKey(),
        current.name(),
        clientNonce,
        serverNonce,
        clientSpeaks == null ? null : new Possession.Stated(clientSpeaks, Versions.SPOKEN),
        request.getPossess().getSignature().toByteArray());
    writer = index;
    done(request.getId());
  }

  /**
   * Runs what answers a request once all that is visible is durable; until it has ended it counts
   * as a batch.
   */
  void whenSynced(long id, Runnable then) {
    batchBegins();
    try {
      service.store.whenSynced(
          then,
          reason -> {
            fail(id, reason);
            batchEnds();
          });
    } catch (HoldfastException e) {
      batchEnds();
      throw e;
    }
  }

  /** Runs what answers a request later, telling the client when it fails. */
  void answering(long id, Runnable work) {
    try {
      work.run();
    } catch (HoldfastException e) {
      fail(id, e);
    } catch (RuntimeException e) {
      LOG.error("a request failed", e);
      fail(
          id, new HoldfastException(ErrorCode.INTERNAL, "the server failed; its log says more", e));
    }
  }

  // ---- Shared
  // ---------------------------------------------------------------------------------------

  /** The capsule of the session. */
  StoredCapsule capsule() {
    StoredCapsule current = capsule;
    if (current == null) {
      throw new HoldfastException(ErrorCode.INVALID, "no capsule was chosen; begin with Init");
    }
    return current;
  }

  /** Whether the client has proven possession of a writer's key. */
  boolean isWriter() {
    return writer >= 0;
  }

  /** A page of records, for a watch. */
  Page page(StoredCapsule from, Range range) {
    return paging.page(from, range);
  }

  static List<Hash> names(ByteString bytes, int limit) throws ProofException {
    if (bytes.size() % Hash.SIZE != 0 || bytes.size() / Hash.SIZE > limit) {
      throw new ProofException(
          Violation.MALFORMED,
          "a list of names has 32 bytes for each of at most "
              + limit
              + " names, not "
              + bytes.size());
    }
    if (limit == 1 && bytes.isEmpty()) {
      throw new ProofException(Violation.MALFORMED, "a name is missing");
    }
    byte[] all = bytes.toByteArray();
    List<Hash> names = new ArrayList<>(all.length / Hash.SIZE);
    for (int at = 0; at < all.length; at += Hash.SIZE) {
      names.add(Hash.read(all, at));
    }
    return names;
  }

  static ByteString concat(List<Hash> names) {
    byte[] all = new byte[names.size() * Hash.SIZE];
    for (int i = 0; i < names.size(); i++) {
      names.get(i).write(all, i * Hash.SIZE);
    }
    return bytes(all);
  }

  static ByteString bytes(byte[] array) {
    return UnsafeByteOperations.unsafeWrap(array);
  }
}
