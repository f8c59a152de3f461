package holdfast.bench;

import static java.nio.charset.StandardCharsets.UTF_8;

import holdfast.crypto.SigningKey;
import holdfast.device.Device;
import holdfast.device.DeviceFolder;
import holdfast.device.EdgeAddress;
import holdfast.device.EdgeLogin;
import holdfast.edge.EdgeAdmin;
import holdfast.edge.EdgeFolder;
import holdfast.edge.EdgeOptions;
import holdfast.edge.Gateway;
import holdfast.net.Endpoint;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * What a device's process uses, by runtime and by what it does: the evaluation of the report on the
 * first edge database (section 4.1), which compared PyPy, CPython and C++ by wait4. Here the
 * runtimes are HotSpot with all its compilers, with C1 only, without any, with an AOT cache, and
 * CPython.
 */
@Command(
    name = "profile",
    description = "Measures processes of devices on several runtimes: time, memory, page faults.",
    mixinStandardHelpOptions = true)
final class ProfileBench implements Callable<Integer> {
  private static final String USER = "device";
  private static final String PASSWORD = "correct horse battery";
  private static final List<String> OPERATIONS = List.of("write", "read", "delete");

  /** What a small device would give a JVM. */
  private static final List<String> SMALL_JVM = List.of("-Xmx32m", "-XX:+UseSerialGC");

  @Option(
      names = "--operations",
      defaultValue = "500",
      description = "Keys that each process writes, reads or deletes (${DEFAULT-VALUE}).")
  int operations;

  @Option(
      names = "--rounds",
      defaultValue = "3",
      description = "Processes of each kind; the median in real time counts (${DEFAULT-VALUE}).")
  int rounds;

  @Option(
      names = "--python-client",
      defaultValue = "clients/python",
      description = "Where the client in Python lies (${DEFAULT-VALUE}).")
  Path pythonClient = Path.of("clients/python");

  @Option(names = "--plot", paramLabel = "FOLDER", description = "Draw bars into this folder.")
  @Nullable Path plot;

  @Mixin BenchCommand.Output output = new BenchCommand.Output();

  /** A runtime: what stands before the arguments of the workload. */
  private record Runtime(String name, List<String> command, Map<String, String> environment) {}

  @Override
  public Integer call() throws Exception {
    Path folder = Files.createTempDirectory("holdfast-profile");
    try {
      EdgeFolder edge = EdgeFolder.at(folder.resolve("edge"));
      edge.init("profile", SigningKey.generate(new SecureRandom()));
      Endpoint anywhere = new Endpoint("127.0.0.1", 0);
      try (Gateway gateway = Gateway.start(EdgeOptions.of(edge.path(), anywhere, anywhere))) {
        try (EdgeAdmin admin = EdgeAdmin.of(edge)) {
          admin.add(USER, PASSWORD.getBytes(UTF_8), List.of(new EdgeAdmin.Right("*", "write")));
        }
        measure(folder, gateway);
      }
    } finally {
      Bed.delete(folder);
    }
    return 0;
  }

  private void measure(Path folder, Gateway gateway) throws Exception {
    Map<String, Map<String, MeasuredProcess.Usage>> results = new LinkedHashMap<>();
    for (Runtime runtime : runtimes(folder, gateway)) {
      Map<String, List<MeasuredProcess.Usage>> runs = new LinkedHashMap<>();
      for (int round = 0; round < rounds; round++) {
        // Once written, the same keys are read, and then deleted.
        for (String operation : OPERATIONS) {
          runs.computeIfAbsent(operation, none -> new ArrayList<>())
              .add(run(runtime, device(folder, gateway), gateway, operation));
        }
      }
      Map<String, MeasuredProcess.Usage> medians = new LinkedHashMap<>();
      runs.forEach((operation, all) -> medians.put(operation, median(all)));
      results.put(runtime.name(), medians);
      medians.forEach((operation, usage) -> report(runtime, operation, usage));
    }
    if (plot != null) {
      Files.createDirectories(plot);
      draw(plot, "real time", "seconds", results, MeasuredProcess.Usage::realSeconds);
      draw(
          plot,
          "processor time",
          "seconds",
          results,
          usage -> usage.userSeconds() + usage.sysSeconds());
      draw(plot, "memory", "MiB", results, usage -> usage.maxResidentKiB() / 1024.0);
      draw(plot, "page faults", "thousands", results, usage -> usage.minorFaults() / 1000.0);
    }
  }

