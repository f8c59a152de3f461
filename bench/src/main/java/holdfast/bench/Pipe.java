package holdfast.bench;

import java.util.ArrayDeque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Hands work from one thread to the next, at most {@code room} pieces ahead. Closing it from either
 * side ends both: the taker gets what is left and then nothing, the putter is refused.
 */
final class Pipe<T> implements AutoCloseable {
  private final int room;
  private final ArrayDeque<T> waiting = new ArrayDeque<>();
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private boolean closed;

  Pipe(int room) {
    this.room = Math.max(1, room);
  }

  void put(T one) throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (waiting.size() >= room && !closed) {
        changed.await();
      }
      if (closed) {
        throw new IllegalStateException("the next stage has ended");
      }
      waiting.add(one);
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** The next piece; null at the end. */
  @Nullable T take() throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (waiting.isEmpty() && !closed) {
        changed.await();
      }
      changed.signalAll();
      return waiting.poll();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void close() {
    lock.lock();
    try {
      closed = true;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }
}
