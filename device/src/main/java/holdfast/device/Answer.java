package holdfast.device;

import java.time.Duration;
import java.util.Optional;

/**
 * What a device knows of a key.
 *
 * @param source who says so
 * @param value empty when the key has no value, or nothing is known; an empty value is a value
 * @param contentType of the value
 * @param age how old the knowledge is, by the device's clock; zero from the edge
 */
public record Answer(Source source, Optional<Octets> value, String contentType, Duration age) {
  /** Who says what a key's value is. */
  public enum Source {
    /** The device's own operation, which the edge does not have yet. */
    QUEUE,
    /** The edge, just now. */
    EDGE,
    /** What was last heard, since the edge cannot be asked. */
    REMEMBERED,
    /** Nobody: the edge cannot be asked, and nothing is remembered. */
    NOBODY
  }
}
