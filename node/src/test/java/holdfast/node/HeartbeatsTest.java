package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Metadata;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.client.WriterOptions;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.net.Connection;
import holdfast.net.Endpoint;
import holdfast.net.faulty.Faults;
import holdfast.net.faulty.FaultyProxy;
import holdfast.node.heartbeat.EdgeState;
import holdfast.node.heartbeat.Heartbeats;
import holdfast.node.replication.MeetingOptions;
import holdfast.testkit.Patience;
import holdfast.wire.EdgeReport;
import holdfast.wire.Heartbeat;
import holdfast.wire.PeerStatus;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An edge and its master hear of each other, over real connections. */
@Timeout(Patience.TEST_SECONDS)
class HeartbeatsTest {
  private static final long INTERVAL_MILLIS = 400;

  /** What a loaded machine may add. */
  private static final long SLACK_MILLIS = 400;

  /** What is promised of a peer that falls silent, and what a machine may add. */
  private static final long LOST_WITHIN_MILLIS = 3 * INTERVAL_MILLIS + SLACK_MILLIS;

  /** A machine may stand still for a moment; a vigil that waits longer does so each time. */
  private static final int ATTEMPTS = 5;

  @TempDir Path folder;

  private static NodeOptions often(NodeOptions options) {
    return options
        .withHeartbeat(INTERVAL_MILLIS)
        .withReplication(MeetingOptions.defaults().withPeriod(200, 20));
  }

  private Node master() {
    return Node.start(
        often(
            NodeOptions.of(
                folder.resolve("master"), NodeFixture.ANYWHERE, NodeFixture.ANYWHERE, Set.of())));
  }

  private static Statement.Placement place(NodeFixture edge, Node master, Endpoint reached)
      throws ProofException {
    Statement.Placement placement =
        Statement.Placement.sign(
            edge.capsule,
            5,
            1,
            List.of(
                new Statement.Placement.Member(
                    edge.node.identity(), edge.node.endpoint().toString()),
                new Statement.Placement.Member(master.identity(), reached.toString())),
            edge.owner);
    edge.server.declare(placement);
    return placement;
  }

  private static void speak(NodeFixture edge) {
    Hash capsule = edge.capsule;
    Node node = edge.node;
    node.speakAsEdge(
        () -> new EdgeState("plant-7", capsule, 3, node.backlog(capsule, 1)), edge.owner);
  }

  private static Metadata metadata(NodeFixture edge) throws ProofException {
    try (CapsuleReader reader =
        edge.server.openReader(edge.capsule, List.of(), ReaderOptions.defaults())) {
      return reader.metadata();
    }
  }

  private static PeerStatus seen(Server server, Hash capsule) {
    try (CapsuleReader reader = server.openReader(capsule, List.of(), ReaderOptions.defaults())) {
      List<PeerStatus> peers = reader.status().getCapsule().getPeersList();
      return peers.isEmpty() ? PeerStatus.getDefaultInstance() : peers.getFirst();
    } catch (ProofException e) {
      throw new AssertionError(e);
    } catch (holdfast.base.HoldfastException e) {
      return PeerStatus.getDefaultInstance();
    }
  }

