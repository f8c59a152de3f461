package holdfast.base;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class ErrorCodeTest {
  @Test
  void numbersAreDistinctAndLeadBack() {
    assertThat(Arrays.stream(ErrorCode.values()).map(ErrorCode::number)).doesNotHaveDuplicates();
    for (ErrorCode code : ErrorCode.values()) {
      assertThat(ErrorCode.of(code.number())).isEqualTo(code);
      assertThat(code.httpStatus()).isBetween(400, 599);
      assertThat(code.exitCode()).isBetween(1, 3);
    }
    assertThat(ErrorCode.of(9999)).isEqualTo(ErrorCode.INTERNAL);
  }

  @Test
  void numbersOnTheWireNeverChange() {
    assertThat(Arrays.stream(ErrorCode.values()).map(code -> code.number() + " " + code))
        .containsExactly(
            "1 INVALID",
            "2 UNKNOWN_CAPSULE",
            "3 NOT_FOUND",
            "4 DENIED",
            "5 BUSY",
            "6 DISK_FULL",
            "7 TOO_LARGE",
            "8 DAMAGED",
            "9 STOPPING",
            "10 UNREACHABLE",
            "11 VIOLATION",
            "12 UNPROVEN",
            "13 SUCCEEDED",
            "14 INTERNAL",
            "15 VERSION",
            "16 SUPERSEDED",
            "17 QUOTA");
  }
}
