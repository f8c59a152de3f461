package holdfast.edge;

import io.netty.handler.codec.mqtt.MqttProperties;
import io.netty.handler.codec.mqtt.MqttQoS;
import io.netty.handler.codec.mqtt.MqttSubscriptionOption;
import io.netty.handler.codec.mqtt.MqttSubscriptionOption.RetainedHandlingPolicy;
import io.vertx.mqtt.MqttTopicSubscription;
import io.vertx.mqtt.messages.codes.MqttSubAckReasonCode;
import io.vertx.mqtt.messages.codes.MqttUnsubAckReasonCode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;

/** What one client subscribes to. Used by the connection's event loop alone. */
final class MqttSubscriptions {
  /** Most subscriptions of a client. */
  static final int MOST = 64;

  private final MqttSession session;
  private final Edge edge;
  private final MqttOutbox outbox;
  private final Semaphore room;
  private final Map<String, MqttFollower> byFilter = new HashMap<>();

  /**
   * Of a client.
   *
   * @param room for subscriptions of all clients together
   */
  MqttSubscriptions(MqttSession session, Edge edge, MqttOutbox outbox, Semaphore room) {
    this.session = session;
    this.edge = edge;
    this.outbox = outbox;
    this.room = room;
  }

  /**
   * Begins subscriptions.
   *
   * @param started takes those that are to be started once the client has been told
   * @return the answers, in order
   */
  List<MqttSubAckReasonCode> add(List<MqttTopicSubscription> wanted, List<MqttFollower> started) {
    List<MqttSubAckReasonCode> answers = new ArrayList<>(wanted.size());
    for (MqttTopicSubscription one : wanted) {
      answers.add(add(one, started));
    }
    return answers;
  }

  private MqttSubAckReasonCode add(MqttTopicSubscription wanted, List<MqttFollower> started) {
    String text = wanted.topicName();
    if (text.startsWith(MqttFilter.SHARED)) {
      return MqttSubAckReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
    }
    MqttFilter filter = MqttFilter.parse(text);
    if (filter == null) {
      return MqttSubAckReasonCode.TOPIC_FILTER_INVALID;
    }
    if (!session.may(Right.READ, filter.space())) {
      return MqttSubAckReasonCode.NOT_AUTHORIZED;
    }
    MqttSubscriptionOption option = wanted.subscriptionOption();
    if (option.isNoLocal()) {
      return MqttSubAckReasonCode.IMPLEMENTATION_SPECIFIC_ERROR;
    }
    MqttFollower before = byFilter.get(text);
    if (before == null && (byFilter.size() >= MOST || !room.tryAcquire())) {
      return MqttSubAckReasonCode.QUOTA_EXCEEDED;
    }
    MqttQoS qos =
        wanted.qualityOfService() == MqttQoS.AT_MOST_ONCE
            ? MqttQoS.AT_MOST_ONCE
            : MqttQoS.AT_LEAST_ONCE;
    boolean retained =
        option.retainHandling() == RetainedHandlingPolicy.SEND_AT_SUBSCRIBE
            || (option.retainHandling()
                    == RetainedHandlingPolicy.SEND_AT_SUBSCRIBE_IF_NOT_YET_EXISTS
                && before == null);
    long after = edge.view().mark().number();
    if (before != null) {
      before.stop();
    } else {
      edge.mqtt().subscriptions.incrementAndGet();
    }
    MqttFollower follower = new MqttFollower(session, edge, outbox, filter, qos, retained, after);
    byFilter.put(text, follower);
    started.add(follower);
    return MqttSubAckReasonCode.qosGranted(qos);
  }

  /** Ends subscriptions; the answers, in order. */
  List<MqttUnsubAckReasonCode> remove(List<String> filters) {
    List<MqttUnsubAckReasonCode> answers = new ArrayList<>(filters.size());
    for (String filter : filters) {
      MqttFollower ended = byFilter.remove(filter);
      if (ended == null) {
        answers.add(MqttUnsubAckReasonCode.NO_SUBSCRIPTION_EXISTED);
      } else {
        end(ended);
        answers.add(MqttUnsubAckReasonCode.SUCCESS);
      }
    }
    return answers;
  }

  private void end(MqttFollower follower) {
    follower.stop();
    edge.mqtt().subscriptions.decrementAndGet();
    room.release();
  }

  /** Ends all. */
  void close() {
    byFilter.values().forEach(this::end);
    byFilter.clear();
  }

  /** The properties of a message that brings a value, or tells that it is gone. */
  static MqttProperties properties(boolean five, String type, boolean deletion) {
    if (!five || (type.isEmpty() && !deletion)) {
      return MqttProperties.NO_PROPERTIES;
    }
    MqttProperties properties = new MqttProperties();
    if (deletion) {
      properties.add(new MqttProperties.UserProperty(MqttTopic.OPERATION, MqttTopic.DELETE));
    } else {
      properties.add(new MqttProperties.StringProperty(MqttProperties.CONTENT_TYPE, type));
    }
    return properties;
  }
}
