package holdfast.testkit;

import java.util.function.Function;

/**
 * Checks that something holds for many values, each drawn from a seed.
 *
 * <p>The seeds are 0, 1, 2, …: a run is the same everywhere. With {@code -Dholdfast.seed=N} only
 * that seed runs; with {@code -Dholdfast.seeds=N} every property runs over that many seeds in place
 * of its own number.
 */
public final class Property {
  private Property() {}

  /** Something that must hold; it fails by throwing. */
  @FunctionalInterface
  public interface Body<T> {
    /** Checks one value. */
    void check(T value) throws Exception;
  }

  /** Checks {@code body} with the source of each seed. */
  public static void check(int seeds, Body<Gen> body) {
    check(seeds, gen -> gen, gen -> "", body);
  }

  /** Checks {@code body} with a value of each seed; a failure shows the value. */
  public static <T> void check(int seeds, Function<Gen, T> values, Body<T> body) {
    check(seeds, values, value -> ", value " + value, body);
  }

  private static <T> void check(
      int seeds, Function<Gen, T> values, Function<T, String> shown, Body<T> body) {
    Long replay = Long.getLong("holdfast.seed");
    long first = replay == null ? 0 : replay;
    long count = replay == null ? Long.getLong("holdfast.seeds", seeds) : 1;
    for (long seed = first; seed < first + count; seed++) {
      T value = values.apply(new Gen(seed));
      try {
        body.check(value);
      } catch (Exception | AssertionError e) {
        throw new AssertionError(
            "fails with seed %d%s; replay with -Dholdfast.seed=%d: %s"
                .formatted(seed, shown.apply(value), seed, e),
            e);
      }
    }
  }
}
