package holdfast.bench;

import holdfast.base.Hash;
import holdfast.capsule.Metadata;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.PendingRead;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.client.SigningPolicy;
import holdfast.client.WriterOptions;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * The paper's section 6.5: a million writes, reads and proofs each, spread over many clients. Every
 * client has a TLS connection and a capsule of its own; their set-up is reported apart.
 */
@Command(
    name = "clients",
    description = "The same work spread over 1 to 4000 clients, each with its own TLS connection.",
    mixinStandardHelpOptions = true)
final class ClientsBench implements Callable<Integer> {
  @Option(
      names = "--clients",
      split = ",",
      defaultValue = "1,10,100,1000,4000",
      description = "Numbers of clients (${DEFAULT-VALUE}).")
  List<Integer> numbers = List.of();

  @Option(
      names = "--operations",
      defaultValue = "1000000",
      description = "Of each kind (${DEFAULT-VALUE}).")
  int operations;

  @Option(
      names = "--batch",
      defaultValue = "250",
      description = "Operations a batch (${DEFAULT-VALUE}).")
  int batch;

  @Option(
      names = "--threads",
      defaultValue = "32",
      description = "Client threads at work at once (${DEFAULT-VALUE}).")
  int threads;

  @Mixin BenchCommand.Output output = new BenchCommand.Output();

  @Override
  public Integer call() throws Exception {
    try (Bed bed = new Bed()) {
      run(bed, 10, operations / 2);
    }
    double best = 0;
    double last = 0;
    for (int clients : numbers) {
      try (Bed bed = new Bed()) {
        Report report = run(bed, clients, operations);
        report.print(System.out, output.json);
        last = report.number("throughput");
        best = Math.max(best, last);
      }
    }
    new Report()
        .put("bench", "clients")
        .put("lastToBest", last / best)
        .put("conditions", Report.conditions() + ", SYNCED, batches of " + batch)
        .print(System.out, output.json);
    return 0;
  }

  private interface Step {
    void run(Client client) throws Exception;
  }

  private Report run(Bed bed, int clients, int total) throws Exception {
    int each = Math.max(1, total / clients);
    try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
      long begin = System.nanoTime();
      List<Future<Client>> opening = new ArrayList<>();
      for (int i = 0; i < clients; i++) {
        opening.add(pool.submit(() -> new Client(bed, each)));
      }
      List<Client> all = new ArrayList<>();
      for (Future<Client> one : opening) {
        all.add(one.get());
      }
      double setup = (System.nanoTime() - begin) / 1e9;
      double writes = all(pool, all, Client::write);
      double reads = all(pool, all, client -> client.ask(false));
      double proofs = all(pool, all, client -> client.ask(true));
      all(pool, all, Client::close);
      double done = (double) each * clients;
      return new Report()
          .put("bench", "clients")
          .put("clients", clients)
          .put("setupSeconds", setup)
          .put("writesPerSecond", done / writes)
          .put("readsPerSecond", done / reads)
          .put("proofsPerSecond", done / proofs)
          .put("throughput", 3 * done / (writes + reads + proofs));
    }
  }

  private static double all(ExecutorService pool, List<Client> clients, Step step)
      throws Exception {
    long begin = System.nanoTime();
    List<Future<?>> running = new ArrayList<>();
    for (Client client : clients) {
      running.add(
          pool.submit(() -> {
            step.run(client);
            return null;
          }));
    }
    for (Future<?> one : running) {
      one.get();
    }
    return (System.nanoTime() - begin) / 1e9;
  }

  /** One client: a connection, a capsule, a writer and a reader. */
  private final class Client {
    private final Server server;
    private final CapsuleWriter writer;
    private final CapsuleReader reader;
    private final int count;
    private final List<Hash> names = new ArrayList<>();

    Client(Bed bed, int count) throws Exception {
      this.count = count;
      Metadata metadata = bed.capsule();
      server = bed.connect();
      writer =
          server.openWriter(
              metadata.name(),
              bed.owner,
              bed.contentKey,
              WriterOptions.defaults()
                  .withBatchRecords(batch)
                  .withSigning(new SigningPolicy.EachBatch()));
      reader =
          server.openReader(
              metadata.name(),
              List.of(bed.contentKey),
              ReaderOptions.defaults().withCacheEntries(1 << 14));
    }

    void write() throws Exception {
      for (int i = 0; i < count; i++) {
        names.add(writer.append(ByteBuffer.allocate(16).putInt(i).array()));
      }
      writer.commitOrThrow();
    }

    void ask(boolean proofsOnly) throws Exception {
      for (int from = 0; from < count; from += batch) {
        List<Hash> some = names.subList(from, Math.min(count, from + batch));
        PendingRead pending = proofsOnly ? reader.beginProve(some) : reader.beginRead(some);
        for (ReadResult result : pending.await().records()) {
          if (!(result instanceof ReadResult.Proven || result instanceof ReadResult.Cached)) {
            throw new AssertionError("not proven: " + result);
          }
        }
      }
    }

    void close() throws Exception {
      reader.close();
      writer.close();
      server.close();
    }
  }
}
