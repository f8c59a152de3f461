package holdfast.client;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Versions;
import holdfast.net.Connection;
import holdfast.wire.Error;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One stream to a server: numbers requests and brings each its reply. Safe for several threads. */
final class ServerSession implements AutoCloseable {
  private static final long FIRST = 1;
  private static final long CLOSE_MILLIS = 2000;
  private static final long TAKEN_MILLIS = 30_000;

  private final Connection connection;
  private final Map<Long, Pending> pending = new ConcurrentHashMap<>();
  private final Map<Long, Consumer<Reply>> subscriptions = new ConcurrentHashMap<>();
  private final AtomicLong ids = new AtomicLong();
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final ClientCallStreamObserver<Request> out;
  private final AtomicInteger cacheEpoch = new AtomicInteger();
  private volatile @Nullable Told told;
  private volatile Versions serverSpeaks = Versions.UNSTATED;
  private volatile @Nullable Exception failure;
  private volatile @Nullable Runnable woken;
  private boolean ended;
  private volatile long takenMillis = TAKEN_MILLIS;

  ServerSession(Connection connection) {
    this(connection, 0);
  }

  /**
   * A session whose subscriptions are held back.
   *
   * @param ahead replies to subscriptions that come in before {@link #more} is called for the
   *     first; 0 when all are taken in as they come
   */
  ServerSession(Connection connection, int ahead) {
    this.connection = connection;
    this.out = connection.open(new Replies(ahead));
  }

  /** A succession that the server shows, and the cache epoch that begins with it. */
  record Told(ByteString succession, int epoch) {}

  /** What the server has shown of a succession since the session was opened; null if nothing. */
  @Nullable Told told() {
    return told;
  }

  /** The versions that the server stated in its first reply. */
  Versions serverSpeaks() {
    return serverSpeaks;
  }

  private static Request numbered(Request.Builder request, long id) {
    if (id == FIRST) {
      request.setSpeaks(
          holdfast.wire.Versions.newBuilder()
              .setLowest(Versions.SPOKEN.lowest())
              .setHighest(Versions.SPOKEN.highest()));
    }
    return request.setId(id).build();
  }

  Connection connection() {
    return connection;
  }

  /** A request under way. */
  final class Pending {
    private final long id;
    private @Nullable Reply reply;
    private int epoch;

    private Pending(long id) {
      this.id = id;
    }

    long id() {
      return id;
    }

    /** The cache epoch in which the reply was made. */
    int epoch() {
      return epoch;
    }

    boolean done() {
      lock.lock();
      try {
        return reply != null || failure != null;
      } finally {
        lock.unlock();
      }
    }

    /**
     * Waits for the reply.
     *
     * @throws HoldfastException the error the server replied with, or {@link ErrorCode#UNREACHABLE}
     * @throws ProofException when the server is not the one that was pinned
     */
    Reply await(long timeoutMillis) throws ProofException {
      return await(TimeUnit.MILLISECONDS.toNanos(timeoutMillis), timeoutMillis);
    }

    /**
     * Waits for what is left of a time.
     *
     * @param timeoutMillis the whole time, for the message
     */
    Reply await(long leftNanos, long timeoutMillis) throws ProofException {
      long left = leftNanos;
      lock.lock();
      try {
        while (reply == null && failure == null) {
          if (left <= 0) {
            pending.remove(id);
            throw new HoldfastException(
                ErrorCode.UNREACHABLE,
                "the server at "
                    + connection.endpoint()
                    + " did not answer within "
                    + timeoutMillis
                    + " ms");
          }
          left = changed.awaitNanos(left);
        }
        Reply got = reply;
        if (got != null) {
          return unlessError(got);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new HoldfastException(
            ErrorCode.UNREACHABLE, "interrupted while waiting for the server", e);
      } finally {
        lock.unlock();
      }
      throw rethrow();
    }
  }

  private static Reply unlessError(Reply reply) {
    if (reply.getResultCase() == Reply.ResultCase.ERROR) {
      Error error = reply.getError();
      throw new HoldfastException(
          ErrorCode.of(error.getCode()), error.getMessage(), error.getRetryAfterMillis());
    }
    return reply;
  }

  private HoldfastException rethrow() throws ProofException {
    Exception why = failure;
    if (why instanceof ProofException proof) {
      throw new ProofException(proof.violation(), String.valueOf(proof.getMessage()), proof);
    }
    if (why instanceof HoldfastException operating) {
      return new HoldfastException(
          operating.code(), String.valueOf(operating.getMessage()), operating);
    }
    return new HoldfastException(ErrorCode.UNREACHABLE, "the session has ended");
  }

  /** Sends a request; waits while the connection is full. */
  Pending send(Request.Builder request) throws ProofException {
    Pending waiting = new Pending(ids.incrementAndGet());
    pending.put(waiting.id, waiting);
    transmit(numbered(request, waiting.id));
    return waiting;
  }

  /** Sends a request and waits for its reply, which must be of this kind. */
  Reply call(Request.Builder request, Reply.ResultCase kind, long timeoutMillis)
      throws ProofException {
    return expect(kind, send(request).await(timeoutMillis));
  }

  /** Checks that a reply is of the kind that answers the request. */
  static Reply expect(Reply.ResultCase kind, Reply reply) throws ProofException {
    if (reply.getResultCase() != kind) {
      throw new ProofException(
          Violation.MALFORMED,
          "the server answers with " + reply.getResultCase() + " where " + kind + " belongs");
    }
    return reply;
  }

