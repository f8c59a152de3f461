package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import org.junit.jupiter.api.Test;

/** Who asks for costly work waits for a turn, and nobody takes all of them. */
class TurnsTest {
  private final Queue<Runnable> given = new ArrayDeque<>();
  private final List<String> done = new ArrayList<>();
  private final Turns turns = new Turns(new Turns.Bounds(2, 3, 6), given::add);

  private void take(String from, Object session, String what) {
    turns.take(from, session, () -> false, () -> done.add(what));
  }

  private void refused(String from, Object session) {
    assertThatThrownBy(() -> take(from, session, "too much"))
        .isInstanceOfSatisfying(
            HoldfastException.class,
            e -> {
              assertThat(e.code()).isEqualTo(ErrorCode.BUSY);
              assertThat(e.retryAfterMillis()).isPositive();
            });
  }

  private void workOff() {
    for (Runnable next = given.poll(); next != null; next = given.poll()) {
      next.run();
    }
  }

  @Test
  void addressesTakeTurns() {
    for (int i = 1; i <= 5; i++) {
      take("stranger", new Object(), "stranger " + i);
    }
    refused("stranger", new Object());
    take("owner", new Object(), "owner");
    assertThat(given).hasSize(2);
    workOff();
    // Two were begun before it came; of those that waited one has the turn before it.
    assertThat(done)
        .containsExactly(
            "stranger 1", "stranger 2", "stranger 3", "owner", "stranger 4", "stranger 5");
    take("stranger", new Object(), "stranger 6");
    assertThat(given).hasSize(1);
  }

  @Test
  void aSessionHasOneAtATime() {
    Object session = new Object();
    take("here", session, "first");
    refused("here", session);
    refused("elsewhere", session);
    workOff();
    take("here", session, "second");
    workOff();
    assertThat(done).containsExactly("first", "second");
  }

  @Test
  void soManyWaitInAll() {
    for (int i = 0; i < 8; i++) {
      take("stranger " + i, new Object(), "work");
    }
    refused("one more", new Object());
    workOff();
    assertThat(done).hasSize(8);
  }

  @Test
  void whatNobodyWaitsForIsNotDone() {
    Object session = new Object();
    take("here", new Object(), "first");
    take("here", new Object(), "second");
    turns.take("here", session, () -> true, () -> done.add("gone"));
    take("here", new Object(), "third");
    workOff();
    assertThat(done).containsExactly("first", "second", "third");
    take("here", session, "again");
  }

  @Test
  void whatFailsFreesItsTurn() {
    turns.take(
        "here",
        new Object(),
        () -> false,
        () -> {
          throw new AssertionError("broken");
        });
    take("here", new Object(), "second");
    take("here", new Object(), "third");
    assertThatThrownBy(() -> given.remove().run()).hasMessage("broken");
    workOff();
    assertThat(done).containsExactly("second", "third");
  }
}
