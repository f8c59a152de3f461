package holdfast.node.replication;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Metadata;
import holdfast.capsule.Receipt;
import holdfast.capsule.Statement;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.net.Connection;
import holdfast.net.Endpoint;
import holdfast.store.CapsuleStore;
import holdfast.store.StoreBatch;
import holdfast.store.StoreOptions;
import holdfast.store.StoredCapsule;
import holdfast.sync.Marker;
import holdfast.sync.Progress;
import holdfast.sync.Round;
import holdfast.sync.RoundOptions;
import holdfast.testkit.Patience;
import holdfast.wire.Frame;
import io.grpc.stub.StreamObserver;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Links follow the placements, and nothing is left of one that is gone. */
class LinksTest {
  private static final VerifyKey SELF = key(1).verifyKey();
  private static final VerifyKey OLD = key(2).verifyKey();
  private static final VerifyKey NEW = key(3).verifyKey();

  @TempDir Path folder;

  private final List<String> endings = new ArrayList<>();
  private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
  private final CountDownLatch routed = new CountDownLatch(2);
  private final CompletableFuture<String> failure = new CompletableFuture<>();
  private @Nullable Error planted;
  private CapsuleStore store;
  private StoredCapsule capsule;
  private Supplier<List<Member>> members;

  /** Of capsules that are kept by others than the first. */
  private final Map<Hash, Supplier<List<Member>>> ofOthers = new HashMap<>();

  private Links links;

  private static SigningKey key(int number) {
    byte[] seed = new byte[32];
    Arrays.fill(seed, (byte) number);
    return SigningKey.ofSeed(seed);
  }

  private static List<Member> members(VerifyKey... keys) {
    return Arrays.stream(keys).map(one -> new Member(one, Endpoint.parse("127.0.0.1:1"))).toList();
  }

  /** Says who keeps the capsule as the test does. */
  private final class Said implements Directory {
    @Override
    public List<Member> members(StoredCapsule about) {
      return ofOthers.getOrDefault(about.name(), members).get();
    }

    @Override
    public holdfast.wire.Meeting introduce(StoredCapsule about, VerifyKey peer) {
      throw new AssertionError("nobody is introduced");
    }

    @Override
    public StoredCapsule admit(holdfast.wire.Meeting about, VerifyKey peer) {
      throw new AssertionError("nobody is admitted");
    }

