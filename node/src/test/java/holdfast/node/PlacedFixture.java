package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.Replicas;
import holdfast.client.ReplicationOptions;
import holdfast.client.WriteResult;
import holdfast.client.WriterOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A capsule placed on three nodes, each behind a meddler that can turn it silent or malicious. */
final class PlacedFixture implements AutoCloseable {
  /** How tests with several servers read; sessions that are cut fail at once all the same. */
  static final ReaderOptions READING = new ReaderOptions(1 << 10, 10_000);

  final List<NodeFixture> nodes = new ArrayList<>();
  final List<Meddler> meddlers = new ArrayList<>();
  final NodeFixture first;
  final Hash capsule;
  final Statement.Placement placement;
  final Replicas replicas;

  PlacedFixture(Path folder) throws ProofException {
    for (int i = 0; i < 3; i++) {
      nodes.add(NodeFixture.start(folder.resolve("node-" + i), PlacedFixture::alone));
      meddlers.add(Meddler.of(nodes.getLast()));
    }
    first = nodes.getFirst();
    capsule = first.capsule;
    List<Statement.Placement.Member> members = new ArrayList<>();
    for (Meddler meddler : meddlers) {
      members.add(
          new Statement.Placement.Member(meddler.identity(), meddler.endpoint().toString()));
    }
    placement = Statement.Placement.sign(capsule, 1, 1, members, first.owner);
    for (NodeFixture node : nodes) {
      node.server.create(first.metadata, first.owner);
      node.server.declare(placement);
    }
    replicas = Replicas.of(List.of(placement));
  }

  /** Servers that repair each other would hide what a client has sent to which. */
  static NodeOptions alone(NodeOptions options) {
    return options.withReplication(options.replication().withMeetings(0));
  }

  CapsuleWriter writer(WriterOptions how, ReplicationOptions replication) throws ProofException {
    return replicas.openWriter(first.owner, first.contentKey, how, replication);
  }

  /** Appends records, each a batch of its own, to as many as a majority; returns their names. */
  List<Hash> append(int count) throws ProofException {
    return append(count, 2);
  }

  /** Appends records, each a batch of its own, until so many servers have signed for each. */
  List<Hash> append(int count, int needed) throws ProofException {
    List<Hash> names = new ArrayList<>();
    try (CapsuleWriter writer = writer(each(), ReplicationOptions.majority().withNeeded(needed))) {
      for (int i = 0; i < count; i++) {
        names.add(writer.append(("record " + i).getBytes(UTF_8)));
      }
      List<WriteResult.Stored> stored = writer.commitOrThrow();
      if (stored.size() < needed * count) {
        throw new AssertionError("too few acknowledgements: " + stored.size());
      }
    }
    return names;
  }

  /** A batch for each record; a session that breaks is given up soon, and a slow one is not. */
  static WriterOptions each() {
    return WriterOptions.defaults().withBatchRecords(1).withRetry(400, 10_000);
  }

  /** Of these records, how many a node has proven. */
  long proven(int node, List<Hash> names) throws ProofException {
    try (CapsuleReader reader =
        nodes.get(node).server.openReader(capsule, List.of(), ReaderOptions.withoutCache())) {
      return reader.readHeaders(names).stream().filter(r -> r instanceof ReadResult.Proven).count();
    }
  }

  /** Breaks off every session of a node at its next request, until it is brought back. */
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

  @Override
  public void close() {
    replicas.close();
    meddlers.forEach(Meddler::close);
    nodes.forEach(NodeFixture::close);
  }
}
