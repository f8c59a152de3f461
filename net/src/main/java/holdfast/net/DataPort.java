package holdfast.net;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContextBuilder;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/**
 * The listening side of the data port: TLS 1.3 only, one certificate per start. What runs in the
 * same process reaches the same services without socket and TLS, by {@link #connect}.
 */
public final class DataPort implements AutoCloseable {
  private static final int FLOW_WINDOW = 4 << 20;
  private static final int BACKLOG = 4096;

  private final Server server;
  private final Server within;
  private final String name;
  private final VerifyKey identity;
  private final Inbound.Budget inbound;

  private DataPort(
      Server server, Server within, String name, VerifyKey identity, Inbound.Budget inbound) {
    this.server = server;
    this.within = within;
    this.name = name;
    this.identity = identity;
    this.inbound = inbound;
  }

  /**
   * Starts listening.
   *
   * @param executor runs the service's callbacks; those of one session never run at once
   * @param inboundBytes bytes of large messages that are coming in or not handled yet, of all
   *     streams together, at most; see {@link Inbound}
   */
  public static DataPort listen(
      Endpoint endpoint,
      SigningKey identity,
      List<BindableService> services,
      Executor executor,
      long inboundBytes) {
    Inbound.Budget inbound = new Inbound.Budget(inboundBytes);
    // Whoever shows a certificate must prove the identity in it; clients need not show one.
    IdentityTrust peers = new IdentityTrust(proven -> {}, refusal -> {});
    TlsBinding.Credentials credentials = TlsBinding.issue(identity, new SecureRandom());
    try {
      NettyServerBuilder builder =
          NettyServerBuilder.forAddress(endpoint.socketAddress())
              .sslContext(
                  GrpcSslContexts.configure(
                          SslContextBuilder.forServer(credentials.key(), credentials.certificate()))
                      .protocols("TLSv1.3")
                      .clientAuth(ClientAuth.OPTIONAL)
                      .trustManager(peers)
                      .build())
              .executor(executor)
              .flowControlWindow(FLOW_WINDOW)
              .maxInboundMessageSize(Limits.MESSAGE_BYTES)
              .maxConcurrentCallsPerConnection(1024)
              .permitKeepAliveTime(Connection.KEEP_ALIVE_SECONDS / 2, TimeUnit.SECONDS)
              .handshakeTimeout(20, TimeUnit.SECONDS)
              .withOption(ChannelOption.SO_BACKLOG, BACKLOG)
              .addStreamTracerFactory(inbound)
              .intercept(new PeerIdentity())
              .intercept(new PeerAddress());
      services.forEach(builder::addService);
      String name = InProcessServerBuilder.generateName();
      InProcessServerBuilder within =
          InProcessServerBuilder.forName(name).executor(executor).addStreamTracerFactory(inbound);
      services.forEach(within::addService);
      Server inside = within.build();
      try {
        inside.start();
        // Last: nothing that may still fail leaves the port taken.
        Server server = builder.build().start();
        return new DataPort(server, inside, name, identity.verifyKey(), inbound);
      } catch (IOException | RuntimeException | Error e) {
        inside.shutdownNow();
        throw e;
      }
    } catch (IOException e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      throw new HoldfastException(
          ErrorCode.INVALID, "cannot listen on " + endpoint + ": " + cause.getMessage(), e);
    }
  }

  /**
   * A connection from within the process: messages are handed over as they are, neither encoded nor
   * encrypted. Whoever is at the other end of it has shown no identity, like any client.
   */
  public Connection connect() {
    return Connection.within(
        endpoint(), identity, InProcessChannelBuilder.forName(name).directExecutor().build());
  }

  /** Where it listens; the port is the real one also when 0 was asked for. */
  public Endpoint endpoint() {
    InetSocketAddress address = (InetSocketAddress) server.getListenSockets().getFirst();
    return new Endpoint(address.getAddress().getHostAddress(), address.getPort());
  }

  /** Bytes held of large messages that are coming in or not handled yet. */
  public long inboundBytes() {
    return inbound.held();
  }

  /** Takes no new connections, lets sessions end for a while, then cuts them. */
  public void stop(long graceMillis) {
    server.shutdown();
    within.shutdown();
    try {
      end(server, graceMillis);
      end(within, graceMillis);
    } catch (InterruptedException e) {
      server.shutdownNow();
      within.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }

  private static void end(Server server, long graceMillis) throws InterruptedException {
    if (!server.awaitTermination(graceMillis, TimeUnit.MILLISECONDS)) {
      server.shutdownNow();
      server.awaitTermination(graceMillis, TimeUnit.MILLISECONDS);
    }
  }

  @Override
  public void close() {
    stop(1000);
  }
}
