package holdfast.bench;

import holdfast.base.Hash;
import holdfast.capsule.Backpointers;
import holdfast.capsule.Body;
import holdfast.capsule.Metadata;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.Cursor;
import holdfast.client.PendingRead;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.SigningPolicy;
import holdfast.client.WriterOptions;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * The paper's section 6.3: many records of 16 bytes, one after the other, with 1 … all of them per
 * commit; written, read, and proven with and without the mirrored cache.
 *
 * <p>With the records API a commit is a signature over that many records; with the subrecords API
 * it is one record of that many leaves.
 */
@Command(
    name = "sequential",
    description = "Writes, reads and proves small records in order, by commit size.",
    mixinStandardHelpOptions = true)
final class SequentialBench implements Callable<Integer> {
  @Option(
      names = "--records",
      defaultValue = "100000",
      description = "How many (${DEFAULT-VALUE}).")
  int records;

  @Option(
      names = "--commits",
      split = ",",
      defaultValue = "1,10,100,1000,10000,100000",
      description = "Commit sizes (${DEFAULT-VALUE}).")
  List<Integer> commits = List.of();

  @Option(
      names = "--api",
      defaultValue = "records",
      description = "records or subrecords (${DEFAULT-VALUE}).")
  String api = "records";

  @Option(
      names = "--links",
      defaultValue = "skip",
      description = "Backpointers: skip, or chain as in the paper (${DEFAULT-VALUE}).")
  String links = "skip";

  @Option(
      names = "--in-flight",
      defaultValue = "64",
      description = "Single reads under way (${DEFAULT-VALUE}).")
  int inFlight;

  @Option(
      names = "--warmup",
      defaultValue = "2",
      description = "Rounds not counted (${DEFAULT-VALUE}).")
  int warmup;

  @Mixin BenchCommand.Output output = new BenchCommand.Output();

  @Override
  public Integer call() throws Exception {
    for (int commit : commits) {
      try (Bed bed = new Bed()) {
        for (int i = 0; i < warmup; i++) {
          new Round(bed, commit).run();
        }
        new Round(bed, commit).run().print(System.out, output.json);
      }
    }
    return 0;
  }

  private interface Work {
    void run() throws Exception;
  }

  private double perSecond(int count, Work work) throws Exception {
    long begin = System.nanoTime();
    work.run();
    return count / ((System.nanoTime() - begin) / 1e9);
  }

  /** One capsule written and read. */
  private final class Round {
    private final Bed bed;
    private final int commit;
    private final Metadata metadata;
    private final List<Hash> names = new ArrayList<>();
    private final boolean subrecords = api.equals("subrecords");

    Round(Bed bed, int commit) throws Exception {
      this.bed = bed;
      this.commit = Math.min(commit, records);
      this.metadata = bed.capsule();
    }

    Report run() throws Exception {
      Report report = new Report().put("bench", "sequential").put("api", api).put("commit", commit);
      report.put("writesPerSecond", perSecond(records, this::write));
      report.put("readsPerSecond", perSecond(records, () -> read(1000, 4)));
      int singles = Math.min(records, 20_000);
      if (!subrecords) {
        report.put("readsByCursorPerSecond", perSecond(records, this::readByCursor));
      }
      report.put("readsRoundTripPerSecond", perSecond(singles, () -> readSingly(singles, 1)));
      report.put(
          "reads" + inFlight + "InFlightPerSecond",
          perSecond(singles, () -> readSingly(singles, inFlight)));
      report.put("proofsCachedPerSecond", perSecond(records, () -> prove(records, true, 1000)));
      // Without the cache proofs are long: fewer of them suffice.
      int some = Math.min(records, subrecords || !links.equals("chain") ? 20_000 : 2_000);
      double uncached = perSecond(some, () -> prove(some, false, 1));
      double cached = report.number("proofsCachedPerSecond");
      report.put("proofsUncachedPerSecond", uncached);
      report.put("cacheMakesCheaperTimes", cached / uncached);
      double single = perSecond(singles, () -> prove(singles, true, 1));
      report.put("proofsCachedSinglyPerSecond", single);
      report.put(
          "conditions",
          Report.conditions()
              + ", SYNCED, links "
              + links
              + ", batches of 1,000, singles pipelined "
              + inFlight);
      return report;
    }

