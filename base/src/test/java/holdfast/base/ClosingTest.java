package holdfast.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ClosingTest {
  private final List<String> closed = new ArrayList<>();

  private AutoCloseable part(String name) {
    return () -> closed.add(name);
  }

  private AutoCloseable failing(String name, Throwable failure) {
    return () -> {
      closed.add(name);
      if (failure instanceof Error error) {
        throw error;
      }
      throw (Exception) failure;
    };
  }

  @Test
  void allAreClosedInTurn() {
    Closing.inTurn(part("a"), null, part("b"));
    assertThat(closed).containsExactly("a", "b");
  }

  @Test
  void aPartThatFailsKeepsNoOtherOpen() {
    IllegalStateException first = new IllegalStateException("first");
    AssertionError second = new AssertionError("second");
    assertThatThrownBy(() -> Closing.inTurn(failing("a", first), failing("b", second), part("c")))
        .isSameAs(first)
        .hasSuppressedException(second);
    assertThat(closed).containsExactly("a", "b", "c");
  }

  @Test
  void aCheckedFailureIsToldAsAnOperatingFailure() {
    IOException cause = new IOException("the disk is gone");
    assertThatThrownBy(() -> Closing.inTurn(failing("a", cause), part("b")))
        .isInstanceOfSatisfying(
            HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INTERNAL))
        .hasMessageContaining("the disk is gone")
        .hasCause(cause);
    assertThat(closed).containsExactly("a", "b");
  }

  @Test
  void anInterruptIsKept() {
    assertThatThrownBy(() -> Closing.inTurn(failing("a", new InterruptedException()), part("b")))
        .isInstanceOf(HoldfastException.class);
    assertThat(Thread.interrupted()).isTrue();
    assertThat(closed).containsExactly("a", "b");
  }
}
