package holdfast.edge;

import holdfast.device.Operation;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.codec.mqtt.MqttProperties;
import io.netty.handler.codec.mqtt.MqttQoS;
import io.vertx.core.Context;
import io.vertx.mqtt.MqttEndpoint;
import io.vertx.mqtt.MqttWill;
import io.vertx.mqtt.messages.MqttDisconnectMessage;
import io.vertx.mqtt.messages.MqttPublishMessage;
import io.vertx.mqtt.messages.MqttSubscribeMessage;
import io.vertx.mqtt.messages.MqttUnsubscribeMessage;
import io.vertx.mqtt.messages.codes.MqttDisconnectReasonCode;
import io.vertx.mqtt.messages.codes.MqttPubAckReasonCode;
import io.vertx.mqtt.messages.codes.MqttSubAckReasonCode;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A client of MQTT that is logged in.
 *
 * <pre>
 *   PUBLISH ──► in flight, in order ──► flusher ──► synced ──► PUBACK, in the same order
 *                     │
 *                     └── full, or the flusher is busy: the socket is not read from
 * </pre>
 *
 * <p>All of it happens on the connection's event loop, but for what {@link MqttFollower} asks.
 * Nothing is acknowledged before it is synced. A message that cannot be kept, and that may be kept
 * later, ends the connection: with no acknowledgement the client has to send it again.
 */
final class MqttSession {
  /** Most messages of a client that are not acknowledged yet. */
  static final int RECEIVE_MAXIMUM = 256;

  /** Most bytes of a packet. */
  static final int MOST_PACKET = Operation.MAX_VALUE_BYTES + (16 << 10);

  private static final Logger LOG = LoggerFactory.getLogger(MqttSession.class);
  private static final int FIVE = 5;
  private static final long MOST_BYTES = 4L << 20;

  /** What a message takes in memory beside its payload, about. */
  private static final int MESSAGE_BYTES = 256;

  private static final long RETRY_MILLIS = 5;

  private final MqttEndpoint endpoint;
  private final MqttGate gate;
  private final Context loop;
  private final Edge edge;
  private final MqttCounters counters;
  private final ClientLogin login;
  private final MqttOutbox outbox;
  private final MqttSubscriptions subscriptions;
  private final Runnable onClosed;

  /** What came and is not answered yet, oldest first. */
  private final ArrayDeque<Incoming> inFlight = new ArrayDeque<>();

  /** What the flusher had no room for yet, oldest first. */
  private final ArrayDeque<Incoming> held = new ArrayDeque<>();

  private final AtomicBoolean settling = new AtomicBoolean();
  private long inFlightBytes;
  private @Nullable Runnable onHandedOver;
  private boolean retrying;
  private boolean paused;

  /** Whether the client was not read from at some time since it was last asked for. */
  private boolean heldUp;

  private boolean withoutWill = true;
  private volatile boolean closed;

  /** A message on its way to the capsule. */
  private static final class Incoming {
    final int id;
    final boolean acknowledge;
    final @Nullable Operation operation;
    final int bytes;
    final Ticket ticket;

    Incoming(
        int id, boolean acknowledge, @Nullable Operation operation, int bytes, Runnable settled) {
      this.id = id;
      this.acknowledge = acknowledge;
      this.operation = operation;
      this.bytes = bytes;
      this.ticket = new Ticket(settled);
    }
  }

  /**
   * Of a client whose login holds.
   *
   * @param room for subscriptions of all clients together
   * @param onClosed is told on the event loop when the connection is closed
   */
  MqttSession(
      MqttEndpoint endpoint,
      MqttGate gate,
      Context loop,
      Edge edge,
      ClientLogin login,
      Semaphore room,
      Runnable onClosed) {
    this.endpoint = endpoint;
    this.gate = gate;
    this.loop = loop;
    this.edge = edge;
    this.counters = edge.mqtt();
    this.login = login;
    this.onClosed = onClosed;
    this.outbox = new MqttOutbox(endpoint);
    this.subscriptions = new MqttSubscriptions(this, edge, outbox, room);
  }

