package holdfast.bench;

import static java.nio.charset.StandardCharsets.UTF_8;

import holdfast.device.Device;
import holdfast.device.DeviceFolder;
import holdfast.device.DeviceOptions;
import holdfast.device.DeviceStatus;
import holdfast.device.Octets;
import holdfast.device.QueueOptions;
import holdfast.device.Rejection;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.locks.LockSupport;
import org.HdrHistogram.Histogram;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Many devices that write at a steady rate through the device library, each with its own queue, key
 * and connection, to one edge. At the end every device's last values are read back, and the edge's
 * count of changes is compared with what the devices have sent: nothing lost, nothing twice.
 *
 * <p>What a durable put takes is seen by two: a client without a queue that puts one value after
 * the other, and some of the devices, where the time that a batch may take to fill is part of it.
 */
@Command(
    name = "devices",
    description = "Measures an edge with many devices that write at a steady rate.",
    mixinStandardHelpOptions = true)
final class DevicesBench implements Callable<Integer> {
  /** Devices whose puts are followed to the edge. */
  private static final int FOLLOWED = 20;

  private static final int WRITERS = 2;
  private static final int LOOK_MILLIS = 5;
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  @Option(names = "--devices", defaultValue = "1000", description = "Devices (${DEFAULT-VALUE}).")
  int devices;

  @Option(
      names = "--rate",
      defaultValue = "10",
      description = "Writes of each device in a second (${DEFAULT-VALUE}).")
  int rate;

  @Option(
      names = "--seconds",
      defaultValue = "600",
      description = "How long they write (${DEFAULT-VALUE}).")
  int seconds;

  @Option(
      names = "--keys",
      defaultValue = "10",
      description = "Keys that each device writes in turn (${DEFAULT-VALUE}).")
  int keys;

  @Option(
      names = "--linger",
      paramLabel = "MILLIS",
      defaultValue = "1000",
      description = "How long a batch may take to fill (${DEFAULT-VALUE}).")
  int lingerMillis;

  @Option(
      names = "--probes",
      paramLabel = "RATE",
      defaultValue = "20",
      description = "Durable puts of a client without a queue in a second (${DEFAULT-VALUE}).")
  int probes;

  @Mixin BenchCommand.Output output = new BenchCommand.Output();

  private final Histogram followedNanos = new Histogram(3);
  private volatile boolean writing = true;

  @Override
  public Integer call() throws Exception {
    Path folder = Files.createTempDirectory("holdfast-devices");
    List<Device> opened = new ArrayList<>();
    try (EdgeProcess edge = EdgeProcess.start(folder.resolve("edge"));
        EdgeCalls calls = new EdgeCalls(edge)) {
      for (int i = 0; i < devices; i++) {
        opened.add(open(folder, edge, i));
      }
      return measure(edge, calls, opened);
    } finally {
      for (Device device : opened) {
        device.close();
      }
      Bed.delete(folder);
    }
  }

  private Device open(Path folder, EdgeProcess edge, int number) throws Exception {
    Path own = Files.createDirectories(folder.resolve("devices").resolve("d" + number));
    Device.enrol(new DeviceFolder(own), edge.address(), "d" + number, PATIENCE);
    return Device.open(
        new DeviceOptions(
            own,
            edge.address(),
            QueueOptions.DEFAULTS.withMaxBytes(4L << 20).withMaxOperations(20_000),
            Duration.ofMillis(lingerMillis),
            PATIENCE,
            Rejection.SKIP,
            0));
  }

  private int measure(EdgeProcess edge, EdgeCalls calls, List<Device> opened) throws Exception {
    long changesBefore = calls.changes();
    double cpu = Processes.cpuSeconds(edge.handle());
    double ownCpu = Report.cpuSeconds();
    long start = System.nanoTime();
    Histogram probed;
    long[] written = new long[devices];
    List<Double> resident = new ArrayList<>();
    try (ExecutorService threads = Executors.newCachedThreadPool()) {
      List<Future<?>> writers = new ArrayList<>();
      for (int i = 0; i < WRITERS; i++) {
        int which = i;
        writers.add(
            threads.submit(() -> {
              write(opened, which, start, written);
              return null;
            }));
      }
      Future<?> follower =
          threads.submit(() -> {
            follow(opened);
            return null;
          });
      Future<Histogram> prober = threads.submit(() -> probe(calls));
      int looks = Math.min(10, Math.max(2, seconds / 5));
      for (int i = 1; i <= looks; i++) {
        sleepUntil(start + TimeUnit.SECONDS.toNanos(seconds) * i / looks);
        resident.add(Processes.residentMiB(edge.handle()));
      }
      for (Future<?> writer : writers) {
        writer.get();
      }
      writing = false;
      probed = prober.get();
      follower.get();
    }
    double spent = (System.nanoTime() - start) / 1e9;
    double edgeCpu = Processes.cpuSeconds(edge.handle()) - cpu;
    long puts = java.util.Arrays.stream(written).sum();
    long late = 0;
    for (Device device : opened) {
      late += device.flush(PATIENCE) ? 0 : 1;
    }
    Losses losses = losses(calls, opened, written);
    long changes = calls.changes() - changesBefore - probed.getTotalCount();
    new Report()
        .put("bench", "devices")
        .put("devices", devices)
        .put("puts", puts)
        .put("putsPerSecond", puts / spent)
        .put("sent", losses.sent())
        .put("collapsed", losses.collapsed())
        .put("lostByDevices", losses.lost())
        .put("late", late)
        .put("wrongValues", losses.wrongValues())
        .put("changesAtEdge", changes)
        .print(System.out, output.json);
    new Report()
        .put("bench", "devices")
        .put("probes", probed.getTotalCount())
        .put("durablePutP50Millis", probed.getValueAtPercentile(50) / 1e6)
        .put("durablePutP99Millis", probed.getValueAtPercentile(99) / 1e6)
        .put("durablePutMaxMillis", probed.getMaxValue() / 1e6)
        .put("deviceP50Millis", followedNanos.getValueAtPercentile(50) / 1e6)
        .put("deviceP99Millis", followedNanos.getValueAtPercentile(99) / 1e6)
        .put("deviceMaxMillis", followedNanos.getMaxValue() / 1e6)
        .put("edgeCpuPercent", 100 * edgeCpu / spent)
        .put("devicesCpuPercent", 100 * (Report.cpuSeconds() - ownCpu) / spent)
        .put("edgeMiBStart", resident.getFirst())
        .put("edgeMiBMiddle", resident.get(resident.size() / 2))
        .put("edgeMiBEnd", resident.getLast())
        .print(System.out, output.json);
    boolean whole =
        late == 0
            && losses.lost() == 0
            && losses.wrongValues() == 0
            && losses.sent() + losses.collapsed() == puts
            && changes == losses.sent();
    if (!whole) {
      System.err.println("what the devices have put is not what the edge has");
    }
    return whole ? 0 : 1;
  }

