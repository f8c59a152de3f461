package holdfast.bench;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Body;
import holdfast.capsule.Metadata;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.PendingRead;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.SigningPolicy;
import holdfast.client.WriterOptions;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * YCSB after the DCS paper, section 6.4: the client keeps a map from keys to records and signs only
 * when a read touches something unsigned; operations go in batches; every read is proven and
 * decrypted.
 */
@Command(
    name = "ycsb",
    description = "The paper's YCSB method: batches, reads verified by proof, signing on demand.",
    mixinStandardHelpOptions = true)
final class YcsbBench implements Callable<Integer> {
  @Option(
      names = "--workload",
      defaultValue = "a",
      description = "a, b, c, d or all (${DEFAULT-VALUE}).")
  String workload = "a";

  @Option(
      names = "--trace-dir",
      description = "Folder with the authors' traces; generated when left out.")
  @Nullable Path traceDir;

  @Option(
      names = "--api",
      description =
          "records: a record for each write; subrecords: a record for the writes of a batch, as the"
              + " key-value layer makes it. Default: subrecords, with --no-crypto records.")
  @Nullable String asked;

  @Option(
      names = "--records",
      defaultValue = "100000",
      description = "Keys loaded (${DEFAULT-VALUE}).")
  int records;

  @Option(
      names = "--operations",
      defaultValue = "1000000",
      description = "Operations (${DEFAULT-VALUE}).")
  int operations;

  @Option(
      names = "--batch",
      defaultValue = "1000",
      description = "Operations a batch (${DEFAULT-VALUE}).")
  int batch;

  @Option(
      names = "--in-flight",
      defaultValue = "4",
      description = "Batches under way (${DEFAULT-VALUE}).")
  int inFlight;

  @Option(
      names = "--repeat",
      defaultValue = "1",
      description = "Plays the operations this many times (${DEFAULT-VALUE}).")
  int repeat;

  @Option(names = "--compare", description = "rocksdb: measure the peer on the same trace.")
  @Nullable String compare;

  @Option(
      names = "--no-crypto",
      description = "Leaves out signatures and proofs, as the paper's comparison does.")
  boolean noCrypto;

  @Mixin BenchCommand.Output output = new BenchCommand.Output();

  private String api = "";

  @Override
  public Integer call() throws Exception {
    String chosen = asked;
    api = chosen != null ? chosen : noCrypto ? "records" : "subrecords";
    if (!api.equals("records") && !api.equals("subrecords")) {
      throw new IllegalArgumentException("--api is records or subrecords, not " + api);
    }
    if (noCrypto && api.equals("subrecords")) {
      throw new IllegalArgumentException("--no-crypto is measured with --api records");
    }
    String all =
        workload.toLowerCase(Locale.ROOT).equals("all")
            ? "abcd"
            : workload.toLowerCase(Locale.ROOT);
    for (int i = 0; i < all.length(); i++) {
      measure(all.charAt(i));
    }
    return 0;
  }

  private void measure(char one) throws Exception {
    Trace trace =
        traceDir == null ? Trace.generate(one, records, operations, 42) : Trace.read(traceDir, one);
    Report report = new Report();
    report.put("bench", "ycsb").put("workload", String.valueOf(one).toUpperCase(Locale.ROOT));
    double throughput;
    try (Bed bed = new Bed();
        Run run = new Run(bed, trace, api.equals("subrecords"))) {
      run.load();
      run.operations(trace.operations(), new Histogram(3));
      Histogram latency = new Histogram(3);
      double cpuBegin = Report.cpuSeconds();
      long begin = System.nanoTime();
      for (int i = 0; i < repeat; i++) {
        run.operations(trace.operations(), latency);
      }
      throughput = (double) repeat * trace.operations() / ((System.nanoTime() - begin) / 1e9);
      report
          .put("api", api)
          .put("throughput", throughput)
          .put(
              "cpuMicros",
              (Report.cpuSeconds() - cpuBegin) / ((double) repeat * trace.operations()) * 1e6)
          .put("p50BatchMillis", latency.getValueAtPercentile(50) / 1e6)
          .put("p99BatchMillis", latency.getValueAtPercentile(99) / 1e6)
          .put("proven", run.proven.get())
          .put("signatures", run.signatures);
    }
    if (compare != null) {
      RocksPeer.run(trace, RocksPeer.Mode.POINT, batch);
      double point = RocksPeer.run(trace, RocksPeer.Mode.POINT, batch);
      double batched = RocksPeer.run(trace, RocksPeer.Mode.BATCHED, batch);
      double synced = RocksPeer.run(trace, RocksPeer.Mode.BATCHED_SYNCED, batch);
      report
          .put("peer", "RocksDB embedded, point operations, log not synced")
          .put("peerThroughput", point)
          .put("ratio", throughput / point)
          .put("ratioBatched", throughput / batched)
          .put("ratioBatchedSynced", throughput / synced);
    }
    report.put(
        "conditions",
        Report.conditions()
            + ", SYNCED, "
            + batch
            + " operations a batch, "
            + inFlight
            + " batches under way, "
            + trace.load
            + " keys, 16-byte values, "
            + (noCrypto ? "no proofs, one signature" : "sealed, every read proven")
            + (traceDir == null ? ", generated zipfian trace" : ", the authors' trace"));
    report.print(System.out, output.json);
  }

