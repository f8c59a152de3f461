package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import java.util.concurrent.atomic.AtomicLong;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** Parts of large records give back the room that they took. */
class PartsTest {
  private static final int ROOM = 10;

  private final AtomicLong held = new AtomicLong();
  private final Parts parts = new Parts(held);

  private static void expectBusy(ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(
            HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.BUSY));
  }

  @Test
  void partsAreHeldUntilTheyAreTaken() {
    assertThat(parts.none()).isTrue();
    parts.add(new byte[] {1, 2}, false, ROOM);
    parts.add(new byte[] {3}, true, ROOM);
    assertThat(parts.none()).isFalse();
    assertThat(held).hasValue(3);
    assertThat(parts.take()).containsExactly(1, 2, 3);
    assertThat(held).hasValue(0);
    assertThat(parts.none()).isTrue();
  }

  @Test
  void whatFollowsARefusedPartIsRefusedToItsLast() {
    parts.add(new byte[8], false, ROOM);
    expectBusy(() -> parts.add(new byte[8], false, ROOM));
    assertThat(held).hasValue(0);
    expectBusy(() -> parts.add(new byte[1], false, ROOM));
    expectBusy(() -> parts.add(new byte[1], true, ROOM));
    parts.add(new byte[1], true, ROOM);
    assertThat(held).hasValue(1);
  }

  /** A session that is ended while a part comes in gives back nothing a second time. */
  @Test
  void whatComesAfterTheEndOfItsSessionIsNotHeld() {
    parts.add(new byte[8], false, ROOM);
    parts.close();
    assertThat(held).hasValue(0);
    expectBusy(() -> parts.add(new byte[4], true, ROOM));
    expectBusy(parts::take);
    assertThat(held).hasValue(0);
  }
}
