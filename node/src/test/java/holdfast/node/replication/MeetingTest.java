package holdfast.node.replication;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import holdfast.base.Bytes;
import holdfast.base.Encoder;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Metadata;
import holdfast.crypto.SigningKey;
import holdfast.store.CapsuleStore;
import holdfast.store.StoreOptions;
import holdfast.store.StoredCapsule;
import holdfast.sync.Marker;
import holdfast.sync.Progress;
import holdfast.sync.Round;
import holdfast.sync.RoundOptions;
import holdfast.testkit.Patience;
import holdfast.wire.Frame;
import io.grpc.stub.CallStreamObserver;
import io.grpc.stub.ClientCallStreamObserver;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a peer sends is asked for piece by piece, and counted until it is dealt with. */
class MeetingTest {
  private static final int BYTES = 3 << 20;
  private static final int HALF = BYTES / 2;

  @TempDir Path folder;

  private final SigningKey owner = SigningKey.ofSeed(new byte[32]);
  private final ArrayDeque<Runnable> work = new ArrayDeque<>();
  private final List<String> endings = new ArrayList<>();
  private final HeldBytes held = new HeldBytes(64 << 20);
  private final Stream stream = new Stream();
  private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
  private Optional<RuntimeException> planted = Optional.empty();
  private CapsuleStore store;
  private StoredCapsule capsule;
  private Meeting meeting;

  /** The way to a peer, on which it counts how many frames were asked for. */
  private static final class Stream extends CallStreamObserver<Frame> {
    private int asked;
    private boolean completed;

    @Override
    public boolean isReady() {
      return true;
    }

    @Override
    public void setOnReadyHandler(Runnable ready) {}

    @Override
    public void disableAutoInboundFlowControl() {}

    @Override
    public void request(int count) {
      asked += count;
    }

    @Override
    public void setMessageCompression(boolean enable) {}

    @Override
    public void onNext(Frame frame) {
      assertThat(completed).isFalse();
    }

    @Override
    public void onError(Throwable failure) {
      completed = true;
    }

    @Override
    public void onCompleted() {
      completed = true;
    }
  }

  /** A stream that this side has opened. */
  private static final class Called extends ClientCallStreamObserver<Frame> {
    private final CountDownLatch cancelled = new CountDownLatch(1);

    @Override
    public void cancel(String message, Throwable cause) {
      cancelled.countDown();
    }

    @Override
    public boolean isReady() {
      return true;
    }

    @Override
    public void setOnReadyHandler(Runnable ready) {}

    @Override
    public void request(int count) {}

    @Override
    public void setMessageCompression(boolean enable) {}

    @Override
    public void disableAutoInboundFlowControl() {}

    @Override
    public void onNext(Frame frame) {}

    @Override
    public void onError(Throwable failure) {}

    @Override
    public void onCompleted() {}
  }

  private final class Noting implements Meeting.Ending {
    @Override
    public void finished(Marker marker, Progress progress) {
      endings.add("finished");
    }

    @Override
    public void lied(ProofException evidence) {
      endings.add("lied");
    }

    @Override
    public void failed(String reason) {
      endings.add(reason);
      planted.ifPresent(failure -> {
        throw failure;
      });
    }
  }

  @BeforeEach
  void open() throws Exception {
    store = CapsuleStore.open(folder, StoreOptions.defaults());
    Metadata metadata =
        new Metadata(
            owner.verifyKey(),
            List.of(new Metadata.Writer(owner.verifyKey(), "owner")),
            "test",
            1,
            "",
            Bytes.wrap(new byte[16]),
            new TreeMap<>());
    capsule = store.create(metadata, metadata.signCreation(owner));
    meeting = meeting();
    meeting.begin(stream);
    runAll();
  }

  private Meeting meeting() {
    Round round =
        new Round(
            new StoredReplica(capsule),
            false,
            RoundOptions.defaults(),
            List.of(),
            Hash.of(new byte[32]));
    return new Meeting(store, capsule, round, work::add, timer, held, new Noting());
  }

  @AfterEach
  void close() {
    timer.shutdownNow();
    store.close();
  }

  private void runAll() {
    for (Runnable next = work.poll(); next != null; next = work.poll()) {
      next.run();
    }
  }

  /** A push that comes before its stage, which is kept until then. */
  private static byte[] early() {
    return new Encoder().u8(7).u32(0).u8(0).bytes32(new byte[BYTES]).u32(0).toBytes();
  }

  private void frame(byte[] message, int from, int to) {
    meeting.frame(
        Frame.newBuilder()
            .setPart(ByteString.copyFrom(message, from, to - from))
            .setLast(to == message.length)
            .build());
  }

  @Test
  void aPeerIsHeldBackUntilWhatItSentIsLookedAt() {
    byte[] message = early();
    assertThat(stream.asked).isEqualTo(1);
    frame(message, 0, HALF);
    assertThat(stream.asked).as("the rest of the message").isEqualTo(2);
    assertThat(held.all()).isEqualTo(HALF);
    frame(message, HALF, message.length);
    assertThat(stream.asked).as("while the message waits").isEqualTo(2);
    assertThat(held.all()).isEqualTo(message.length);
    runAll();
    assertThat(stream.asked).as("the next message").isEqualTo(3);
    assertThat(held.all()).as("it waits for its stage").isEqualTo(message.length);
    meeting.lost("it is over");
    assertThat(stream.asked).as("once for each that came").isEqualTo(3);
  }