  /** Whether the client speaks MQTT 5, and so can be told reasons. */
  boolean five() {
    return endpoint.protocolVersion() == FIVE;
  }

  /** Begins to serve the client, whose CONNECT is accepted by this. */
  void accept(MqttProperties properties) {
    if (closed) {
      // Another connection has taken it over already.
      endpoint.close();
      return;
    }
    withoutWill = false;
    endpoint.publishHandler(this::published);
    endpoint.subscribeHandler(this::subscribe);
    endpoint.unsubscribeHandler(this::unsubscribe);
    endpoint.publishAcknowledgeHandler(outbox::acknowledged);
    endpoint.disconnectMessageHandler(this::goodbye);
    endpoint.authenticationExchangeHandler(message ->
        disconnect(MqttDisconnectReasonCode.PROTOCOL_ERROR, "there is no further login"));
    endpoint.exceptionHandler(this::broken);
    endpoint.accept(false, properties);
    MqttSockets.patient(gate, this::excused);
    gate.open();
  }

  /** Whether the client still is who it was when it logged in, and has a right. */
  boolean may(Right right, String space) {
    return login.still(edge, right, space);
  }

  // ---- Messages that come in --------------------------------------------------------------------

  private void published(MqttPublishMessage message) {
    if (closed) {
      return;
    }
    counters.received.increment();
    if (message.qosLevel() == MqttQoS.EXACTLY_ONCE) {
      disconnect(
          MqttDisconnectReasonCode.QOS_NOT_SUPPORTED, "quality of service is 0 or 1 at most");
      return;
    }
    if (message.properties().getProperty(MqttProperties.TOPIC_ALIAS) != null) {
      disconnect(MqttDisconnectReasonCode.TOPIC_ALIAS_INVALID, "topics have no aliases here");
      return;
    }
    byte[] payload = message.payload().getBytes();
    boolean acknowledge = message.qosLevel() == MqttQoS.AT_LEAST_ONCE;
    int bytes = payload.length + MESSAGE_BYTES;
    inFlightBytes += bytes;
    try {
      Operation operation = operation(message.topicName(), payload, message.properties());
      Incoming incoming =
          new Incoming(message.messageId(), acknowledge, operation, bytes, this::settled);
      inFlight.add(incoming);
      held.add(incoming);
      submit();
    } catch (Problem problem) {
      Incoming refused = new Incoming(message.messageId(), acknowledge, null, bytes, () -> {});
      refused.ticket.failed(problem);
      inFlight.add(refused);
      answer();
    }
    pauseOrResume();
  }

  /** What a message asks for. */
  private Operation operation(String topicName, byte[] payload, MqttProperties properties) {
    MqttTopic topic = MqttTopic.parse(topicName);
    if (topic == null) {
      throw new Problem(
          Problem.Code.NOT_FOUND, "no key has this topic; the topic of a key is kv/SPACE/KEY");
    }
    if (!may(Right.WRITE, topic.space())) {
      throw new Problem(
          Problem.Code.DENIED, "the right to write in space " + topic.space() + " is missing");
    }
    return topic.operation(payload, properties);
  }

  /** Hands over what waits, in order, as far as the flusher has room. */
  private void submit() {
    for (Incoming next = held.peek(); next != null; next = held.peek()) {
      try {
        edge.flusher()
            .submit(
                Task.Write.of(
                    next.ticket,
                    login.name(),
                    List.of(Objects.requireNonNull(next.operation)),
                    Condition.none(),
                    false,
                    null));
      } catch (Problem problem) {
        if (problem.code() == Problem.Code.BUSY) {
          retryLater();
          return;
        }
        next.ticket.failed(problem);
      }
      held.remove();
    }
    Runnable waiting = onHandedOver;
    if (waiting != null) {
      onHandedOver = null;
      waiting.run();
    }
  }

