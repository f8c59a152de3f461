package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.mqtt.MqttConnAckMessage;
import io.netty.handler.codec.mqtt.MqttDecoder;
import io.netty.handler.codec.mqtt.MqttEncoder;
import io.netty.handler.codec.mqtt.MqttFixedHeader;
import io.netty.handler.codec.mqtt.MqttMessage;
import io.netty.handler.codec.mqtt.MqttMessageBuilders;
import io.netty.handler.codec.mqtt.MqttMessageIdVariableHeader;
import io.netty.handler.codec.mqtt.MqttMessageType;
import io.netty.handler.codec.mqtt.MqttProperties;
import io.netty.handler.codec.mqtt.MqttPubReplyMessageVariableHeader;
import io.netty.handler.codec.mqtt.MqttPublishMessage;
import io.netty.handler.codec.mqtt.MqttQoS;
import io.netty.handler.codec.mqtt.MqttReasonCodeAndPropertiesVariableHeader;
import io.netty.handler.codec.mqtt.MqttSubAckMessage;
import io.netty.handler.codec.mqtt.MqttSubscriptionOption;
import io.netty.handler.codec.mqtt.MqttVersion;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.util.ArrayDeque;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/** A client of MQTT that does what a test says, packet by packet, and nothing by itself. */
final class MqttWire implements AutoCloseable {
  private static final int PATIENCE_MILLIS = 60_000;

  private final Socket socket;
  private final EmbeddedChannel codec =
      new EmbeddedChannel(new MqttDecoder(2 << 20), MqttEncoder.INSTANCE);
  private final ArrayDeque<MqttMessage> come = new ArrayDeque<>();

  private MqttWire(Socket socket) {
    this.socket = socket;
  }

  static MqttWire open(SSLContext tls, int port) throws IOException {
    Socket socket = tls.getSocketFactory().createSocket("127.0.0.1", port);
    socket.setSoTimeout(PATIENCE_MILLIS);
    socket.setTcpNoDelay(true);
    return new MqttWire(socket);
  }

  static MqttMessageBuilders.ConnectBuilder connect(MqttVersion version, String login) {
    MqttMessageBuilders.ConnectBuilder builder =
        MqttMessageBuilders.connect()
            .protocolVersion(version)
            .cleanSession(true)
            .keepAlive(0)
            .clientId("client");
    if (!login.isEmpty()) {
      int colon = login.indexOf(':');
      builder
          .username(login.substring(0, colon))
          .password(login.substring(colon + 1).getBytes(UTF_8));
    }
    return builder;
  }

  MqttConnAckMessage hello(MqttMessageBuilders.ConnectBuilder connect) throws IOException {
    send(connect.build());
    return (MqttConnAckMessage) next();
  }

  void send(MqttMessage... messages) throws IOException {
    for (MqttMessage message : messages) {
      codec.writeOutbound(message);
    }
    for (ByteBuf out = codec.readOutbound(); out != null; out = codec.readOutbound()) {
      socket.getOutputStream().write(ByteBufUtil.getBytes(out));
      out.release();
    }
    socket.getOutputStream().flush();
  }

  void raw(byte[] bytes) throws IOException {
    socket.getOutputStream().write(bytes);
    socket.getOutputStream().flush();
  }

  static MqttMessage publish(String topic, String value, int qos, int id) {
    return publish(topic, value.getBytes(UTF_8), qos, id, MqttProperties.NO_PROPERTIES);
  }

  static MqttMessage publish(
      String topic, byte[] value, int qos, int id, MqttProperties properties) {
    return MqttMessageBuilders.publish()
        .topicName(topic)
        .payload(Unpooled.wrappedBuffer(value))
        .qos(MqttQoS.valueOf(qos))
        .messageId(id)
        .properties(properties)
        .build();
  }

  static MqttMessage subscribe(int id, int qos, String... filters) {
    MqttMessageBuilders.SubscribeBuilder builder = MqttMessageBuilders.subscribe().messageId(id);
    for (String filter : filters) {
      builder.addSubscription(filter, MqttSubscriptionOption.onlyFromQos(MqttQoS.valueOf(qos)));
    }
    return builder.build();
  }

  static MqttMessage bare(MqttMessageType type) {
    return new MqttMessage(new MqttFixedHeader(type, false, MqttQoS.AT_MOST_ONCE, false, 0));
  }

  static MqttMessage puback(int id) {
    return MqttMessageBuilders.pubAck().packetId(id).build();
  }

  /** The next packet. */
  MqttMessage next() throws IOException {
    MqttMessage message = nextOrEnd();
    if (message == null) {
      throw new IOException("the connection was closed");
    }
    return message;
  }

  /** The next packet; null when the connection was closed. */
  @Nullable MqttMessage nextOrEnd() throws IOException {
    byte[] chunk = new byte[16 << 10];
    InputStream in = socket.getInputStream();
    while (come.isEmpty()) {
      int read;
      try {
        read = in.read(chunk);
      } catch (SocketTimeoutException e) {
        throw e;
      } catch (IOException reset) {
        return null;
      }
      if (read < 0) {
        return null;
      }
      codec.writeInbound(Unpooled.copiedBuffer(chunk, 0, read));
      for (MqttMessage one = codec.readInbound(); one != null; one = codec.readInbound()) {
        come.add(one);
      }
    }
    return come.remove();
  }

  /** Whether nothing comes for a while, and the connection stays. */
  boolean silentFor(int millis) throws IOException {
    socket.setSoTimeout(millis);
    try {
      come.add(next());
      return false;
    } catch (SocketTimeoutException silent) {
      return true;
    } finally {
      socket.setSoTimeout(PATIENCE_MILLIS);
    }
  }

  /** What comes next, in short: kind, identifier or topic, reason or value. */
  String line() throws IOException {
    MqttMessage message = nextOrEnd();
    if (message == null) {
      return "closed";
    }
    String type = message.fixedHeader().messageType().name().toLowerCase(java.util.Locale.ROOT);
    return switch (message) {
      case MqttPublishMessage publish -> {
        String text =
            type
                + (publish.fixedHeader().isRetain() ? " retained " : " ")
                + publish.variableHeader().topicName()
                + " "
                + publish.payload().toString(UTF_8);
        if (publish.fixedHeader().qosLevel() == MqttQoS.AT_LEAST_ONCE) {
          send(puback(publish.variableHeader().packetId()));
        }
        yield text;
      }
      case MqttSubAckMessage ack -> type + " " + ack.payload().reasonCodes();
      default ->
          switch (message.variableHeader()) {
            case MqttPubReplyMessageVariableHeader reply ->
                type + " " + reply.messageId() + " " + hex(reply.reasonCode());
            case MqttMessageIdVariableHeader id -> type + " " + id.messageId();
            case MqttReasonCodeAndPropertiesVariableHeader reason ->
                type + " " + hex(reason.reasonCode());
            case null, default -> type;
          };
    };
  }

  private static String hex(byte code) {
    return String.format("%02x", code);
  }

  /** Says nothing any more, but listens. */
  void finish() throws IOException {
    socket.shutdownOutput();
  }

  /** Goes away without a word. */
  void cut() throws IOException {
    socket.setSoLinger(true, 0);
    socket.close();
  }

  @Override
  public void close() throws IOException {
    if (!socket.isClosed()) {
      // Closing waits so long for the other side's goodbye, which need not come.
      socket.setSoTimeout(1);
    }
    socket.close();
    codec.finishAndReleaseAll();
  }
}
