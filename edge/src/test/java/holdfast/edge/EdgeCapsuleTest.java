package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Hash;
import holdfast.capsule.RecordHeader;
import holdfast.client.CapsuleReader;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.device.Octets;
import holdfast.device.Operation;
import holdfast.node.Node;
import holdfast.node.NodeOptions;
import java.nio.file.Path;
import java.util.AbstractList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What is appended to an edge's capsule when the process itself fails. */
@Timeout(60)
class EdgeCapsuleTest {
  @TempDir Path data;

  private static Hash append(EdgeCapsule capsule, String key) {
    Operation put = new Operation.Put(0, 0, "home", key, "", Octets.wrap(key.getBytes(UTF_8)));
    EdgeLog.Appended appended =
        capsule.append(
            List.of(new EdgeLeaf.Change("ann", "", put).encode()), System.currentTimeMillis());
    assertThat(appended).isInstanceOf(EdgeLog.Appended.Synced.class);
    return ((EdgeLog.Appended.Synced) appended).record();
  }

  private static RecordHeader header(CapsuleReader reader, Hash record) throws Exception {
    return ((ReadResult.Proven) reader.readHeaders(List.of(record)).getFirst()).record().header();
  }

  /** Nobody knows how far the writer came; one that went on might point at what is not there. */
  @Test
  void aWriterThatFailedInAnyWayIsNotGoneOnWith() throws Exception {
    EdgeFixture edge = EdgeFixture.start(data);
    try {
      edge.restart(() -> {
        EdgeFolder folder = edge.folder;
        try (Node node =
                Node.start(
                    NodeOptions.of(
                        folder.node(),
                        EdgeFixture.ANYWHERE,
                        EdgeFixture.ANYWHERE,
                        Set.of(edge.operator.verifyKey())));
            Server server = Server.at(node.endpoint(), node.identity());
            EdgeCapsule capsule =
                CapsuleChain.open(
                    server,
                    folder.capsule(),
                    reader -> folder.contentKeys(reader.metadata().name()),
                    folder.writer());
            CapsuleReader reader = capsule.openReader(ReaderOptions.withoutCache())) {
          Hash first = append(capsule, "first");
          Hash second = append(capsule, "second");
          List<byte[]> failing =
              new AbstractList<>() {
                @Override
                public byte[] get(int index) {
                  throw new OutOfMemoryError("made up");
                }

                @Override
                public int size() {
                  return 1;
                }
              };
          assertThatThrownBy(() -> capsule.append(failing, 3)).isInstanceOf(OutOfMemoryError.class);
          Hash third = append(capsule, "third");
          byte[] run = header(reader, first).salt();
          assertThat(header(reader, second).salt()).isEqualTo(run);
          assertThat(header(reader, third).salt()).isNotEqualTo(run);
          assertThat(header(reader, third).pointsAt(second)).isTrue();
        }
      });
    } finally {
      edge.close();
    }
  }
}
