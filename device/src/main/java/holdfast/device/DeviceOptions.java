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
 * @param rejection what happens with changes that the edge will never take
 * @param rememberedBytes most bytes of what is remembered of keys; 0 for nothing
 */
public record DeviceOptions(
    Path folder,
    @Nullable EdgeAddress edge,
    QueueOptions queue,
    Duration linger,
    Duration timeout,
    Rejection rejection,
    long rememberedBytes) {
  /**
   * The usual options: 200 ms to fill a batch, 30 s for a request, what is rejected is skipped, 16
   * MiB remembered.
   */
  public static DeviceOptions of(Path folder, @Nullable EdgeAddress edge) {
    return new DeviceOptions(
        folder,
        edge,
        QueueOptions.DEFAULTS,
        Duration.ofMillis(200),
        Duration.ofSeconds(30),
        Rejection.SKIP,
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
    return new DeviceOptions(folder, edge, options, linger, timeout, rejection, rememberedBytes);
  }

  /** The same with other times. */
  public DeviceOptions withTimes(Duration toLinger, Duration toTimeOut) {
    return new DeviceOptions(folder, edge, queue, toLinger, toTimeOut, rejection, rememberedBytes);
  }

  /** The same with another answer to rejections. */
  public DeviceOptions withRejection(Rejection policy) {
    return new DeviceOptions(folder, edge, queue, linger, timeout, policy, rememberedBytes);
  }
}
