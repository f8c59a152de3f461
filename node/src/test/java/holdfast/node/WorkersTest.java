package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What workers use is closed after them. */
@Timeout(60)
class WorkersTest {
  private final ExecutorService pool = Workers.pool();
  private final CountDownLatch begun = new CountDownLatch(1);
  private final CountDownLatch enough = new CountDownLatch(1);
  private final List<String> order = new ArrayList<>();

  /** Work that minds no interruption, as reading a database does not. */
  private void work() {
    begun.countDown();
    boolean done = false;
    while (!done) {
      try {
        enough.await();
        done = true;
      } catch (InterruptedException e) {
        order.add("told to hurry");
        enough.countDown();
      }
    }
    order.add("done");
  }

  @Test
  void aWorkerIsWaitedForAlsoByAnInterruptedThread() throws Exception {
    pool.execute(this::work);
    begun.await();
    Thread.currentThread().interrupt();
    Workers.end(pool, 1, 30_000, () -> order.add("closed"));
    assertThat(Thread.interrupted()).isTrue();
    assertThat(order).containsExactly("told to hurry", "done", "closed");
  }

  @Test
  void nothingIsClosedBelowAWorkerThatDoesNotEnd() throws Exception {
    CountDownLatch never = new CountDownLatch(1);
    pool.execute(() -> {
      begun.countDown();
      while (never.getCount() > 0) {
        Thread.onSpinWait();
      }
    });
    begun.await();
    try {
      assertThatThrownBy(() -> Workers.end(pool, 1, 1, () -> order.add("closed")))
          .isInstanceOfSatisfying(
              HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INTERNAL));
      assertThat(order).isEmpty();
    } finally {
      never.countDown();
    }
  }
}