  /**
   * The client of the paper: two maps in memory, and batches in a pipeline. One thread writes; a
   * second one waits for the receipts, reads and verifies; a third one opens.
   */
  private final class Run implements AutoCloseable {
    private final Trace trace;
    private final boolean subrecords;
    private final CapsuleWriter writer;
    private final CapsuleReader reader;
    private final SplittableRandom random = new SplittableRandom(7);
    private final @Nullable Hash[] where;
    private final int[] leafOf;
    private final long[] writtenIn;
    private long signedThrough;
    private long batches;
    private final AtomicLong proven = new AtomicLong();
    long signatures;

    private static final class Stage {
      final long beganNanos = System.nanoTime();
      final List<Hash> names = new ArrayList<>();
      final List<ReadResult.LeafName> leaves = new ArrayList<>();
    }

    /** A batch that was read, to be opened. */
    private record Verified(Stage stage, PendingRead.Results results) {}

    Run(Bed bed, Trace trace, boolean subrecords) throws Exception {
      this.trace = trace;
      this.subrecords = subrecords;
      Metadata metadata = bed.capsule();
      this.writer =
          bed.server()
              .openWriter(
                  metadata.name(),
                  bed.owner,
                  bed.contentKey,
                  WriterOptions.defaults()
                      .withSigning(new SigningPolicy.OnDemand())
                      .withBatchRecords(8000)
                      .withInFlight(2 * inFlight + 2));
      writer.onResult(result -> {});
      this.reader =
          bed.server()
              .openReader(
                  metadata.name(),
                  List.of(bed.contentKey),
                  ReaderOptions.defaults().withCacheEntries(1 << 20));
      where = new Hash[trace.keyCount];
      leafOf = new int[trace.keyCount];
      writtenIn = new long[trace.keyCount];
      Arrays.fill(writtenIn, -1);
    }

    void load() throws Exception {
      for (int from = 0; from < trace.load; from += batch) {
        List<Integer> keys = new ArrayList<>();
        for (int i = from; i < Math.min(trace.load, from + batch); i++) {
          keys.add(i);
        }
        write(keys);
        writer.send();
        batches++;
      }
      sign();
      writer.await(writer.send());
    }

    private void write(List<Integer> keys) throws Exception {
      if (keys.isEmpty()) {
        return;
      }
      if (subrecords) {
        List<byte[]> leaves = new ArrayList<>(keys.size());
        for (int i = 0; i < keys.size(); i++) {
          leaves.add(RocksPeer.value(random));
        }
        Hash name = writer.append(leaves);
        for (int i = 0; i < keys.size(); i++) {
          where[keys.get(i)] = name;
          leafOf[keys.get(i)] = i;
          writtenIn[keys.get(i)] = batches;
        }
      } else {
        for (int key : keys) {
          where[key] = writer.append(RocksPeer.value(random));
          writtenIn[key] = batches;
        }
      }
    }

    private void sign() {
      writer.sign();
      signatures++;
      signedThrough = batches;
    }