  private void retryLater() {
    if (!retrying) {
      retrying = true;
      loop.owner()
          .setTimer(
              RETRY_MILLIS,
              timer -> {
                retrying = false;
                submit();
                pauseOrResume();
              });
    }
  }

  /** Called by the flusher's thread. */
  private void settled() {
    if (settling.compareAndSet(false, true)) {
      onLoop(() -> {
        settling.set(false);
        answer();
        pauseOrResume();
      });
    }
  }

  /** Answers what is settled, in the order in which it came (MQTT 5, section 4.6). */
  private void answer() {
    for (Incoming next = inFlight.peek();
        next != null && next.ticket.settled();
        next = inFlight.peek()) {
      inFlight.remove();
      inFlightBytes -= next.bytes;
      Problem problem = next.ticket.problem();
      if (problem != null) {
        refuse(next, problem);
      } else if (next.acknowledge && !closed) {
        counters.acknowledged.increment();
        endpoint.publishAcknowledge(next.id);
      }
    }
  }

  private void refuse(Incoming message, Problem problem) {
    (message.acknowledge ? counters.refused : counters.dropped).increment();
    if (closed) {
      return;
    }
    MqttPubAckReasonCode code =
        five() && message.acknowledge ? MqttReasons.acknowledgement(problem) : null;
    if (code != null) {
      endpoint.publishAcknowledge(message.id, code, MqttReasons.because(problem.getMessage()));
    } else if (message.acknowledge || problem.code() == Problem.Code.DENIED) {
      disconnect(MqttReasons.disconnect(problem), problem.getMessage());
    }
  }

  private void pauseOrResume() {
    boolean full =
        !held.isEmpty() || inFlight.size() >= RECEIVE_MAXIMUM || inFlightBytes >= MOST_BYTES;
    if (full && !paused && !closed) {
      paused = true;
      heldUp = true;
      counters.pauses.increment();
      gate.shut();
    } else if (paused
        && !closed
        && held.isEmpty()
        && inFlight.size() <= RECEIVE_MAXIMUM / 2
        && inFlightBytes <= MOST_BYTES / 2) {
      paused = false;
      gate.open();
    }
  }

  /** Whether it is our fault that the client has not been heard of. */
  private boolean excused() {
    boolean ours = heldUp;
    heldUp = paused;
    return ours;
  }

  // ---- Subscriptions ----------------------------------------------------------------------------

  private void subscribe(MqttSubscribeMessage message) {
    if (closed) {
      return;
    }
    if (message.properties().getProperty(MqttProperties.SUBSCRIPTION_IDENTIFIER) != null) {
      disconnect(
          MqttDisconnectReasonCode.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
          "subscriptions have no identifiers here");
      return;
    }
    List<MqttFollower> started = new ArrayList<>();
    List<MqttSubAckReasonCode> answers = subscriptions.add(message.topicSubscriptions(), started);
    if (!five()) {
      answers.replaceAll(code -> code.value() < 0 ? MqttSubAckReasonCode.UNSPECIFIED_ERROR : code);
    }
    endpoint.subscribeAcknowledge(message.messageId(), answers, MqttProperties.NO_PROPERTIES);
    started.forEach(MqttFollower::start);
  }

  private void unsubscribe(MqttUnsubscribeMessage message) {
    if (closed) {
      return;
    }
    var answers = subscriptions.remove(message.topics());
    if (five()) {
      endpoint.unsubscribeAcknowledge(message.messageId(), answers, MqttProperties.NO_PROPERTIES);
    } else {
      endpoint.unsubscribeAcknowledge(message.messageId());
    }
  }

  /** The client does not take what it has subscribed to. */
  void tooSlow() {
    onLoop(() -> {
      if (!closed) {
        counters.slow.increment();
        disconnect(
            MqttDisconnectReasonCode.QUOTA_EXCEEDED,
            "the subscriber does not keep up with what it has subscribed to");
      }
    });
  }

