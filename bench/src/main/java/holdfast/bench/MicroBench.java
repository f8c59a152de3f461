package holdfast.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code holdfast bench micro}: the small benchmarks, which JMH runs in a process of their own. */
@Command(
    name = "micro",
    description = "Times single operations with JMH: sealing, chain proofs, leaf proofs.",
    mixinStandardHelpOptions = true)
final class MicroBench implements Callable<Integer> {
  @Parameters(
      arity = "0..*",
      paramLabel = "PATTERN",
      description = "Which: regular expressions over class and method. Default: all.")
  List<String> patterns = new ArrayList<>();

  @Option(
      names = "--forks",
      defaultValue = "1",
      description = "Processes one after the other; 0 runs in this one (${DEFAULT-VALUE}).")
  int forks;

  @Option(
      names = "--iterations",
      defaultValue = "5",
      description = "Measurements of each (${DEFAULT-VALUE}).")
  int iterations;

  @Option(
      names = "--millis",
      defaultValue = "1000",
      description = "How long a measurement takes (${DEFAULT-VALUE}).")
  long millis;

  @Override
  public Integer call() throws RunnerException {
    ChainedOptionsBuilder options =
        new OptionsBuilder()
            .forks(forks)
            .warmupIterations(iterations)
            .warmupTime(TimeValue.milliseconds(millis))
            .measurementIterations(iterations)
            .measurementTime(TimeValue.milliseconds(millis))
            .shouldFailOnError(true);
    (patterns.isEmpty() ? List.of("Micro") : patterns).forEach(options::include);
    new Runner(options.build()).run();
    return 0;
  }
}