  /** Sends a request whose replies, any number, go to a consumer on an I/O thread. */
  long subscribe(Request.Builder request, Consumer<Reply> replies) throws ProofException {
    long id = ids.incrementAndGet();
    subscriptions.put(id, replies);
    transmit(numbered(request, id));
    return id;
  }

  /** Takes in one more reply to a subscription, in place of one that was used. */
  void more() {
    out.request(1);
  }

  /** Sends a request that is not answered. */
  void post(Request.Builder request) throws ProofException {
    transmit(numbered(request, ids.incrementAndGet()));
  }

  private void transmit(Request request) throws ProofException {
    lock.lock();
    try {
      long left = TimeUnit.MILLISECONDS.toNanos(takenMillis);
      while (!out.isReady() && failure == null) {
        if (left <= 0) {
          pending.remove(request.getId());
          throw new HoldfastException(
              ErrorCode.UNREACHABLE,
              "the server at "
                  + connection.endpoint()
                  + " took nothing in for "
                  + takenMillis
                  + " ms");
        }
        left = changed.awaitNanos(left);
      }
      if (failure == null) {
        out.onNext(request);
        return;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new HoldfastException(ErrorCode.UNREACHABLE, "interrupted while sending", e);
    } finally {
      lock.unlock();
    }
    throw rethrow();
  }

  boolean broken() {
    return failure != null;
  }

  /** Names what is run, on an I/O thread, when a reply has come or the session has ended. */
  void onReply(Runnable runnable) {
    woken = runnable;
  }

  /** How long to wait for the server to take a request in. */
  void patience(long millis) {
    takenMillis = millis;
  }

  /** Ends a session from which nothing is expected any more. */
  void abandon() {
    out.cancel("the client gave the session up", null);
  }

  @Override
  public void close() {
    lock.lock();
    try {
      if (failure == null) {
        out.onCompleted();
        long left = TimeUnit.MILLISECONDS.toNanos(CLOSE_MILLIS);
        while (!ended && left > 0) {
          left = changed.awaitNanos(left);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      lock.unlock();
    }
    abandon();
  }

  static ByteString bytes(byte[] array) {
    return UnsafeByteOperations.unsafeWrap(array);
  }

  static ByteString concat(List<Hash> names) {
    byte[] all = new byte[names.size() * Hash.SIZE];
    for (int i = 0; i < names.size(); i++) {
      names.get(i).write(all, i * Hash.SIZE);
    }
    return bytes(all);
  }

  static List<Hash> names(ByteString bytes) throws ProofException {
    if (bytes.size() % Hash.SIZE != 0) {
      throw new ProofException(Violation.MALFORMED, "a list of names has 32 bytes for each");
    }
    byte[] all = bytes.toByteArray();
    List<Hash> names = new ArrayList<>();
    for (int at = 0; at < all.length; at += Hash.SIZE) {
      names.add(Hash.read(all, at));
    }
    return names;
  }

  private final class Replies implements ClientResponseObserver<Request, Reply> {
    private final int ahead;
    private @Nullable ClientCallStreamObserver<Request> call;

    Replies(int ahead) {
      this.ahead = ahead;
    }

    @Override
    public void beforeStart(ClientCallStreamObserver<Request> requests) {
      requests.setOnReadyHandler(this::signal);
      if (ahead > 0) {
        call = requests;
        requests.disableAutoRequestWithInitial(ahead);
      }
    }

    /** Only what a subscription brings waits for its user; all else makes room for the next. */
    private void makeRoom() {
      ClientCallStreamObserver<Request> paced = call;
      if (paced != null) {
        paced.request(1);
      }
    }

    private void signal() {
      lock.lock();
      try {
        changed.signalAll();
      } finally {
        lock.unlock();
      }
    }

    @Override
    public void onNext(Reply reply) {
      if (reply.hasSpeaks()) {
        serverSpeaks = new Versions(reply.getSpeaks().getLowest(), reply.getSpeaks().getHighest());
      }
      switch (reply.getResultCase()) {
        case CACHE_RESET -> {
          int epoch = cacheEpoch.incrementAndGet();
          ByteString succession = reply.getCacheReset().getSuccession();
          if (!succession.isEmpty()) {
            told = new Told(succession, epoch);
          }
          makeRoom();
        }
        case RECEIPT -> {
          for (long id : reply.getReceipt().getIdsList()) {
            deliver(id, reply);
          }
          makeRoom();
        }
        default -> {
          Consumer<Reply> subscriber = subscriptions.get(reply.getId());
          if (subscriber != null) {
            subscriber.accept(reply);
          } else {
            deliver(reply.getId(), reply);
            makeRoom();
          }
        }
      }
    }

    private void deliver(long id, Reply reply) {
      Pending waiting = pending.remove(id);
      if (waiting != null) {
        lock.lock();
        try {
          waiting.reply = reply;
          waiting.epoch = cacheEpoch.get();
          changed.signalAll();
        } finally {
          lock.unlock();
        }
        wake();
      }
    }

    @Override
    public void onError(Throwable error) {
      end(connection.explain(error));
    }

    @Override
    public void onCompleted() {
      end(new HoldfastException(ErrorCode.STOPPING, "the server ended the session"));
    }

    private void end(Exception why) {
      lock.lock();
      try {
        ended = true;
        failure = why;
        changed.signalAll();
      } finally {
        lock.unlock();
      }
      wake();
      subscriptions.values().forEach(s -> s.accept(Reply.getDefaultInstance()));
    }

    private void wake() {
      Runnable waking = woken;
      if (waking != null) {
        waking.run();
      }
    }
  }
}
