package holdfast.edge;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** Which clocks are believed. */
class EdgeClockTest {
  private static final long NOW = Instant.parse("2026-03-01T12:00:00Z").toEpochMilli();
  private static final long DAY = TimeUnit.DAYS.toMillis(1);

  private final AtomicLong wall = new AtomicLong(NOW);
  private final AtomicLong steady = new AtomicLong(77);

  private EdgeClock after(long last) {
    return new EdgeClock(wall::get, steady::get, last);
  }

  private void pass(long millis) {
    wall.addAndGet(millis);
    steady.addAndGet(TimeUnit.MILLISECONDS.toNanos(millis));
  }

  @Test
  void timeThatPassesIsBelievedHoweverLong() {
    EdgeClock clock = after(NOW - 1);
    pass(400 * DAY);
    assertThat(clock.getAsLong()).isEqualTo(NOW + 400 * DAY);
    assertThat(clock.trouble()).isNull();
  }

  /** How long an edge was off nobody knows but the clock. */
  @Test
  void whatTheClockSaysAtTheStartIsBelieved() {
    assertThat(after(NOW - 3000 * DAY).getAsLong()).isEqualTo(NOW);
  }

  @Test
  void aJumpOfMoreThanADayIsNotAndTimeGoesOn() {
    EdgeClock clock = after(NOW - 1);
    wall.addAndGet(DAY);
    assertThat(clock.getAsLong()).isEqualTo(NOW + DAY);
    wall.addAndGet(DAY + 1);
    pass(5000);
    assertThat(clock.getAsLong()).isEqualTo(NOW + DAY + 5000);
    assertThat(clock.trouble()).contains("1 days").contains("restart");
    wall.set(NOW + DAY + 6000);
    assertThat(clock.getAsLong()).isEqualTo(NOW + DAY + 6000);
    assertThat(clock.trouble()).isNull();
  }

  @Test
  void aClockThatWasPutBackMayComeAgainAndNotGoBeyond() {
    EdgeClock clock = after(NOW - 1);
    wall.set(0);
    assertThat(clock.getAsLong()).isZero();
    wall.set(NOW + 1);
    assertThat(clock.getAsLong()).isEqualTo(NOW + 1);
    wall.set(0);
    clock.getAsLong();
    wall.set(NOW + 2 * DAY);
    assertThat(clock.getAsLong()).isLessThan(NOW + DAY);
    assertThat(clock.trouble()).isNotNull();
  }

  /** A machine without a clock of its own learns the time when the network is there. */
  @Test
  void aClockThatIsNotSetYetIsBelievedWhenItIs() {
    wall.set(1000);
    EdgeClock first = after(0);
    EdgeClock again = after(NOW - 10 * DAY);
    wall.set(NOW - 11 * DAY);
    assertThat(again.getAsLong()).isEqualTo(NOW - 11 * DAY);
    wall.set(1000);
    assertThat(first.getAsLong()).isEqualTo(1000);
    wall.set(NOW);
    assertThat(first.getAsLong()).isEqualTo(NOW);
    assertThat(again.getAsLong()).isEqualTo(NOW);
    assertThat(first.trouble()).isNull();
    wall.set(NOW + 2 * DAY);
    assertThat(first.getAsLong()).isEqualTo(NOW);
    assertThat(again.getAsLong()).isEqualTo(NOW);
  }
}
