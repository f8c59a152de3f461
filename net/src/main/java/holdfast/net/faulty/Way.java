package holdfast.net.faulty;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** One direction of a proxy, which all its connections share. */
final class Way {
  /** How much of a second is taken from a limited bandwidth at once. */
  private static final int SLICES_PER_SECOND = 50;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final AtomicLong passed = new AtomicLong();
  private volatile Faults faults = Faults.NONE;
  private long freeAtNanos = System.nanoTime();

  Faults faults() {
    return faults;
  }

  void set(Faults now) {
    lock.lock();
    try {
      faults = now;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Bytes that have come out. */
  long passed() {
    return passed.get();
  }

  void count(int bytes) {
    passed.addAndGet(bytes);
  }

  /**
   * Waits until the bandwidth has room.
   *
   * @param bytes how many want to enter
   * @return how many may, at least one
   */
  int enter(int bytes) throws InterruptedException {
    if (faults.bytesPerSecond() == 0) {
      return bytes;
    }
    lock.lockInterruptibly();
    try {
      while (true) {
        long rate = faults.bytesPerSecond();
        long now = System.nanoTime();
        if (rate == 0) {
          return bytes;
        }
        if (now - freeAtNanos >= 0) {
          int slice = Math.clamp(rate / SLICES_PER_SECOND, 1, bytes);
          freeAtNanos = now + slice * TimeUnit.SECONDS.toNanos(1) / rate;
          return slice;
        }
        changed.awaitNanos(freeAtNanos - now);
      }
    } finally {
      lock.unlock();
    }
  }

  /** Waits until what entered at a time has been under way long enough and nothing is stalled. */
  void leave(long enteredNanos) throws InterruptedException {
    if (faults.equals(Faults.NONE)) {
      return;
    }
    lock.lockInterruptibly();
    try {
      while (true) {
        long due = enteredNanos + TimeUnit.MILLISECONDS.toNanos(faults.delayMillis());
        long now = System.nanoTime();
        if (faults.stalled()) {
          changed.await();
        } else if (now - due < 0) {
          changed.awaitNanos(due - now);
        } else {
          return;
        }
      }
    } finally {
      lock.unlock();
    }
  }
}
