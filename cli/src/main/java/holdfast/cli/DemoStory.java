package holdfast.cli;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Body;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.capsule.Opener;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.Placing;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.Replicas;
import holdfast.client.ReplicationOptions;
import holdfast.client.Server;
import holdfast.client.WriteResult;
import holdfast.client.WriterOptions;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.store.CapsuleStore;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What happens in the demonstration, step by step: a capsule is placed on three servers, written
 * while one of them is killed, brought together, damaged, repaired, and proven.
 */
final class DemoStory implements AutoCloseable {
  static final int SERVERS = 3;
  static final int NEEDED = 2;

  /** Which server everything befalls. */
  private static final int VICTIM = 1;

  private static final int MOST_RECORDS = 100;
  private static final long PATIENCE_NANOS = 60_000_000_000L;
  private static final long POLL_NANOS = 10_000_000;

  /** Of a sealed leaf, the part that is looked for on the disk. */
  private static final int PATTERN_FROM = 2;

  private static final int PATTERN_TO = 14;

  private final DemoServers servers;
  private final SigningKey key = SigningKey.generate(new SecureRandom());
  private final List<byte[]> lines;
  private final int linesPerRecord;
  private final Metadata metadata;
  private final ContentKey contentKey;
  private final List<Server> clients = new ArrayList<>();
  private final List<Hash> records = new ArrayList<>();

  /** What the server that is to be killed has signed for. */
  private final Set<Hash> signedByVictim = ConcurrentHashMap.newKeySet();

  /**
   * Makes a capsule on the first of the servers.
   *
   * @param lines what is to be written, at least one
   */
  DemoStory(DemoServers servers, List<byte[]> lines) throws ProofException {
    this.servers = servers;
    this.lines = lines;
    this.linesPerRecord = Math.ceilDiv(lines.size(), MOST_RECORDS);
    servers.all().forEach(server -> clients.add(server.connect()));
    this.metadata =
        CreateCommand.create(
            servers.home(),
            clients.getFirst(),
            key,
            List.of(new Metadata.Writer(key.verifyKey(), "demo")),
            "demo");
    this.contentKey = servers.home().contentKeys(metadata.name()).getLast();
  }

  Hash capsule() {
    return metadata.name();
  }

  VerifyKey writer() {
    return key.verifyKey();
  }

  int recordCount() {
    return records.size();
  }

  // ---- Writing, while a server is killed --------------------------------------------------------

  /**
   * What became of writing.
   *
   * @param acknowledgements receipts that were verified
   * @param missed records that the killed server has not signed for
   */
  record Written(double seconds, int acknowledgements, int missed) {}

  /** Says that all servers keep the capsule. */
  Replicas place() throws ProofException {
    try (CapsuleReader reader = reader(0)) {
      Placing.Placed placed = Placing.place(reader, clients, key);
      if (!placed.complete()) {
        throw Failure.failed("not every server takes the capsule", "Try it again.");
      }
      return Replicas.of(List.of(placed.placement()));
    }
  }

  /** Writes all lines; halfway one server is killed, and nobody waits for it. */
  Written write(Replicas replicas) throws ProofException {
    long begun = System.nanoTime();
    int acknowledgements = 0;
    VerifyKey victim = clients.get(VICTIM).identity();
    try (CapsuleWriter writer =
        replicas.openWriter(
            key,
            contentKey,
            WriterOptions.defaults().withBatchRecords(1),
            ReplicationOptions.majority().withNeeded(NEEDED))) {
      writer.onAcknowledged(stored -> {
        if (stored.receipt().server().equals(victim)) {
          signedByVictim.addAll(stored.names());
        }
      });
      for (int at = 0; at < lines.size(); at += linesPerRecord) {
        if (at > 0 && at - linesPerRecord < lines.size() / 2 && at >= lines.size() / 2) {
          await("the second server signs", () -> !signedByVictim.isEmpty());
          servers.all().get(VICTIM).kill();
        }
        records.add(writer.append(lines.subList(at, Math.min(lines.size(), at + linesPerRecord))));
      }
      for (WriteResult.Stored stored : writer.commitOrThrow()) {
        acknowledgements += stored.names().size();
      }
    }
    double seconds = (System.nanoTime() - begun) / 1e9;
    // With a single record there was no middle.
    servers.all().get(VICTIM).kill();
    int missed = (int) records.stream().filter(name -> !signedByVictim.contains(name)).count();
    return new Written(seconds, acknowledgements, missed);
  }

  // ---- Coming together --------------------------------------------------------------------------

  /**
   * What became of a server that was killed.
   *
   * @param had records that were there when it came back
   * @param seconds after which it had all, counted from when it served again
   */
  record Healed(long had, double seconds) {}

  /** Starts the killed server and waits until the others have brought it what it missed. */
  Healed heal() throws IOException, InterruptedException, ProofException {
    restart();
    long begun = System.nanoTime();
    try (CapsuleReader reader = reader(VICTIM)) {
      long had = proven(reader);
      await("the second server has all", () -> proven(reader) == records.size());
      return new Healed(had, (System.nanoTime() - begun) / 1e9);
    }
  }

  private void restart() throws IOException, InterruptedException {
    DemoServer victim = servers.all().get(VICTIM);
    victim.start();
    victim.awaitServing();
    clients.set(VICTIM, victim.connect()).close();
  }

