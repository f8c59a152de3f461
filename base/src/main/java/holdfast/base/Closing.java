package holdfast.base;

import org.jspecify.annotations.Nullable;

/** Closes what was opened together: a part that fails to close keeps no other from it. */
public final class Closing {
  private Closing() {}

  /**
   * Closes all, in this order.
   *
   * @param parts what to close; null where nothing was opened
   * @throws HoldfastException or whatever else the first part that failed has thrown, with the
   *     failures of others suppressed in it; {@link ErrorCode#INTERNAL} around a checked one
   */
  public static void inTurn(@Nullable AutoCloseable... parts) {
    Throwable first = null;
    for (AutoCloseable part : parts) {
      try {
        if (part != null) {
          part.close();
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        first = among(first, e);
      } catch (Exception | Error e) {
        first = among(first, e);
      }
    }
    switch (first) {
      case null -> {}
      case Error error -> throw error;
      case RuntimeException failure -> throw failure;
      default ->
          throw new HoldfastException(
              ErrorCode.INTERNAL, "not everything was closed: " + first.getMessage(), first);
    }
  }

  private static Throwable among(@Nullable Throwable first, Throwable next) {
    if (first == null) {
      return next;
    }
    // Of one part that fails twice in the same way the same exception may come again.
    if (!first.equals(next)) {
      first.addSuppressed(next);
    }
    return first;
  }
}
