package holdfast.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What a process used is what its parent is told (I31). */
class MeasuredProcessTest {
  private static MeasuredProcess.Usage shell(String script) throws Exception {
    return MeasuredProcess.run(List.of("sh", "-c", script), Map.of());
  }

  @Test
  void i31WorkIsCountedAsTimeOfTheProcess() throws Exception {
    MeasuredProcess.Usage idle = shell("true");
    MeasuredProcess.Usage busy = shell("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done");
    assertThat(idle.exit()).isZero();
    assertThat(busy.userSeconds()).isGreaterThan(idle.userSeconds());
    assertThat(busy.userSeconds() + busy.sysSeconds()).isLessThan(busy.realSeconds() * 1.1);
    assertThat(busy.cpuPercent()).isPositive();
  }

  @Test
  void i31MemoryAndPagesAreCounted() throws Exception {
    MeasuredProcess.Usage small = shell("true");
    MeasuredProcess.Usage large = shell("dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null");
    assertThat(large.maxResidentKiB()).isGreaterThan(small.maxResidentKiB() + (48 << 10));
    assertThat(large.minorFaults()).isGreaterThan(small.minorFaults() + 1000);
  }

  @Test
  void howItEndedIsTold() throws Exception {
    assertThat(shell("exit 7").exit()).isEqualTo(7);
    assertThat(shell("kill -9 $$").exit()).isEqualTo(137);
    assertThatThrownBy(() -> MeasuredProcess.run(List.of("/no/such/program"), Map.of()))
        .isInstanceOf(java.io.IOException.class)
        .hasMessageContaining("/no/such/program");
  }
}
