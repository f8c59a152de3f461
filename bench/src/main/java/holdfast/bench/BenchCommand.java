package holdfast.bench;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code holdfast bench}. */
@Command(
    name = "bench",
    description = "Measures the system on this machine, against others in the same run.",
    mixinStandardHelpOptions = true,
    subcommands = {
      IngestBench.class,
      YcsbBench.class,
      SequentialBench.class,
      ClientsBench.class,
      SyncBench.class,
      ReplicasBench.class,
      CatchUpBench.class,
      RestBench.class,
      MqttBench.class,
      DeviceBench.class,
      DevicesBench.class,
      ProfileBench.class,
      MicroBench.class
    })
public final class BenchCommand {
  /** Options that all measurements share. */
  static final class Output {
    @Option(names = "--json", description = "Print one JSON object per result.")
    boolean json;
  }

  @Mixin Output output = new Output();
}
