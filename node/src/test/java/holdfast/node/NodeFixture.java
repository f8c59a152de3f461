package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.client.WriterOptions;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.net.Endpoint;
import holdfast.store.Fsck;
import holdfast.store.StoreOptions;
import holdfast.testkit.Patience;
import holdfast.testkit.Ports;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/** A node in this process with one capsule of two writers, and the usual ways to write and read. */
final class NodeFixture implements AutoCloseable {
  static final SecureRandom RANDOM = new SecureRandom();
  static final Endpoint ANYWHERE = new Endpoint("127.0.0.1", 0);

  /** Owner, and writer 0. */
  final SigningKey owner = SigningKey.generate(RANDOM);

  /** Writer 1. */
  final SigningKey second = SigningKey.generate(RANDOM);

  /** Authorised for nothing. */
  final SigningKey stranger = SigningKey.generate(RANDOM);

  final ContentKey contentKey = new ContentKey(0, Secret.copyOf(new byte[32]));
  Metadata metadata;
  Hash capsule;
  private final Path folder;
  private final UnaryOperator<NodeOptions> options;

  /** Where the node serves, each time that it is started. */
  private final Endpoint place;

  Node node;
  Server server;
  private boolean closed;

  private NodeFixture(Path folder, Endpoint place, UnaryOperator<NodeOptions> options)
      throws ProofException {
    this.folder = folder;
    this.place = place;
    this.options = options;
    this.node = startNode();
    this.server = connect();
    this.metadata = create("test");
    this.capsule = metadata.name();
  }

  static NodeFixture start(Path folder) throws ProofException {
    return new NodeFixture(folder, ANYWHERE, options -> options);
  }

  static NodeFixture start(Path folder, UnaryOperator<NodeOptions> options) throws ProofException {
    return new NodeFixture(folder, ANYWHERE, options);
  }

  /** One that comes back to where it was. */
  static NodeFixture inPlace(Path folder, UnaryOperator<NodeOptions> options)
      throws ProofException {
    return new NodeFixture(folder, new Endpoint("127.0.0.1", Ports.free()), options);
  }

  private Node startNode() {
    return Node.start(options.apply(NodeOptions.of(folder, place, ANYWHERE, Set.of())));
  }

  /** A connection of its own to the node. */
  Server connect() {
    return Server.at(node.endpoint(), node.identity());
  }

  void restart() {
    restart(() -> {});
  }

  /** Stops the node, does something to its folder, and starts it again. */
  void restart(Runnable between) {
    server.close();
    node.close();
    between.run();
    node = startNode();
    server = connect();
  }

  /** Starts the node where it was, with its identity and an empty disk. */
  void startEmpty() {
    if (place.equals(ANYWHERE)) {
      throw new IllegalStateException("whoever comes back to its place needs one of its own");
    }
    server.close();
    node.close();
    try (Stream<Path> files = Files.walk(folder.resolve("db"))) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
      Files.delete(folder.resolve("synced"));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    node = startNode();
    server = connect();
  }

  /** Ends the node before the test does. */
  void stop() {
    close();
  }

  /** Goes on with a new capsule. */
  void begin() throws ProofException {
    metadata = create("test");
    capsule = metadata.name();
  }

  /** Creates another capsule of the same owner and writers. */
  Metadata create(String description) throws ProofException {
    byte[] nonce = new byte[16];
    RANDOM.nextBytes(nonce);
    Metadata made =
        new Metadata(
            owner.verifyKey(),
            List.of(
                new Metadata.Writer(owner.verifyKey(), "owner"),
                new Metadata.Writer(second.verifyKey(), "second")),
            description,
            1,
            "",
            Bytes.wrap(nonce),
            new TreeMap<>());
    server.create(made, owner);
    return made;
  }

  /** The node's own key, which a server that turns malicious has. */
  SigningKey nodeKey() {
    try {
      return SigningKey.parsePem(Files.readString(folder.resolve("identity.pem")));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  CapsuleWriter writer(WriterOptions how) throws ProofException {
    return server.openWriter(capsule, owner, contentKey, how);
  }

  CapsuleReader reader(ReaderOptions how) throws ProofException {
    return server.openReader(capsule, List.of(contentKey), how);
  }

  /** Writes records "record 0", "record 1", … to a capsule; returns their names. */
  List<Hash> append(Hash to, int count, WriterOptions how) throws ProofException {
    List<Hash> names = new ArrayList<>();
    try (CapsuleWriter writer = server.openWriter(to, owner, contentKey, how)) {
      for (int i = 0; i < count; i++) {
        names.add(writer.append(("record " + i).getBytes(UTF_8)));
      }
      writer.commitOrThrow();
    }
    return names;
  }

  List<Hash> append(int count, WriterOptions how) throws ProofException {
    return append(capsule, count, how);
  }

  /** How many records the capsule holds, as the server counts them. */
  long records() throws ProofException {
    try (CapsuleReader reader = reader(ReaderOptions.withoutCache())) {
      return reader.status().getCapsule().getRecords();
    }
  }

  /** Waits for a condition; fails when it does not come true. */
  static void eventually(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + Patience.NANOS;
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("did not come true in time: " + what);
      }
      LockSupport.parkNanos(1_000_000);
    }
  }

  /** Stops the node, checks everything that it stored, and starts it again. */
  void expectClean(long records) throws ProofException {
    assertThat(records()).isEqualTo(records);
    close();
    List<String> problems = new ArrayList<>();
    Fsck.Report report = Fsck.check(folder, StoreOptions.defaults(), problems::add);
    assertThat(problems).isEmpty();
    assertThat(report.clean()).isTrue();
    startAgain();
  }

  /** Starts the node that was ended. */
  void startAgain() {
    closed = false;
    node = startNode();
    server = connect();
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      server.close();
      node.close();
    }
  }
}