  @Test
  void aPeerIsHeldBackAlsoForManySmallMessages() {
    int given = 0;
    while (stream.asked > given && given < 1000) {
      frame(new byte[] {1}, 0, 1);
      given++;
    }
    assertThat(given).isBetween(2, 100);
    assertThat(held.all()).isEqualTo(given);
  }

  @Test
  void whatWasHeldIsGivenUpWithTheMeeting() {
    byte[] message = early();
    frame(message, 0, message.length);
    runAll();
    frame(message, 0, HALF);
    assertThat(held.all()).isEqualTo(message.length + HALF);
    meeting.lost("the stream broke");
    assertThat(held.all()).isZero();
    assertThat(endings).containsExactly("the stream broke");
  }

  @Test
  void aStreamThatThePeerEndsByAnErrorIsCompletedHereToo() {
    meeting.frame(Frames.error(new HoldfastException(ErrorCode.BUSY, "not now", 200)));
    assertThat(endings).containsExactly("not now");
    assertThat(stream.completed).isTrue();
  }

  @Test
  void aStreamThatIsOpenedWhenTheMeetingIsOverEnds() {
    Meeting over = meeting();
    over.lost("its link is gone");
    Stream late = new Stream();
    over.begin(late);
    assertThat(late.completed).isTrue();
    assertThat(late.asked).isZero();
  }

  @Test
  void whoHasToGiveWayIsToldAndAskedForNoMore() {
    byte[] message = early();
    frame(message, 0, message.length);
    meeting.giveWay();
    assertThat(stream.asked).isEqualTo(1);
    runAll();
    assertThat(stream.completed).isTrue();
    assertThat(held.all()).isZero();
    assertThat(endings).containsExactly("peers have sent more than this server has room for");
  }

  @Test
  void whoHasToGiveWayCountsNoMoreThoughMoreComesOfIt() {
    byte[] message = early();
    frame(message, 0, message.length);
    runAll();
    assertThat(stream.asked).isEqualTo(2);
    meeting.giveWay();
    assertThat(endings).as("on another thread").isEmpty();
    frame(message, 0, HALF);
    assertThat(stream.asked).isEqualTo(2);
    assertThat(held.all()).isZero();
  }

  /** Frames that nobody takes would fill the window that all streams of a connection share. */
  @Test
  void whatComesAfterTheEndIsThrownAway() {
    byte[] message = early();
    frame(message, 0, message.length);
    work.clear();
    assertThat(stream.asked).isEqualTo(1);
    meeting.lost("it is over");
    assertThat(stream.asked).isEqualTo(2);
    frame(message, 0, HALF);
    frame(message, HALF, message.length);
    assertThat(stream.asked).isEqualTo(4);
    assertThat(held.all()).isZero();
    assertThat(work).isEmpty();
  }

  @Test
  void aStreamThatThePeerDoesNotEndIsCancelled() throws Exception {
    Called called = new Called();
    meeting = meeting();
    meeting.begin(called);
    runAll();
    meeting.lost("it is over");
    assertThat(called.cancelled.await(Patience.SECONDS, TimeUnit.SECONDS)).isTrue();
  }

  /** This server is stopping, and waits for nothing. */
  @Test
  void aStreamThatIsOpenedWhenAllIsOverIsCancelled() {
    Meeting over = meeting();
    over.lost("its link is gone");
    timer.shutdownNow();
    Called late = new Called();
    over.begin(late);
    assertThat(late.cancelled.getCount()).isZero();
  }

  @Test
  void aMeetingEndsOnce() {
    meeting.lost("it is over");
    meeting.lost("and over");
    meeting.refuse(new HoldfastException(ErrorCode.BUSY, "and over", 0));
    assertThat(endings).containsExactly("it is over");
  }

  /** It would wait for the next message of a round that is over, and call anew no sooner. */
  @Test
  void aPeerIsToldOfTheEndThoughSomethingFailsHere() {
    planted = Optional.of(new IllegalStateException("planted"));
    assertThatThrownBy(() -> meeting.lost("it is over")).isSameAs(planted.get());
    assertThat(endings).containsExactly("it is over");
    assertThat(stream.completed).isTrue();
  }

  /** What the peer said before it left may end the round well. */
  @Test
  void whatCameBeforeThePeerLeftStillCounts() {
    byte[] message = early();
    frame(message, 0, message.length);
    meeting.leaves("it has left");
    assertThat(endings).isEmpty();
    runAll();
    assertThat(endings).containsExactly("it has left");
  }

  @Test
  void whatIsHeardIsNoAdvance() {
    long before = meeting.advancedNanos();
    byte[] message = early();
    frame(message, 0, message.length);
    runAll();
    assertThat(meeting.advancedNanos()).isEqualTo(before);
    assertThat(meeting.heardNanos()).isGreaterThan(before);
  }
}
