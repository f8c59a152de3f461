package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.ReaderOptions;
import holdfast.crypto.SigningKey;
import holdfast.net.Connection;
import holdfast.node.replication.MeetingOptions;
import holdfast.testkit.Patience;
import holdfast.wire.Frame;
import holdfast.wire.Meeting;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A peer that wants to do harm can delay its own rounds; nothing else happens. */
class HostilePeersTest {
  /** Opens no rounds by itself within a test. */
  private static final MeetingOptions LAZY = MeetingOptions.defaults().withPeriod(600_000, 600_000);

  @TempDir Path folder;

  private final SigningKey one = SigningKey.generate(NodeFixture.RANDOM);
  private final SigningKey other = SigningKey.generate(NodeFixture.RANDOM);

  /** A round that a peer has opened, which says what the test has it say. */
  private static final class Opened implements StreamObserver<Frame> {
    private final ClientCallStreamObserver<Frame> out;
    private final CompletableFuture<String> end = new CompletableFuture<>();

    Opened(Connection connection, Hash capsule) {
      out = connection.openRound(this);
      out.onNext(
          Frame.newBuilder()
              .setMeeting(Meeting.newBuilder().setCapsule(ByteString.copyFrom(capsule.toBytes())))
              .build());
    }

    void say(byte[] part, boolean last) {
      out.onNext(Frame.newBuilder().setPart(ByteString.copyFrom(part)).setLast(last).build());
    }

    /** Why the other side has ended it. */
    String end() throws Exception {
      return end.get(Patience.SECONDS, TimeUnit.SECONDS);
    }

    boolean open() {
      return !end.isDone();
    }

    @Override
    public void onNext(Frame frame) {
      if (frame.hasError()) {
        end.complete(frame.getError().getMessage());
      }
    }

    @Override
    public void onError(Throwable failure) {
      end.complete(String.valueOf(failure.getMessage()));
    }

    @Override
    public void onCompleted() {
      end.complete("completed");
    }
  }

  private static Connection as(SigningKey peer, NodeFixture node) {
    return Connection.asPeer(
        node.node.endpoint(), Connection.Pin.exactly(node.node.identity()), peer);
  }

  private NodeFixture node(MeetingOptions options) throws ProofException {
    NodeFixture node = NodeFixture.start(folder.resolve("a"), all -> all.withReplication(options));
    place(node, node.capsule);
    return node;
  }

  private void place(NodeFixture node, Hash capsule) throws ProofException {
    List<Statement.Placement.Member> members = new ArrayList<>();
    members.add(
        new Statement.Placement.Member(node.node.identity(), node.node.endpoint().toString()));
    members.add(new Statement.Placement.Member(one.verifyKey(), "127.0.0.1:1"));
    members.add(new Statement.Placement.Member(other.verifyKey(), "127.0.0.1:1"));
    node.server.declare(Statement.Placement.sign(capsule, 5, 1, members, node.owner));
  }

  /** Whether a node holds a round with a peer about a capsule, as it says itself. */
  private static boolean meets(NodeFixture node, SigningKey peer, Hash capsule) {
    ByteString identity = ByteString.copyFrom(peer.verifyKey().bytes().toArray());
    try (CapsuleReader reader =
        node.server.openReader(capsule, List.of(), ReaderOptions.withoutCache())) {
      return reader.status().getCapsule().getPeersList().stream()
          .anyMatch(seen -> seen.getIdentity().equals(identity) && seen.getMeeting());
    } catch (ProofException e) {
      throw new AssertionError(e);
    }
  }

  /** Opens a round that is held: until the placement is in force it would be refused. */
  private static Opened held(
      NodeFixture node, SigningKey peer, Connection connection, Hash capsule) {
    List<Opened> tried = new ArrayList<>();
    NodeFixture.eventually(
        "a round is held",
        () -> {
          if (tried.isEmpty() || !tried.getLast().open()) {
            tried.add(new Opened(connection, capsule));
          }
          try {
            // A refusal takes no time; one of the node's own rounds with the peer may be meant too.
            tried.getLast().end.get(300, TimeUnit.MILLISECONDS);
            return false;
          } catch (java.util.concurrent.TimeoutException e) {
            return meets(node, peer, capsule);
          } catch (InterruptedException | java.util.concurrent.ExecutionException e) {
            throw new AssertionError(e);
          }
        });
    return tried.getLast();
  }

  @Test
  void whoKeepsRoundsOpenKeepsOutNobodyElse() throws Exception {
    try (NodeFixture node = node(LAZY.withMeetings(4));
        Connection hostile = as(one, node);
        Connection honest = as(other, node)) {
      List<Hash> capsules = new ArrayList<>(List.of(node.capsule));
      for (int i = 1; i < 4; i++) {
        capsules.add(node.create("number " + i).name());
        place(node, capsules.get(i));
      }
      Opened first = held(node, one, hostile, capsules.get(0));
      Opened second = held(node, one, hostile, capsules.get(1));
      assertThat(new Opened(hostile, capsules.get(2)).end())
          .contains("enough rounds with this peer");
      Opened third = held(node, other, honest, capsules.get(2));
      assertThat(first.open() && second.open() && third.open()).isTrue();
    }
  }

  @Test
  void aRoundInWhichNothingOfUseHappensIsEnded() throws Exception {
    MeetingOptions impatient = LAZY.withPatience(500, 64 << 20);
    try (NodeFixture node = node(impatient);
        Connection hostile = as(one, node)) {
      Opened round = held(node, one, hostile, node.capsule);
      NodeFixture.eventually(
          "it is ended, although something is said all the time",
          () -> {
            round.say(new byte[1], false);
            return !round.open();
          });
      assertThat(round.end()).contains("nothing of use");
    }
  }

  @Test
  void whatPeersSendAndIsNotStoredHasALimitForAll() throws Exception {
    try (NodeFixture node = node(LAZY.withPatience(600_000, 1 << 20));
        Connection hostile = as(one, node);
        Connection another = as(other, node)) {
      Opened first = held(node, one, hostile, node.capsule);
      byte[] part = new byte[700_000];
      first.say(part, false);
      Opened second = held(node, other, another, node.capsule);
      second.say(part, false);
      assertThat(first.end()).contains("more than this server has room for");
      assertThat(second.open()).isTrue();
    }
  }

  @Test
  void aLiarThatCallsIsNotMetAgain() throws Exception {
    try (NodeFixture node = node(LAZY);
        Connection hostile = as(one, node);
        Connection honest = as(other, node)) {
      Opened round = held(node, one, hostile, node.capsule);
      round.say(new byte[] {99}, true);
      round.end();
      assertThat(new Opened(hostile, node.capsule).end())
          .contains("avoids whoever sent what is false");
      assertThat(held(node, other, honest, node.capsule).open()).isTrue();
    }
  }

  @Test
  void aLiarIsAvoidedAfterARestartToo() throws Exception {
    try (NodeFixture node = node(LAZY)) {
      try (Connection hostile = as(one, node)) {
        Opened round = held(node, one, hostile, node.capsule);
        round.say(new byte[] {99}, true);
        round.end();
      }
      node.restart();
      try (Connection hostile = as(one, node)) {
        assertThat(new Opened(hostile, node.capsule).end())
            .contains("avoids whoever sent what is false");
      }
    }
  }
}
