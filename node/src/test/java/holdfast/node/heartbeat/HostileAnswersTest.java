package holdfast.node.heartbeat;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnknownFieldSet;
import holdfast.base.Hash;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.net.Connection;
import holdfast.net.DataPort;
import holdfast.net.Endpoint;
import holdfast.testkit.Patience;
import holdfast.wire.Heartbeat;
import holdfast.wire.HeartbeatsGrpc;
import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A peer that is asked says what it likes: only what is short and in order is kept. */
class HostileAnswersTest {
  private static final Hash CAPSULE = Hash.of(new byte[32]);
  private static final int ANSWERS = 3;

  private final SigningKey own = SigningKey.ofSeed(new byte[32]);
  private final SigningKey peer = SigningKey.generate(new java.security.SecureRandom());

  /** What is wrong with an answer. */
  enum Fault {
    LONG_VERSION,
    NO_CAPSULE,
    MUCH_THAT_IS_NOT_KNOWN;

    Heartbeat.Builder into(Heartbeat.Builder beat) {
      return switch (this) {
        case LONG_VERSION -> beat.setVersion("v".repeat(65));
        case NO_CAPSULE -> beat.clearCapsule();
        case MUCH_THAT_IS_NOT_KNOWN -> beat.setUnknownFields(padding());
      };
    }

    private static UnknownFieldSet padding() {
      return UnknownFieldSet.newBuilder()
          .addField(
              999,
              UnknownFieldSet.Field.newBuilder()
                  .addLengthDelimited(ByteString.copyFrom(new byte[5000]))
                  .build())
          .build();
    }
  }

  /** Answers each heartbeat as it likes, and counts. */
  private static final class Answering extends HeartbeatsGrpc.HeartbeatsImplBase {
    private final UnaryOperator<Heartbeat.Builder> made;
    private final CountDownLatch answered = new CountDownLatch(ANSWERS);

    Answering(UnaryOperator<Heartbeat.Builder> made) {
      this.made = made;
    }

    @Override
    public StreamObserver<Heartbeat> exchange(StreamObserver<Heartbeat> answers) {
      return new StreamObserver<>() {
        @Override
        public void onNext(Heartbeat beat) {
          answers.onNext(made.apply(beat.toBuilder()).build());
          answered.countDown();
        }

        @Override
        public void onError(Throwable failure) {}

        @Override
        public void onCompleted() {
          answers.onCompleted();
        }
      };
    }
  }

  private record One(VerifyKey who, Connection connection) implements Acquaintances {
    @Override
    public Map<VerifyKey, Hash> all() {
      return Map.of(who, CAPSULE);
    }

    @Override
    public boolean share(Hash capsule, VerifyKey with) {
      return true;
    }

    @Override
    public Connection connection(VerifyKey to, Hash capsule) {
      return connection;
    }
  }

  /** What is kept of a peer that has answered a few times; empty when nothing is. */
  private List<Heartbeat> kept(UnaryOperator<Heartbeat.Builder> made) throws Exception {
    ExecutorService pool = Executors.newCachedThreadPool();
    Answering answering = new Answering(made);
    try (DataPort port =
            DataPort.listen(
                new Endpoint("127.0.0.1", 0), peer, List.of(answering), pool, 64 << 20);
        Connection connection =
            Connection.asPeer(port.endpoint(), Connection.Pin.exactly(peer.verifyKey()), own);
        Heartbeats heartbeats =
            new Heartbeats(
                20, new One(peer.verifyKey(), connection), capsule -> Heartbeat.newBuilder())) {
      heartbeats.start();
      assertThat(answering.answered.await(Patience.SECONDS, TimeUnit.SECONDS)).isTrue();
      PeerHealth health = heartbeats.health(peer.verifyKey());
      assertThat(health).isNotNull();
      return health.said() == null ? List.of() : List.of(health.said());
    } finally {
      pool.shutdownNow();
    }
  }

  @ParameterizedTest
  @EnumSource
  void whatIsNoHeartbeatIsNotKept(Fault fault) throws Exception {
    assertThat(kept(fault::into)).isEmpty();
  }

  @Test
  void whatIsOneIsKept() throws Exception {
    assertThat(kept(beat -> beat.setVersion("1.0"))).hasSize(1);
  }
}
