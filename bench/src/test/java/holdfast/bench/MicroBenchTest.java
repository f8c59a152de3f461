package holdfast.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/** The small benchmarks run: once each, for a moment, in this process. */
class MicroBenchTest {
  @Test
  void everySmallBenchmarkRuns() throws Exception {
    Set<String> ran = new TreeSet<>();
    for (RunResult result :
        new Runner(
                new OptionsBuilder()
                    .include("Micro")
                    .forks(0)
                    .warmupIterations(0)
                    .measurementIterations(1)
                    .measurementTime(TimeValue.milliseconds(1))
                    .shouldFailOnError(true)
                    .verbosity(VerboseMode.SILENT)
                    .build())
            .run()) {
      assertThat(result.getPrimaryResult().getScore()).isPositive();
      ran.add(result.getPrimaryResult().getLabel());
    }
    assertThat(ran).containsExactly("prove", "sealAndName", "toASignature", "toTheCache", "verify");
  }
}
