package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.client.WriterOptions;
import holdfast.node.replication.ReplicationOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Servers that keep the same capsule meet, and end with the same records (D24, D31, D32). */
class ReplicationTest {
  @TempDir Path folder;

  private static final ReplicationOptions QUICK = ReplicationOptions.defaults().withPeriod(200, 20);

  private Node second() {
    return Node.start(
        NodeOptions.of(folder.resolve("b"), NodeFixture.ANYWHERE, NodeFixture.ANYWHERE, Set.of())
            .withReplication(QUICK));
  }

  private static Statement.Placement.Member member(Node node) {
    return new Statement.Placement.Member(node.identity(), node.endpoint().toString());
  }

  @Test
  void d24AServerThatIsPlacedFillsUpAndFollows() throws Exception {
    try (NodeFixture first =
            NodeFixture.start(folder.resolve("a"), options -> options.withReplication(QUICK));
        Node second = second();
        CapsuleWriter writer =
            first.server.openWriter(
                first.capsule, first.owner, first.contentKey, WriterOptions.defaults())) {
      List<Hash> names = new ArrayList<>();
      for (int i = 0; i < 3000; i++) {
        names.add(writer.append(("value " + i).getBytes(java.nio.charset.StandardCharsets.UTF_8)));
      }
      writer.commitOrThrow();
      first.server.declare(
          Statement.Placement.sign(
              first.capsule, 5, 1, List.of(member(first.node), member(second)), first.owner));
      expectAll(first, second, names);

      for (int i = 0; i < 50; i++) {
        names.add(writer.append(("later " + i).getBytes(java.nio.charset.StandardCharsets.UTF_8)));
      }
      writer.commitOrThrow();
      expectAll(first, second, names);
    }
  }

  private static void expectAll(NodeFixture first, Node second, List<Hash> names) throws Exception {
    try (Server server = Server.at(second.endpoint(), second.identity())) {
      NodeFixture.eventually(
          "the second server has all", () -> proven(server, first.capsule) == names.size());
      try (CapsuleReader reader =
          server.openReader(first.capsule, List.of(first.contentKey), ReaderOptions.defaults())) {
        assertThat(reader.readAll(names)).allMatch(ReadResult.Proven.class::isInstance);
      }
    }
  }

  private static long proven(Server server, Hash capsule) {
    try (CapsuleReader reader = server.openReader(capsule, List.of(), ReaderOptions.defaults())) {
      return reader.status().getCapsule().getProven();
    } catch (holdfast.base.HoldfastException e) {
      if (e.code() == holdfast.base.ErrorCode.UNKNOWN_CAPSULE) {
        return -1;
      }
      throw e;
    } catch (holdfast.base.ProofException e) {
      throw new AssertionError(e);
    }
  }
}