    void operations(int count, Histogram latency) throws Exception {
      Pipe<Stage> written = new Pipe<>(inFlight);
      Pipe<Verified> verified = new Pipe<>(inFlight);
      try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
        Future<?> reading =
            threads.submit(() -> {
              try (verified;
                  written) {
                read(written, verified);
              }
              return null;
            });
        Future<?> opening =
            threads.submit(() -> {
              try (verified) {
                open(verified, latency);
              }
              return null;
            });
        try (written) {
          write(count, written);
        }
        reading.get();
        opening.get();
      }
    }

    private void write(int count, Pipe<Stage> written) throws Exception {
      ArrayDeque<Stage> sent = new ArrayDeque<>();
      ArrayDeque<Long> numbers = new ArrayDeque<>();
      for (int from = 0; from < count; from += batch) {
        Stage stage = batch(from, Math.min(count, from + batch));
        sent.add(stage);
        numbers.add(writer.send());
        batches++;
        if (sent.size() > inFlight) {
          writer.await(numbers.remove());
          written.put(sent.remove());
        }
      }
      while (!sent.isEmpty()) {
        writer.await(numbers.remove());
        written.put(sent.remove());
      }
    }

    private Stage batch(int from, int to) throws Exception {
      Stage stage = new Stage();
      boolean unsigned = false;
      List<Integer> written = new ArrayList<>();
      for (int i = from; i < to; i++) {
        if (trace.writes[i]) {
          written.add(trace.keys[i]);
        }
      }
      // Reads of a batch see its writes: the map is what the paper's client keeps.
      write(written);
      for (int i = from; i < to; i++) {
        if (!trace.writes[i]) {
          int key = trace.keys[i];
          Hash name = where[key];
          if (name == null) {
            throw new AssertionError("the trace reads a key that was not written");
          }
          unsigned |=
              writtenIn[key] > signedThrough || (writtenIn[key] == batches && !written.isEmpty());
          if (subrecords) {
            stage.leaves.add(new ReadResult.LeafName(name, leafOf[key]));
          } else {
            stage.names.add(name);
          }
        }
      }
      if (unsigned && !noCrypto) {
        sign();
      }
      return stage;
    }

    private void read(Pipe<Stage> written, Pipe<Verified> verified) throws Exception {
      ArrayDeque<Stage> asked = new ArrayDeque<>();
      ArrayDeque<PendingRead> reads = new ArrayDeque<>();
      for (Stage stage = written.take(); stage != null || !asked.isEmpty(); ) {
        if (stage != null) {
          asked.add(stage);
          reads.add(ask(stage));
        }
        if (stage == null || asked.size() > inFlight) {
          verified.put(new Verified(asked.remove(), reads.remove().await()));
        }
        stage = stage == null ? null : written.take();
      }
    }

    private void open(Pipe<Verified> verified, Histogram latency) throws Exception {
      for (Verified one = verified.take(); one != null; one = verified.take()) {
        check(one.results());
        latency.recordValue(System.nanoTime() - one.stage().beganNanos);
      }
    }

    private PendingRead ask(Stage stage) throws Exception {
      return subrecords ? reader.beginLeaves(stage.leaves) : reader.beginRead(stage.names);
    }

    private void check(PendingRead.Results results) throws Exception {
      for (ReadResult result : results.records()) {
        if (result instanceof ReadResult.Proven one && !subrecords) {
          Body body = java.util.Objects.requireNonNull(one.record().body());
          byte[] value = reader.opener().openAll(one.record().header(), body)[0];
          require(value);
        } else if (result instanceof ReadResult.Unproven one && !subrecords && noCrypto) {
          Body body = java.util.Objects.requireNonNull(one.record().body());
          require(reader.opener().openAll(one.record().header(), body)[0]);
          proven.decrementAndGet();
        } else if (!subrecords) {
          throw new AssertionError("a read came back as " + result);
        }
      }
      for (ReadResult.LeafResult result : results.leaves()) {
        if (!(result instanceof ReadResult.LeafResult.Proven one)) {
          throw new AssertionError("a read came back as " + result);
        }
        require(reader.opener().open(one.header(), one.name().leaf(), one.sealed().unsafeArray()));
      }
    }

    private void require(byte @Nullable [] value) {
      if (value == null || value.length != 16) {
        throw new AssertionError("a value came back wrong");
      }
      proven.incrementAndGet();
    }

    @Override
    public void close() throws ProofException {
      reader.close();
      writer.close();
    }
  }
}
