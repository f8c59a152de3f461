package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Receipt;
import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import holdfast.client.BundleExport;
import holdfast.client.BundleFile;
import holdfast.client.BundleImport;
import holdfast.client.CapsuleReader;
import holdfast.client.ReaderOptions;
import holdfast.crypto.SigningKey;
import holdfast.store.StoreBatch;
import holdfast.testkit.Patience;
import holdfast.wire.PeerStatus;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An owner cannot have a server meet as many others as it likes. */
@Timeout(Patience.TEST_SECONDS)
class JointPlacementsTest {
  private static final int OTHERS = 31;

  @TempDir Path folder;

  private NodeFixture node;

  @BeforeEach
  void start() throws ProofException {
    node = NodeFixture.start(folder.resolve("node"), PlacedFixture::alone);
  }

  @AfterEach
  void stop() {
    node.close();
  }

  /** On this server and on others that no other placement names: four such are allowed. */
  private Statement.Placement placement(int version) {
    return placement(version, version);
  }

  private Statement.Placement placement(int version, int others) {
    List<Statement.Placement.Member> members = new ArrayList<>();
    members.add(
        new Statement.Placement.Member(node.node.identity(), node.node.endpoint().toString()));
    for (int other = 0; other < OTHERS; other++) {
      SigningKey invented =
          SigningKey.ofSeed(ByteBuffer.allocate(32).putInt(others).putInt(other).array());
      members.add(new Statement.Placement.Member(invented.verifyKey(), "127.0.0.1:1"));
    }
    return Statement.Placement.sign(node.capsule, version, version, members, node.owner);
  }

  private void declare(int from, int to) throws ProofException {
    for (int version = from; version <= to; version++) {
      node.server.declare(placement(version));
    }
  }

  @Test
  void moreServersThanAllowedAreRefusedUntilEarlierPlacementsAreReleased() throws Exception {
    assertThat(1 + 4 * OTHERS).isLessThan(PlacementDirectory.SERVERS);
    declare(1, 4);
    assertThatThrownBy(() -> node.server.declare(placement(5)))
        .isInstanceOfSatisfying(
            HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.TOO_LARGE))
        .hasMessageContaining("release the earlier ones first");
    // What is known already is told again.
    node.server.declare(placement(4));
    node.server.declare(Release.sign(node.capsule, 5, 4, node.owner));
    // The one before goes on being met: a writer with old knowledge may have brought it something.
    NodeFixture.eventually("released", () -> node.node.peers(node.capsule).size() <= 2 * OTHERS);
    assertThat(node.node.peers(node.capsule)).hasSize(2 * OTHERS);
    declare(5, 7);
    assertThatThrownBy(() -> node.server.declare(placement(8))).hasMessageContaining("--wait");
  }

  @Test
  void thereMayBeManyPlacementsOnTheSameServers() throws Exception {
    for (int version = 1; version <= 12; version++) {
      node.server.declare(placement(version, 1 + version % 2));
    }
    NodeFixture.eventually(
        "the peers are known", () -> node.node.peers(node.capsule).size() == 2 * OTHERS);
  }

  @Test
  void whatRoundsBringBesidesHasThisServerMeetNoMore() throws Exception {
    List<Statement> many = new ArrayList<>();
    for (int version = 1; version <= 12; version++) {
      many.add(placement(version));
    }
    node.node
        .store()
        .submit(
            new StoreBatch(
                node.node.store().capsule(node.capsule),
                List.of(),
                many,
                4096,
                new StoreBatch.Completion() {
                  @Override
                  public void received(List<Receipt.Entry> entries) {}

                  @Override
                  public void synced(List<Receipt.Entry> entries) {}

                  @Override
                  public void failed(HoldfastException reason) {
                    throw new AssertionError(reason);
                  }
                }));
    NodeFixture.eventually(
        "the peers are known", () -> node.node.peers(node.capsule).size() >= 4 * OTHERS);
    assertThat(node.node.peers(node.capsule).stream().map(PeerStatus::getIdentity))
        .as("those of the newest")
        .containsExactlyInAnyOrderElementsOf(
            many.subList(8, 12).stream()
                .flatMap(one -> ((Statement.Placement) one).members().stream())
                .map(Statement.Placement.Member::identity)
                .filter(one -> !one.equals(node.node.identity()))
                .map(one -> ByteString.copyFrom(one.bytes().toArray()))
                .toList());
    // By a client nothing more comes, but what adds no server may be told again.
    node.server.declare(placement(12));
    assertThatThrownBy(() -> node.server.declare(placement(13)))
        .hasMessageContaining("release the earlier ones first");
  }

  @Test
  void aBundleWithManyReleasedPlacementsIsImported() throws Exception {
    declare(1, 4);
    node.server.declare(Release.sign(node.capsule, 5, 4, node.owner));
    declare(5, 7);
    Path file = folder.resolve("moved.capsule");
    try (CapsuleReader reader = node.reader(ReaderOptions.withoutCache())) {
      BundleExport.write(reader, file, written -> {});
    }
    try (NodeFixture target = NodeFixture.start(folder.resolve("target"), PlacedFixture::alone)) {
      BundleImport.bring(target.server, BundleFile.verify(file), stored -> {});
      assertThat(Release.joint(target.node.store().capsule(node.capsule).ownerStatements()))
          .hasSize(4);
    }
  }
}
