package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import holdfast.base.Hash;
import holdfast.capsule.Backpointers;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.client.WriterOptions;
import holdfast.crypto.SigningKey;
import holdfast.net.Connection;
import holdfast.node.replication.MeetingOptions;
import holdfast.testkit.Patience;
import holdfast.wire.Frame;
import holdfast.wire.Lie;
import holdfast.wire.Meeting;
import holdfast.wire.PeerStatus;
import io.grpc.stub.StreamObserver;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Servers that keep the same capsule meet, and end with the same records (D24, D31, D32). */
class ReplicationTest {
  @TempDir Path folder;

  private static final MeetingOptions QUICK = MeetingOptions.defaults().withPeriod(200, 20);

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

      try (CapsuleReader reader =
          first.server.openReader(first.capsule, List.of(), ReaderOptions.defaults())) {
        List<PeerStatus> peers = reader.status().getCapsule().getPeersList();
        assertThat(peers).hasSize(1);
        assertThat(peers.getFirst().getAddress()).isEqualTo(second.endpoint().toString());
        assertThat(peers.getFirst().getLiar()).isFalse();
      }

      for (int i = 0; i < 50; i++) {
        names.add(writer.append(("later " + i).getBytes(java.nio.charset.StandardCharsets.UTF_8)));
      }
      writer.commitOrThrow();
      expectAll(first, second, names);
    }
  }

  @Test
  void whatHasRottenComesBackFromAPeer() throws Exception {
    int victim = 250;
    AtomicLong scrubRate = new AtomicLong();
    try (NodeFixture first =
            NodeFixture.start(
                folder.resolve("a"),
                options -> options.withReplication(QUICK).withScrubRate(scrubRate.get()));
        Node second = second()) {
      WriterOptions chain =
          WriterOptions.defaults()
              .withBatchRecords(50)
              .withLinks(new Backpointers.Strategy.Chain());
      List<Hash> names = first.append(600, chain);
      first.server.declare(
          Statement.Placement.sign(
              first.capsule, 5, 1, List.of(member(first.node), member(second)), first.owner));
      expectAll(first, second, names);
      byte[] sealed;
      try (CapsuleReader reader = first.reader(ReaderOptions.withoutCache())) {
        sealed = ((ReadResult.Proven) reader.read(names.get(victim))).record().body().leaf(0);
      }
      first.restart(() -> DamageTest.rot(folder.resolve("a"), Arrays.copyOfRange(sealed, 6, 18)));
      try (CapsuleReader reader = first.reader(ReaderOptions.withoutCache())) {
        assertThat(reader.read(names.get(victim))).isInstanceOf(ReadResult.Damaged.class);
        NodeFixture.eventually("it is mended", () -> damaged(reader) == 0);
        assertThat(reader.readAll(names)).allMatch(ReadResult.Proven.class::isInstance);
      }
      // From the disk again, all of it.
      scrubRate.set(100 << 20);
      first.restart();
      NodeFixture.eventually(
          "a pass of the scrubber",
          () -> DamageTest.metric(first.node.httpPort(), "holdfast_scrub_completed_seconds") > 0);
      try (CapsuleReader reader = first.reader(ReaderOptions.withoutCache())) {
        assertThat(damaged(reader)).isZero();
        assertThat(reader.readAll(names)).allMatch(ReadResult.Proven.class::isInstance);
      }
    }
  }

  @Test
  void thatAPeerLiedIsKeptOverARestart() throws Exception {
    SigningKey peer = SigningKey.generate(NodeFixture.RANDOM);
    try (NodeFixture first =
        NodeFixture.start(folder.resolve("a"), options -> options.withReplication(QUICK))) {
      first.server.declare(
          Statement.Placement.sign(
              first.capsule,
              5,
              1,
              List.of(
                  member(first.node),
                  new Statement.Placement.Member(peer.verifyKey(), "127.0.0.1:1")),
              first.owner));
      try (Connection connection =
          Connection.asPeer(
              first.node.endpoint(), Connection.Pin.exactly(first.node.identity()), peer)) {
        // Until the placement is in force there, or while it tries to reach the peer, it refuses.
        NodeFixture.eventually(
            "the lie is noted",
            () -> {
              lie(connection, first.capsule);
              return !lies(first).isEmpty();
            });
      }
      List<Lie> kept = lies(first);
      assertThat(kept.getFirst().getPeer().toByteArray())
          .isEqualTo(peer.verifyKey().bytes().toArray());
      first.restart();
      assertThat(lies(first)).isEqualTo(kept);
      assertThat(first.server.status().getLiesList()).isEqualTo(kept);
    }
  }

  /** Opens a round and sends what is no message; returns when the other side has ended it. */
  private static void lie(Connection connection, Hash capsule) {
    CountDownLatch ended = new CountDownLatch(1);
    var out =
        connection.openRound(
            new StreamObserver<>() {
              @Override
              public void onNext(Frame frame) {}

              @Override
              public void onError(Throwable failure) {
                ended.countDown();
              }

              @Override
              public void onCompleted() {
                ended.countDown();
              }
            });
    out.onNext(
        Frame.newBuilder()
            .setMeeting(Meeting.newBuilder().setCapsule(ByteString.copyFrom(capsule.toBytes())))
            .build());
    out.onNext(
        Frame.newBuilder().setPart(ByteString.copyFrom(new byte[] {99})).setLast(true).build());
    try {
      assertThat(ended.await(Patience.SECONDS, TimeUnit.SECONDS)).as("the round ends").isTrue();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static List<Lie> lies(NodeFixture fixture) {
    try (CapsuleReader reader = fixture.reader(ReaderOptions.withoutCache())) {
      return reader.status().getCapsule().getPeersList().stream()
          .flatMap(one -> one.getLiesList().stream())
          .toList();
    } catch (holdfast.base.ProofException e) {
      throw new AssertionError(e);
    }
  }

  private static long damaged(CapsuleReader reader) {
    try {
      return reader.status().getCapsule().getDamaged();
    } catch (holdfast.base.ProofException e) {
      throw new AssertionError(e);
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
