package holdfast.edge;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.edge.site.SiteTls;
import holdfast.net.Endpoint;
import io.netty.handler.codec.mqtt.MqttProperties;
import io.netty.handler.codec.mqtt.MqttQoS;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.file.FileSystemOptions;
import io.vertx.core.http.ClientAuth;
import io.vertx.core.internal.VertxInternal;
import io.vertx.core.net.KeyCertOptions;
import io.vertx.core.net.TrustOptions;
import io.vertx.mqtt.MqttEndpoint;
import io.vertx.mqtt.MqttServer;
import io.vertx.mqtt.MqttServerOptions;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The port of MQTT 3.1.1 and 5, over TLS and nothing in the clear. What topics and messages mean is
 * in docs/edge.md.
 *
 * <p>Event loops do what takes no time. Logins are checked in threads of their own, and until one
 * is decided nothing more is read from its connection.
 */
final class MqttPort implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(MqttPort.class);
  private static final int FIVE = 5;
  private static final int CONNECT_SECONDS = 10;
  private static final int MOST_CLIENT_ID = 256;
  private static final int MOST_LOOPS = 8;
  private static final long START_SECONDS = 30;
  private static final long STOP_SECONDS = 5;
  private static final long TAKE_OVER_SECONDS = 5;

  /** Any port that is free, the same for all event loops. */
  private static final int ANY_PORT = -1;

  private final Edge edge;
  private final SiteTls tls;
  private final VertxInternal vertx;
  private final MqttSockets sockets;
  private final Semaphore room;
  private final Endpoint endpoint;

  /** Who is connected, by user and client identifier. */
  private final ConcurrentHashMap<String, MqttSession> sessions = new ConcurrentHashMap<>();

  private volatile boolean stopping;

  private MqttPort(EdgeOptions options, Endpoint where, Edge edge, SiteTls tls) {
    this.edge = edge;
    this.tls = tls;
    this.room = new Semaphore(options.watches());
    int loops = Math.clamp(Runtime.getRuntime().availableProcessors() / 2, 1, MOST_LOOPS);
    this.vertx =
        (VertxInternal)
            Vertx.vertx(
                new VertxOptions()
                    .setEventLoopPoolSize(loops)
                    .setWorkerPoolSize(1)
                    .setInternalBlockingPoolSize(1)
                    .setUseDaemonThread(true)
                    .setFileSystemOptions(
                        new FileSystemOptions()
                            .setFileCachingEnabled(false)
                            .setClassPathResolvingEnabled(false)));
    vertx.exceptionHandler(failure -> LOG.debug("a client's packet came to nothing", failure));
    this.sockets = new MqttSockets(vertx, options.connections(), edge.mqtt().connections);
    try {
      int port = where.port() == 0 ? ANY_PORT : where.port();
      int bound = port;
      for (int i = 0; i < loops; i++) {
        bound = serve(port, where.host());
      }
      this.endpoint = new Endpoint(where.host(), bound);
    } catch (RuntimeException | Error e) {
      stopVertx();
      throw e;
    }
  }

  static MqttPort listen(EdgeOptions options, Endpoint where, Edge edge, SiteTls tls) {
    return new MqttPort(options, where, edge, tls);
  }

  Endpoint endpoint() {
    return endpoint;
  }

  /** Serves on an event loop of its own; the port. */
  private int serve(int port, String host) {
    MqttServerOptions options =
        new MqttServerOptions()
            .setMaxMessageSize(MqttSession.MOST_PACKET)
            .setMaxClientIdLength(MOST_CLIENT_ID)
            .setTimeoutOnConnect(CONNECT_SECONDS)
            .setSsl(true)
            .setKeyCertOptions(KeyCertOptions.wrap(tls.keyManager()))
            .setTrustOptions(TrustOptions.wrap(tls.trustManager()))
            .setClientAuth(tls.takesCertificates() ? ClientAuth.REQUEST : ClientAuth.NONE);
    options.setEnabledSecureTransportProtocols(Set.of("TLSv1.3", "TLSv1.2"));
    options.setTcpKeepAlive(true).setTcpNoDelay(true);
    Context loop = vertx.createEventLoopContext();
    MqttServer server = MqttServer.create(sockets, options);
    server.endpointHandler(this::connect);
    server.exceptionHandler(failure -> LOG.debug("a client was refused", failure));
    Future<MqttServer> listening =
        Future.future(
            done -> loop.runOnContext(turn -> server.listen(port, host).onComplete(done)));
    try {
      await(listening, START_SECONDS);
      return server.actualPort();
    } catch (ExecutionException | TimeoutException e) {
      throw new HoldfastException(
          ErrorCode.INVALID,
          "MQTT cannot listen on "
              + host
              + ":"
              + port
              + ": "
              + e.getCause()
              + "; choose another port (--mqtt-port), or none (--no-mqtt)",
          e);
    }
  }

  private static void await(Future<?> future, long seconds)
      throws ExecutionException, TimeoutException {
    try {
      future.toCompletionStage().toCompletableFuture().get(seconds, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new HoldfastException(ErrorCode.STOPPING, "interrupted", e);
    }
  }

  // ---- Logins -----------------------------------------------------------------------------------

  /** A client has sent CONNECT. */
  private void connect(MqttEndpoint client) {
    MqttGate gate = sockets.gate(client);
    gate.shut();
    Context loop = Objects.requireNonNull(Vertx.currentContext(), "no event loop");
    Arriving arriving = new Arriving(client, gate, loop);
    client.closeHandler(gone -> arriving.closed());
    client.exceptionHandler(failure -> LOG.debug("a connection broke", failure));
    String address = client.remoteAddress().hostAddress();
    X509Certificate certificate = certificate(client);
    Thread.ofVirtual()
        .name("holdfast-mqtt-login")
        .start(() -> logIn(arriving, certificate, address));
  }

  /** A connection whose login is being checked, and the session it becomes. */
  private static final class Arriving {
    final MqttEndpoint client;
    final MqttGate gate;
    final Context loop;
    boolean gone;
    @Nullable MqttSession session;

    Arriving(MqttEndpoint client, MqttGate gate, Context loop) {
      this.client = client;
      this.gate = gate;
      this.loop = loop;
    }

    void closed() {
      gone = true;
      if (session != null) {
        session.closed();
      }
    }
  }

  private @Nullable X509Certificate certificate(MqttEndpoint client) {
    if (!tls.takesCertificates()) {
      return null;
    }
    try {
      Certificate[] chain = client.sslSession().getPeerCertificates();
      return chain.length > 0 && chain[0] instanceof X509Certificate found ? found : null;
    } catch (SSLPeerUnverifiedException none) {
      return null;
    }
  }

  private void logIn(Arriving arriving, @Nullable X509Certificate certificate, String address) {
    MqttEndpoint client = arriving.client;
    try {
      ClientLogin login =
          ClientLogin.ofMqtt(edge.logins(), tls, client.auth(), certificate, address);
      String id = login.name() + "/" + client.clientIdentifier();
      MqttSession[] made = new MqttSession[1];
      MqttSession session =
          new MqttSession(
              client,
              arriving.gate,
              arriving.loop,
              edge,
              login,
              room,
              () -> sessions.remove(id, made[0]));
      made[0] = session;
      session.checkWill();
      requireKnown(client);
      takeOver(sessions.put(id, session));
      arriving.loop.runOnContext(turn -> accept(arriving, session));
    } catch (Problem problem) {
      edge.mqtt().loginsRefused.increment();
      arriving.loop.runOnContext(turn -> reject(arriving, problem));
    } catch (RuntimeException e) {
      LOG.error("a login failed", e);
      arriving.loop.runOnContext(
          turn -> reject(arriving, new Problem(Problem.Code.INTERNAL, "the edge failed")));
    }
  }

  /** Refuses what would not be kept to. */
  private static void requireKnown(MqttEndpoint client) {
    if (client.connectProperties().getProperty(MqttProperties.AUTHENTICATION_METHOD) != null) {
      throw new Problem(Problem.Code.UNSUPPORTED, "logins have a name and a password");
    }
    if (client.protocolVersion() == FIVE
        && client.will().isWillFlag()
        && client.will().getWillQos() > 1) {
      throw new Problem(Problem.Code.VIOLATION, "quality of service is 0 or 1 at most");
    }
  }

  /** The connection before ends first, and with its will: what comes now comes after that. */
  private static void takeOver(@Nullable MqttSession before) {
    if (before == null) {
      return;
    }
    CountDownLatch ended = new CountDownLatch(1);
    before.takenOver(ended::countDown);
    try {
      if (!ended.await(TAKE_OVER_SECONDS, TimeUnit.SECONDS)) {
        LOG.warn("a connection that was taken over does not end");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void accept(Arriving arriving, MqttSession session) {
    arriving.session = session;
    if (arriving.gone) {
      session.closed();
      return;
    }
    edge.mqtt().logins.increment();
    session.accept(welcome(arriving.client));
    if (stopping) {
      session.stop();
    }
  }

  /** What a client of MQTT 5 is told of the server. */
  private static MqttProperties welcome(MqttEndpoint client) {
    if (client.protocolVersion() != FIVE) {
      return MqttProperties.NO_PROPERTIES;
    }
    MqttProperties properties = new MqttProperties();
    number(properties, MqttProperties.SESSION_EXPIRY_INTERVAL, 0);
    number(properties, MqttProperties.RECEIVE_MAXIMUM, MqttSession.RECEIVE_MAXIMUM);
    number(properties, MqttProperties.MAXIMUM_QOS, MqttQoS.AT_LEAST_ONCE.value());
    number(properties, MqttProperties.MAXIMUM_PACKET_SIZE, MqttSession.MOST_PACKET);
    number(properties, MqttProperties.SUBSCRIPTION_IDENTIFIER_AVAILABLE, 0);
    number(properties, MqttProperties.SHARED_SUBSCRIPTION_AVAILABLE, 0);
    properties.add(
        new MqttProperties.StringProperty(
            MqttProperties.ASSIGNED_CLIENT_IDENTIFIER, client.clientIdentifier()));
    return properties;
  }

  private static void number(MqttProperties properties, int property, int value) {
    properties.add(new MqttProperties.IntegerProperty(property, value));
  }

  private static void reject(Arriving arriving, Problem problem) {
    if (arriving.gone) {
      return;
    }
    boolean five = arriving.client.protocolVersion() == FIVE;
    arriving.client.reject(MqttReasons.refusal(problem, five));
    arriving.gate.discard();
  }

  // ---- The end ----------------------------------------------------------------------------------

  /** Tells who is connected, and stops. */
  @Override
  public void close() {
    stopping = true;
    List<MqttSession> connected = new ArrayList<>(sessions.values());
    connected.forEach(MqttSession::stop);
    stopVertx();
  }

  private void stopVertx() {
    try {
      await(vertx.close(), STOP_SECONDS);
    } catch (ExecutionException | TimeoutException e) {
      LOG.warn("MQTT did not stop well", e);
    }
  }
}
