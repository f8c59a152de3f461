package holdfast.sim;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Worlds in which everything goes wrong end well; and when something is wrong, it is found. */
class SimulationTest {
  private static final int SMOKE = 2_000;
  private static final int UNTIL_FOUND = 400;

  @Test
  void d31AllWorldsEndWell() {
    Long replay = Long.getLong("holdfast.seed");
    long first = replay == null ? 0 : replay;
    long count = replay == null ? Long.getLong("holdfast.worlds", SMOKE) : 1;
    long finished = 0;
    long gaveUp = 0;
    long liars = 0;
    for (long seed = first; seed < first + count; seed++) {
      Outcome outcome = Simulation.run(seed, Bug.NONE);
      if (!outcome.well()) {
        throw new AssertionError(outcome.toString(), outcome.cause());
      }
      finished += outcome.finished();
      gaveUp += outcome.gaveUp();
      liars += outcome.liarsFound();
    }
    if (count >= 100) {
      // Worlds in which nothing happens would end well too.
      assertThat(finished).isGreaterThan(5 * count);
      assertThat(gaveUp).isPositive();
      assertThat(liars).isPositive();
    }
  }

  /** Worlds beyond the smoke that once did not end well. */
  @ParameterizedTest
  @ValueSource(longs = {5483, 73117})
  void d31AWorldThatOnceFailedEndsWell(long seed) {
    Outcome outcome = Simulation.run(seed, Bug.NONE);
    assertThat(outcome.well()).as(outcome.toString()).isTrue();
  }

  @Test
  void theSameSeedIsTheSameWorld() {
    for (long seed = 0; seed < 40; seed++) {
      Outcome once = Simulation.run(seed, Bug.NONE);
      Outcome again = Simulation.run(seed, Bug.NONE);
      assertThat(again).as("the second run of seed %d", seed).isEqualTo(once);
      assertThat(Simulation.run(seed + 1, Bug.NONE).trace()).isNotEqualTo(once.trace());
    }
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
  void everyPlantedBugIsFound(Bug bug) {
    for (long seed = 0; seed < UNTIL_FOUND; seed++) {
      Outcome outcome = Simulation.run(seed, bug);
      if (!outcome.well()) {
        assertThat(outcome.kind()).isIn(Outcome.Kind.WRONG, Outcome.Kind.STUCK);
        assertThat(outcome.toString()).contains("holdfast sim --seed " + seed + " --bug " + bug);
        return;
      }
    }
    throw new AssertionError("%s is not found in %d worlds".formatted(bug, UNTIL_FOUND));
  }
}