    @Override
    public Endpoint route(Member member) {
      Error error = planted;
      if (error != null) {
        routed.countDown();
        throw error;
      }
      return member.endpoint();
    }
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
    }
  }

  @BeforeEach
  void open() throws Exception {
    store = CapsuleStore.open(folder.resolve("store"), StoreOptions.defaults());
    capsule = create(0);
    links = new Links(SELF, new Said(), new Liars(folder.resolve("liars")));
  }

  private StoredCapsule create(int number) throws ProofException {
    SigningKey owner = key(9);
    Metadata metadata =
        new Metadata(
            owner.verifyKey(),
            List.of(new Metadata.Writer(owner.verifyKey(), "owner")),
            "test " + number,
            1,
            "",
            Bytes.wrap(new byte[16]),
            new TreeMap<>());
    return store.create(metadata, metadata.signCreation(owner));
  }

  @AfterEach
  void close() {
    timer.shutdownNow();
    store.close();
  }

  private Meeting meeting() {
    Round round =
        new Round(
            new StoredReplica(capsule),
            false,
            RoundOptions.defaults(),
            List.of(),
            Hash.of(new byte[32]));
    return new Meeting(
        store, capsule, round, Runnable::run, timer, new HeldBytes(64 << 20), new Noting());
  }

  private void place(VerifyKey on) throws InterruptedException {
    Statement.Placement now = capsule.placement();
    long version = now == null ? 1 : now.version() + 1;
    Statement placement =
        Statement.Placement.sign(
            capsule.name(),
            version,
            version,
            List.of(new Statement.Placement.Member(on, "127.0.0.1:1")),
            key(9));
    CountDownLatch stored = new CountDownLatch(1);
    store.submit(
        new StoreBatch(
            capsule,
            List.of(),
            List.of(placement),
            512,
            new StoreBatch.Completion() {
              @Override
              public void received(List<Receipt.Entry> entries) {}

              @Override
              public void synced(List<Receipt.Entry> entries) {
                stored.countDown();
              }

              @Override
              public void failed(HoldfastException reason) {
                throw new AssertionError(reason);
              }
            }));
    assertThat(stored.await(Patience.SECONDS, TimeUnit.SECONDS)).isTrue();
  }

  /** What somebody hears who opens a stream. */
  private static String heard(Connection connection) throws Exception {
    CompletableFuture<String> failure = new CompletableFuture<>();
    connection.openRound(
        new StreamObserver<>() {
          @Override
          public void onNext(Frame frame) {}

          @Override
          public void onError(Throwable reason) {
            failure.complete(String.valueOf(reason.getMessage()));
          }

          @Override
          public void onCompleted() {}
        });
    return failure.get(Patience.SECONDS, TimeUnit.SECONDS);
  }

  private Replication replication() {
    return new Replication(
        MeetingOptions.defaults(),
        key(1),
        store,
        new Said(),
        new Liars(folder.resolve("liars")),
        Runnable::run);
  }

  private Link linkTo(VerifyKey peer) {
    Link link = links.to(peer, capsule.name());
    assertThat(link).isNotNull();
    return link;
  }

  @Test
  void aMeetingEndsWithItsLink() {
    members = () -> members(SELF, OLD);
    links.refresh(capsule);
    Link link = linkTo(OLD);
    assertThat(link.take(meeting())).isTrue();
    members = () -> members(SELF, NEW);
    links.refresh(capsule);
    assertThat(links.of(capsule.name())).containsOnlyKeys(NEW);
    assertThat(endings).hasSize(1);
    assertThat(endings.getFirst()).contains("no placement says any more");
  }

  @Test
  void noMeetingBeginsOverALinkThatIsGone() {
    members = () -> members(SELF, OLD);
    links.refresh(capsule);
    Link link = linkTo(OLD);
    members = () -> members(SELF, NEW);
    links.refresh(capsule);
    assertThat(link.take(meeting())).as("one that was about to begin").isFalse();
  }

  @Test
  void aLinkHasOneMeetingAtATime() {
    members = () -> members(SELF, OLD);
    links.refresh(capsule);
    Link link = linkTo(OLD);
    assertThat(link.take(meeting())).isTrue();
    assertThat(link.take(meeting())).isFalse();
    link.failed("it is over");
    assertThat(link.take(meeting())).isTrue();
  }

  /** Who is no member is met until the owner says that the move is over, and not counted. */
  @Test
  void aLinkKnowsWhetherItsPeerStays() throws Exception {
    members = () -> members(SELF, OLD, NEW);
    links.refresh(capsule);
    assertThat(linkTo(OLD).stays).as("while nothing is placed").isTrue();
    place(NEW);
    links.refresh(capsule);
    assertThat(linkTo(OLD).stays).isFalse();
    assertThat(linkTo(NEW).stays).isTrue();
    place(OLD);
    links.refresh(capsule);
    assertThat(linkTo(OLD).stays).isTrue();
    assertThat(linkTo(NEW).stays).isFalse();
  }

  @Test
  void allMeetingsEndWhenThisServerIsLeft() {
    members = () -> members(SELF, OLD);
    links.refresh(capsule);
    assertThat(linkTo(OLD).take(meeting())).isTrue();
    members = () -> members(OLD, NEW);
    links.refresh(capsule);
    assertThat(links.capsules()).isEmpty();
    assertThat(endings).hasSize(1);
  }

  @Test
  void aConnectionThatNoLinkUsesIsClosed() throws Exception {
    members = () -> members(SELF, OLD, NEW);
    try (Replication replication = replication()) {
      replication.refresh(capsule);
      Connection old = replication.connection(OLD, capsule.name());
      Connection kept = replication.connection(NEW, capsule.name());
      assertThat(replication.connections()).isEqualTo(2);
      members = () -> members(SELF, NEW);
      replication.refresh(capsule);
      assertThat(replication.connections()).isEqualTo(1);
      assertThat(replication.connection(NEW, capsule.name())).isSameAs(kept);
      assertThat(heard(old)).contains("shutdown");
      assertThat(heard(kept)).doesNotContain("shutdown");
      members = () -> members(SELF, OLD, NEW);
      replication.refresh(capsule);
      assertThat(replication.connection(OLD, capsule.name())).isNotSameAs(old);
    }
  }

  /** The owner has placed the same server, which runs elsewhere now. */
  @Test
  void aPeerIsMetAtTheAddressOfTheNewestPlacement() throws Exception {
    members = () -> members(SELF, OLD, NEW);
    try (Replication replication = replication()) {
      replication.refresh(capsule);
      Connection before = replication.connection(OLD, capsule.name());
      Connection kept = replication.connection(NEW, capsule.name());
      List<Member> elsewhere = new ArrayList<>(members(SELF, NEW));
      elsewhere.add(new Member(OLD, Endpoint.parse("127.0.0.1:2")));
      members = () -> elsewhere;
      replication.refresh(capsule);
      assertThat(replication.connection(OLD, capsule.name()).endpoint())
          .isEqualTo(Endpoint.parse("127.0.0.1:2"));
      assertThat(heard(before)).contains("shutdown");
      assertThat(replication.connection(NEW, capsule.name())).isSameAs(kept);
      assertThat(replication.connections()).isEqualTo(2);
    }
  }

  /** An owner places one capsule after the other. */
  @Test
  void eachCapsuleLeadsToTheAddressThatItsOwnPlacementNames() throws Exception {
    StoredCapsule other = create(1);
    members = () -> members(SELF, OLD);
    ofOthers.put(other.name(), () -> members(SELF, OLD));
    try (Replication replication = replication()) {
      replication.refresh(capsule);
      replication.refresh(other);
      Connection before = replication.connection(OLD, capsule.name());
      assertThat(replication.connection(OLD, other.name())).isSameAs(before);
      List<Member> elsewhere = new ArrayList<>(members(SELF));
      elsewhere.add(new Member(OLD, Endpoint.parse("127.0.0.1:2")));
      ofOthers.put(other.name(), () -> elsewhere);
      replication.refresh(other);
      assertThat(replication.connection(OLD, other.name()).endpoint().port()).isEqualTo(2);
      assertThat(replication.connection(OLD, capsule.name())).isSameAs(before);
      members = () -> elsewhere;
      replication.refresh(capsule);
      assertThat(replication.connection(OLD, capsule.name()).endpoint().port()).isEqualTo(2);
      assertThat(replication.connections()).isEqualTo(1);
      assertThat(heard(before)).contains("shutdown");
    }
  }

  /** Whether rounds are still opened after one that met an error. */
  private boolean goesOnAfter(Error error) throws Exception {
    planted = error;
    members = () -> members(SELF, OLD);
    try (Replication replication =
        new Replication(
            MeetingOptions.defaults().withPeriod(1, 1).withMeetings(1),
            key(1),
            store,
            new Said(),
            new Liars(folder.resolve("liars")),
            Runnable::run)) {
      replication.onFailure(failure::complete);
      replication.start();
      return routed.await(Patience.SECONDS, TimeUnit.SECONDS);
    }
  }

  @Test
  void anErrorStopsNoRoundsSilently() throws Exception {
    assertThat(goesOnAfter(new LinkageError("planted"))).isTrue();
    assertThat(failure.get(Patience.SECONDS, TimeUnit.SECONDS)).contains("planted");
  }

  @Test
  void anImpossibleStateEndsOneRoundAlone() throws Exception {
    assertThat(goesOnAfter(new AssertionError("planted"))).isTrue();
    assertThat(failure).isNotDone();
  }

  @Test
  void whoReadTheMembersBeforeAPlacementDoesNotUndoWhatCameOfIt() throws Exception {
    Thread later = Thread.ofPlatform().unstarted(() -> links.refresh(capsule));
    members =
        () -> {
          List<Member> before = members(SELF, OLD);
          members = () -> members(SELF, OLD, NEW);
          later.start();
          // Either it has to wait for this one, or it is through.
          while (later.isAlive() && later.getState() != Thread.State.BLOCKED) {
            Thread.onSpinWait();
          }
          return before;
        };
    links.refresh(capsule);
    later.join();
    assertThat(links.of(capsule.name())).containsOnlyKeys(OLD, NEW);
  }
}
