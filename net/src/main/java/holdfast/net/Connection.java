package holdfast.net;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.wire.CapsulesGrpc;
import holdfast.wire.Frame;
import holdfast.wire.Heartbeat;
import holdfast.wire.HeartbeatsGrpc;
import holdfast.wire.PeersGrpc;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.nio.NioIoHandler;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioSocketChannel;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContextBuilder;
import io.grpc.netty.shaded.io.netty.util.concurrent.DefaultThreadFactory;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.security.SecureRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * A TLS connection to one server whose identity is checked in the handshake, or one that stays
 * within the process. Many sessions may run over it at once.
 */
public final class Connection implements AutoCloseable {
  private static final int FLOW_WINDOW = 8 << 20;

  /** A server does not take it amiss to be asked so often; see {@link DataPort}. */
  static final int KEEP_ALIVE_SECONDS = 10;

  /** One pool of I/O threads for all connections of the process. */
  private static final EventLoopGroup LOOPS =
      new MultiThreadIoEventLoopGroup(
          Math.max(1, Runtime.getRuntime().availableProcessors()),
          new DefaultThreadFactory("holdfast-net", true),
          NioIoHandler.newFactory());

  private final Endpoint endpoint;
  private final ManagedChannel channel;
  private final AtomicReference<@Nullable VerifyKey> identity = new AtomicReference<>();
  private final AtomicReference<@Nullable ProofException> refusal = new AtomicReference<>();

  /** Decides whether a server's proven identity is the right one. */
  @FunctionalInterface
  public interface Pin {
    /** Refuses with {@link Violation#WRONG_SERVER} when it is not. */
    void check(Endpoint endpoint, VerifyKey identity) throws ProofException;

    /** Accepts this identity and no other. */
    static Pin exactly(VerifyKey expected) {
      return (endpoint, identity) -> {
        if (!identity.equals(expected)) {
          throw new ProofException(
              Violation.WRONG_SERVER,
              "the server at "
                  + endpoint
                  + " is "
                  + identity
                  + ", not "
                  + expected
                  + " as pinned; if it was replaced on purpose, pin the new key");
        }
      };
    }
  }

