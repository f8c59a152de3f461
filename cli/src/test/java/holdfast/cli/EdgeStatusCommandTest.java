package holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import org.junit.jupiter.api.Test;

/** What {@code holdfast edge status} warns of. */
class EdgeStatusCommandTest {
  @Test
  void aCertificateThatRunsOutIsWarnedOf() {
    Instant now = Instant.parse("2026-03-01T12:00:00Z");
    assertThat(EdgeStatusCommand.certificate("2026-04-01T12:00:00Z", now)).isEmpty();
    assertThat(EdgeStatusCommand.certificate("2026-03-30T12:00:00Z", now)).contains("in 29 days");
    assertThat(EdgeStatusCommand.certificate("2026-03-01T12:00:00Z", now)).contains("expired");
    assertThat(EdgeStatusCommand.certificate(null, now)).isEmpty();
  }
}
