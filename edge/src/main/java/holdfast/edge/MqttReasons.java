package holdfast.edge;

import io.netty.handler.codec.mqtt.MqttConnectReturnCode;
import io.netty.handler.codec.mqtt.MqttProperties;
import io.vertx.mqtt.messages.codes.MqttDisconnectReasonCode;
import io.vertx.mqtt.messages.codes.MqttPubAckReasonCode;
import org.jspecify.annotations.Nullable;

/** Problems in the words of MQTT. */
final class MqttReasons {
  private static final int MOST_CHARACTERS = 200;

  private MqttReasons() {}

  /**
   * How a login is refused.
   *
   * @param five whether the client speaks MQTT 5
   */
  static MqttConnectReturnCode refusal(Problem problem, boolean five) {
    return switch (problem.code()) {
      case UNAUTHENTICATED ->
          five
              ? MqttConnectReturnCode.CONNECTION_REFUSED_BAD_USERNAME_OR_PASSWORD
              : MqttConnectReturnCode.CONNECTION_REFUSED_BAD_USER_NAME_OR_PASSWORD;
      case DENIED ->
          five
              ? MqttConnectReturnCode.CONNECTION_REFUSED_NOT_AUTHORIZED_5
              : MqttConnectReturnCode.CONNECTION_REFUSED_NOT_AUTHORIZED;
      case NOT_FOUND, INVALID, TOO_LARGE ->
          five
              ? MqttConnectReturnCode.CONNECTION_REFUSED_TOPIC_NAME_INVALID
              : MqttConnectReturnCode.CONNECTION_REFUSED_NOT_AUTHORIZED;
      case UNSUPPORTED -> MqttConnectReturnCode.CONNECTION_REFUSED_BAD_AUTHENTICATION_METHOD;
      case VIOLATION -> MqttConnectReturnCode.CONNECTION_REFUSED_QOS_NOT_SUPPORTED;
      case LOCKED_OUT ->
          five
              ? MqttConnectReturnCode.CONNECTION_REFUSED_CONNECTION_RATE_EXCEEDED
              : MqttConnectReturnCode.CONNECTION_REFUSED_SERVER_UNAVAILABLE;
      default ->
          five
              ? MqttConnectReturnCode.CONNECTION_REFUSED_SERVER_BUSY
              : MqttConnectReturnCode.CONNECTION_REFUSED_SERVER_UNAVAILABLE;
    };
  }

  /** How a message is refused for good; null when it is better sent again. */
  static @Nullable MqttPubAckReasonCode acknowledgement(Problem problem) {
    return switch (problem.code()) {
      case DENIED -> MqttPubAckReasonCode.NOT_AUTHORIZED;
      case NOT_FOUND -> MqttPubAckReasonCode.TOPIC_NAME_INVALID;
      case INVALID -> MqttPubAckReasonCode.IMPLEMENTATION_SPECIFIC_ERROR;
      case QUOTA, TOO_LARGE -> MqttPubAckReasonCode.QUOTA_EXCEEDED;
      default -> null;
    };
  }

  /** How a connection ends on which a message cannot be answered otherwise. */
  static MqttDisconnectReasonCode disconnect(Problem problem) {
    return switch (problem.code()) {
      case DENIED, UNAUTHENTICATED -> MqttDisconnectReasonCode.NOT_AUTHORIZED;
      case NOT_FOUND -> MqttDisconnectReasonCode.TOPIC_NAME_INVALID;
      case TOO_LARGE -> MqttDisconnectReasonCode.PACKET_TOO_LARGE;
      case QUOTA, DISK_FULL -> MqttDisconnectReasonCode.QUOTA_EXCEEDED;
      case STOPPING, BUSY -> MqttDisconnectReasonCode.SERVER_BUSY;
      default -> MqttDisconnectReasonCode.IMPLEMENTATION_SPECIFIC_ERROR;
    };
  }

  /** A reason in words, for clients of MQTT 5. */
  static MqttProperties because(@Nullable String why) {
    if (why == null) {
      return MqttProperties.NO_PROPERTIES;
    }
    MqttProperties properties = new MqttProperties();
    properties.add(
        new MqttProperties.StringProperty(
            MqttProperties.REASON_STRING,
            why.substring(0, Math.min(why.length(), MOST_CHARACTERS))));
    return properties;
  }
}
