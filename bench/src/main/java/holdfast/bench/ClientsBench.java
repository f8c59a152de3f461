package holdfast.bench;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(name = "clients", description = "x", mixinStandardHelpOptions = true)
final class ClientsBench implements Callable<Integer> {
  @Mixin BenchCommand.Output output = new BenchCommand.Output();

  @Override
  public Integer call() {
    return 0;
  }
}
