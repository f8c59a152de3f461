package holdfast.bench;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Metadata;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.Placing;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.client.SigningPolicy;
import holdfast.client.WriterOptions;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** How fast a server that is far behind catches up, while the other one is used. */
@Command(
    name = "catchup",
    description = "Places a full capsule on an empty server as well, and measures how it fills up.",
    mixinStandardHelpOptions = true)
final class CatchUpBench implements Callable<Integer> {
  /** How often the newcomer is asked how far it is; a thousandth of what is measured. */
  private static final long POLL_MILLIS = 20;

  private static final int READS = 100;

  @Option(
      names = "--records",
      defaultValue = "1000000",
      description = "How far the server is behind (${DEFAULT-VALUE}).")
  int records;

  @Option(
      names = "--value-size",
      defaultValue = "16",
      description = "Bytes of a value (${DEFAULT-VALUE}).")
  int valueSize;

  @Option(
      names = "--reads",
      defaultValue = "1000",
      description = "Records read per second meanwhile; 0 for none (${DEFAULT-VALUE}).")
  int reads;

  @Option(
      names = "--writes",
      defaultValue = "100",
      description =
          "Records written per second meanwhile, each synced; 0: none (${DEFAULT-VALUE}).")
  int writes;

  @Mixin BenchCommand.Output output = new BenchCommand.Output();

  private final AtomicBoolean ended = new AtomicBoolean();
  private final AtomicLong written = new AtomicLong();
  private final AtomicLong read = new AtomicLong();

  @Override
  public Integer call() throws Exception {
    try (Bed full = new Bed();
        Bed empty = new Bed();
        ExecutorService load = Executors.newFixedThreadPool(2)) {
      Metadata metadata = full.capsule();
      List<Hash> names = fill(full, metadata);
      double cpuBegin = Report.cpuSeconds();
      long begin = System.nanoTime();
      try (CapsuleReader reader =
          full.server().openReader(metadata.name(), List.of(), ReaderOptions.defaults())) {
        Placing.place(reader, List.of(full.server(), empty.server()), full.owner);
      }
      List<Future<?>> used = new ArrayList<>();
      if (writes > 0) {
        used.add(load.submit(() -> write(full, metadata)));
      }
      if (reads > 0) {
        used.add(load.submit(() -> read(full, metadata, names)));
      }
      long arrived = arrive(empty, metadata.name(), used);
      double seconds = (System.nanoTime() - begin) / 1e9;
      ended.set(true);
      for (Future<?> one : used) {
        one.get();
      }
      new Report()
          .put("bench", "catchup")
          .put("records", records)
          .put("valueSize", valueSize)
          .put("throughput", arrived / seconds)
          .put("seconds", seconds)
          .put("cpuMicros", (Report.cpuSeconds() - cpuBegin) / arrived * 1e6)
          .put("writtenMeanwhile", written.get())
          .put("readMeanwhile", read.get())
          .put("conditions", Report.conditions() + ", everything verified and synced")
          .print(System.out, output.json);
    }
    return 0;
  }

  private List<Hash> fill(Bed bed, Metadata metadata) throws ProofException {
    List<Hash> names = new ArrayList<>(records);
    try (CapsuleWriter writer =
        bed.server()
            .openWriter(
                metadata.name(),
                bed.owner,
                bed.contentKey,
                WriterOptions.defaults().withSigning(new SigningPolicy.EachBatch()))) {
      writer.onResult(result -> {});
      for (int i = 0; i < records; i++) {
        names.add(writer.append(ByteBuffer.allocate(valueSize).putLong(i).array()));
      }
      writer.commitOrThrow();
    }
    return names;
  }

  /** Waits a little, or less when somebody fails who must not. */
  private static void pause(List<Future<?>> used) throws Exception {
    if (used.isEmpty()) {
      Thread.sleep(POLL_MILLIS);
      return;
    }
    try {
      used.getFirst().get(POLL_MILLIS, TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      // It goes on, as it should.
    }
  }

  /** One record after the other, each durable before the next. */
  private Void write(Bed bed, Metadata metadata) throws Exception {
    try (CapsuleWriter writer =
        bed.server()
            .openWriter(metadata.name(), bed.owner, bed.contentKey, WriterOptions.defaults())) {
      long begin = System.nanoTime();
      while (!ended.get()) {
        await(begin, written.get(), writes);
        writer.append(ByteBuffer.allocate(valueSize).putLong(written.get()).array());
        writer.commitOrThrow();
        written.incrementAndGet();
      }
    }
    return null;
  }

  /** Random records, proven, 100 to a question. */
  private Void read(Bed bed, Metadata metadata, List<Hash> names) throws Exception {
    SplittableRandom random = new SplittableRandom(1);
    try (Server server = bed.connect();
        CapsuleReader reader =
            server.openReader(metadata.name(), List.of(), ReaderOptions.defaults())) {
      long begin = System.nanoTime();
      while (!ended.get()) {
        await(begin, read.get(), reads);
        List<Hash> some =
            random.ints(READS, 0, names.size()).mapToObj(names::get).distinct().toList();
        reader.readAll(some);
        read.addAndGet(some.size());
      }
    }
    return null;
  }

  /** Waits until all records are proven at the server that was empty; returns how many are. */
  private long arrive(Bed empty, Hash capsule, List<Future<?>> used) throws Exception {
    try (CapsuleReader reader = openWhenThere(empty, capsule, used)) {
      long arrived = 0;
      for (; arrived < records; arrived = reader.status().getCapsule().getProven()) {
        pause(used);
      }
      return arrived;
    }
  }

  private static CapsuleReader openWhenThere(Bed empty, Hash capsule, List<Future<?>> used)
      throws Exception {
    while (true) {
      try {
        return empty.server().openReader(capsule, List.of(), ReaderOptions.defaults());
      } catch (HoldfastException e) {
        if (e.code() != ErrorCode.UNKNOWN_CAPSULE) {
          throw e;
        }
        pause(used);
      }
    }
  }

  /** When the next of so many per second is due; waits until then. */
  private static void await(long begin, long count, int perSecond) throws InterruptedException {
    long due = begin + (long) (count * 1e9 / perSecond);
    TimeUnit.NANOSECONDS.sleep(Math.max(0, due - System.nanoTime()));
  }
}