  private static long proven(CapsuleReader reader) throws ProofException {
    return reader.status().getCapsule().getProven();
  }

  // ---- Damage -----------------------------------------------------------------------------------

  /**
   * What became of a flipped byte.
   *
   * @param file in which it was flipped
   * @param refused whether the server said that its copy is damaged
   * @param elsewhere whether the others still gave what was written
   * @param seconds after which the server gave it again itself
   */
  record Mended(String file, boolean refused, boolean elsewhere, double seconds) {}

  /**
   * Flips a byte of something that the server signed for, on its disk, and reads it there. The
   * server does not run meanwhile: what it holds in memory it would not read from the disk.
   */
  Mended damage(Replicas replicas) throws IOException, InterruptedException, ProofException {
    Hash record = records.stream().filter(signedByVictim::contains).findFirst().orElseThrow();
    servers.all().get(VICTIM).kill();
    Path file = flip(record);
    restart();
    boolean refused = atVictim(reader -> reader.read(record)) instanceof ReadResult.Damaged;
    long begun = System.nanoTime();
    boolean elsewhere;
    try (var others = replicas.openReader(List.of(contentKey), ReaderOptions.withoutCache())) {
      elsewhere = isAsWritten(others.read(record));
    }
    await(
        "the second server is repaired",
        () -> isAsWritten(atVictim(reader -> reader.read(record))));
    return new Mended(
        String.valueOf(file.getFileName()), refused, elsewhere, (System.nanoTime() - begun) / 1e9);
  }

  private interface Question<T> {
    T ask(CapsuleReader reader) throws ProofException;
  }

  /**
   * Asks the server that was damaged. It starts anew by itself to replace the rotten file, and does
   * not answer meanwhile.
   */
  private <T> T atVictim(Question<T> question) throws ProofException {
    AtomicReference<@Nullable T> answer = new AtomicReference<>();
    await(
        "the second server answers",
        () -> {
          try (CapsuleReader reader = reader(VICTIM)) {
            answer.set(question.ask(reader));
            return true;
          } catch (HoldfastException e) {
            if (e.code() == ErrorCode.UNREACHABLE || e.code() == ErrorCode.STOPPING) {
              return false;
            }
            throw e;
          }
        });
    return Objects.requireNonNull(answer.get());
  }

  private boolean isAsWritten(ReadResult result) throws ProofException {
    if (!(result instanceof ReadResult.Proven proven)) {
      return false;
    }
    Body body = proven.record().body();
    int at = records.indexOf(result.name()) * linesPerRecord;
    byte[][] written =
        lines.subList(at, Math.min(lines.size(), at + linesPerRecord)).toArray(byte[][]::new);
    return body != null
        && Arrays.deepEquals(opener().openAll(proven.record().header(), body), written);
  }

  /** Flips the byte in which some sealed line of a record begins, in the server's tables. */
  private Path flip(Hash record) throws IOException, ProofException {
    List<byte[]> sealed = new ArrayList<>();
    try (CapsuleReader reader = reader(0)) {
      Body body =
          reader.read(record) instanceof ReadResult.Proven proven ? proven.record().body() : null;
      for (int i = 0; body != null && i < body.leafCount(); i++) {
        sealed.add(Arrays.copyOfRange(body.leaf(i), PATTERN_FROM, PATTERN_TO));
      }
    }
    Path tables = CapsuleStore.databaseFolder(servers.all().get(VICTIM).data());
    try (Stream<Path> files = Files.walk(tables)) {
      for (Path file : files.filter(one -> one.toString().endsWith(".sst")).toList()) {
        byte[] content = Files.readAllBytes(file);
        for (byte[] pattern : sealed) {
          int at = indexOf(content, pattern);
          if (at >= 0) {
            try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
              out.seek(at);
              out.write(content[at] ^ 0xFF);
            }
            return file;
          }
        }
      }
    }
    throw new IOException("the server's tables do not hold what it signed for");
  }

  private static int indexOf(byte[] content, byte[] pattern) {
    for (int at = 0; at <= content.length - pattern.length; at++) {
      if (Arrays.equals(content, at, at + pattern.length, pattern, 0, pattern.length)) {
        return at;
      }
    }
    return -1;
  }

  // ---- Proof ------------------------------------------------------------------------------------

  /** A line by its number, from 0, chosen at random. */
  int anyLine() {
    return new Random().nextInt(lines.size());
  }

  /** A file that proves a line and discloses it, made by the server that was repaired. */
  byte[] prove(int line) throws ProofException {
    var material =
        atVictim(reader ->
            reader.proofMaterial(records.get(line / linesPerRecord), line % linesPerRecord));
    return material.file(opener().recordKey(material.chain().getLast().header()), List.of());
  }

  private CapsuleReader reader(int server) throws ProofException {
    return clients
        .get(server)
        .openReader(capsule(), List.of(contentKey), ReaderOptions.withoutCache());
  }

  private Opener opener() {
    return new Opener(capsule(), List.of(contentKey));
  }

  private interface Condition {
    boolean holds() throws ProofException;
  }

  private static void await(String what, Condition condition) throws ProofException {
    long deadline = System.nanoTime() + PATIENCE_NANOS;
    while (!condition.holds()) {
      if (System.nanoTime() - deadline > 0) {
        throw Failure.failed(
            what + ": not within a minute", "The machine may be very busy; try it again.");
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  @Override
  public void close() {
    clients.forEach(Server::close);
  }
}
