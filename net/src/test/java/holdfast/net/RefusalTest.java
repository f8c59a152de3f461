package holdfast.net;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import io.grpc.Status;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class RefusalTest {
  private static final Endpoint THERE = new Endpoint("127.0.0.1", 7420);

  /** A server that stops is not one that is not there. */
  @Test
  void whyNoSessionWasOpenedIsToldAndUnderstood() {
    for (ErrorCode code : new ErrorCode[] {ErrorCode.STOPPING, ErrorCode.BUSY}) {
      HoldfastException read =
          Objects.requireNonNull(Refusal.read(Refusal.of(code, "not now"), THERE));
      assertThat(read.code()).isEqualTo(code);
      assertThat(read).hasMessageContaining("not now").hasMessageContaining("127.0.0.1:7420");
    }
  }

  @Test
  void whatSaysNothingOfTheKindIsNotTakenForIt() {
    assertThat(Refusal.read(Status.UNAVAILABLE.asRuntimeException(), THERE)).isNull();
    assertThat(Refusal.read(Refusal.of(ErrorCode.DAMAGED, "no"), THERE)).isNull();
    assertThat(Refusal.read(new IllegalStateException("no"), THERE)).isNull();
  }
}