  @Test
  void i24TheMasterShowsWhatTheEdgeSaysAndI25BothNoticeWhenTheOtherIsGone() throws Exception {
    try (NodeFixture edge = NodeFixture.start(folder.resolve("edge"), HeartbeatsTest::often);
        Node master = master();
        Server atMaster = Server.at(master.endpoint(), master.identity())) {
      speak(edge);
      edge.append(3, WriterOptions.defaults());
      place(edge, master, master.endpoint());
      NodeFixture.eventually(
          "the master hears the edge", () -> seen(atMaster, edge.capsule).getSaid().hasEdge());
      EdgeReport said = seen(atMaster, edge.capsule).getSaid().getEdge();
      assertThat(said.getName()).isEqualTo("plant-7");
      assertThat(said.getCapsule().toByteArray()).isEqualTo(edge.capsule.toBytes());
      // Signed by the writer, by this edge and for this master: nobody else can pass it on.
      Metadata metadata = metadata(edge);
      VerifyKey by = edge.node.identity();
      assertThat(EdgeState.verifies(said, metadata, by, master.identity())).isTrue();
      assertThat(EdgeState.verifies(said, metadata, by, by)).isFalse();
      assertThat(EdgeState.verifies(said, metadata, master.identity(), master.identity()))
          .isFalse();
      EdgeReport later = said.toBuilder().setTimeMillis(said.getTimeMillis() + 1).build();
      assertThat(EdgeState.verifies(later, metadata, by, master.identity())).isFalse();
      NodeFixture.eventually(
          "the edge hears the master", () -> seen(edge.server, edge.capsule).hasSaid());
      assertThat(seen(edge.server, edge.capsule).getSaid().getWritable()).isTrue();

      long tookMillis = goneUntilLost(edge, master, atMaster);
      for (int again = 1; tookMillis >= LOST_WITHIN_MILLIS && again < ATTEMPTS; again++) {
        edge.startAgain();
        speak(edge);
        tookMillis = goneUntilLost(edge, master, atMaster);
      }
      assertThat(tookMillis).isLessThan(LOST_WITHIN_MILLIS);
    }
  }

