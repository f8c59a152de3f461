package holdfast.edge;

import static holdfast.edge.EdgeFixture.ANN;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Statement;
import holdfast.client.Server;
import holdfast.device.Octets;
import holdfast.device.Operation;
import holdfast.node.Node;
import holdfast.node.NodeOptions;
import holdfast.store.DerivedTable;
import holdfast.testkit.Patience;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An edge that is killed while it follows an erasure. */
@Timeout(Patience.TEST_SECONDS)
class ErasureKillTest {
  @TempDir Path data;

  /** The edge's capsule, until somebody lets nothing more through. */
  private static final class Gate implements EdgeLog {
    private final EdgeCapsule capsule;
    private final CountDownLatch reached = new CountDownLatch(1);
    private final CountDownLatch opened = new CountDownLatch(1);
    private volatile boolean shut;
    private volatile List<byte[]> stopped = List.of();

    Gate(EdgeCapsule capsule) {
      this.capsule = capsule;
    }

    @Override
    public Appended append(List<byte[]> leaves, long timeMillis) {
      if (!shut) {
        return capsule.append(leaves, timeMillis);
      }
      if (stopped.isEmpty()) {
        stopped = leaves;
      }
      reached.countDown();
      try {
        opened.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      return new Appended.Refused(new HoldfastException(ErrorCode.UNREACHABLE, "killed"));
    }

    @Override
    public long arrival() {
      return capsule.arrival();
    }

    @Override
    public boolean catchUp(View view) throws ProofException {
      return capsule.catchUp(view);
    }
  }

  /**
   * The erasure is known to the server, and nothing was said again yet; the record that it erases
   * was written since the view was brought to the disk last.
   */
  @Test
  void anEdgeThatIsKilledBeforeItHasFollowedAnErasureKeepsItsUsers() throws Exception {
    EdgeFixture edge = EdgeFixture.start(data);
    try {
      edge.restart(() -> {
        Path killed = data.resolve("killed");
        killWhileFollowing(edge, killed);
        DerivedTable.delete(edge.folder.view());
        Site.copy(killed, edge.folder.view());
      });
      assertThat(edge.get(ANN, "/v1/kv/home/door").statusCode()).isEqualTo(404);
      assertThat(edge.get(ANN, "/v1/kv/home/window").statusCode()).isEqualTo(200);
    } finally {
      edge.close();
    }
  }

  private static void killWhileFollowing(EdgeFixture edge, Path killed) throws Exception {
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
        View view = View.open(folder.view())) {
      assertThat(capsule.catchUp(view)).isTrue();
      Gate gate = new Gate(capsule);
      try (Flusher flusher = new Flusher(view, gate, 100, 16 << 20);
          ErasureWatch watch = new ErasureWatch(view, flusher, capsule)) {
        flusher.start();
        Outcome secret = put(flusher, "door");
        put(flusher, "window");
        gate.shut = true;
        server.declare(
            Statement.Erasure.sign(
                folder.capsule(),
                System.currentTimeMillis(),
                new Statement.Erased.OfLeaf(secret.first().record(), secret.first().leaf()),
                "asked for",
                edge.operator));
        Thread following =
            Thread.ofPlatform()
                .start(() -> {
                  try {
                    watch.start();
                  } catch (Problem | ProofException | HoldfastException stopped) {
                    // It was killed.
                    return;
                  }
                });
        gate.reached.await();
        Site.copy(folder.view(), killed);
        gate.opened.countDown();
        following.join();
        // The first that it says again is who may do what; what takes long comes after that.
        List<EdgeLeaf> said = new ArrayList<>();
        for (byte[] leaf : gate.stopped) {
          said.add(EdgeLeaf.decode(leaf));
        }
        assertThat(said).isNotEmpty().allMatch(leaf -> leaf instanceof EdgeLeaf.User);
      }
    }
  }

  private static Outcome put(Flusher flusher, String key) {
    Operation operation =
        new Operation.Put(0, 0, "home", key, "", Octets.wrap("secret".getBytes(UTF_8)));
    Ticket ticket = new Ticket();
    flusher.submit(Task.Write.of(ticket, "ann", List.of(operation), Condition.none(), false, null));
    return ticket.await(60_000);
  }
}
