package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.ReplicaState;
import holdfast.client.ReplicaState.Standing;
import holdfast.client.ReplicationOptions;
import holdfast.client.WriteResult;
import holdfast.client.WriterOptions;
import holdfast.crypto.VerifyKey;
import holdfast.testkit.Patience;
import holdfast.wire.Reply;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A writer to three servers, some of which are slow, gone or malicious. */
@Timeout(Patience.TEST_SECONDS)
class ReplicatedWriterTest {
  private static final ReplicationOptions MAJORITY = ReplicationOptions.majority();

  /** Closing waits for whoever is connected, however slow. */
  private static final ReplicationOptions PATIENT =
      new ReplicationOptions(
          MAJORITY.needed(),
          MAJORITY.queueBatches(),
          MAJORITY.queueBytes(),
          Patience.MILLIS,
          MAJORITY.lookMillis());

  @TempDir Path folder;
  private PlacedFixture fixture;

  @BeforeEach
  void start() throws Exception {
    fixture = new PlacedFixture(folder);
  }

  @AfterEach
  void stop() {
    fixture.close();
  }

  private CapsuleWriter writer(ReplicationOptions how) throws ProofException {
    return fixture.writer(PlacedFixture.each(), how);
  }

  private static byte[] text(int i) {
    return ("record " + i).getBytes(UTF_8);
  }