  /** The client has lost a right that a subscription of it needs. */
  void denied(Right right, String space) {
    onLoop(() ->
        disconnect(
            MqttDisconnectReasonCode.NOT_AUTHORIZED,
            "the right to " + right.text() + " in space " + space + " is missing"));
  }

  /** A subscription failed; the log says why. */
  void failed() {
    onLoop(() ->
        disconnect(
            MqttDisconnectReasonCode.UNSPECIFIED_ERROR, "the edge failed; its log says why"));
  }

  // ---- The end ----------------------------------------------------------------------------------

  private void onLoop(Runnable work) {
    try {
      loop.runOnContext(turn -> work.run());
    } catch (RejectedExecutionException stopped) {
      LOG.debug("the edge has stopped before {} was answered", login.name());
    }
  }

  private void goodbye(MqttDisconnectMessage message) {
    withoutWill = message.code() != MqttDisconnectReasonCode.WITH_WILL_MESSAGE;
  }

  private void broken(Throwable failure) {
    LOG.debug("the connection of {} broke", login.name(), failure);
    if (failure instanceof TooLongFrameException) {
      disconnect(MqttDisconnectReasonCode.PACKET_TOO_LARGE, "the packet is too large");
    } else {
      disconnect(MqttDisconnectReasonCode.MALFORMED_PACKET, "the packet makes no sense");
    }
  }

  /** The edge stops: that is no end of the client's, and not what its will is for. */
  void stop() {
    onLoop(() -> {
      withoutWill = true;
      disconnect(MqttDisconnectReasonCode.SERVER_SHUTTING_DOWN, "the edge is stopping");
    });
  }

  /** Another connection of the same user has the same client identifier now. */
  void takenOver(Runnable done) {
    onLoop(() -> {
      disconnect(
          MqttDisconnectReasonCode.SESSION_TAKEN_OVER,
          "another connection has this client identifier now");
      onHandedOver = done;
      submit();
    });
  }

  private void disconnect(MqttDisconnectReasonCode code, @Nullable String why) {
    if (!closed) {
      LOG.debug("{} is disconnected: {}", login.name(), why);
      boolean connected = endpoint.isConnected();
      closed();
      if (connected) {
        endpoint.disconnect(code, five() ? MqttReasons.because(why) : MqttProperties.NO_PROPERTIES);
      }
    }
  }

  /** Called when the connection is closed, by whom ever. */
  void closed() {
    if (closed) {
      return;
    }
    closed = true;
    outbox.close();
    subscriptions.close();
    paused = false;
    gate.discard();
    if (!withoutWill && endpoint.will().isWillFlag()) {
      will(endpoint.will());
    }
    onClosed.run();
  }

  /** Puts the will after all that came before. */
  private void will(MqttWill will) {
    try {
      Operation operation = operation(will);
      Incoming[] last = new Incoming[1];
      AtomicBoolean counted = new AtomicBoolean();
      last[0] =
          new Incoming(
              0,
              false,
              operation,
              0,
              () -> {
                if (counted.compareAndSet(false, true)) {
                  boolean kept = last[0].ticket.problem() == null;
                  (kept ? counters.wills : counters.willsLost).increment();
                }
              });
      held.add(last[0]);
      submit();
    } catch (Problem lost) {
      LOG.info("the will of {} is not put: {}", login.name(), lost.getMessage());
      counters.willsLost.increment();
    }
  }

  private Operation operation(MqttWill will) {
    MqttProperties properties = will.getWillProperties();
    return operation(
        will.getWillTopic(),
        will.getWillMessageBytes(),
        properties == null ? MqttProperties.NO_PROPERTIES : properties);
  }

  /**
   * Refuses a will that could not be put.
   *
   * @throws Problem DENIED, or NOT_FOUND when its topic is none
   */
  void checkWill() {
    if (endpoint.will().isWillFlag()) {
      operation(endpoint.will());
    }
  }
}
