package holdfast.bench;

import holdfast.device.DeviceKey;
import holdfast.device.DeviceQueue;
import holdfast.device.Octets;
import holdfast.device.Overflow;
import holdfast.device.QueueOptions;
import holdfast.device.Syncing;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.HdrHistogram.Histogram;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The queue of a device: what a put costs its caller, and how long a full queue takes to open. */
@Command(
    name = "device",
    description = "Measures the queue of a device: puts, and opening a large one.",
    mixinStandardHelpOptions = true)
final class DeviceBench implements Callable<Integer> {
  @Option(names = "--dir", description = "Where the queues are made; default: a temporary folder.")
  Path dir = Path.of(System.getProperty("java.io.tmpdir"));

  @Option(
      names = "--puts",
      defaultValue = "200000",
      description = "Puts without syncing (${DEFAULT-VALUE}).")
  int puts;

  @Option(
      names = "--synced-puts",
      defaultValue = "2000",
      description = "Puts with a sync each (${DEFAULT-VALUE}).")
  int syncedPuts;

  @Option(names = "--mib", defaultValue = "1024", description = "Size to open (${DEFAULT-VALUE}).")
  int mib;

  @Option(
      names = "--value-bytes",
      defaultValue = "4096",
      description = "Value size in the queue that is opened (${DEFAULT-VALUE}).")
  int valueBytes;

  @Mixin BenchCommand.Output output = new BenchCommand.Output();

  private final DeviceKey key = DeviceKey.generate(new SecureRandom());

  @Override
  public Integer call() throws Exception {
    putting("unsynced", Syncing.NONE, puts);
    putting("each synced", Syncing.EACH, syncedPuts);
    opening();
    return 0;
  }

  /** Keys repeat, as those of sensors do, so that most puts collapse one before. */
  private void putting(String name, Syncing syncing, int count) throws Exception {
    for (int keys : List.of(100, count)) {
      Path folder = Files.createTempDirectory(dir, "holdfast-device");
      Histogram nanos = new Histogram(3);
      QueueOptions options =
          QueueOptions.DEFAULTS.withSyncing(syncing).withMaxOperations(Math.max(2000, 2 * count));
      Octets value = Octets.wrap(new byte[64]);
      try (DeviceQueue queue = DeviceQueue.open(folder, key, options)) {
        for (int i = -count / 2; i < count; i++) {
          long start = System.nanoTime();
          queue.put("bench", "sensor/" + Math.floorMod(i, keys), "", value);
          if (i >= 0) {
            nanos.recordValue(System.nanoTime() - start);
          }
        }
      } finally {
        delete(folder);
      }
      new Report()
          .put("queue", name)
          .put("keys", (long) keys)
          .put("puts", (long) count)
          .put("p50Micros", nanos.getValueAtPercentile(50) / 1e3)
          .put("p99Micros", nanos.getValueAtPercentile(99) / 1e3)
          .put("maxMillis", nanos.getMaxValue() / 1e6)
          .print(System.out, output.json);
    }
  }

  private void opening() throws Exception {
    Path folder = Files.createTempDirectory(dir, "holdfast-device");
    long target = (long) mib << 20;
    int most = (int) Math.min(Integer.MAX_VALUE / 4, target / valueBytes + 2000);
    QueueOptions options =
        QueueOptions.DEFAULTS
            .withSyncing(Syncing.NONE)
            .withOverflow(Overflow.REFUSE)
            .withMaxBytes(2 * target)
            .withMaxOperations(most);
    try {
      byte[] bytes = new byte[valueBytes];
      new SecureRandom().nextBytes(bytes);
      long size;
      try (DeviceQueue queue = DeviceQueue.open(folder, key, options)) {
        for (long i = 0; queue.status().diskBytes() < target; i++) {
          queue.put("bench", "sensor/" + i, "", Octets.wrap(bytes));
        }
        size = queue.status().diskBytes();
      }
      System.gc();
      long start = System.nanoTime();
      double cpu = Report.cpuSeconds();
      try (DeviceQueue queue = DeviceQueue.open(folder, key, options)) {
        double seconds = (System.nanoTime() - start) / 1e9;
        new Report()
            .put("queue", "opened")
            .put("bytes", size)
            .put("operations", queue.status().queued())
            .put("seconds", seconds)
            .put("cpuSeconds", Report.cpuSeconds() - cpu)
            .print(System.out, output.json);
      }
    } finally {
      delete(folder);
    }
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path one : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(one);
      }
    }
  }
}
