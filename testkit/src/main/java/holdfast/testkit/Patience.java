package holdfast.testkit;

/**
 * How long tests wait for what has to come. It guards against hanging and promises nothing: when
 * all is well nobody waits as long, and a busy machine gets the time that it needs. A bound that is
 * itself promised stands in the test that checks it.
 */
public final class Patience {
  /** For one thing that has to come. */
  public static final int SECONDS = 90;

  /** The same, for sockets and calls. */
  public static final int MILLIS = SECONDS * 1000;

  /** The same, for {@link System#nanoTime}. */
  public static final long NANOS = SECONDS * 1_000_000_000L;

  /** For a whole test that starts servers, as JUnit's {@code @Timeout}: longer than one thing. */
  public static final int TEST_SECONDS = 2 * SECONDS;

  private Patience() {}
}
