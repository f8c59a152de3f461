package holdfast.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * The REST interface of an edge: puts, gets and batches over TLS with HTTP Basic, each put durable
 * before it is answered. nginx, which serves a file of the same size over TLS and keeps nothing, is
 * the ceiling. Both are asked by wrk.
 */
@Command(
    name = "rest",
    description = "Measures the REST interface of an edge, beside nginx serving a file.",
    mixinStandardHelpOptions = true)
final class RestBench implements Callable<Integer> {
  @Option(
      names = "--connections",
      split = ",",
      defaultValue = "1,50,500",
      description = "Connections that are kept, several numbers (${DEFAULT-VALUE}).")
  List<Integer> connections = List.of(1, 50, 500);

  @Option(
      names = "--workloads",
      split = ",",
      defaultValue = "get,put,batch",
      description = "What is sent (${DEFAULT-VALUE}).")
  List<String> workloads = List.of("get", "put", "batch");

  @Option(
      names = "--seconds",
      defaultValue = "8",
      description = "How long each load lasts (${DEFAULT-VALUE}).")
  int seconds;

  @Option(
      names = "--warm-up",
      defaultValue = "15",
      description = "Seconds of each workload before anything is counted (${DEFAULT-VALUE}).")
  int warmUp;

  @Option(
      names = "--keys",
      defaultValue = "1000",
      description = "Keys that are written and read (${DEFAULT-VALUE}).")
  int keys;

  @Option(
      names = "--value-bytes",
      defaultValue = "64",
      description = "Value size (${DEFAULT-VALUE}).")
  int valueBytes;

  @Option(
      names = "--batch",
      defaultValue = "100",
      description = "Puts of a batch (${DEFAULT-VALUE}).")
  int batch;

  @Mixin BenchCommand.Output output = new BenchCommand.Output();

  @Override
  public Integer call() throws Exception {
    Path wrk = Processes.find("wrk");
    if (wrk == null) {
      System.err.println("wrk sends the load and is not here; on Debian: apt-get install wrk");
      return 1;
    }
    Path folder = Files.createTempDirectory("holdfast-rest");
    try (EdgeProcess edge = EdgeProcess.start(folder.resolve("edge"));
        Peer nginx = nginx(folder, edge)) {
      measure(new Wrk(wrk, folder), edge, nginx);
    } finally {
      Bed.delete(folder);
    }
    return 0;
  }

  /** The peer; null when it is not on this machine. */
  private @Nullable Peer nginx(Path folder, EdgeProcess edge) throws IOException {
    Path program = Processes.find("nginx");
    if (program == null) {
      System.err.println(
          "nginx is not here, so there is nothing to compare with; on Debian: apt-get install"
              + " nginx-light");
      return null;
    }
    return Peer.nginx(program, Files.createDirectory(folder.resolve("nginx")), edge, valueBytes);
  }

  private void measure(Wrk wrk, EdgeProcess edge, @Nullable Peer nginx) throws Exception {
    int most = connections.stream().mapToInt(Integer::intValue).max().orElse(1);
    // Gets find what puts have written.
    send(wrk, edge, "put", most, Math.max(2, warmUp));
    for (String workload : workloads) {
      send(wrk, edge, workload, Math.min(most, 50), warmUp);
    }
    for (int number : connections) {
      double ceiling = nginx == null ? Double.NaN : peer(wrk, edge, nginx, number);
      for (String workload : workloads) {
        double before = Processes.cpuSeconds(edge.handle());
        Wrk.Load load = send(wrk, edge, workload, number, seconds);
        report("edge", workload, number, load)
            .put("ratio", load.perSecond() / ceiling)
            .put("putsPerSecond", puts(workload) * load.perSecond())
            .put("cpuMicros", cpuMicros(edge.handle(), before, load))
            .put("residentMiB", Processes.residentMiB(edge.handle()))
            .print(System.out, output.json);
      }
    }
  }

  private int puts(String workload) {
    return switch (workload) {
      case "put" -> 1;
      case "batch" -> batch;
      default -> 0;
    };
  }

  private double peer(Wrk wrk, EdgeProcess edge, Peer nginx, int number) throws Exception {
    String url = "https://" + edge.host() + ":" + nginx.port();
    wrk.run(url, number, 1, arguments(edge, "file"));
    double before = Processes.cpuSeconds(nginx.handle());
    Wrk.Load load = wrk.run(url, number, seconds, arguments(edge, "file"));
    report("nginx", "file", number, load)
        .put("cpuMicros", cpuMicros(nginx.handle(), before, load))
        .print(System.out, output.json);
    return load.perSecond();
  }

  private Wrk.Load send(Wrk wrk, EdgeProcess edge, String workload, int number, int time)
      throws Exception {
    return wrk.run(edge.url(), number, time, arguments(edge, workload));
  }

  private List<String> arguments(EdgeProcess edge, String workload) {
    return List.of(
        workload,
        edge.login(),
        String.valueOf(keys),
        String.valueOf(valueBytes),
        String.valueOf(batch));
  }

  private static double cpuMicros(ProcessHandle process, double before, Wrk.Load load) {
    return (Processes.cpuSeconds(process) - before) * 1e6 / load.requests();
  }

  private static Report report(String server, String workload, int number, Wrk.Load load) {
    return new Report()
        .put("bench", "rest")
        .put("server", server)
        .put("workload", workload)
        .put("connections", number)
        .put("requestsPerSecond", load.perSecond())
        .put("p50Millis", load.p50Millis())
        .put("p99Millis", load.p99Millis())
        .put("maxMillis", load.maxMillis())
        .put("refused", load.refused())
        .put("broken", load.broken());
  }
}