  // ---- The load ---------------------------------------------------------------------------------

  /** Writes for every second device, each at its own moment of the interval. */
  private void write(List<Device> opened, int which, long start, long[] written)
      throws IOException, InterruptedException {
    long slots = (long) rate * seconds;
    for (long round = 0; round < slots; round++) {
      for (int i = which; i < opened.size(); i += WRITERS) {
        long slot = round * opened.size() + i;
        sleepUntil(start + TimeUnit.SECONDS.toNanos(1) * slot / ((long) rate * opened.size()));
        if (opened.get(i).put("bench", key(i, round), "text/plain", value(round)).isPresent()) {
          written[i]++;
        }
      }
    }
  }

  private String key(int device, long round) {
    return "d" + device + "/" + round % keys;
  }

  private static Octets value(long round) {
    return Octets.wrap(String.format("%-64d", round).getBytes(UTF_8));
  }

  private static void sleepUntil(long nanos) {
    for (long left = nanos - System.nanoTime(); left > 0; left = nanos - System.nanoTime()) {
      LockSupport.parkNanos(left);
    }
  }

  /** Watches how long the newest put of some devices takes until the edge has it. */
  private void follow(List<Device> opened) {
    int followed = Math.min(FOLLOWED, opened.size());
    AtomicLongArray awaited = new AtomicLongArray(followed);
    long[] since = new long[followed];
    while (writing) {
      for (int i = 0; i < followed; i++) {
        DeviceStatus status = opened.get(i).status();
        long next = status.queue().nextSequence();
        long now = System.nanoTime();
        if (awaited.get(i) != 0 && status.queue().firstSequence() > awaited.get(i)) {
          followedNanos.recordValue(now - since[i]);
          awaited.set(i, 0);
        }
        // A put is followed from the moment it is seen, at most one look after it was made.
        if (awaited.get(i) == 0 && next > status.queue().firstSequence()) {
          awaited.set(i, next - 1);
          since[i] = now;
        }
      }
      sleepUntil(System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(LOOK_MILLIS));
    }
  }

  private Histogram probe(EdgeCalls calls) throws IOException, InterruptedException {
    Histogram nanos = new Histogram(3);
    byte[] value = "v".repeat(64).getBytes(UTF_8);
    long interval = TimeUnit.SECONDS.toNanos(1) / Math.max(1, probes);
    long due = System.nanoTime();
    while (writing && probes > 0) {
      long start = System.nanoTime();
      calls.put("bench", "probe", value);
      nanos.recordValue(System.nanoTime() - start);
      due += interval;
      sleepUntil(due);
    }
    return nanos;
  }

  // ---- Losses -----------------------------------------------------------------------------------

  /**
   * What became of the puts.
   *
   * @param lost expired, dropped or refused by the devices' own policies
   * @param wrongValues keys whose value at the edge is not the last that was put
   */
  private record Losses(long sent, long collapsed, long lost, long wrongValues) {}

  private Losses losses(EdgeCalls calls, List<Device> opened, long[] written)
      throws IOException, InterruptedException {
    long sent = 0;
    long collapsed = 0;
    long lost = 0;
    long wrong = 0;
    for (int i = 0; i < opened.size(); i++) {
      DeviceStatus status = opened.get(i).status();
      sent += status.sent();
      collapsed += status.queue().collapsed();
      lost += status.queue().expired() + status.queue().dropped() + status.queue().refused();
      for (long round = Math.max(0, written[i] - keys); round < written[i]; round++) {
        byte[] there = calls.get("bench", key(i, round));
        wrong += value(round).equals(Octets.wrap(there)) ? 0 : 1;
      }
    }
    return new Losses(sent, collapsed, lost, wrong);
  }
}
