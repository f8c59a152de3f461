package holdfast.device;

import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * How a device works.
 *
 * @param folder where its queue, key and name are
 * @param edge where it sends; null to only queue
 * @param linger how long an operation may wait for others to be sent with
 * @param timeout how long one request may take
 * @param rememberedBytes most bytes of what is remembered of keys; 0 for nothing
 */
public record DeviceOptions(
    Path folder,
    @Nullable EdgeAddress edge,
    QueueOptions queue,
    Duration linger,
    Duration timeout,
    long rememberedBytes) {
  /** The usual options: 200 ms to fill a batch, 30 s for a request, 16 MiB remembered. */
  public static DeviceOptions of(Path folder, @Nullable EdgeAddress edge) {
    return new DeviceOptions(
        folder,
        edge,
        QueueOptions.DEFAULTS,
        Duration.ofMillis(200),
        Duration.ofSeconds(30),
        16L << 20);
  }

  /** Checks that the times are times. */
  public DeviceOptions {
    if (linger.isNegative() || timeout.isNegative() || timeout.isZero() || rememberedBytes < 0) {
      throw new IllegalArgumentException("times and sizes are not negative");
    }
  }

  /** The same with another queue. */
  public DeviceOptions withQueue(QueueOptions options) {
    return new DeviceOptions(folder, edge, options, linger, timeout, rememberedBytes);
  }

  /** The same with other times. */
  public DeviceOptions withTimes(Duration toLinger, Duration toTimeOut) {
    return new DeviceOptions(folder, edge, queue, toLinger, toTimeOut, rememberedBytes);
  }
}
