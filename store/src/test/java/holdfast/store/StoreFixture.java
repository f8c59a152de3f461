package holdfast.store;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.capsule.Backpointers;
import holdfast.capsule.Body;
import holdfast.capsule.ChainProof;
import holdfast.capsule.ContentKey;
import holdfast.capsule.LeafProof;
import holdfast.capsule.Metadata;
import holdfast.capsule.Opener;
import holdfast.capsule.ProofPlan;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.capsule.Sealer;
import holdfast.capsule.Statement;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.testkit.Patience;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Capsules, writers and batches for tests of the store. */
final class StoreFixture {
  static final StoreOptions SMALL =
      new StoreOptions(
          8 << 20, 4 << 20, 1 << 20, 64 << 20, 1 << 20, 16, 64 << 20, StoreOptions.UNLIMITED);

  /** The same with a record cache too small to keep anything: every read meets the disk. */
  static final StoreOptions UNCACHED =
      new StoreOptions(8 << 20, 0, 1 << 20, 64 << 20, 1 << 20, 2, 64 << 20, StoreOptions.UNLIMITED);

  private StoreFixture() {}

  /** A capsule with its owner, and a chain of records in it. */
  static final class Writer {
    final SigningKey owner;
    final Metadata metadata;
    final Sealer sealer;
    final Opener opener;
    final Backpointers links;
    final Hash name;
    long time = 1000;

    Writer(long seed) {
      Random random = new Random(seed);
      byte[] bytes = new byte[32];
      random.nextBytes(bytes);
      owner = SigningKey.generate(new java.security.SecureRandom());
      metadata =
          new Metadata(
              owner.verifyKey(),
              List.of(new Metadata.Writer(owner.verifyKey(), "writer")),
              "test " + seed,
              1,
              "",
              Bytes.wrap(java.util.Arrays.copyOf(bytes, 16)),
              new TreeMap<>());
      name = metadata.name();
      ContentKey key = new ContentKey(0, Secret.copyOf(bytes));
      byte[] salt = new byte[16];
      random.nextBytes(salt);
      sealer = new Sealer(name, 0, key, salt);
      opener = new Opener(name, List.of(key));
      links = new Backpointers(new Backpointers.Strategy.Skip(), List.of());
    }

    Record record(List<byte[]> leaves) {
      Record record = sealer.seal(leaves, time++, links.next());
      links.appended(record.name());
      return record;
    }

    Record record(String content) {
      return record(List.of(content.getBytes(java.nio.charset.StandardCharsets.UTF_8)));
    }

    Record leaves(int count, int size) {
      List<byte[]> leaves = new ArrayList<>(count);
      for (int i = 0; i < count; i++) {
        leaves.add(ByteBuffer.allocate(Math.max(4, size)).putInt(i).array());
      }
      return record(leaves);
    }

    Statement signature(Record record) {
      return Statement.WriterSignature.sign(name, record.name(), 0, owner);
    }

    Statement erasure(Statement.Erased what) {
      return Statement.Erasure.sign(name, 1L << 40, what, "test", owner);
    }

    StoredCapsule create(CapsuleStore store) throws Exception {
      return store.create(metadata, metadata.signCreation(owner));
    }
  }

  /** What became of a batch. */
  static class Outcome implements StoreBatch.Completion {
    private final CountDownLatch done = new CountDownLatch(1);
    volatile int received;
    volatile int synced;
    volatile int failures;
    volatile List<Receipt.Entry> entries = List.of();
    volatile @Nullable HoldfastException failure;

    @Override
    public synchronized void received(List<Receipt.Entry> made) {
      received++;
    }

    @Override
    public synchronized void synced(List<Receipt.Entry> made) {
      synced++;
      entries = made;
      done.countDown();
    }

    @Override
    public synchronized void failed(HoldfastException reason) {
      failures++;
      failure = reason;
      done.countDown();
    }

    Outcome await() throws InterruptedException {
      assertThat(done.await(Patience.SECONDS, TimeUnit.SECONDS))
          .as("a batch hears of its end")
          .isTrue();
      return this;
    }

    List<Receipt.Entry> expectSynced() throws InterruptedException {
      await();
      assertThat(failure).isNull();
      return entries;
    }

    HoldfastException expectFailed() throws InterruptedException {
      await();
      assertThat(failure).isNotNull();
      return failure;
    }
  }

  static Outcome submit(
      CapsuleStore store, StoredCapsule capsule, List<Record> records, List<Statement> statements) {
    Outcome outcome = new Outcome();
    long bytes = 512;
    for (Record record : records) {
      bytes += record.encodedSize();
    }
    store.submit(new StoreBatch(capsule, records, statements, bytes, outcome));
    return outcome;
  }

