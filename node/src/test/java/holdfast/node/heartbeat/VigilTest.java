package holdfast.node.heartbeat;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Who is lost and who is back, in virtual time. */
final class VigilTest {
  private static final long SECOND = 1_000_000_000L;
  private static final long INTERVAL = 5 * SECOND;
  private static final VerifyKey EDGE = key();
  private static final VerifyKey OTHER = key();

  private final List<Vigil.Effect> told = new ArrayList<>();
  private final Vigil vigil = new Vigil(4);

  private static VerifyKey key() {
    return SigningKey.generate(new SecureRandom()).verifyKey();
  }

  private void heard(VerifyKey who, long now) {
    vigil.step(new Vigil.Input.Heard(who, now, INTERVAL), told::add);
  }

  private void tick(long now) {
    vigil.step(new Vigil.Input.Tick(now), told::add);
  }

  /** Ticks as the driver does; returns when somebody was told of, or -1. */
  private long tickUntilTold(long from, long to) {
    for (long now = from; now <= to; now += SECOND / 10) {
      tick(now);
      if (!told.isEmpty()) {
        return now;
      }
    }
    return -1;
  }

  @Test
  void i25ALostEdgeIsToldOfWithinThreeIntervalsAndOnce() {
    long last = 1000 * SECOND;
    heard(EDGE, last);
    long at = tickUntilTold(last, last + 3 * INTERVAL);
    assertThat(at).isBetween(last + 2 * INTERVAL, last + 3 * INTERVAL);
    assertThat(told).containsExactly(new Vigil.Effect.Lost(EDGE, at - last));
    told.clear();
    assertThat(tickUntilTold(at, last + 100 * INTERVAL)).isEqualTo(-1);
  }

  @Test
  void i25AnEdgeThatIsBackIsToldOfAndCanBeLostAgain() {
    heard(EDGE, 0);
    tickUntilTold(0, 3 * INTERVAL);
    told.clear();
    long back = 24 * 3600 * SECOND;
    heard(EDGE, back);
    assertThat(told).containsExactly(new Vigil.Effect.Back(EDGE, back));
    told.clear();
    tick(back + INTERVAL);
    assertThat(told).isEmpty();
    assertThat(tickUntilTold(back + INTERVAL, back + 3 * INTERVAL)).isPositive();
  }

  @Test
  void oneLateHeartbeatIsNoLoss() {
    Random random = new Random(7);
    long sent = 0;
    long ticked = 0;
    for (int i = 0; i < 2000; i++) {
      long arrives = sent + (long) (random.nextDouble() * 1.4 * INTERVAL);
      for (; ticked < arrives; ticked += SECOND / 10) {
        tick(ticked);
      }
      heard(EDGE, arrives);
      sent = Math.max(sent + INTERVAL, arrives);
    }
    assertThat(told).isEmpty();
  }

  @Test
  void whoIsExpectedAndNeverHeardOfIsLostToo() {
    vigil.step(new Vigil.Input.Expect(EDGE, 0, INTERVAL), told::add);
    vigil.step(new Vigil.Input.Expect(EDGE, 2 * INTERVAL, INTERVAL), told::add);
    assertThat(tickUntilTold(0, 3 * INTERVAL)).isPositive();
    assertThat(told).hasOnlyElementsOfType(Vigil.Effect.Lost.class);
    Vigil.State state = vigil.state(EDGE, 3 * INTERVAL);
    assertThat(state).isEqualTo(new Vigil.State(3 * INTERVAL, false, true));
  }

  @Test
  void onePeerSaysNothingForAnother() {
    heard(EDGE, 0);
    for (long now = 0; now <= 3 * INTERVAL; now += SECOND) {
      heard(OTHER, now);
      tick(now);
    }
    assertThat(told).extracting(Vigil.Effect::who).containsExactly(EDGE);
  }

  @Test
  void theTableIsBoundedAndTheLongestLostMakesRoom() {
    List<VerifyKey> keys = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      keys.add(key());
      heard(keys.get(i), i * SECOND);
    }
    heard(EDGE, 4 * SECOND);
    assertThat(told).containsExactly(new Vigil.Effect.Refused(EDGE));
    assertThat(vigil.size()).isEqualTo(4);
    assertThat(vigil.state(EDGE, 4 * SECOND)).isNull();
    told.clear();
    tick(4 * INTERVAL);
    assertThat(vigil.lost()).isEqualTo(4);
    told.clear();
    heard(EDGE, 4 * INTERVAL);
    assertThat(told).isEmpty();
    assertThat(vigil.size()).isEqualTo(4);
    assertThat(vigil.state(keys.getFirst(), 4 * INTERVAL)).isNull();
  }

  @Test
  void i25AMasterThatIsGoneForADayIsToldOfTwice() {
    long day = 24 * 3600 * SECOND;
    for (long now = 0; now < 3 * day; now += SECOND) {
      boolean gone = now >= day && now < 2 * day;
      if (!gone && now % INTERVAL == 0) {
        heard(EDGE, now);
      }
      tick(now);
    }
    assertThat(told).hasSize(2).first().isInstanceOf(Vigil.Effect.Lost.class);
    assertThat(((Vigil.Effect.Back) told.get(1)).silentNanos()).isBetween(day, day + 2 * INTERVAL);
  }
}
