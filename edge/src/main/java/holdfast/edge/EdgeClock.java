package holdfast.edge;

import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The time that records of an edge claim, and by which values grow old.
 *
 * <p>A clock that jumps years ahead must not make an edge forget what its spaces keep for a month.
 * So a jump of more than a day ahead of what has passed since the edge was started is not believed:
 * time goes on from where it was, and the edge says so until the clock is put right, or until it is
 * restarted, by which the operator says that the clock is. What a clock says at the start is
 * believed, since nobody knows how long the edge was off. A clock that is behind the last record,
 * or says a year before this program was written, is evidently not set yet: whatever it jumps to
 * then is believed.
 */
final class EdgeClock implements LongSupplier {
  /** A jump ahead that may be believed. */
  static final long MOST_AHEAD_MILLIS = TimeUnit.DAYS.toMillis(1);

  /** A clock that says less is not set. */
  static final long EARLIEST_MILLIS = Instant.parse("2025-01-01T00:00:00Z").toEpochMilli();

  /** No time was believed yet. */
  private static final long UNKNOWN = Long.MIN_VALUE;

  private static final Logger LOG = LoggerFactory.getLogger(EdgeClock.class);

  private final LongSupplier wallMillis;
  private final LongSupplier steadyNanos;

  /** What the clock says at least when it is set. */
  private final long setMillis;

  /** The latest time that was believed, and when that was. */
  private long believed;

  private long believedAtNanos;

  private volatile @Nullable String trouble;

  /**
   * A clock that begins now.
   *
   * @param lastMillis the time of the last record; 0 for none
   */
  EdgeClock(long lastMillis) {
    this(System::currentTimeMillis, System::nanoTime, lastMillis);
  }

  /**
   * The same over other clocks.
   *
   * @param steadyNanos only goes forward, as time passes
   */
  EdgeClock(LongSupplier wallMillis, LongSupplier steadyNanos, long lastMillis) {
    this.wallMillis = wallMillis;
    this.steadyNanos = steadyNanos;
    this.believedAtNanos = steadyNanos.getAsLong();
    this.setMillis = Math.max(lastMillis, EARLIEST_MILLIS);
    long wall = wallMillis.getAsLong();
    this.believed = wall >= setMillis ? wall : UNKNOWN;
  }

  /** Milliseconds since 1970, as far as the clock is believed. */
  @Override
  public synchronized long getAsLong() {
    long wall = wallMillis.getAsLong();
    long now = steadyNanos.getAsLong();
    if (believed == UNKNOWN) {
      return wall < setMillis ? wall : believe(wall, now);
    }
    long passed = believed + TimeUnit.NANOSECONDS.toMillis(now - believedAtNanos);
    long ahead = wall - passed;
    if (ahead > MOST_AHEAD_MILLIS) {
      if (trouble == null) {
        trouble =
            "the clock has jumped ahead by "
                + Duration.ofMillis(ahead).toDays()
                + " days, which is not believed; put it right, or restart the edge if it is right";
        LOG.warn("{}", trouble);
      }
      return passed;
    }
    trouble = null;
    // A clock that was put back is followed, and remembered as what it was: so may it come again.
    return wall < passed ? wall : believe(wall, now);
  }

  private long believe(long wall, long nanos) {
    believed = wall;
    believedAtNanos = nanos;
    return wall;
  }

  /** Why the clock is not believed; null while it is. */
  @Nullable String trouble() {
    return trouble;
  }
}
