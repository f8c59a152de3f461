package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Statement;
import holdfast.client.BadEvidence;
import holdfast.client.CapsuleReader;
import holdfast.client.Declaration;
import holdfast.client.QuorumFreshness;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.ReplicatedReader;
import holdfast.client.ReplicatedWatch;
import holdfast.testkit.Patience;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A reader of three servers, some of which are gone, behind or malicious. */
@Timeout(Patience.TEST_SECONDS)
class ReplicatedReaderTest {
  @TempDir Path folder;
  private PlacedFixture fixture;
  private ReplicatedReader reader;

  @BeforeEach
  void start() throws Exception {
    fixture = new PlacedFixture(folder);
    reader = fixture.replicas.openReader(List.of(fixture.first.contentKey), PlacedFixture.READING);
  }

  @AfterEach
  void stop() {
    reader.close();
    fixture.close();
  }

  private int nodeAsked() {
    // The members stand in the order of their keys.
    String first = fixture.placement.members().getFirst().address();
    for (int node = 0; node < 3; node++) {
      if (fixture.meddlers.get(node).endpoint().toString().equals(first)) {
        return node;
      }
    }
    throw new AssertionError();
  }

  private long proven(int node, List<Hash> names) {
    try {
      return fixture.proven(node, names);
    } catch (ProofException e) {
      throw new AssertionError("an honest server proves what it has", e);
    }
  }

  private List<Hash> appendToAll(int count) throws Exception {
    List<Hash> names = fixture.append(count, 3);
    for (int node = 0; node < 3; node++) {
      assertThat(proven(node, names)).isEqualTo(count);
    }
    return names;
  }

