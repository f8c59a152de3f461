package holdfast.device;

/**
 * How much time has passed, told from a clock that may be wrong by years and be set right.
 *
 * <p>A step backwards, or forwards by more than the age that matters, counts nothing: the clock
 * moved, and not the time. So a device that wakes in 1970 and then learns the date loses nothing by
 * it. The times are those of the operations in their order, and then those of the device's clock.
 */
final class AgeClock {
  private final long maxStepMillis;
  private long lastMillis = -1;
  private long passedMillis;

  /** A clock for an age in milliseconds; 0 when none matters. */
  AgeClock(long maxStepMillis) {
    this.maxStepMillis = maxStepMillis;
  }

  /** Takes the time of the clock, and returns the seconds that have passed by it. */
  int observe(long millis) {
    long step = millis - lastMillis;
    if (lastMillis >= 0 && step >= 0 && step <= maxStepMillis) {
      passedMillis += step;
    }
    lastMillis = millis;
    return (int) Math.min(Integer.MAX_VALUE, passedMillis / 1000);
  }
}
