package holdfast.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class PaceTest {
  private final Pace pace = new Pace(200, new SplittableRandom(1));

  @Test
  void anOperationWaitsForOthersAndNotForEver() {
    assertThat(pace.delay(Pace.Load.NOTHING, 0)).isEqualTo(Pace.NEVER);
    assertThat(pace.delay(Pace.Load.SOME, 1000)).isEqualTo(200);
    assertThat(pace.delay(Pace.Load.SOME, 1150)).isEqualTo(50);
    assertThat(pace.delay(Pace.Load.SOME, 1200)).isZero();
    pace.ended(new Outcome.Taken(1), 1200);
    assertThat(pace.delay(Pace.Load.SOME, 1200)).isEqualTo(200);
    assertThat(pace.delay(Pace.Load.NOW, 1201)).isZero();
  }

  @Test
  void failuresDoubleTheWaitWithJitterUpToAMinute() {
    long now = 0;
    long most = Pace.FIRST_RETRY_MILLIS;
    for (int failure = 1; failure < 100; failure++) {
      pace.ended(new Outcome.Unreachable("cut"), now);
      long delay = pace.delay(Pace.Load.NOW, now);
      assertThat(delay).isBetween(most / 2, most);
      assertThat(pace.failures()).isEqualTo(failure);
      assertThat(pace.state()).isEqualTo(LinkState.OFFLINE);
      now += delay;
      most = Math.min(2 * most, Pace.LONGEST_RETRY_MILLIS);
    }
    pace.ended(new Outcome.Taken(1), now);
    assertThat(pace.delay(Pace.Load.NOW, now)).isZero();
    assertThat(pace.trouble()).isEmpty();
  }

  /** A thousand devices that lost the same edge do not come back in the same moment. */
  @Test
  void twoDevicesDoNotRetryTogether() {
    Pace other = new Pace(200, new SplittableRandom(2));
    pace.ended(new Outcome.Unreachable("cut"), 0);
    other.ended(new Outcome.Unreachable("cut"), 0);
    assertThat(pace.delay(Pace.Load.NOW, 0)).isNotEqualTo(other.delay(Pace.Load.NOW, 0));
  }

  @Test
  void retryAfterIsHonouredWithinReason() {
    pace.ended(new Outcome.Busy("busy", 7_000), 0);
    assertThat(pace.delay(Pace.Load.NOW, 0)).isEqualTo(7_000);
    pace.ended(new Outcome.Busy("busy", Long.MAX_VALUE), 0);
    assertThat(pace.delay(Pace.Load.NOW, 0)).isEqualTo(Pace.LONGEST_WISH_MILLIS);
  }

  @Test
  void whatNeedsHelpIsTriedSlowly() {
    for (Outcome outcome :
        new Outcome[] {
          new Outcome.Conflict("other", 5), new Outcome.Denied("who"), new Outcome.Refused("what")
        }) {
      pace.ended(outcome, 0);
      assertThat(pace.delay(Pace.Load.NOW, 0)).isBetween(30_000L, 60_000L);
      assertThat(pace.trouble()).isNotEmpty();
    }
    assertThat(pace.state()).isEqualTo(LinkState.REFUSED);
  }
}
