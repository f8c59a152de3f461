package holdfast.sim;

import org.jspecify.annotations.Nullable;

/**
 * How a simulated world ended.
 *
 * @param trace the same for the same history
 * @param events things that happened
 * @param rounds rounds begun
 * @param finished sides that finished a round
 * @param gaveUp sides that gave up a round with an honest peer
 * @param liarsFound sides that found a peer out
 * @param message what went wrong; empty when nothing did
 * @param cause where the code under test failed, for {@link Kind#CRASH}
 */
public record Outcome(
    long seed,
    Bug bug,
    Kind kind,
    long trace,
    long events,
    long rounds,
    long finished,
    long gaveUp,
    long liarsFound,
    String message,
    @Nullable Throwable cause) {
  /** What became of it. */
  public enum Kind {
    /** All promises were kept. */
    WELL,
    /** The code under test threw what it must not throw. */
    CRASH,
    /** A promise was broken. */
    WRONG,
    /** Something did not come to its end. */
    STUCK
  }

  /** Whether all promises were kept. */
  public boolean well() {
    return kind == Kind.WELL;
  }

  /** The command that repeats it. */
  public String replay() {
    return "holdfast sim --seed " + seed + (bug == Bug.NONE ? "" : " --bug " + bug);
  }

  @Override
  public String toString() {
    return "seed "
        + seed
        + (well() ? ": well" : ": " + kind + ": " + message + "; repeat it with: " + replay());
  }
}
