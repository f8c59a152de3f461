package holdfast.node;

import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.net.Connection;
import holdfast.net.DataPort;
import holdfast.net.Endpoint;
import holdfast.wire.CapsulesGrpc;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * A malicious server: passes every session on to an honest node, and alters, drops, repeats or
 * invents what goes through.
 */
final class Meddler extends CapsulesGrpc.CapsulesImplBase implements AutoCloseable {
  private final Connection upstream;
  private final ExecutorService pool = Executors.newCachedThreadPool();
  private final DataPort port;
  private final VerifyKey identity;
  private final Queue<ServerCallStreamObserver<Reply>> sessions = new ConcurrentLinkedQueue<>();
  private final Queue<ClientCallStreamObserver<Request>> onwards = new ConcurrentLinkedQueue<>();
  final Queue<Request> requests = new ConcurrentLinkedQueue<>();
  final AtomicInteger opened = new AtomicInteger();
  private volatile Function<Request, List<Request>> onRequest = List::of;
  private volatile Function<Reply, List<Reply>> onReply = List::of;
  private volatile boolean deaf;

  Meddler(Endpoint honest, VerifyKey honestIdentity, SigningKey key) {
    this.upstream = Connection.to(honest, Connection.Pin.exactly(honestIdentity));
    this.identity = key.verifyKey();
    this.port = DataPort.listen(NodeFixture.ANYWHERE, key, java.util.List.of(this), pool, 64 << 20);
  }

  /** A meddler with the node's own key: the node itself, turned malicious. */
  static Meddler of(NodeFixture fixture) {
    return new Meddler(fixture.node.endpoint(), fixture.node.identity(), fixture.nodeKey());
  }

  Endpoint endpoint() {
    return port.endpoint();
  }

  VerifyKey identity() {
    return identity;
  }

  /** Alters each reply. */
  void alter(UnaryOperator<Reply> how) {
    onReply = reply -> List.of(how.apply(reply));
  }

  /** Replaces each reply by any number of others. */
  void replies(Function<Reply, List<Reply>> how) {
    onReply = how;
  }

  /** Replaces each request by any number of others. */
  void requests(Function<Request, List<Request>> how) {
    onRequest = how;
  }

  /** From now on takes in nothing that clients send. */
  void deafen() {
    deaf = true;
  }

  /** Breaks off all sessions. */
  void cut() {
    for (var session = sessions.poll(); session != null; session = sessions.poll()) {
      synchronized (session) {
        session.onError(Status.UNAVAILABLE.withDescription("cut").asRuntimeException());
      }
    }
  }

  /** Sends a reply that nobody asked for to all sessions. */
  void push(Reply reply) {
    for (ServerCallStreamObserver<Reply> session : sessions) {
      synchronized (session) {
        session.onNext(reply);
      }
    }
  }

  @Override
  public StreamObserver<Request> session(StreamObserver<Reply> replies) {
    var out = (ServerCallStreamObserver<Reply>) replies;
    opened.incrementAndGet();
    sessions.add(out);
    out.setOnCancelHandler(() -> sessions.remove(out));
    if (deaf) {
      out.disableAutoRequest();
    }
    ClientCallStreamObserver<Request> on = upstream.open(new Replies(out));
    onwards.add(on);
    return new StreamObserver<>() {
      @Override
      public void onNext(Request request) {
        requests.add(request);
        onRequest.apply(request).forEach(on::onNext);
      }

      @Override
      public void onError(Throwable failure) {
        sessions.remove(out);
        on.cancel("the client has gone", failure);
      }

      @Override
      public void onCompleted() {
        on.onCompleted();
      }
    };
  }

  private final class Replies implements StreamObserver<Reply> {
    private final ServerCallStreamObserver<Reply> out;

    Replies(ServerCallStreamObserver<Reply> out) {
      this.out = out;
    }

    @Override
    public void onNext(Reply reply) {
      List<Reply> altered = onReply.apply(reply);
      synchronized (out) {
        if (!out.isCancelled()) {
          altered.forEach(out::onNext);
        }
      }
    }

    @Override
    public void onError(Throwable failure) {
      synchronized (out) {
        if (sessions.remove(out)) {
          out.onError(Status.UNAVAILABLE.asRuntimeException());
        }
      }
    }

    @Override
    public void onCompleted() {
      synchronized (out) {
        if (sessions.remove(out)) {
          out.onCompleted();
        }
      }
    }
  }

  @Override
  public void close() {
    onwards.forEach(on -> on.cancel("the test is over", null));
    port.stop(0);
    upstream.close();
    pool.shutdownNow();
  }
}
