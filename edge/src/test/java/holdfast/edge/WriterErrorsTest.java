package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Bytes;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReplicaState;
import holdfast.client.Replicas;
import holdfast.client.ReplicationOptions;
import holdfast.client.Server;
import holdfast.client.WriteResult;
import holdfast.client.WriterOptions;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.node.Node;
import holdfast.node.NodeOptions;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A writer to several servers in a process that fails, as for want of memory. */
class WriterErrorsTest {
  @TempDir Path scratch;

  private static Node serve(Path data) {
    return Node.start(NodeOptions.of(data, EdgeFixture.ANYWHERE, EdgeFixture.ANYWHERE, Set.of()));
  }

  private static Statement.Placement.Member member(Node node) {
    return new Statement.Placement.Member(node.identity(), node.endpoint().toString());
  }

  private static Metadata metadata(SigningKey owner) {
    byte[] nonce = new byte[16];
    EdgeFixture.RANDOM.nextBytes(nonce);
    return new Metadata(
        owner.verifyKey(),
        List.of(new Metadata.Writer(owner.verifyKey(), "owner")),
        "test",
        1,
        "",
        Bytes.wrap(nonce),
        new TreeMap<>());
  }

  /** Nobody waits for a server to which nothing is sent any more. */
  @Test
  @Timeout(60)
  void whatCannotBeSentForAnErrorIsToldAndNotWaitedFor() throws Exception {
    SigningKey owner = SigningKey.generate(EdgeFixture.RANDOM);
    ContentKey contentKey = new ContentKey(0, Secret.copyOf(new byte[ContentKey.SIZE]));
    Metadata metadata = metadata(owner);
    try (Node good = serve(scratch.resolve("good"));
        Node bad = serve(scratch.resolve("bad"))) {
      Statement.Placement placement =
          Statement.Placement.sign(
              metadata.name(), 1, 1, List.of(member(good), member(bad)), owner);
      for (Node node : List.of(good, bad)) {
        try (Server server = Server.at(node.endpoint(), node.identity())) {
          server.create(metadata, owner);
          server.declare(placement);
        }
      }
      try (Replicas replicas = Replicas.of(List.of(placement));
          CapsuleWriter writer =
              replicas.openWriter(
                  owner,
                  contentKey,
                  WriterOptions.defaults(),
                  ReplicationOptions.majority().withNeeded(2))) {
        VerifyKey failing = bad.identity();
        // Called by the thread that sends to that server.
        writer.onAcknowledged(one -> {
          if (one.receipt().server().equals(failing)) {
            throw new OutOfMemoryError("made up");
          }
        });
        writer.append("first".getBytes(UTF_8));
        assertThat(writer.commit()).hasSize(1).allMatch(r -> r instanceof WriteResult.Replicated);
        writer.append("second".getBytes(UTF_8));
        assertThat(writer.commit().getLast())
            .isInstanceOfSatisfying(
                WriteResult.Unknown.class,
                unknown -> assertThat(unknown.reason()).hasMessageContaining("made up"));
        assertThat(writer.replicas())
            .filteredOn(one -> one.member().identity().equals(failing))
            .allMatch(one -> one.standing() == ReplicaState.Standing.LEFT_ALONE);
      }
    }
  }
}
