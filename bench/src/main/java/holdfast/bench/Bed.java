package holdfast.bench;

import holdfast.base.Bytes;
import holdfast.base.ProofException;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.capsule.Statement;
import holdfast.client.Server;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.net.Endpoint;
import holdfast.node.Node;
import holdfast.node.NodeOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * A throw-away server in this process, reached over TLS like any other, and what a client needs.
 */
final class Bed implements AutoCloseable {
  private static final SecureRandom RANDOM = new SecureRandom();

  final Path folder;
  final SigningKey owner = SigningKey.generate(RANDOM);
  final ContentKey contentKey;
  private Node node;
  private Server server;

  Bed() throws IOException {
    folder = Files.createTempDirectory("holdfast-bench");
    byte[] secret = new byte[ContentKey.SIZE];
    RANDOM.nextBytes(secret);
    contentKey = new ContentKey(0, Secret.copyOf(secret));
    node = startNode();
    server = connect();
  }

  private Node startNode() {
    return Node.start(
        NodeOptions.of(
            folder, new Endpoint("127.0.0.1", 0), new Endpoint("127.0.0.1", 0), Set.of()));
  }

  /** A connection of its own. */
  Server connect() {
    return Server.at(node.endpoint(), node.identity());
  }

  Server server() {
    return server;
  }

  /** This server as a member of a placement. */
  Statement.Placement.Member member() {
    return new Statement.Placement.Member(node.identity(), node.endpoint().toString());
  }

  /** Stops the server and starts it again on its data; returns how long the start took. */
  double restartSeconds() {
    server.close();
    node.close();
    long begin = System.nanoTime();
    node = startNode();
    double seconds = (System.nanoTime() - begin) / 1e9;
    server = connect();
    return seconds;
  }

  /** A new capsule with one writer. */
  Metadata capsule() throws ProofException {
    byte[] nonce = new byte[Metadata.NONCE_SIZE];
    RANDOM.nextBytes(nonce);
    Metadata metadata =
        new Metadata(
            owner.verifyKey(),
            List.of(new Metadata.Writer(owner.verifyKey(), "bench")),
            "bench",
            System.currentTimeMillis(),
            "",
            Bytes.wrap(nonce),
            new TreeMap<>());
    server.create(metadata, owner);
    return metadata;
  }

  /** Bytes of all files of the database. */
  long diskBytes() throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.filter(Files::isRegularFile).mapToLong(f -> f.toFile().length()).sum();
    }
  }

  @Override
  public void close() throws IOException {
    server.close();
    node.close();
    delete(folder);
  }

  static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
