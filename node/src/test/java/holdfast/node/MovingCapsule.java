package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.Placing;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.ReplicaState;
import holdfast.client.Replicas;
import holdfast.client.ReplicatedReader;
import holdfast.client.ReplicationOptions;
import holdfast.client.Server;
import holdfast.client.WriterOptions;
import holdfast.net.Endpoint;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;

/** Six nodes with one capsule, which is on the first three and moves. */
abstract class MovingCapsule {
  static final ReplicationOptions ATTENTIVE = ReplicationOptions.majority().withLookMillis(20);

  @TempDir Path folder;
  final List<NodeFixture> nodes = new ArrayList<>();
  final List<Meddler> meddlers = new ArrayList<>();
  NodeFixture first;
  Statement.Placement old;
  boolean meet;

  /** Six nodes that have the capsule, which is placed on the first three. */
  void start(boolean meeting) throws ProofException {
    meet = meeting;
    for (int i = 0; i < 6; i++) {
      nodes.add(
          NodeFixture.inPlace(
              folder.resolve("node-" + i), meet ? MovingCapsule::often : PlacedFixture::alone));
      meddlers.add(Meddler.of(nodes.getLast()));
    }
    first = nodes.getFirst();
    for (NodeFixture node : nodes) {
      node.server.create(first.metadata, first.owner);
    }
    old = placement(1, 0, 1, 2);
    for (int i = 0; i < 3; i++) {
      nodes.get(i).server.declare(old);
    }
  }

  /** Servers that meet each other do so directly: a meddler passes on what clients ask. */
  Endpoint endpoint(int node) {
    return meet ? nodes.get(node).node.endpoint() : meddlers.get(node).endpoint();
  }

  static NodeOptions often(NodeOptions options) {
    return options.withReplication(options.replication().withPeriod(50, 20));
  }

  @AfterEach
  void stop() {
    meddlers.forEach(Meddler::close);
    nodes.forEach(NodeFixture::close);
  }

  Statement.Placement placement(long version, int... on) {
    List<Statement.Placement.Member> members = new ArrayList<>();
    for (int i : on) {
      members.add(
          new Statement.Placement.Member(nodes.get(i).node.identity(), endpoint(i).toString()));
    }
    return Statement.Placement.sign(first.capsule, version, version, members, first.owner);
  }

  CapsuleWriter writer(Replicas replicas, WriterOptions how) throws ProofException {
    return replicas.openWriter(first.owner, first.contentKey, how, ATTENTIVE);
  }

  static WriterOptions patient() {
    return WriterOptions.defaults().withBatchRecords(1).withRetry(30_000, 10_000);
  }

  Set<String> members(CapsuleWriter writer) {
    return writer.replicas().stream()
        .map(ReplicaState::member)
        .map(Statement.Placement.Member::address)
        .collect(Collectors.toSet());
  }

  Set<String> addresses(int... of) {
    return placement(9, of).members().stream()
        .map(Statement.Placement.Member::address)
        .collect(Collectors.toSet());
  }

  boolean has(int node, Hash name) {
    return proven(node, List.of(name)) == 1;
  }

  long proven(int node, List<Hash> names) {
    try (CapsuleReader reader =
        nodes.get(node).server.openReader(first.capsule, List.of(), ReaderOptions.withoutCache())) {
      return reader.readHeaders(names).stream().filter(r -> r instanceof ReadResult.Proven).count();
    } catch (ProofException e) {
      throw new AssertionError("an honest server proves what it has", e);
    }
  }

  long having(Hash name, int... among) {
    long count = 0;
    for (int node : among) {
      count += has(node, name) ? 1 : 0;
    }
    return count;
  }

  void down(int node) {
    Meddler meddler = meddlers.get(node);
    meddler.requests(request -> {
      meddler.cut();
      return List.of();
    });
    meddler.cut();
  }

  void up(int node) {
    meddlers.get(node).requests(List::of);
  }

  /** Places the capsule on the other three. */
  void move() throws ProofException {
    List<Server> on = new ArrayList<>();
    try (CapsuleReader reader = first.reader(ReaderOptions.withoutCache())) {
      for (int i = 3; i < 6; i++) {
        on.add(nodes.get(i).connect());
      }
      assertThat(Placing.place(reader, on, first.owner).complete()).isTrue();
    } finally {
      on.forEach(Server::close);
    }
  }

  /** Tells the new servers, which hold one set then, and one of the old. */
  void declareMove() throws ProofException {
    for (int i : List.of(3, 4, 5, 0)) {
      nodes.get(i).server.declare(placement(2, 3, 4, 5));
    }
  }

  static boolean allProven(ReplicatedReader reader, List<Hash> names) {
    try {
      return reader.readHeaders(names).stream()
          .allMatch(r -> r instanceof ReadResult.Proven || r instanceof ReadResult.Cached);
    } catch (ProofException e) {
      throw new AssertionError(e);
    }
  }

  /** Asks something, so that the reader looks at placements. */
  static boolean asks(ReplicatedReader reader) {
    try {
      return !reader.ask(one -> one.statements(true)).isEmpty();
    } catch (ProofException e) {
      throw new AssertionError(e);
    }
  }

  static long connected(CapsuleWriter writer) {
    return writer.replicas().stream()
        .filter(one -> one.standing() == ReplicaState.Standing.CONNECTED)
        .count();
  }

  /** Tells a node, in the order given. */
  void declare(int node, Statement... statements) throws ProofException {
    for (Statement one : statements) {
      nodes.get(node).server.declare(one);
    }
  }

  static void append(CapsuleWriter writer, List<Hash> names) {
    try {
      names.add(writer.append(("during " + names.size()).getBytes(UTF_8)));
      writer.commit();
    } catch (ProofException e) {
      throw new AssertionError(e);
    }
  }
}
