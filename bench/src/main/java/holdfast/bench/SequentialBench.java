package holdfast.bench;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(name = "sequential", description = "x", mixinStandardHelpOptions = true)
final class SequentialBench implements Callable<Integer> {
  @Mixin BenchCommand.Output output = new BenchCommand.Output();

  @Override
  public Integer call() {
    return 0;
  }
}
