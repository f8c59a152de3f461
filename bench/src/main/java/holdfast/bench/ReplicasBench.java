package holdfast.bench;

import holdfast.capsule.Metadata;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.Placing;
import holdfast.client.ReaderOptions;
import holdfast.client.Replicas;
import holdfast.client.ReplicationOptions;
import holdfast.client.Server;
import holdfast.client.SigningPolicy;
import holdfast.client.WriterOptions;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What it costs a writer that k of n servers acknowledge, against one server in the same run. */
@Command(
    name = "replicas",
    description = "Writes to one server, then to n waiting for k, all on this machine.",
    mixinStandardHelpOptions = true)
final class ReplicasBench implements Callable<Integer> {
  @Option(
      names = "--records",
      defaultValue = "500000",
      description = "Records of 16 bytes each time (${DEFAULT-VALUE}).")
  int records;

  @Option(
      names = "--batch",
      defaultValue = "1000",
      description = "Records a batch and signature (${DEFAULT-VALUE}).")
  int batch;

  @Option(names = "--servers", defaultValue = "3", description = "n (${DEFAULT-VALUE}).")
  int servers;

  @Option(
      names = "--needed",
      defaultValue = "2",
      description = "k: how many have to acknowledge (${DEFAULT-VALUE}).")
  int needed;

  @Option(
      names = "--rounds",
      defaultValue = "3",
      description = "How often, in turns; the first warms up (${DEFAULT-VALUE}).")
  int rounds;

  @Mixin BenchCommand.Output output = new BenchCommand.Output();

  @Override
  public Integer call() throws Exception {
    List<Bed> beds = new ArrayList<>();
    try {
      for (int i = 0; i < servers; i++) {
        beds.add(new Bed());
      }
      double one = 0;
      double many = 0;
      for (int round = 0; round < rounds; round++) {
        one = Math.max(one, single(beds.getFirst()));
        many = Math.max(many, replicated(beds));
      }
      new Report()
          .put("bench", "replicas")
          .put("servers", servers)
          .put("needed", needed)
          .put("throughput", many)
          .put("peer", "one server")
          .put("peerThroughput", one)
          .put("ratio", many / one)
          .put(
              "conditions",
              Report.conditions()
                  + ", SYNCED, "
                  + batch
                  + " records of 16 bytes a batch and signature, best of "
                  + rounds)
          .print(System.out, output.json);
    } finally {
      for (Bed bed : beds) {
        bed.close();
      }
    }
    return 0;
  }

  private WriterOptions options() {
    return WriterOptions.defaults()
        .withBatchRecords(batch)
        .withSigning(new SigningPolicy.EachBatch());
  }

  private double single(Bed bed) throws Exception {
    Metadata metadata = bed.capsule();
    try (CapsuleWriter writer =
        bed.server().openWriter(metadata.name(), bed.owner, bed.contentKey, options())) {
      return write(writer);
    }
  }

  private double replicated(List<Bed> beds) throws Exception {
    Bed first = beds.getFirst();
    Metadata metadata = first.capsule();
    Statement.Placement placement;
    try (CapsuleReader reader =
        first.server().openReader(metadata.name(), List.of(), ReaderOptions.defaults())) {
      List<Server> on = beds.stream().map(Bed::server).toList();
      placement = Placing.place(reader, on, first.owner).placement();
    }
    try (Replicas replicas = Replicas.of(List.of(placement));
        CapsuleWriter writer =
            replicas.openWriter(
                first.owner,
                first.contentKey,
                options(),
                ReplicationOptions.majority().withNeeded(needed))) {
      return write(writer);
    }
  }

  private double write(CapsuleWriter writer) throws Exception {
    writer.onResult(result -> {});
    long begin = System.nanoTime();
    for (int i = 0; i < records; i++) {
      writer.append(ByteBuffer.allocate(16).putLong(i).array());
    }
    writer.commitOrThrow();
    return records / ((System.nanoTime() - begin) / 1e9);
  }
}
