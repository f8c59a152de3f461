package holdfast.edge;

import io.netty.handler.codec.mqtt.MqttProperties;
import io.netty.handler.codec.mqtt.MqttQoS;
import io.vertx.core.buffer.Buffer;
import io.vertx.mqtt.MqttEndpoint;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * What is on its way to one subscriber: so many messages and bytes and no more. A message is on its
 * way until the client has acknowledged it, or, with quality of service 0, until it is written.
 */
final class MqttOutbox {
  /** How long a subscriber may take nothing. */
  static final long PATIENCE_MILLIS = 15_000;

  private static final int MOST_MESSAGES = 128;
  private static final int MOST_BYTES = 4 << 20;
  private static final int HEADERS = 64;
  private static final int MOST_IDS = 65_535;

  /** As many permits as set everybody free who waits. */
  private static final int ALL = 1 << 29;

  private final MqttEndpoint endpoint;
  private final long mostPacket;
  private final Semaphore messages;
  private final Semaphore bytes = new Semaphore(MOST_BYTES);

  /** Bytes of the messages that wait for an acknowledgement, by their packet identifiers. */
  private final Map<Integer, Integer> waiting = new HashMap<>();

  private int lastId;
  private volatile boolean closed;

  /** What became of a message. */
  enum Sent {
    /** It is on its way. */
    SENT,
    /** The client has said that it takes none as large. */
    TOO_LARGE,
    /** The client takes nothing, and has not for a while. */
    STUCK,
    /** The connection is closed. */
    CLOSED
  }

  /** Of a client, which may have said in CONNECT how much it takes. */
  MqttOutbox(MqttEndpoint endpoint) {
    this.endpoint = endpoint;
    int receiveMaximum = number(endpoint, MqttProperties.RECEIVE_MAXIMUM, MOST_MESSAGES);
    this.messages = new Semaphore(Math.clamp(receiveMaximum, 1, MOST_MESSAGES));
    this.mostPacket = number(endpoint, MqttProperties.MAXIMUM_PACKET_SIZE, Integer.MAX_VALUE);
  }

  private static int number(MqttEndpoint endpoint, int property, int otherwise) {
    return endpoint.connectProperties().getProperty(property)
            instanceof MqttProperties.IntegerProperty found
        ? Objects.requireNonNull(found.value())
        : otherwise;
  }

  /** Sends a message; waits as long as too much is on its way. */
  Sent send(String topic, byte[] payload, MqttQoS qos, boolean retained, MqttProperties properties)
      throws InterruptedException {
    int size = HEADERS + 3 * topic.length() + payload.length;
    if (size > mostPacket) {
      return Sent.TOO_LARGE;
    }
    if (!messages.tryAcquire(PATIENCE_MILLIS, TimeUnit.MILLISECONDS)) {
      return Sent.STUCK;
    }
    if (!bytes.tryAcquire(size, PATIENCE_MILLIS, TimeUnit.MILLISECONDS)) {
      messages.release();
      return Sent.STUCK;
    }
    if (closed) {
      return Sent.CLOSED;
    }
    int id = qos == MqttQoS.AT_MOST_ONCE ? 0 : nextId(size);
    try {
      endpoint
          .publish(topic, Buffer.buffer(payload), qos, false, retained, id, properties)
          .onComplete(written -> {
            if (id == 0) {
              release(size);
            }
          });
    } catch (IllegalArgumentException closedMeanwhile) {
      return Sent.CLOSED;
    }
    return Sent.SENT;
  }

  private synchronized int nextId(int size) {
    do {
      lastId = lastId % MOST_IDS + 1;
    } while (waiting.containsKey(lastId));
    waiting.put(lastId, size);
    return lastId;
  }

  /** The client has acknowledged a message. */
  void acknowledged(int id) {
    Integer size;
    synchronized (this) {
      size = waiting.remove(id);
    }
    if (size != null) {
      release(size);
    }
  }

  private void release(int size) {
    bytes.release(size);
    messages.release();
  }

  /** Nothing goes out any more; who waits is set free. */
  void close() {
    closed = true;
    messages.release(ALL);
    bytes.release(ALL);
  }
}
