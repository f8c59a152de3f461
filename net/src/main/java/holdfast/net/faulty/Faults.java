package holdfast.net.faulty;

/**
 * What is wrong with one direction of a network.
 *
 * @param delayMillis how long everything is under way, 0 to 60,000
 * @param bytesPerSecond how much passes; 0 for as much as there is
 * @param stalled whether nothing passes at all; it waits until something does again
 */
public record Faults(long delayMillis, long bytesPerSecond, boolean stalled) {
  /** Nothing is wrong. */
  public static final Faults NONE = new Faults(0, 0, false);

  private static final long MAX_DELAY_MILLIS = 60_000;

  /** Checks the numbers. */
  public Faults {
    if (delayMillis < 0 || delayMillis > MAX_DELAY_MILLIS) {
      throw new IllegalArgumentException(
          "a delay lies between 0 and " + MAX_DELAY_MILLIS + " ms, not " + delayMillis);
    }
    if (bytesPerSecond < 0) {
      throw new IllegalArgumentException("a bandwidth is not negative: " + bytesPerSecond);
    }
  }

  /** The same with another delay. */
  public Faults withDelayMillis(long millis) {
    return new Faults(millis, bytesPerSecond, stalled);
  }

  /** The same with another bandwidth. */
  public Faults withBytesPerSecond(long bytes) {
    return new Faults(delayMillis, bytes, stalled);
  }

  /** The same, stalled or not. */
  public Faults withStalled(boolean stall) {
    return new Faults(delayMillis, bytesPerSecond, stall);
  }
}
