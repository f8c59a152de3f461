package holdfast.sim;

import org.jspecify.annotations.Nullable;

/** Runs simulated worlds. */
public final class Simulation {
  private Simulation() {}

  /** The world of one seed, with a bug planted or none. */
  public static Outcome run(long seed, Bug bug) {
    World world = new World(seed, bug);
    try {
      world.run();
      return outcome(world, seed, Outcome.Kind.WELL, "", null);
    } catch (SimulationFailure failure) {
      return outcome(world, seed, failure.kind(), String.valueOf(failure.getMessage()), null);
    } catch (RuntimeException | AssertionError crash) {
      return outcome(world, seed, Outcome.Kind.CRASH, crash.toString(), crash);
    }
  }

  private static Outcome outcome(
      World world, long seed, Outcome.Kind kind, String message, @Nullable Throwable cause) {
    return new Outcome(
        seed,
        world.bug(),
        kind,
        world.timeline().trace(),
        world.timeline().happened(),
        world.tally().rounds(),
        world.tally().finishedSides(),
        world.tally().gaveUpSides(),
        world.tally().liarsFound(),
        message + (kind == Outcome.Kind.WELL ? "" : " (at " + world.timeline().now() + " ms)"),
        cause);
  }
}