  @Test
  void whenAServerIsGoneTheNextIsAsked() throws Exception {
    List<Hash> names = appendToAll(5);
    assertThat(reader.readAll(names)).allMatch(r -> r instanceof ReadResult.Proven);
    fixture.down(nodeAsked());
    assertThat(reader.readAll(names)).allMatch(r -> r instanceof ReadResult.Proven);
    for (int node = 0; node < 3; node++) {
      fixture.down(node);
    }
    assertThatThrownBy(() -> reader.readAll(names))
        .isInstanceOfSatisfying(
            HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNREACHABLE));
    fixture.up((nodeAsked() + 1) % 3);
    assertThat(reader.readAll(names)).allMatch(r -> r instanceof ReadResult.Proven);
    assertThat(reader.evidence()).isEmpty();
  }

  @Test
  void whoGivesBadEvidenceIsNotAskedAgainAndWhatItGaveIsKept() throws Exception {
    List<Hash> names = appendToAll(5);
    Meddler liar = fixture.meddlers.get(nodeAsked());
    liar.alter(
        Forgery.answers(
            answer -> answer.toBuilder().setProof(Forgery.bytes(new byte[] {0, 0, 0, 0})).build()));
    assertThat(reader.readAll(names)).allMatch(r -> r instanceof ReadResult.Proven);
    assertThat(reader.evidence())
        .singleElement()
        .satisfies(e -> {
          assertThat(e.server()).isEqualTo(liar.endpoint());
          assertThat(e.violation()).isEqualTo(Violation.BROKEN_CHAIN);
        });
    liar.alter(reply -> reply);
    liar.requests.clear();
    assertThat(reader.read(names.getFirst())).isInstanceOf(ReadResult.Proven.class);
    assertThat(liar.requests).isEmpty();
  }

  @Test
  void badEvidenceIsNeverPassedOffAsNotThere() throws Exception {
    List<Hash> names = appendToAll(1);
    fixture
        .meddlers
        .get(nodeAsked())
        .alter(Forgery.answers(answer -> answer.toBuilder().clearStatuses().build()));
    for (int node = 0; node < 3; node++) {
      if (node != nodeAsked()) {
        fixture.down(node);
      }
    }
    for (int round = 0; round < 2; round++) {
      int before = round;
      assertThatThrownBy(() -> reader.read(names.getFirst()))
          .isInstanceOf(before == 0 ? ProofException.class : HoldfastException.class);
    }
    assertThat(reader.evidence()).extracting(BadEvidence::violation).hasSize(1);
  }

  @Test
  void whatOneServerLacksAnotherHas() throws Exception {
    int behind = nodeAsked();
    List<Hash> early = appendToAll(2);
    fixture.down(behind);
    List<Hash> late = fixture.append(2);
    fixture.up(behind);
    assertThat(reader.readAll(List.of(early.get(0), late.get(0), early.get(1), late.get(1))))
        .allMatch(r -> r instanceof ReadResult.Proven)
        .extracting(ReadResult::name)
        .containsExactly(early.get(0), late.get(0), early.get(1), late.get(1));
    assertThat(reader.readLeaves(List.of(new ReadResult.LeafName(late.get(1), 0))))
        .allMatch(r -> r instanceof ReadResult.LeafResult.Proven);
    assertThat(reader.read(fixture.capsule)).isEqualTo(new ReadResult.Absent(fixture.capsule));
  }

  @Test
  void d22HeadsComeFromAQuorumThatStatesWhatItSurvives() throws Exception {
    appendToAll(3);
    int behind = nodeAsked();
    fixture.down(behind);
    Hash newest = fixture.append(2).getLast();
    fixture.up(behind);
    QuorumFreshness all = reader.heads(3, 2);
    assertThat(all.answers()).hasSize(3).extracting(a -> a.server()).doesNotHaveDuplicates();
    // The server that is behind lists a head that is none: it lies below the newest.
    assertThat(all.answers()).anyMatch(a -> !a.heads().equals(List.of(newest)));
    assertThat(all.heads()).containsExactly(newest);
    assertThat(all.survives()).isEqualTo(1);
    assertThat(reader.heads(2, 2).survives()).isZero();
    assertThat(reader.heads(2, 2).heads()).containsExactly(newest);
    assertThat(reader.heads(3, 3).survives()).isEqualTo(2);
    assertThat(reader.heads(1, 2).survives()).isEqualTo(-1);
    fixture.down((behind + 1) % 3);
    assertThat(reader.heads(2, 2).heads()).containsExactly(newest);
    assertThatThrownBy(() -> reader.heads(3, 2))
        .isInstanceOf(HoldfastException.class)
        .hasMessageContaining("2 of 3 servers say what is newest, 3 were to");
  }

  @Test
  void branchesAreBothHeads() throws Exception {
    appendToAll(1);
    Hash[] branches = new Hash[2];
    for (int i = 0; i < 2; i++) {
      try (RawClient raw = new RawClient(fixture.first, fixture.first.owner)) {
        var record = raw.record(0, List.of(), new byte[] {(byte) i});
        raw.expectReceipt(
            raw.write(List.of(record), List.of(raw.sign(record.name()))).setPlacement(1));
        branches[i] = record.name();
      }
    }
    assertThat(reader.heads(3, 2).heads()).contains(branches).hasSize(3);
  }

  @Test
  void aSuccessionThatOneServerShowsBindsTheOthers() throws Exception {
    List<Hash> names = appendToAll(3);
    int silent = nodeAsked();
    Statement.Succession closing =
        Statement.Succession.sign(
            fixture.capsule, 1, List.of(names.get(1)), Hash.ZERO, fixture.first.owner);
    assertThat(reader.read(names.get(2))).isInstanceOf(ReadResult.Proven.class);
    // One server knows of it; the one that is asked first does not.
    fixture.nodes.get((silent + 1) % 3).server.declare(closing);
    fixture.down(silent);
    fixture.down((silent + 2) % 3);
    assertThat(reader.read(names.get(1))).isInstanceOf(ReadResult.Proven.class);
    fixture.up(silent);
    fixture.down((silent + 1) % 3);
    assertThatThrownBy(() -> reader.read(names.get(2)))
        .isInstanceOfSatisfying(
            ProofException.class, e -> assertThat(e.violation()).isEqualTo(Violation.OUTSIDE));
  }

  @Test
  void headsLieWithinWhatOneServerShowsThatTheCapsuleWasClosedWith() throws Exception {
    List<Hash> names = appendToAll(3);
    Statement.Succession closing =
        Statement.Succession.sign(
            fixture.capsule, 1, List.of(names.get(1)), Hash.ZERO, fixture.first.owner);
    // The first has a record from after the end, and shows nothing of that.
    fixture.nodes.get(1).server.declare(closing);
    fixture.nodes.get(2).server.declare(closing);
    fixture.down(2);
    assertThatThrownBy(() -> reader.heads(2, 0))
        .isInstanceOfSatisfying(
            HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNREACHABLE))
        .hasMessageContaining("1 of 3 servers say what is newest");
    fixture.up(2);
    assertThat(reader.heads(2, 0).heads()).containsExactly(names.get(1));
    // It may not have heard of it yet, so it is asked again.
    assertThat(reader.evidence()).isEmpty();
    fixture.nodes.get(0).server.declare(closing);
    assertThat(reader.heads(3, 0).heads()).containsExactly(names.get(1));
  }

  // ---- Following --------------------------------------------------------------------------------

  private static List<Hash> until(ReplicatedWatch watch, int count) throws ProofException {
    List<Hash> came = new ArrayList<>();
    while (came.size() < count) {
      watch.poll(100).forEach(result -> came.add(result.name()));
    }
    return came;
  }

  @Test
  void D44_aWatchGoesOnWithTheNextServerAndGivesNothingTwice() throws Exception {
    appendToAll(3);
    try (ReplicatedWatch watch = reader.watch()) {
      List<Hash> early = appendToAll(4);
      assertThat(until(watch, 4)).containsExactlyElementsOf(early);
      fixture.down(nodeAsked());
      List<Hash> late = fixture.append(3);
      assertThat(until(watch, 3)).containsExactlyElementsOf(late);
      assertThat(watch.poll(1)).isEmpty();
    }
    assertThat(reader.evidence()).isEmpty();
  }

  @Test
  void D44_aWatchFromTheBeginningGivesEverythingOnceAlthoughAServerIsCutOffInBetween()
      throws Exception {
    List<Hash> all = new ArrayList<>(appendToAll(3));
    try (ReplicatedWatch watch = reader.watch(0)) {
      List<Hash> came = new ArrayList<>(until(watch, 3));
      fixture.down(nodeAsked());
      all.addAll(fixture.append(3));
      came.addAll(until(watch, 3));
      assertThat(came).containsExactlyElementsOf(all);
    }
  }

  @Test
  void aWatchThatWasGivenBadEvidenceGoesOnElsewhere() throws Exception {
    try (ReplicatedWatch watch = reader.watch()) {
      fixture
          .meddlers
          .get(nodeAsked())
          .alter(
              Forgery.answers(answer ->
                  answer.toBuilder().setProof(Forgery.bytes(new byte[] {0, 0, 0, 0})).build()));
      List<Hash> names = appendToAll(2);
      assertThat(until(watch, 2)).containsExactlyElementsOf(names);
    }
    assertThat(reader.evidence())
        .singleElement()
        .satisfies(e -> assertThat(e.violation()).isEqualTo(Violation.BROKEN_CHAIN));
  }

  @Test
  void aWatchThatNoServerServesSaysSoAndGoesOnWhenOneIsBack() throws Exception {
    appendToAll(1);
    try (ReplicatedWatch watch = reader.watch()) {
      assertThat(watch.poll(1)).isEmpty();
      List<Hash> names = appendToAll(2);
      for (int node = 0; node < 3; node++) {
        fixture.down(node);
      }
      assertThatThrownBy(() -> until(watch, 2))
          .isInstanceOfSatisfying(
              HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNREACHABLE));
      fixture.up((nodeAsked() + 2) % 3);
      assertThat(until(watch, 2)).containsExactlyElementsOf(names);
    }
  }

  // ---- What an owner states ---------------------------------------------------------------------

  @Test
  void whatAnOwnerStatesIsToldToAllAndOneThatTakesItIsEnough() throws Exception {
    Statement.Erasure erasure =
        Statement.Erasure.sign(
            fixture.capsule, 1, new Statement.Erased.OfTimes(0, 1), "", fixture.first.owner);
    Declaration told = Declaration.tell(fixture.replicas.servers(), List.of(erasure));
    assertThat(told.acknowledged()).isEqualTo(3);
    for (NodeFixture node : fixture.nodes) {
      assertThat(statements(node)).contains(erasure);
    }
    fixture.down(0);
    fixture.down(1);
    Statement.Erasure another =
        Statement.Erasure.sign(
            fixture.capsule, 2, new Statement.Erased.OfTimes(0, 2), "", fixture.first.owner);
    told = Declaration.tell(fixture.replicas.servers(), List.of(another));
    assertThat(told.acknowledged()).isEqualTo(1);
    assertThat(told.first().server()).isEqualTo(fixture.nodes.get(2).node.identity());
    assertThat(told.told()).filteredOn(one -> one.failure() != null).hasSize(2);
    assertThat(statements(fixture.nodes.get(2))).contains(another);
    fixture.down(2);
    Declaration none = Declaration.tell(fixture.replicas.servers(), List.of(another));
    assertThat(none.acknowledged()).isZero();
    assertThatThrownBy(none::first)
        .isInstanceOfSatisfying(
            HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNREACHABLE));
  }

  private List<Statement> statements(NodeFixture node) throws ProofException {
    try (CapsuleReader one =
        node.server.openReader(fixture.capsule, List.of(), ReaderOptions.withoutCache())) {
      return one.statements(true);
    }
  }
}
