package holdfast.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.testkit.Patience;
import holdfast.wire.CapsulesGrpc;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import io.grpc.BindableService;
import io.grpc.stub.StreamObserver;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.security.SecureRandom;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DataPortTest {
  private static final Endpoint ANYWHERE = new Endpoint("127.0.0.1", 0);

  private final SigningKey identity = SigningKey.generate(new SecureRandom());
  private final ExecutorService pool = Executors.newFixedThreadPool(2);
  private final Echo echo = new Echo();
  private final DataPort port = DataPort.listen(ANYWHERE, identity, List.of(echo), pool, 1 << 20);

  @AfterEach
  void close() {
    port.close();
    pool.shutdown();
  }

  @Test
  void aStartThatFailsLeavesThePortFree() throws Exception {
    Endpoint free;
    try (ServerSocket any = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      free = new Endpoint("127.0.0.1", any.getLocalPort());
    }
    AtomicInteger bound = new AtomicInteger();
    BindableService planted =
        () -> {
          if (bound.incrementAndGet() == 2) {
            throw new AssertionError("planted");
          }
          return echo.bindService();
        };
    assertThatThrownBy(() -> DataPort.listen(free, identity, List.of(planted), pool, 1 << 20))
        .hasMessage("planted");
    DataPort.listen(free, identity, List.of(echo), pool, 1 << 20).close();
  }

  /** Answers each request with its number, and keeps it. */
  private static final class Echo extends CapsulesGrpc.CapsulesImplBase {
    final BlockingQueue<Request> heard = new LinkedBlockingQueue<>();
    final AtomicReference<@Nullable VerifyKey> caller = new AtomicReference<>();

    @Override
    public StreamObserver<Request> session(StreamObserver<Reply> out) {
      caller.set(PeerIdentity.current());
      assertThat(Inbound.current()).isNotNull();
      return new StreamObserver<>() {
        @Override
        public void onNext(Request request) {
          heard.add(request);
          out.onNext(Reply.newBuilder().setId(request.getId()).build());
        }

        @Override
        public void onError(Throwable failure) {}

        @Override
        public void onCompleted() {
          out.onCompleted();
        }
      };
    }
  }

  /** Hears replies, and how it ends. */
  private static final class Replies implements StreamObserver<Reply> {
    final BlockingQueue<Reply> come = new LinkedBlockingQueue<>();
    final BlockingQueue<Throwable> failures = new LinkedBlockingQueue<>();

    @Override
    public void onNext(Reply reply) {
      come.add(reply);
    }

    @Override
    public void onError(Throwable failure) {
      failures.add(failure);
    }

    @Override
    public void onCompleted() {}

    Reply next() throws InterruptedException {
      Reply reply = come.poll(Patience.SECONDS, TimeUnit.SECONDS);
      assertThat(reply).as("a reply").isNotNull();
      return reply;
    }
  }

  @Test
  void fromWithinTheProcessMessagesAreHandedOverAsTheyAre() throws Exception {
    try (Connection within = port.connect();
        Connection outside = Connection.to(port.endpoint(), (endpoint, key) -> {})) {
      Replies replies = new Replies();
      Request request = Request.newBuilder().setId(7).build();
      within.open(replies).onNext(request);
      assertThat(replies.next().getId()).isEqualTo(7);
      assertThat(echo.heard.take()).isSameAs(request);
      assertThat(within.identity()).isEqualTo(identity.verifyKey());
      assertThat(within.endpoint()).isEqualTo(port.endpoint());

      Replies others = new Replies();
      outside.open(others).onNext(request);
      assertThat(others.next().getId()).isEqualTo(7);
      assertThat(echo.heard.take()).isEqualTo(request).isNotSameAs(request);
    }
    assertThat(port.inboundBytes()).isZero();
  }

  @Test
  void nobodyWithinTheProcessIsTakenForAPeer() throws Exception {
    SigningKey peer = SigningKey.generate(new SecureRandom());
    try (Connection within = port.connect();
        Connection outside = Connection.asPeer(port.endpoint(), (endpoint, key) -> {}, peer)) {
      Replies others = new Replies();
      outside.open(others).onNext(Request.newBuilder().setId(1).build());
      others.next();
      assertThat(echo.caller.get()).isEqualTo(peer.verifyKey());

      Replies replies = new Replies();
      within.open(replies).onNext(Request.newBuilder().setId(2).build());
      replies.next();
      assertThat(echo.caller.get()).isNull();
    }
  }

  @Test
  void whenThePortIsClosedThoseWithinHearOfIt() throws Exception {
    try (Connection within = port.connect()) {
      Replies replies = new Replies();
      within.open(replies).onNext(Request.newBuilder().setId(1).build());
      replies.next();
      port.stop(10);
      Throwable failure = replies.failures.poll(Patience.SECONDS, TimeUnit.SECONDS);
      assertThat(failure).as("how the session ended").isNotNull();
      assertThat(within.explain(failure))
          .isInstanceOfSatisfying(
              HoldfastException.class,
              told -> assertThat(told.code()).isEqualTo(ErrorCode.UNREACHABLE));
    }
  }
}
