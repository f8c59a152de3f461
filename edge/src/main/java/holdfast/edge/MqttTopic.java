package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;

import holdfast.device.Octets;
import holdfast.device.Operation;
import io.netty.handler.codec.mqtt.MqttProperties;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The topic of a key: {@code kv/SPACE/KEY}. The key is all that follows the space, slashes and all.
 */
record MqttTopic(String space, String key) {
  static final String ROOT = "kv/";

  /** The user property that says what a message does, and its values. */
  static final String OPERATION = "op";

  static final String DELETE = "delete";
  private static final String PUT = "put";

  /** The topic that is written so; null when no key has it. */
  static @Nullable MqttTopic parse(String text) {
    int slash = text.indexOf('/', ROOT.length());
    if (!text.startsWith(ROOT) || slash < 0) {
      return null;
    }
    String space = text.substring(ROOT.length(), slash);
    String key = text.substring(slash + 1);
    return Spaces.valid(space) && !key.isEmpty() && fits(key) && publishable(key)
        ? new MqttTopic(space, key)
        : null;
  }

  private static boolean fits(String key) {
    return key.getBytes(UTF_8).length <= Operation.MAX_KEY_BYTES;
  }

  /**
   * Whether a key can be part of a topic. MQTT keeps two characters for filters, and has none for
   * zero; a key that was put by other means may hold them.
   */
  static boolean publishable(String key) {
    return key.indexOf('+') < 0 && key.indexOf('#') < 0 && key.indexOf('\0') < 0;
  }

  /**
   * What a message on this topic asks for.
   *
   * @throws Problem INVALID or TOO_LARGE
   */
  Operation operation(byte[] payload, MqttProperties properties) {
    String type =
        properties.getProperty(MqttProperties.CONTENT_TYPE)
                instanceof MqttProperties.StringProperty found
            ? Objects.requireNonNull(found.value()).strip()
            : "";
    long now = System.currentTimeMillis();
    try {
      return deletion(properties)
          ? new Operation.Delete(0, now, space, key)
          : new Operation.Put(0, now, space, key, type, Octets.wrap(payload));
    } catch (IllegalArgumentException e) {
      throw payload.length > Operation.MAX_VALUE_BYTES
          ? new Problem(Problem.Code.TOO_LARGE, String.valueOf(e.getMessage()))
          : Problem.invalid(String.valueOf(e.getMessage()));
    }
  }

  private static boolean deletion(MqttProperties properties) {
    boolean deletion = false;
    for (MqttProperties.MqttProperty<?> one :
        properties.getProperties(MqttProperties.USER_PROPERTY)) {
      if (one instanceof MqttProperties.UserProperty pair && pair.value().key.equals(OPERATION)) {
        String value = pair.value().value;
        if (!value.equals(DELETE) && !value.equals(PUT)) {
          throw Problem.invalid("the user property op is put or delete");
        }
        deletion = value.equals(DELETE);
      }
    }
    return deletion;
  }

  @Override
  public String toString() {
    return ROOT + space + "/" + key;
  }
}