  /** Stops an edge and returns how long it took until its master called it lost, once. */
  private static long goneUntilLost(NodeFixture edge, Node master, Server atMaster) {
    NodeFixture.eventually(
        "the edge is heard",
        () -> {
          PeerStatus seen = seen(atMaster, edge.capsule);
          return seen.hasSaid() && !seen.getLost();
        });
    double losses = DamageTest.metric(master.httpPort(), "holdfast_peer_losses_total");
    edge.stop();
    long gone = System.nanoTime();
    NodeFixture.eventually("it is lost", () -> seen(atMaster, edge.capsule).getLost());
    long tookMillis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - gone);
    assertThat(DamageTest.metric(master.httpPort(), "holdfast_peers_lost")).isEqualTo(1);
    assertThat(DamageTest.metric(master.httpPort(), "holdfast_peer_losses_total"))
        .isEqualTo(losses + 1);
    return tookMillis;
  }

  @Test
  void i25ALinkThatDiesWithoutAWordIsNoticedByTheEdgeAndItsEndToo() throws Exception {
    try (NodeFixture edge = NodeFixture.start(folder.resolve("edge"), HeartbeatsTest::often);
        Node master = master();
        FaultyProxy toMaster = FaultyProxy.forward(NodeFixture.ANYWHERE, master.endpoint());
        FaultyProxy toEdge = FaultyProxy.forward(NodeFixture.ANYWHERE, edge.node.endpoint())) {
      Statement.Placement placement =
          Statement.Placement.sign(
              edge.capsule,
              5,
              1,
              List.of(
                  new Statement.Placement.Member(
                      edge.node.identity(), toEdge.endpoint().toString()),
                  new Statement.Placement.Member(
                      master.identity(), toMaster.endpoint().toString())),
              edge.owner);
      edge.server.declare(placement);
      NodeFixture.eventually(
          "the edge hears the master", () -> seen(edge.server, edge.capsule).hasSaid());
      toMaster.set(Faults.NONE.withStalled(true));
      toEdge.set(Faults.NONE.withStalled(true));
      NodeFixture.eventually("lost", () -> seen(edge.server, edge.capsule).getLost());
      toMaster.set(Faults.NONE);
      toEdge.set(Faults.NONE);
      NodeFixture.eventually("back", () -> !seen(edge.server, edge.capsule).getLost());
    }
  }

  @Test
  void aStrangerIsNotHeard() throws Exception {
    try (NodeFixture edge = NodeFixture.start(folder.resolve("edge"), HeartbeatsTest::often);
        Node master = master();
        Server atMaster = Server.at(master.endpoint(), master.identity())) {
      place(edge, master, master.endpoint());
      speak(edge);
      NodeFixture.eventually(
          "the master hears the edge", () -> seen(atMaster, edge.capsule).getSaid().hasEdge());
      CompletableFuture<Throwable> refused = new CompletableFuture<>();
      try (Connection stranger =
          Connection.asPeer(
              master.endpoint(),
              Connection.Pin.exactly(master.identity()),
              SigningKey.generate(NodeFixture.RANDOM))) {
        var out =
            stranger.openHeartbeats(
                new StreamObserver<>() {
                  @Override
                  public void onNext(Heartbeat value) {
                    refused.completeExceptionally(new AssertionError("a stranger is answered"));
                  }

                  @Override
                  public void onError(Throwable failure) {
                    refused.complete(failure);
                  }

                  @Override
                  public void onCompleted() {}
                });
        out.onNext(
            Heartbeat.newBuilder()
                .setNumber(1)
                .setIntervalMillis(1000)
                .setCapsule(com.google.protobuf.ByteString.copyFrom(edge.capsule.toBytes()))
                .setEdge(
                    EdgeReport.newBuilder()
                        .setName("somebody else")
                        .setCapsule(
                            com.google.protobuf.ByteString.copyFrom(edge.capsule.toBytes())))
                .build());
        assertThat(Status.fromThrowable(refused.get(Patience.SECONDS, TimeUnit.SECONDS)).getCode())
            .isEqualTo(Status.Code.PERMISSION_DENIED);
      }
      assertThat(seen(atMaster, edge.capsule).getSaid().getEdge().getName()).isEqualTo("plant-7");
    }
  }

  @Test
  void twoStreamsOfOnePeerDoNotWaitForEachOther() throws Exception {
    SigningKey peer = SigningKey.generate(NodeFixture.RANDOM);
    try (NodeFixture server = NodeFixture.start(folder.resolve("edge"), HeartbeatsTest::often);
        Connection first = asPeer(server, peer);
        Connection second = asPeer(server, peer)) {
      server.server.declare(
          Statement.Placement.sign(
              server.capsule,
              5,
              1,
              List.of(
                  new Statement.Placement.Member(
                      server.node.identity(), server.node.endpoint().toString()),
                  new Statement.Placement.Member(peer.verifyKey(), "127.0.0.1:1")),
              server.owner));
      try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
        for (int round = 0; round < 50; round++) {
          List<CompletableFuture<String>> heard =
              List.of(new CompletableFuture<>(), new CompletableFuture<>());
          var one = first.openHeartbeats(heard(heard.get(0)));
          var other = second.openHeartbeats(heard(heard.get(1)));
          CyclicBarrier together = new CyclicBarrier(2);
          for (var stream : List.of(one, other)) {
            threads.execute(() -> beats(stream, server.capsule, together));
          }
          // Each hears an answer, or that the other one took its place.
          for (CompletableFuture<String> what : heard) {
            what.get(Patience.SECONDS, TimeUnit.SECONDS);
          }
        }
        CompletableFuture<String> last = new CompletableFuture<>();
        first.openHeartbeats(heard(last)).onNext(beat(server.capsule));
        assertThat(last.get(Patience.SECONDS, TimeUnit.SECONDS)).isEqualTo("answered");
      }
    }
  }

  private static void beats(
      StreamObserver<Heartbeat> stream, Hash capsule, CyclicBarrier together) {
    try {
      together.await();
      for (int i = 0; i < 20; i++) {
        stream.onNext(beat(capsule));
      }
    } catch (InterruptedException | BrokenBarrierException e) {
      throw new AssertionError(e);
    }
  }

  private static Connection asPeer(NodeFixture server, SigningKey peer) {
    return Connection.asPeer(
        server.node.endpoint(), Connection.Pin.exactly(server.node.identity()), peer);
  }

  private static Heartbeat beat(Hash capsule) {
    return Heartbeat.newBuilder()
        .setNumber(1)
        .setIntervalMillis(1000)
        .setCapsule(com.google.protobuf.ByteString.copyFrom(capsule.toBytes()))
        .build();
  }

  private static StreamObserver<Heartbeat> heard(CompletableFuture<String> what) {
    return new StreamObserver<>() {
      @Override
      public void onNext(Heartbeat value) {
        what.complete("answered");
      }

      @Override
      public void onError(Throwable failure) {
        what.complete(String.valueOf(failure.getMessage()));
      }

      @Override
      public void onCompleted() {
        what.complete("ended");
      }
    };
  }

  @Test
  void i20TheBacklogIsCountedWhileTheMasterIsGoneAndI21GoesOnWhenItIsBack() throws Exception {
    try (NodeFixture edge = NodeFixture.start(folder.resolve("edge"), HeartbeatsTest::often);
        Node master = master();
        FaultyProxy way = FaultyProxy.forward(NodeFixture.ANYWHERE, master.endpoint())) {
      place(edge, master, way.endpoint());
      edge.append(10, WriterOptions.defaults());
      NodeFixture.eventually(
          "all is backed up", () -> edge.node.backlog(edge.capsule, 1).records() == 0);
      way.set(Faults.NONE.withStalled(true));
      way.cut();
      edge.append(25, WriterOptions.defaults().withBatchRecords(5));
      NodeFixture.eventually(
          "what was written meanwhile waits",
          () -> edge.node.backlog(edge.capsule, 1).records() == 25);
      PeerStatus waiting = seen(edge.server, edge.capsule);
      assertThat(waiting.getBacklogRecords()).isEqualTo(25);
      assertThat(waiting.getBacklogBytes()).isGreaterThan(25 * 149);
      NodeFixture.eventually(
          "failures are counted", () -> !seen(edge.server, edge.capsule).getTrouble().isEmpty());
      way.set(Faults.NONE);
      NodeFixture.eventually(
          "all is backed up again", () -> edge.node.backlog(edge.capsule, 1).records() == 0);
      try (Server atMaster = Server.at(master.endpoint(), master.identity());
          CapsuleReader reader =
              atMaster.openReader(edge.capsule, List.of(), ReaderOptions.defaults())) {
        assertThat(reader.status().getCapsule().getProven()).isEqualTo(35);
      }
    }
  }

  /**
   * What an edge says of itself it looks up, with locks of its own, while others end the heartbeats
   * or ask for them.
   */
  @Test
  void whoEndsWhileAHeartbeatIsMadeDoesNotHoldItUpNorIsHeldUp() throws Exception {
    try (NodeFixture edge = NodeFixture.start(folder.resolve("edge"), HeartbeatsTest::often);
        Node master = master()) {
      Hash capsule = edge.capsule;
      Node node = edge.node;
      Thread ending = Thread.ofPlatform().daemon().unstarted(node::close);
      CompletableFuture<List<PeerStatus>> said = new CompletableFuture<>();
      AtomicBoolean first = new AtomicBoolean();
      node.speakAsEdge(
          () -> {
            if (first.compareAndSet(false, true)) {
              ending.start();
              NodeFixture.eventually("it waits for a heartbeat", () -> waits(ending));
              said.complete(node.peers(capsule));
            }
            return new EdgeState("plant-7", capsule, 0, node.backlog(capsule, 1));
          },
          edge.owner);
      place(edge, master, master.endpoint());
      assertThat(said.get(Patience.SECONDS, TimeUnit.SECONDS)).hasSize(1);
      ending.join(20_000);
      assertThat(ending.isAlive()).isFalse();
    }
  }

  private static boolean waits(Thread thread) {
    return thread.getState() != Thread.State.RUNNABLE
        && Arrays.stream(thread.getStackTrace())
            .anyMatch(frame -> frame.getClassName().startsWith(Heartbeats.class.getName()));
  }
}