    private void write() throws Exception {
      WriterOptions options =
          WriterOptions.defaults()
              .withBatchRecords(
                  subrecords ? Math.max(1, 1000 / commit) : Math.clamp(commit, 32, 1000))
              .withInFlight(commit == 1 ? 32 : 8)
              .withSigning(subrecords ? new SigningPolicy.Each() : new SigningPolicy.EveryN(commit))
              .withLinks(
                  links.equals("chain")
                      ? new Backpointers.Strategy.Chain()
                      : new Backpointers.Strategy.Skip());
      try (CapsuleWriter writer =
          bed.server().openWriter(metadata.name(), bed.owner, bed.contentKey, options)) {
        writer.onResult(result -> {});
        for (int i = 0; i < records; i += subrecords ? commit : 1) {
          if (subrecords) {
            List<byte[]> leaves = new ArrayList<>(commit);
            for (int leaf = i; leaf < Math.min(records, i + commit); leaf++) {
              leaves.add(value(leaf));
            }
            names.add(writer.append(leaves));
          } else {
            names.add(writer.append(value(i)));
          }
        }
      }
    }

    private byte[] value(int i) {
      return ByteBuffer.allocate(16).putInt(i).array();
    }

    private PendingRead ask(CapsuleReader reader, int from, int to) throws Exception {
      return subrecords
          ? reader.beginLeaves(leaves(from, to))
          : reader.beginRead(names.subList(from, to));
    }

    private List<ReadResult.LeafName> leaves(int from, int to) {
      List<ReadResult.LeafName> leaves = new ArrayList<>(to - from);
      for (int i = from; i < to; i++) {
        leaves.add(new ReadResult.LeafName(names.get(i / commit), i % commit));
      }
      return leaves;
    }

    private CapsuleReader reader(boolean cached) throws Exception {
      return bed.server()
          .openReader(
              metadata.name(),
              List.of(bed.contentKey),
              cached
                  ? ReaderOptions.defaults().withCacheEntries(1 << 20)
                  : ReaderOptions.withoutCache());
    }

    private void read(int batch, int depth) throws Exception {
      try (CapsuleReader reader = reader(true)) {
        ArrayDeque<PendingRead> pending = new ArrayDeque<>();
        for (int from = 0; from < records; from += batch) {
          pending.add(ask(reader, from, Math.min(records, from + batch)));
          if (pending.size() == depth) {
            open(reader, pending.remove().await());
          }
        }
        while (!pending.isEmpty()) {
          open(reader, pending.remove().await());
        }
      }
    }

    private void readByCursor() throws Exception {
      try (CapsuleReader reader = reader(true)) {
        Cursor cursor = reader.scan(0);
        int seen = 0;
        for (ReadResult one = cursor.next(); one != null; one = cursor.next()) {
          open(reader, new PendingRead.Results(List.of(one), List.of()));
          seen++;
        }
        if (seen != records) {
          throw new AssertionError("the cursor saw " + seen + " records");
        }
      }
    }

    private void readSingly(int count, int depth) throws Exception {
      try (CapsuleReader reader = reader(true)) {
        ArrayDeque<PendingRead> pending = new ArrayDeque<>();
        for (int i = 0; i < count; i++) {
          pending.add(ask(reader, i, i + 1));
          if (pending.size() == depth) {
            open(reader, pending.remove().await());
          }
        }
        while (!pending.isEmpty()) {
          open(reader, pending.remove().await());
        }
      }
    }

    private void open(CapsuleReader reader, PendingRead.Results results) throws Exception {
      for (ReadResult result : results.records()) {
        if (!subrecords) {
          ReadResult.Proven one = (ReadResult.Proven) result;
          Body body = Objects.requireNonNull(one.record().body());
          Objects.requireNonNull(reader.opener().openAll(one.record().header(), body)[0]);
        }
      }
      for (ReadResult.LeafResult result : results.leaves()) {
        ReadResult.LeafResult.Proven one = (ReadResult.LeafResult.Proven) result;
        reader.opener().open(one.header(), one.name().leaf(), one.sealed().unsafeArray());
      }
    }

    private void prove(int count, boolean cached, int batch) throws Exception {
      try (CapsuleReader reader = reader(cached)) {
        ArrayDeque<PendingRead> pending = new ArrayDeque<>();
        for (int from = 0; from < count; from += batch) {
          int to = Math.min(count, from + batch);
          pending.add(
              subrecords
                  ? reader.beginLeaves(leaves(from, to))
                  : reader.beginProve(names.subList(from, to)));
          if (!cached) {
            // Each by itself: reads that share a message would share headers too.
            reader.send();
          }
          if (pending.size() == (batch == 1 ? inFlight : 4)) {
            require(pending.remove().await());
          }
        }
        while (!pending.isEmpty()) {
          require(pending.remove().await());
        }
      }
    }

    private void require(PendingRead.Results results) {
      for (ReadResult result : results.records()) {
        if (!(result instanceof ReadResult.Proven || result instanceof ReadResult.Cached)) {
          throw new AssertionError("not proven: " + result);
        }
      }
      for (ReadResult.LeafResult result : results.leaves()) {
        if (!(result instanceof ReadResult.LeafResult.Proven)) {
          throw new AssertionError("not proven: " + result);
        }
      }
    }
  }
}
