package holdfast.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Bytes;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.capsule.Opener;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.Replicas;
import holdfast.client.ReplicatedReader;
import holdfast.client.ReplicationOptions;
import holdfast.client.Server;
import holdfast.client.WriteResult;
import holdfast.client.WriterOptions;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** One capsule, what was written to it, and what of that was acknowledged as SYNCED. */
final class Workload {
  private static final SecureRandom SECURE = new SecureRandom();

  private final SigningKey owner = SigningKey.generate(SECURE);
  private final ContentKey key;
  private final Metadata metadata;
  private final Random random;
  private final Map<Hash, byte[][]> written = new LinkedHashMap<>();
  private final List<Hash> promised = new ArrayList<>();
  private final AtomicInteger receipts = new AtomicInteger();
  private volatile @Nullable ProofException lie;

  Workload(long seed) {
    random = new Random(seed);
    byte[] secret = new byte[ContentKey.SIZE];
    SECURE.nextBytes(secret);
    key = new ContentKey(0, Secret.copyOf(secret));
    byte[] nonce = new byte[Metadata.NONCE_SIZE];
    SECURE.nextBytes(nonce);
    metadata =
        new Metadata(
            owner.verifyKey(),
            List.of(new Metadata.Writer(owner.verifyKey(), "writer")),
            "e2e",
            1,
            "",
            Bytes.wrap(nonce),
            new TreeMap<>());
  }

  void create(Server server) throws ProofException {
    server.create(metadata, owner);
  }

  /** Says that servers keep the capsule. */
  void place(Server server, List<Statement.Placement.Member> members) throws ProofException {
    server.declare(placement(members));
  }

  /** How many records a server has proven; none when it does not know the capsule. */
  long proven(Server server) throws ProofException {
    try (CapsuleReader reader =
        server.openReader(metadata.name(), List.of(), ReaderOptions.defaults())) {
      return reader.status().getCapsule().getProven();
    } catch (HoldfastException e) {
      if (e.code() == ErrorCode.UNKNOWN_CAPSULE) {
        return 0;
      }
      throw e;
    }
  }

  /** Fails when a server gave evidence that does not hold while it was written to. */
  private void requireHonest() {
    ProofException found = lie;
    if (found != null) {
      throw new AssertionError("the server gave evidence that does not hold", found);
    }
  }

  /** Receipts verified so far. */
  int receipts() {
    return receipts.get();
  }

  /** The records whose receipts were verified so far. */
  synchronized List<Hash> promised() {
    return List.copyOf(promised);
  }

  private void note(WriteResult result) {
    if (result instanceof WriteResult.Stored stored) {
      promise(stored.names());
    }
  }

  /** Notes that records were acknowledged as durably as their writer asked for. */
  synchronized void promise(List<Hash> names) {
    promised.addAll(names);
    receipts.incrementAndGet();
  }

  /** A writer to all members of a placement. */
  CapsuleWriter openWriter(Replicas replicas, WriterOptions options, ReplicationOptions replication)
      throws ProofException {
    return replicas.openWriter(owner, key, options, replication);
  }

  Statement.Placement placement(List<Statement.Placement.Member> members) {
    return Statement.Placement.sign(metadata.name(), 1, 1, members, owner);
  }

  CapsuleReader openReader(Server server, ReaderOptions options) throws ProofException {
    return server.openReader(metadata.name(), List.of(key), options);
  }

  Opener opener() {
    return new Opener(metadata.name(), List.of(key));
  }

  /** A reader that asks these servers, in this order. */
  ReplicatedReader openReader(List<Server> servers, ReaderOptions options) {
    return new ReplicatedReader(servers, metadata.name(), List.of(key), options);
  }

  /** Appends one record of a few leaves, some of them large. */
  Hash append(CapsuleWriter writer) throws ProofException {
    byte[][] leaves = new byte[random.nextInt(20) == 0 ? 100 : 1 + random.nextInt(3)][];
    for (int i = 0; i < leaves.length; i++) {
      leaves[i] = new byte[random.nextInt(50) == 0 ? 5000 : 16 + random.nextInt(200)];
      random.nextBytes(leaves[i]);
    }
    Hash name = writer.append(List.of(leaves));
    synchronized (this) {
      written.put(name, leaves);
    }
    return name;
  }

  /** Writes a number of records in small batches and waits for the receipts. */
  void write(Server server, int records) throws ProofException {
    try (CapsuleWriter writer =
        server.openWriter(
            metadata.name(), owner, key, WriterOptions.defaults().withBatchRecords(50))) {
      writer.onResult(this::note);
      for (int i = 0; i < records; i++) {
        append(writer);
      }
      writer.commitOrThrow();
    }
  }

  /** Streams batches until the server is gone. */
  Thread stream(Server server) {
    return Thread.ofPlatform()
        .daemon()
        .start(() -> {
          try (CapsuleWriter writer =
              server.openWriter(
                  metadata.name(),
                  owner,
                  key,
                  WriterOptions.defaults().withRetry(0, 20_000).withInFlight(4))) {
            boolean[] gone = new boolean[1];
            writer.onResult(result -> {
              note(result);
              gone[0] |= !(result instanceof WriteResult.Stored);
            });
            while (!gone[0]) {
              for (int i = random.nextInt(20); i >= 0; i--) {
                append(writer);
              }
              writer.send();
            }
          } catch (ProofException e) {
            lie = e;
          } catch (HoldfastException e) {
            // The server is gone, which is what this test is about.
            return;
          }
        });
  }

  /** A server said that its data are damaged, instead of serving them. */
  static final class DamageShown extends Exception {
    private static final long serialVersionUID = 1L;

    DamageShown(String message) {
      super(message);
    }
  }

  /** Reads records back: each must be here, proven, and what was written. */
  void expectAll(Server server, List<Hash> names) throws Exception {
    requireHonest();
    try (CapsuleReader reader =
        server.openReader(metadata.name(), List.of(key), ReaderOptions.defaults())) {
      for (int from = 0; from < names.size(); from += 500) {
        List<Hash> some = names.subList(from, Math.min(names.size(), from + 500));
        for (ReadResult result : reader.readAll(some)) {
          expect(reader, result);
        }
      }
    }
  }

  /**
   * Like {@link #expectAll} for all that was promised, but the server may say that it is damaged.
   */
  void expectAllOrDamaged(Server server) throws Exception {
    try {
      expectAll(server, promised());
    } catch (HoldfastException e) {
      if (e.code() == ErrorCode.DAMAGED) {
        throw new DamageShown(e.getMessage());
      }
      throw e;
    }
  }

  private void expect(CapsuleReader reader, ReadResult result) throws Exception {
    if (result instanceof ReadResult.Damaged damaged) {
      throw new DamageShown("record " + damaged.name().brief());
    }
    expect(reader.opener(), result);
  }

  /** A record that was read must be proven, and what was written. */
  void expect(Opener opener, ReadResult result) throws ProofException {
    assertThat(result)
        .as("record %s, which was promised", result.name().brief())
        .isInstanceOf(ReadResult.Proven.class);
    ReadResult.Proven proven = (ReadResult.Proven) result;
    byte[][] leaves = opener.openAll(proven.record().header(), proven.record().body());
    synchronized (this) {
      assertThat(Arrays.deepEquals(leaves, written.get(result.name())))
          .as("content of %s", result.name().brief())
          .isTrue();
    }
  }
}
