package holdfast.node;

import holdfast.base.Closing;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.crypto.Providers;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.net.Connection;
import holdfast.net.DataPort;
import holdfast.net.Endpoint;
import holdfast.node.heartbeat.EdgeState;
import holdfast.node.heartbeat.Heartbeats;
import holdfast.node.replication.Backlog;
import holdfast.node.replication.Liars;
import holdfast.node.replication.Replication;
import holdfast.store.CapsuleStore;
import holdfast.store.Scrubber;
import holdfast.store.StoreOptions;
import holdfast.store.StoredCapsule;
import holdfast.wire.PeerStatus;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A running server. */
public final class Node implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Node.class);
  private static final long GRACE_MILLIS = 3000;

  /** How long is waited for work that nothing breaks off, such as comparing a large capsule. */
  private static final long PATIENCE_MILLIS = 60_000;

  private final SigningKey identity;
  private final FileChannel lockFile;
  private final CapsuleStore store;
  private final Scrubber scrubber;
  private final Metrics metrics = new Metrics();
  private final ExecutorService workers = Workers.pool();
  private final CapsuleService service;
  private final Replication replication;
  private final Heartbeats heartbeats;
  private final DataPort dataPort;
  private final HttpPort httpPort;
  private final CountDownLatch failed = new CountDownLatch(1);
  private volatile @Nullable String failure;
  private volatile boolean restartHelps;

  private Node(NodeOptions options, FileChannel lockFile) {
    this.lockFile = lockFile;
    this.identity = identity(options.data());
    this.store = CapsuleStore.open(options.data(), options.store());
    CapsuleService made = null;
    DataPort data = null;
    Replication peers = null;
    Heartbeats beats = null;
    HttpPort http = null;
    try {
      this.scrubber = store.scrubber();
      store.bindIdentity(identity.verifyKey().bytes().toArray());
      store.onFailure(this::fail);
      store.onRestartHelps(reason -> {
        restartHelps = true;
        if (failure == null) {
          failure = reason;
        }
        failed.countDown();
      });
      made = new CapsuleService(options, identity, store, scrubber, metrics, workers);
      peers =
          new Replication(
              options.replication(),
              identity,
              store,
              new PlacementDirectory(
                  store, made.ownership, identity.verifyKey(), options.replication().routes()),
              new Liars(options.data().resolve("liars")),
              workers);
      peers.onFailure(this::fail);
      made.replication = peers;
      beats = new Heartbeats(options.heartbeatMillis(), peers, new CapsuleService.Speaking(store));
      beats.onLost(metrics.peersLost::increment);
      made.heartbeats = beats;
      data =
          DataPort.listen(
              options.endpoint(),
              identity,
              List.of(made, peers, beats),
              workers,
              options.inboundBytes());
      this.service = made;
      this.replication = peers;
      this.heartbeats = beats;
      this.dataPort = data;
      http =
          HttpPort.listen(
              options.http(),
              metrics,
              () -> store.writable() && store.freeBytes() > options.store().reserveBytes());
      this.httpPort = http;
      gauges();
      peers.start();
      beats.start();
      if (options.scrubBytesPerSecond() > 0) {
        scrubber.start(options.scrubBytesPerSecond());
      }
    } catch (RuntimeException | Error e) {
      try {
        Closing.inTurn(http, beats, peers, data, () -> endWorkers(this.store));
      } catch (RuntimeException | Error also) {
        e.addSuppressed(also);
      }
      throw e;
    }
  }

  private void fail(String reason) {
    failure = reason;
    failed.countDown();
  }

  /** Starts a node; it serves when this returns. */
  public static Node start(NodeOptions options) {
    try {
      Files.createDirectories(options.data());
      FileChannel lockFile =
          FileChannel.open(
              options.data().resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      boolean started = false;
      try {
        if (lockFile.tryLock() == null) {
          throw inUse(options);
        }
        Node node = new Node(options, lockFile);
        started = true;
        return node;
      } catch (OverlappingFileLockException e) {
        throw inUse(options);
      } finally {
        if (!started) {
          lockFile.close();
        }
      }
    } catch (IOException e) {
      throw new HoldfastException(
          ErrorCode.INTERNAL,
          "cannot use the data folder " + options.data() + ": " + e.getMessage(),
          e);
    }
  }

  private static HoldfastException inUse(NodeOptions options) {
    return new HoldfastException(
        ErrorCode.INVALID,
        "another server is running on the data folder " + options.data(),
        new OverlappingFileLockException());
  }

  private static SigningKey identity(Path data) {
    Path file = data.resolve("identity.pem");
    try {
      if (Files.exists(file)) {
        return SigningKey.parsePem(Files.readString(file));
      }
      if (Files.exists(CapsuleStore.databaseFolder(data))) {
        throw new HoldfastException(
            ErrorCode.DAMAGED,
            "the node's identity " + file + " is gone; restore it from a backup");
      }
      SigningKey made = SigningKey.generate(new SecureRandom());
      Path draft = data.resolve("identity.pem.new");
      Files.deleteIfExists(draft);
      Files.createFile(
          draft,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
      try (FileChannel out = FileChannel.open(draft, StandardOpenOption.WRITE)) {
        out.write(
            java.nio.ByteBuffer.wrap(
                made.toPem().getBytes(java.nio.charset.StandardCharsets.US_ASCII)));
        out.force(true);
      }
      Files.move(draft, file, java.nio.file.StandardCopyOption.ATOMIC_MOVE);
      return made;
    } catch (IllegalArgumentException e) {
      throw new HoldfastException(
          ErrorCode.DAMAGED,
          "the node's identity " + file + " cannot be read: " + e.getMessage(),
          e);
    } catch (IOException e) {
      throw new HoldfastException(ErrorCode.INTERNAL, "cannot read " + file, e);
    }
  }

  private void gauges() {
    metrics.gauge("holdfast_sessions", "Sessions open now", service::sessions);
    metrics.gauge("holdfast_data_bytes", "Bytes of the database", store::dataBytes);
    metrics.gauge("holdfast_disk_free_bytes", "Free bytes on the disk", store::freeBytes);
    metrics.gauge("holdfast_writable", "1 while writes are taken", () -> store.writable() ? 1 : 0);
    metrics.gauge(
        "holdfast_pending_bytes", "Bytes of batches that wait to be durable", store::pendingBytes);
    metrics.gauge(
        "holdfast_inbound_bytes",
        "Bytes of large messages that are coming in or not handled yet",
        dataPort::inboundBytes);
    metrics.gauge(
        "holdfast_rounds_held_bytes",
        "Bytes of what other servers have sent in rounds and that is not stored yet",
        replication::heldBytes);
    metrics.gauge(
        "holdfast_peers", "Servers that keep the same capsules as this one", heartbeats::known);
    metrics.gauge(
        "holdfast_peers_lost", "Those of them that are silent for too long", heartbeats::lost);
    metrics.gauge(
        "holdfast_owner_bytes_limit",
        "Bytes of records that one owner may have here; 0 for no limit",
        () -> store.usage().limit() == StoreOptions.UNLIMITED ? 0 : store.usage().limit());
    metrics.ofOwners(store.usage()::ofOwners);
    metrics.gauge("holdfast_damaged_records", "Records known to be damaged", store::damagedCount);
    metrics.gauge(
        "holdfast_scrub_completed_seconds",
        "When everything stored had last been looked at, in seconds since 1970; 0 for never",
        () -> scrubber.progress().completedMillis() / 1e3);
    metrics.gauge(
        "holdfast_scrub_progress",
        "How much of the capsules the scrubber has looked at, from 0 to 1",
        () -> scrubber.progress().share());
    LOG.info(
        "serving {} on {}, HTTP on port {}, cryptography by {}",
        identity.verifyKey(),
        dataPort.endpoint(),
        httpPort.port(),
        Providers.description());
  }

  /** The store, for tests that stand in its way. */
  CapsuleStore store() {
    return store;
  }

  /** The node's identity, to be pinned. */
  public VerifyKey identity() {
    return identity.verifyKey();
  }

  /**
   * Says in heartbeats from now on that this server is an edge, and how it is.
   *
   * @param writer the key that writes the edge's capsule, and signs what is said
   */
  public void speakAsEdge(Supplier<EdgeState> state, SigningKey writer) {
    heartbeats.speakFor(state, identity(), writer);
  }

  /**
   * What is not known to be on so many of the other servers that keep a capsule.
   *
   * @param copies how many of them are to hold each record
   */
  public Backlog backlog(Hash capsule, int copies) {
    return replication.backlog(capsule, copies);
  }

  /** Records of a capsule that are here; 0 when it is not. */
  public long records(Hash capsule) {
    StoredCapsule stored = store.capsule(capsule);
    return stored == null ? 0 : stored.withGraph(graph -> graph.size());
  }

  /** The other servers that keep a capsule, with their backlogs and when they were heard of. */
  public List<PeerStatus> peers(Hash capsule) {
    return service.peersOf(replication, capsule);
  }

  /** A connection to this node from within the process; see {@link DataPort#connect}. */
  public Connection connect() {
    return dataPort.connect();
  }

  /** Where the data port listens. */
  public Endpoint endpoint() {
    return dataPort.endpoint();
  }

  /** The HTTP port. */
  public int httpPort() {
    return httpPort.port();
  }

  /**
   * Waits until the store fails, is found to need another start ({@link #restartHelps}), or the
   * rounds meet an error of the process, such as a lack of memory; returns why. Where a restart
   * helps, reading goes on meanwhile, and mostly writing too.
   */
  public String awaitFailure() throws InterruptedException {
    failed.await();
    return String.valueOf(failure);
  }

  /**
   * Whether another start on the same folder gets rid of what is in the way: a rotten table, or a
   * database that a full disk has stopped for good. To be asked when {@link #awaitFailure} has
   * returned; takes as long as it takes to read some tables.
   */
  public boolean restartHelps() throws InterruptedException {
    return restartHelps || store.restartHelps();
  }

  /**
   * Lets sessions end, writes what is queued, closes the store.
   *
   * @throws HoldfastException {@link ErrorCode#INTERNAL} also when work goes on that cannot be
   *     broken off; the store stays open then, and the process should end
   */
  @Override
  public void close() {
    LOG.info("stopping");
    Closing.inTurn(
        httpPort,
        service::stop,
        heartbeats,
        replication,
        () -> dataPort.stop(GRACE_MILLIS),
        () -> endWorkers(scrubber, store, lockFile));
  }

  private void endWorkers(AutoCloseable... used) {
    Workers.end(workers, GRACE_MILLIS, PATIENCE_MILLIS, used);
  }
}