  private static List<Hash> append(CapsuleWriter writer, int count) throws ProofException {
    List<Hash> names = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      names.add(writer.append(text(i)));
    }
    return names;
  }

  private ReplicaState state(CapsuleWriter writer, int node) {
    VerifyKey identity = fixture.nodes.get(node).node.identity();
    return writer.replicas().stream()
        .filter(s -> s.member().identity().equals(identity))
        .findFirst()
        .orElseThrow();
  }

  private static long connected(CapsuleWriter writer) {
    return writer.replicas().stream().filter(s -> s.standing() == Standing.CONNECTED).count();
  }

  @Test
  void d10d11EnoughDistinctServersSignForEveryBatchAndTheOthersFollow() throws Exception {
    Map<VerifyKey, Integer> heard = new ConcurrentHashMap<>();
    List<Hash> names;
    List<WriteResult> results;
    try (CapsuleWriter writer = writer(PATIENT)) {
      NodeFixture.eventually("all are connected", () -> connected(writer) == 3);
      writer.onAcknowledged(one -> heard.merge(one.receipt().server(), 1, Integer::sum));
      names = append(writer, 40);
      results = writer.commit();
    }
    assertThat(results).hasSize(40);
    for (int i = 0; i < 40; i++) {
      assertThat(results.get(i))
          .isInstanceOfSatisfying(
              WriteResult.Replicated.class,
              done -> {
                assertThat(done.needed()).isEqualTo(2);
                assertThat(done.placement()).isEqualTo(fixture.placement);
                assertThat(
                        done.acknowledgements().stream().map(s -> s.receipt().server()).distinct())
                    .hasSizeGreaterThanOrEqualTo(2);
                assertThat(done.acknowledgements()).allMatch(s -> s.names().equals(done.names()));
              });
      assertThat(results.get(i).names()).containsExactly(names.get(i));
    }
    // Also the one that nobody waited for, and its receipts were heard.
    for (int node = 0; node < 3; node++) {
      assertThat(fixture.proven(node, names)).isEqualTo(40);
      assertThat(heard).containsEntry(fixture.nodes.get(node).node.identity(), 40);
    }
  }

  @Test
  void allThreeMayBeAskedFor() throws Exception {
    try (CapsuleWriter writer = writer(MAJORITY.withNeeded(3))) {
      List<Hash> names = append(writer, 5);
      assertThat(writer.commit())
          .allMatch(r -> r instanceof WriteResult.Replicated d && d.acknowledgements().size() == 3);
      for (int node = 0; node < 3; node++) {
        assertThat(fixture.proven(node, names)).isEqualTo(5);
      }
    }
    assertThatThrownBy(() -> writer(MAJORITY.withNeeded(4)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aServerThatIsGoneHoldsNobodyUp() throws Exception {
    fixture.down(2);
    try (CapsuleWriter writer = writer(MAJORITY)) {
      List<Hash> names = append(writer, 20);
      assertThat(writer.commit()).hasSize(20).allMatch(r -> r instanceof WriteResult.Replicated);
      assertThat(state(writer, 2).standing()).isEqualTo(Standing.CONNECTING);
      assertThat(state(writer, 2).acknowledged()).isZero();
      fixture.up(2);
      // Reconnected in the background; what waited is sent, or missed when it waited too long.
      NodeFixture.eventually(
          "the server is written to again",
          () -> state(writer, 2).standing() == Standing.CONNECTED);
      names.addAll(append(writer, 1));
      writer.commitOrThrow();
      NodeFixture.eventually(
          "all is acknowledged or missed",
          () -> state(writer, 2).acknowledged() + state(writer, 2).missed() == 21);
      assertThat(fixture.proven(2, names)).isEqualTo(state(writer, 2).acknowledged()).isPositive();
    }
    assertThat(fixture.proven(2, List.of(fixture.capsule))).isZero();
  }

  @Test
  void withTooFewServersNothingIsOpenedOrStored() throws Exception {
    fixture.down(1);
    fixture.down(2);
    assertThatThrownBy(() -> writer(MAJORITY))
        .isInstanceOfSatisfying(
            HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNREACHABLE))
        .hasMessageContaining("1 of 3 servers can be written to, 2 are to acknowledge");
    fixture.up(1);
    try (CapsuleWriter writer = writer(MAJORITY)) {
      append(writer, 1);
      writer.commitOrThrow();
      fixture.down(1);
      Hash name = append(writer, 1).getFirst();
      assertThat(writer.commit())
          .singleElement()
          .isInstanceOfSatisfying(
              WriteResult.Unknown.class,
              unknown -> {
                assertThat(unknown.names()).containsExactly(name);
                assertThat(unknown.reason()).hasMessageContaining("1 of 3 servers have");
              });
      assertThat(fixture.proven(0, List.of(name))).isEqualTo(1);
    }
  }

  @Test
  void aSilentServerFallsBehindAndWhatComesLaterReachesItAgain() throws Exception {
    ReplicationOptions small = MAJORITY.withQueue(9, 1 << 20);
    try (CapsuleWriter writer =
        fixture.writer(PlacedFixture.each().withRetry(60_000, 60_000), small)) {
      fixture.meddlers.get(1).replies(reply -> reply.hasReceipt() ? List.of() : List.of(reply));
      List<Hash> names = append(writer, 100);
      assertThat(writer.commit()).hasSize(100).allMatch(r -> r instanceof WriteResult.Replicated);
      ReplicaState silent = state(writer, 1);
      assertThat(silent.behind()).isTrue();
      assertThat(silent.missed()).isGreaterThanOrEqualTo(100 - 8 - 9 - 1);
      assertThat(silent.acknowledged()).isZero();
      // It hears again: its session breaks, what it got is sent once more, and it goes on.
      fixture.meddlers.get(1).replies(List::of);
      fixture.meddlers.get(1).cut();
      NodeFixture.eventually(
          "what waited is acknowledged", () -> state(writer, 1).acknowledged() >= 9);
      Hash later = append(writer, 1).getFirst();
      writer.commitOrThrow();
      NodeFixture.eventually(
          "the last is acknowledged",
          () -> state(writer, 1).acknowledged() + silent.missed() == 101);
      assertThat(fixture.proven(1, List.of(later))).isEqualTo(1);
      assertThat(fixture.proven(1, names)).isLessThan(100).isPositive();
    }
  }

  @Test
  void aForgedReceiptEndsThatServersPartAndIsNoAcknowledgement() throws Exception {
    fixture
        .meddlers
        .get(0)
        .alter(reply -> {
          Reply.Builder forged = reply.toBuilder();
          if (reply.hasReceipt()) {
            byte[] receipt = reply.getReceipt().getReceipt().toByteArray();
            receipt[receipt.length - 1] ^= 1;
            forged.getReceiptBuilder().setReceipt(Forgery.bytes(receipt));
          }
          return forged.build();
        });
    VerifyKey forger = fixture.nodes.get(0).node.identity();
    try (CapsuleWriter writer = writer(MAJORITY)) {
      append(writer, 10);
      for (WriteResult result : writer.commit()) {
        assertThat(((WriteResult.Replicated) result).acknowledgements())
            .noneMatch(one -> one.receipt().server().equals(forger));
      }
      NodeFixture.eventually(
          "the forger is left alone", () -> state(writer, 0).standing() == Standing.LEFT_ALONE);
      assertThat(state(writer, 0).failure())
          .isInstanceOfSatisfying(
              ProofException.class,
              e -> assertThat(e.violation()).isEqualTo(Violation.BAD_RECEIPT));
    }
    CapsuleWriter all = writer(MAJORITY.withNeeded(3));
    append(all, 1);
    assertThatThrownBy(all::commit)
        .isInstanceOfSatisfying(
            ProofException.class, e -> assertThat(e.violation()).isEqualTo(Violation.BAD_RECEIPT));
    all.close();
  }

  @Test
  void anotherServerAtAMembersAddressIsNotWrittenTo() throws Exception {
    List<Statement.Placement.Member> members = new ArrayList<>(fixture.placement.members());
    Statement.Placement.Member one = members.getFirst();
    members.set(
        0, new Statement.Placement.Member(fixture.first.stranger.verifyKey(), one.address()));
    Statement.Placement wrong =
        Statement.Placement.sign(fixture.capsule, 1, 2, members, fixture.first.owner);
    try (var replicas = holdfast.client.Replicas.of(List.of(wrong));
        CapsuleWriter writer =
            replicas.openWriter(
                fixture.first.owner, fixture.first.contentKey, PlacedFixture.each(), MAJORITY)) {
      append(writer, 3);
      assertThat(writer.commit()).allMatch(r -> r instanceof WriteResult.Replicated);
      Map<VerifyKey, ReplicaState> states = new HashMap<>();
      NodeFixture.eventually(
          "the stranger is left alone",
          () -> {
            writer.replicas().forEach(s -> states.put(s.member().identity(), s));
            ReplicaState stranger = states.get(fixture.first.stranger.verifyKey());
            return stranger != null && stranger.standing() == Standing.LEFT_ALONE;
          });
      assertThat(states.get(fixture.first.stranger.verifyKey()).failure())
          .isInstanceOfSatisfying(
              ProofException.class,
              e -> assertThat(e.violation()).isEqualTo(Violation.WRONG_SERVER));
    }
  }

  @Test
  void aRunBeginsAtTheNewestHeadThoughAServerIsBehind() throws Exception {
    fixture.append(3);
    fixture.down(0);
    List<Hash> newer = fixture.append(2);
    fixture.up(0);
    try (CapsuleWriter writer = writer(MAJORITY.withNeeded(3))) {
      Hash next = append(writer, 1).getFirst();
      writer.commitOrThrow();
      try (CapsuleReader reader =
          fixture
              .nodes
              .get(1)
              .server
              .openReader(fixture.capsule, List.of(), ReaderOptions.withoutCache())) {
        Record record = ((ReadResult.Proven) reader.read(next)).record();
        assertThat(record.header().pointers()).containsExactly(newer.getLast());
      }
    }
  }

  @Test
  void d37TheSameBytesGoToAllAndABrokenSessionDoublesNothing() throws Exception {
    Map<Integer, Integer> receipts = new ConcurrentHashMap<>();
    for (int node = 0; node < 3; node++) {
      int which = node;
      fixture
          .meddlers
          .get(node)
          .replies(reply -> {
            if (reply.hasReceipt() && receipts.merge(which, 1, Integer::sum) % 5 == 1 + which) {
              fixture.meddlers.get(which).cut();
              return List.of();
            }
            return List.of(reply);
          });
    }
    List<Hash> names;
    WriterOptions how = WriterOptions.defaults().withBatchRecords(1);
    try (CapsuleWriter writer = fixture.writer(how, MAJORITY.withNeeded(3))) {
      names = append(writer, 30);
      assertThat(writer.commitOrThrow()).hasSize(90);
    }
    for (int node = 0; node < 3; node++) {
      assertThat(fixture.proven(node, names)).isEqualTo(30);
      try (CapsuleReader reader =
          fixture
              .nodes
              .get(node)
              .server
              .openReader(fixture.capsule, List.of(), ReaderOptions.withoutCache())) {
        assertThat(reader.status().getCapsule().getRecords()).isEqualTo(30);
      }
    }
    // Batches that wait share a receipt, so there may be few; each server was cut off at least
    // once.
    assertThat(receipts).hasSize(3);
    receipts.forEach((node, count) -> assertThat(count).isGreaterThan(1 + node));
  }
}