  /** Writes records and a signature of the last. */
  static void write(CapsuleStore store, Writer writer, List<Record> records) throws Exception {
    StoredCapsule capsule = writer.create(store);
    submit(store, capsule, records, List.of(writer.signature(records.getLast()))).expectSynced();
  }

  /** Reads a record, checks its name and body, proves it, and proves some of its leaves. */
  static Record readProven(StoredCapsule capsule, Writer writer, Hash name) throws Exception {
    long arrival = capsule.withGraph(graph -> graph.arrivalOf(name));
    assertThat(arrival).as("record %s is here", name.brief()).isNotNegative();
    Record record = capsule.record(arrival);
    record.expect(writer.name, name);
    ProofPlan plan = new ProofPlan();
    ProofPlan.Outcome outcome =
        capsule.withGraph(graph -> plan.add(graph, null, arrival, damaged -> false));
    assertThat(outcome).as("record %s is proven", name.brief()).isEqualTo(ProofPlan.Outcome.PROVEN);
    ChainProof.verify(
        ChainProof.encode(plan, capsule), writer.name, writer.metadata, null, List.of(name));
    int leaves = record.header().leafCount();
    LeafProof.Verifier verifier = new LeafProof.Verifier(null);
    for (int leaf : new int[] {0, 63, 64, leaves / 2, leaves - 1}) {
      if (leaf < leaves && record.state() != Record.State.ERASED) {
        byte[] sealed = capsule.leafReads().sealed(arrival, record.header(), leaf);
        if (sealed != null) {
          verifier.verify(
              record.header(),
              leaf,
              Body.hashOf(sealed),
              new LeafProof.Prover(null)
                  .prove(arrival, leaves, leaf, capsule.nodes(arrival, record.header())));
        }
      }
    }
    return record;
  }

  static long size(StoredCapsule capsule) {
    return capsule.withGraph(graph -> graph.size());
  }

  static void expectClean(Path folder) {
    List<String> problems = new ArrayList<>();
    Fsck.Report report = Fsck.check(folder, SMALL, problems::add);
    assertThat(problems).isEmpty();
    assertThat(report.clean()).isTrue();
  }

  /**
   * Copies the data folder of a running store as a crash would leave it. Copying takes time, in
   * which files come and go; a copy during which they did is made again. The mark is copied first:
   * it is never ahead of the log.
   */
  static void copy(Path from, Path to) throws IOException {
    for (int attempt = 0; ; attempt++) {
      List<Path> before = list(from);
      try {
        List<Path> order = new ArrayList<>(before);
        order.sort(Comparator.comparing(file -> !file.endsWith("synced") && !file.equals(from)));
        for (Path file : order) {
          Path target = to.resolve(from.relativize(file).toString());
          if (Files.isDirectory(file)) {
            Files.createDirectories(target);
          } else {
            Files.copy(file, target);
          }
        }
      } catch (java.nio.file.NoSuchFileException e) {
        before = List.of();
      }
      if (list(from).equals(before) && tablesAreWhole(from, to)) {
        return;
      }
      assertThat(attempt).as("attempts to copy a folder at rest").isLessThan(20);
      for (Path file : list(to).reversed()) {
        Files.delete(file);
      }
    }
  }

  /** Whether no table was copied while it was being written: a crash leaves none like that. */
  private static boolean tablesAreWhole(Path from, Path to) throws IOException {
    try {
      for (Path table : list(from)) {
        if (table.toString().endsWith(".sst")
            && Files.size(table) != Files.size(to.resolve(from.relativize(table).toString()))) {
          return false;
        }
      }
      return true;
    } catch (java.nio.file.NoSuchFileException e) {
      return false;
    }
  }

  private static List<Path> list(Path folder) throws IOException {
    try (var files = Files.walk(folder)) {
      return files.sorted().toList();
    } catch (java.io.UncheckedIOException e) {
      return List.of();
    }
  }

  static long sizeOf(Path folder) throws IOException {
    long sum = 0;
    try (var files = Files.walk(folder)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        sum += Files.size(file);
      }
    }
    return sum;
  }

  /** Files below a folder that contain a pattern. */
  static List<Path> filesWith(Path folder, byte[] pattern) throws IOException {
    List<Path> found = new ArrayList<>();
    try (var files = Files.walk(folder)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        String all;
        try {
          all = new String(Files.readAllBytes(file), java.nio.charset.StandardCharsets.ISO_8859_1);
        } catch (java.nio.file.NoSuchFileException e) {
          // Deleted since it was listed: it holds nothing any more.
          continue;
        }
        if (all.contains(new String(pattern, java.nio.charset.StandardCharsets.ISO_8859_1))) {
          found.add(file);
        }
      }
    }
    return found;
  }
}
