package holdfast.bench;

import holdfast.capsule.Metadata;
import holdfast.client.CapsuleWriter;
import holdfast.client.SigningPolicy;
import holdfast.client.WriterOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Many small records into one capsule: does the last million go in as fast as the first? */
@Command(
    name = "ingest",
    description = "Writes many single-subrecord records of 16 bytes into one capsule.",
    mixinStandardHelpOptions = true)
final class IngestBench implements Callable<Integer> {
  @Option(
      names = "--records",
      defaultValue = "10000000",
      description = "How many (${DEFAULT-VALUE}).")
  long records;

  @Option(
      names = "--batch",
      defaultValue = "1000",
      description = "Records a batch and signature (${DEFAULT-VALUE}).")
  int batch;

  @Option(
      names = "--slice",
      defaultValue = "1000000",
      description = "Records per line of output (${DEFAULT-VALUE}).")
  long slice;

  @Mixin BenchCommand.Output output = new BenchCommand.Output();

  @Override
  public Integer call() throws Exception {
    try (Bed bed = new Bed()) {
      Metadata metadata = bed.capsule();
      double first = 0;
      double last = 0;
      long begin = System.nanoTime();
      try (CapsuleWriter writer =
          bed.server()
              .openWriter(
                  metadata.name(),
                  bed.owner,
                  bed.contentKey,
                  WriterOptions.defaults()
                      .withBatchRecords(batch)
                      .withSigning(new SigningPolicy.EachBatch()))) {
        writer.onResult(result -> {});
        for (long done = 0; done < records; ) {
          long sliceBegin = System.nanoTime();
          double cpuBegin = Report.cpuSeconds();
          long end = Math.min(records, done + slice);
          for (; done < end; done++) {
            writer.append(ByteBuffer.allocate(16).putLong(done).array());
          }
          writer.commit();
          last = slice / ((System.nanoTime() - sliceBegin) / 1e9);
          first = first == 0 ? last : first;
          new Report()
              .put("records", done)
              .put("recordsPerSecond", last)
              .put("cpuMicros", (Report.cpuSeconds() - cpuBegin) / slice * 1e6)
              .put("residentMiB", residentMiB())
              .print(System.out, output.json);
        }
      }
      double seconds = (System.nanoTime() - begin) / 1e9;
      double restart = bed.restartSeconds();
      new Report()
          .put("bench", "ingest")
          .put("throughput", records / seconds)
          .put("lastToFirst", last / first)
          .put("bytesPerRecord", bed.diskBytes() / (double) records)
          .put("restartSeconds", restart)
          .put("residentMiB", residentMiB())
          .put(
              "conditions",
              Report.conditions() + ", SYNCED, " + batch + " records a batch and signature")
          .print(System.out, output.json);
    }
    return 0;
  }

  private static long residentMiB() throws IOException {
    Path status = Path.of("/proc/self/status");
    if (!Files.exists(status)) {
      return -1;
    }
    for (String line : Files.readAllLines(status)) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("\\D", "")) >> 10;
      }
    }
    return -1;
  }
}
