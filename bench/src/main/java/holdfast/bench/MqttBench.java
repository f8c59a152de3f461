package holdfast.bench;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * MQTT of an edge: publishing with quality of service 1 over TLS, where each acknowledgement says
 * that the message is durable. Mosquitto, which acknowledges what it keeps in memory, is the peer.
 */
@Command(
    name = "mqtt",
    description = "Measures publishing to an edge by MQTT, beside Mosquitto.",
    mixinStandardHelpOptions = true)
final class MqttBench implements Callable<Integer> {
  @Option(
      names = "--publishers",
      defaultValue = "50",
      description = "Connections, each with one message on its way (${DEFAULT-VALUE}).")
  int publishers;

  @Option(
      names = "--seconds",
      defaultValue = "10",
      description = "How long each load lasts (${DEFAULT-VALUE}).")
  int seconds;

  @Option(
      names = "--warm-up",
      defaultValue = "15",
      description = "Seconds before anything is counted (${DEFAULT-VALUE}).")
  int warmUp;

  @Option(
      names = "--rounds",
      defaultValue = "2",
      description = "How often each server is measured, in turn (${DEFAULT-VALUE}).")
  int rounds;

  @Option(
      names = "--value-bytes",
      defaultValue = "64",
      description = "Value size (${DEFAULT-VALUE}).")
  int valueBytes;

  @Mixin BenchCommand.Output output = new BenchCommand.Output();

  @Override
  public Integer call() throws Exception {
    Path folder = Files.createTempDirectory("holdfast-mqtt");
    try (EdgeProcess edge = EdgeProcess.start(folder.resolve("edge"))) {
      Path program = Processes.find("mosquitto");
      if (program == null) {
        System.err.println(
            "Mosquitto is not here, so there is nothing to compare with; on Debian: apt-get"
                + " install mosquitto");
        for (int round = 0; round < rounds; round++) {
          measure("edge", edge, edge.mqttPort(), edge.handle(), round == 0 ? warmUp : 2);
        }
      } else {
        compare(folder, program, edge);
      }
    } finally {
      Bed.delete(folder);
    }
    return 0;
  }

  private void compare(Path folder, Path program, EdgeProcess edge) throws Exception {
    try (Peer peer =
        Peer.mosquitto(program, Files.createDirectory(folder.resolve("mosquitto")), edge)) {
      for (int round = 0; round < rounds; round++) {
        // The client is warm, too, when its first figure is taken.
        int warm = round == 0 ? warmUp : 2;
        double ours = measure("edge", edge, edge.mqttPort(), edge.handle(), warm);
        double theirs = measure("mosquitto", edge, peer.port(), peer.handle(), 2);
        new Report()
            .put("bench", "mqtt")
            .put("round", round)
            .put("ratio", ours / theirs)
            .print(System.out, output.json);
      }
    }
  }

  private double measure(String server, EdgeProcess edge, int port, ProcessHandle process, int warm)
      throws Exception {
    try (MqttLoad load = new MqttLoad(edge, port, publishers, valueBytes)) {
      load.run(warm);
      double before = Processes.cpuSeconds(process);
      double own = Report.cpuSeconds();
      MqttLoad.Load done = load.run(seconds);
      new Report()
          .put("bench", "mqtt")
          .put("server", server)
          .put("publishers", publishers)
          .put("messagesPerSecond", done.perSecond())
          .put("p50Millis", done.p50Millis())
          .put("p99Millis", done.p99Millis())
          .put("maxMillis", done.maxMillis())
          .put("cpuMicros", (Processes.cpuSeconds(process) - before) * 1e6 / done.messages())
          .put("clientCpuMicros", (Report.cpuSeconds() - own) * 1e6 / done.messages())
          .put("residentMiB", Processes.residentMiB(process))
          .print(System.out, output.json);
      return done.perSecond();
    }
  }
}