  private Connection(Endpoint endpoint, Pin pin, @Nullable SigningKey own) {
    this.endpoint = endpoint;
    IdentityTrust trust =
        new IdentityTrust(
            found -> {
              pin.check(endpoint, found);
              if (identity.compareAndSet(null, found)) {
                return;
              }
              VerifyKey before = identity.get();
              if (!found.equals(before)) {
                throw new ProofException(
                    Violation.WRONG_SERVER,
                    "the server at " + endpoint + " changed from " + before + " to " + found);
              }
            },
            refusal::set);
    try {
      NettyChannelBuilder builder =
          NettyChannelBuilder.forAddress(endpoint.socketAddress())
              .overrideAuthority("holdfast")
              .eventLoopGroup(LOOPS)
              .channelType(NioSocketChannel.class)
              .directExecutor()
              .flowControlWindow(FLOW_WINDOW)
              .maxInboundMessageSize(Limits.MESSAGE_BYTES)
              .sslContext(context(trust, own));
      if (own != null) {
        // Servers stay connected for long, and a link may die without a word.
        builder
            .keepAliveTime(KEEP_ALIVE_SECONDS, TimeUnit.SECONDS)
            .keepAliveTimeout(KEEP_ALIVE_SECONDS, TimeUnit.SECONDS);
      }
      channel = builder.build();
    } catch (SSLException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "TLS 1.3 is not available", e);
    }
  }

  private Connection(Endpoint endpoint, VerifyKey within, ManagedChannel channel) {
    this.endpoint = endpoint;
    this.channel = channel;
    identity.set(within);
  }

  private static SslContext context(IdentityTrust trust, @Nullable SigningKey own)
      throws SSLException {
    SslContextBuilder builder =
        GrpcSslContexts.forClient().trustManager(trust).protocols("TLSv1.3");
    if (own != null) {
      TlsBinding.Credentials credentials = TlsBinding.issue(own, new SecureRandom());
      builder.keyManager(credentials.key(), credentials.certificate());
    }
    return builder.build();
  }

  /** Prepares a connection; it is made when the first session opens. */
  public static Connection to(Endpoint endpoint, Pin pin) {
    return new Connection(endpoint, pin, null);
  }

  /** Prepares a connection in which this side shows its identity too, as servers do. */
  public static Connection asPeer(Endpoint endpoint, Pin pin, SigningKey own) {
    return new Connection(endpoint, pin, own);
  }

  /** Leads to a server in this very process, whose identity needs no handshake. */
  static Connection within(Endpoint endpoint, VerifyKey identity, ManagedChannel channel) {
    return new Connection(endpoint, identity, channel);
  }

  /** Where this leads. */
  public Endpoint endpoint() {
    return endpoint;
  }

  /** The server's identity, known once a reply has come. */
  public VerifyKey identity() {
    VerifyKey known = identity.get();
    if (known == null) {
      throw new IllegalStateException("no handshake with " + endpoint + " has been completed");
    }
    return known;
  }

  /**
   * Opens a session. Replies arrive on an I/O thread, which must not be blocked.
   *
   * @return where requests go
   */
  public ClientCallStreamObserver<Request> open(StreamObserver<Reply> replies) {
    tryNow();
    return (ClientCallStreamObserver<Request>) CapsulesGrpc.newStub(channel).session(replies);
  }

  /**
   * Opens a round of anti-entropy. Frames arrive on an I/O thread, which must not be blocked.
   *
   * @return where frames go
   */
  public ClientCallStreamObserver<Frame> openRound(StreamObserver<Frame> frames) {
    tryNow();
    return (ClientCallStreamObserver<Frame>) PeersGrpc.newStub(channel).round(frames);
  }

  /**
   * After failures the channel would wait, up to two minutes, and meanwhile refuse every call
   * without having tried: a server that is back would stay out of reach. Whoever opens sessions
   * waits between attempts by itself.
   */
  private void tryNow() {
    channel.resetConnectBackoff();
  }

  /**
   * Opens a stream of heartbeats. Answers arrive on an I/O thread, which must not be blocked.
   *
   * @return where heartbeats go
   */
  public ClientCallStreamObserver<Heartbeat> openHeartbeats(StreamObserver<Heartbeat> answers) {
    tryNow();
    return (ClientCallStreamObserver<Heartbeat>) HeartbeatsGrpc.newStub(channel).exchange(answers);
  }

  /** Explains why a session ended. */
  public Exception explain(Throwable failure) {
    ProofException refused = refusal.get();
    if (refused != null) {
      return refused;
    }
    HoldfastException told = Refusal.read(failure, endpoint);
    if (told != null) {
      return told;
    }
    Status status = Status.fromThrowable(failure);
    return switch (status.getCode()) {
      case RESOURCE_EXHAUSTED ->
          new HoldfastException(ErrorCode.TOO_LARGE, describe(status), failure);
      case UNAVAILABLE, CANCELLED, DEADLINE_EXCEEDED ->
          new HoldfastException(
              ErrorCode.UNREACHABLE,
              "cannot reach the server at " + endpoint + ": " + describe(status),
              failure);
      default -> new HoldfastException(ErrorCode.INTERNAL, describe(status), failure);
    };
  }

  private static String describe(Status status) {
    Throwable cause = status.getCause();
    String detail = cause == null ? status.getDescription() : cause.getMessage();
    return detail == null ? status.getCode().name() : detail;
  }

  @Override
  public void close() {
    channel.shutdown();
    try {
      if (!channel.awaitTermination(2, TimeUnit.SECONDS)) {
        channel.shutdownNow();
      }
    } catch (InterruptedException e) {
      channel.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }
}
