package holdfast.edge;

import java.util.concurrent.atomic.AtomicLong;

/**
 * Bounds the memory of all bodies that are being read or worked on at once. Each is bounded by
 * itself too; but there may be as many as there are connections.
 */
final class BodyBudget {
  private final AtomicLong free;

  /** Room for so many bytes. */
  BodyBudget(long bytes) {
    this.free = new AtomicLong(bytes);
  }

  /** What one request has taken; given back when it is closed. */
  final class Share implements AutoCloseable {
    private long taken;

    /**
     * Takes room for bytes that are about to be read.
     *
     * @throws Problem BUSY when there is none
     */
    void take(long bytes) {
      if (free.addAndGet(-bytes) < 0) {
        free.addAndGet(bytes);
        throw new Problem(Problem.Code.BUSY, "more is being sent at once than fits", 1);
      }
      taken += bytes;
    }

    @Override
    public void close() {
      free.addAndGet(taken);
      taken = 0;
    }
  }

  /** The share of a request. */
  Share share() {
    return new Share();
  }

  /** How many bytes are free. */
  long free() {
    return free.get();
  }
}
