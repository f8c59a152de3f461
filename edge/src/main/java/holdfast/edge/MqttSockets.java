package holdfast.edge;

import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.timeout.IdleStateEvent;
import io.vertx.core.Handler;
import io.vertx.core.internal.VertxInternal;
import io.vertx.core.internal.VertxWrapper;
import io.vertx.core.internal.net.NetServerInternal;
import io.vertx.core.internal.net.NetSocketInternal;
import io.vertx.core.net.NetServerOptions;
import io.vertx.core.net.NetSocket;
import io.vertx.core.net.SocketAddress;
import io.vertx.mqtt.MqttEndpoint;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The sockets below MQTT's connections. The MQTT server of Vert.x cannot stop reading from a client
 * and keeps its sockets to itself; here it is given a Vert.x whose sockets can be found again.
 */
final class MqttSockets extends VertxWrapper {
  /** Most bytes of a client that has not said yet who it is. */
  static final int MOST_CONNECT_BYTES = 128 << 10;

  private static final Logger LOG = LoggerFactory.getLogger(MqttSockets.class);

  // Names that Vert.x has given to its handlers, and ours.
  private static final String VERTX = "handler";
  private static final String KEEP_ALIVE = "keepAliveHandler";
  private static final String GATE = "holdfastGate";
  private static final String FIRST = "holdfastFirst";
  private static final String PATIENT = "holdfastPatient";

  private final int most;
  private final AtomicInteger connections;
  private final ConcurrentHashMap<SocketAddress, MqttGate> open = new ConcurrentHashMap<>();

  /**
   * Of a Vert.x.
   *
   * @param most connections at once; those above are closed at once
   * @param connections counts them
   */
  MqttSockets(VertxInternal vertx, int most, AtomicInteger connections) {
    super(vertx);
    this.most = most;
    this.connections = connections;
  }

  @Override
  public NetServerInternal createNetServer(NetServerOptions options) {
    NetServerInternal server = super.createNetServer(options);
    return (NetServerInternal)
        Proxy.newProxyInstance(
            MqttSockets.class.getClassLoader(),
            new Class<?>[] {NetServerInternal.class},
            (proxy, method, arguments) -> call(server, method, arguments));
  }

  private @Nullable Object call(
      NetServerInternal server, Method method, Object @Nullable [] arguments) throws Throwable {
    Object[] given = arguments == null ? new Object[0] : arguments;
    if (method.getName().equals("connectHandler") && given.length == 1) {
      @SuppressWarnings("unchecked")
      Handler<NetSocket> handler = (Handler<NetSocket>) given[0];
      given = new Object[] {(Handler<NetSocket>) socket -> connected(socket, handler)};
    }
    try {
      return method.invoke(server, given);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  private void connected(NetSocket socket, Handler<NetSocket> handler) {
    ChannelHandlerContext context = ((NetSocketInternal) socket).channelHandlerContext();
    MqttGate gate = new MqttGate();
    SocketAddress address = socket.remoteAddress();
    boolean room = connections.incrementAndGet() <= most;
    context
        .channel()
        .closeFuture()
        .addListener(closed -> {
          connections.decrementAndGet();
          open.remove(address, gate);
        });
    if (!room) {
      socket.close();
      return;
    }
    open.put(address, gate);
    socket.exceptionHandler(failure -> LOG.debug("garbage from {}", address, failure));
    handler.handle(socket);
    context.pipeline().addBefore("mqttDecoder", FIRST, new First());
    context.pipeline().addBefore(VERTX, GATE, gate);
  }

  /** What stands before a client that has just sent CONNECT. It may send as much as others now. */
  MqttGate gate(MqttEndpoint endpoint) {
    MqttGate gate =
        Objects.requireNonNull(open.get(endpoint.remoteAddress()), "an endpoint without a socket");
    gate.pipeline().remove(FIRST);
    return gate;
  }

  /**
   * Keeps the server from taking a client for dead while it does not read from that client, which
   * may have said something.
   *
   * @param excused whether a client that has not been heard of for long has an excuse
   */
  static void patient(MqttGate gate, BooleanSupplier excused) {
    if (gate.pipeline().get(KEEP_ALIVE) != null) {
      gate.pipeline().addBefore(KEEP_ALIVE, PATIENT, new Patient(excused));
    }
  }

  /** Closes connections of which much is to be remembered before they have logged in. */
  private static final class First extends ChannelDuplexHandler {
    private long bytes;

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      if (message instanceof io.netty.buffer.ByteBuf part) {
        bytes += part.readableBytes();
        if (bytes > MOST_CONNECT_BYTES) {
          part.release();
          context.close().addListener(closed -> LOG.debug("too much before CONNECT"));
          return;
        }
      }
      context.fireChannelRead(message);
    }
  }

  private static final class Patient extends ChannelDuplexHandler {
    private final BooleanSupplier excused;

    Patient(BooleanSupplier excused) {
      this.excused = excused;
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (!(event instanceof IdleStateEvent) || !excused.getAsBoolean()) {
        context.fireUserEventTriggered(event);
      }
    }
  }
}