  private List<Runtime> runtimes(Path folder, Gateway gateway) throws Exception {
    List<Runtime> runtimes = new ArrayList<>();
    runtimes.add(jvm("HotSpot, C1 and C2", List.of()));
    runtimes.add(jvm("HotSpot, C1 only", List.of("-XX:TieredStopAtLevel=1")));
    runtimes.add(jvm("HotSpot, interpreter", List.of("-Xint")));
    runtimes.add(jvm("HotSpot, AOT cache", List.of("-XX:AOTCache=" + cache(folder, gateway))));
    if (Files.isDirectory(pythonClient)) {
      Path script = folder.resolve("profile_workload.py");
      try (InputStream in =
          Objects.requireNonNull(ProfileBench.class.getResourceAsStream("profile_workload.py"))) {
        Files.copy(in, script);
      }
      runtimes.add(
          new Runtime(
              "CPython",
              List.of("python3", script.toString()),
              Map.of("PYTHONPATH", pythonClient.toAbsolutePath().toString())));
    } else {
      System.err.println(
          "CPython is left out: there is no folder "
              + pythonClient
              + "; name it with --python-client");
    }
    return runtimes;
  }

  private static Runtime jvm(String name, List<String> flags) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(SMALL_JVM);
    command.addAll(flags);
    command.addAll(List.of("-cp", classPath(), ProfileWorkload.class.getName()));
    return new Runtime(name, command, Map.of());
  }

  /** What the device and the workload need, and nothing besides: a device has nothing besides. */
  private static String classPath() {
    return String.join(File.pathSeparator, source(Device.class), source(ProfileWorkload.class));
  }

  private static String source(Class<?> type) {
    return Path.of(URI.create(type.getProtectionDomain().getCodeSource().getLocation().toString()))
        .toString();
  }

  /** Classes and profiles of a run that writes, for the next runs to start with (JEP 514). */
  private Path cache(Path folder, Gateway gateway) throws Exception {
    Path cache = folder.resolve("device.aot");
    run(
        jvm("training", List.of("-XX:AOTCacheOutput=" + cache)),
        device(folder, gateway),
        gateway,
        "write");
    return cache;
  }

  /** A device that is enrolled. */
  private static Path device(Path folder, Gateway gateway) throws Exception {
    Path device = Files.createTempDirectory(folder, "device");
    EdgeAddress edge =
        new EdgeAddress(
            URI.create(url(gateway)), gateway.authority(), new EdgeLogin.Password(USER, PASSWORD));
    Device.enrol(
        new DeviceFolder(device),
        edge,
        device.getFileName().toString().toLowerCase(Locale.ROOT),
        Duration.ofSeconds(30));
    return device;
  }

  private static String url(Gateway gateway) {
    return "https://localhost:" + gateway.rest().port();
  }

  private MeasuredProcess.Usage run(Runtime runtime, Path device, Gateway gateway, String operation)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(runtime.command());
    command.addAll(
        List.of(
            device.toString(),
            url(gateway),
            gateway.authority().toString(),
            USER,
            PASSWORD,
            operation,
            String.valueOf(operations)));
    MeasuredProcess.Usage usage = MeasuredProcess.run(command, runtime.environment());
    if (usage.exit() != 0) {
      throw new IOException(
          runtime.name() + " ended with " + usage.exit() + " at the workload " + operation);
    }
    return usage;
  }

  private static MeasuredProcess.Usage median(List<MeasuredProcess.Usage> all) {
    return all.stream()
        .sorted(java.util.Comparator.comparingDouble(MeasuredProcess.Usage::realSeconds))
        .toList()
        .get(all.size() / 2);
  }

  private void report(Runtime runtime, String operation, MeasuredProcess.Usage usage) {
    new Report()
        .put("bench", "profile")
        .put("runtime", runtime.name())
        .put("workload", operation)
        .put("operations", operations)
        .put("realSeconds", usage.realSeconds())
        .put("userSeconds", usage.userSeconds())
        .put("sysSeconds", usage.sysSeconds())
        .put("cpuPercent", usage.cpuPercent())
        .put("maxResidentKiB", usage.maxResidentKiB())
        .put("majorFaults", usage.majorFaults())
        .put("minorFaults", usage.minorFaults())
        .print(System.out, output.json);
  }

  private static void draw(
      Path folder,
      String what,
      String unit,
      Map<String, Map<String, MeasuredProcess.Usage>> results,
      ToDoubleFunction<MeasuredProcess.Usage> value)
      throws IOException {
    Map<String, List<Double>> series = new LinkedHashMap<>();
    results.forEach((runtime, usages) ->
        series.put(
            runtime,
            OPERATIONS.stream().map(one -> value.applyAsDouble(usages.get(one))).toList()));
    Files.writeString(
        folder.resolve("profile-" + what.replace(' ', '-') + ".svg"),
        Chart.bars("A device's process: " + what, unit, OPERATIONS, series));
  }
}
