package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.GivenUp;
import holdfast.client.Handover;
import holdfast.client.Placing;
import holdfast.client.QuorumFreshness;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.Replicas;
import holdfast.client.ReplicatedReader;
import holdfast.client.Server;
import holdfast.client.WriteResult;
import holdfast.testkit.Patience;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Readers and writers that are opened in the middle of a move, and moves one after the other. */
@Timeout(Patience.TEST_SECONDS)
class OpenedWhileMovingTest extends MovingCapsule {
  /** One record, on each of the first three. */
  private List<Hash> written() throws ProofException {
    List<Hash> names = new ArrayList<>();
    try (Replicas replicas = Replicas.of(List.of(old));
        CapsuleWriter writer =
            replicas.openWriter(
                first.owner, first.contentKey, patient(), ATTENTIVE.withNeeded(3))) {
      append(writer, names);
    }
    assertThat(having(names.getFirst(), 0, 1, 2)).isEqualTo(3);
    return names;
  }

  @Test
  void d22AReaderOpenedDuringAMoveFindsWhatTheOldServersAcknowledged() throws Exception {
    start(false);
    List<Hash> names = written();
    declareMove();
    try (Replicas replicas = Replicas.of(List.of(old, placement(2, 3, 4, 5)));
        ReplicatedReader reader = replicas.openReader(List.of(), PlacedFixture.READING)) {
      QuorumFreshness heads = reader.heads(0, 0);
      assertThat(heads.heads()).isEqualTo(names);
      assertThat(heads.groups()).hasSize(2);
      assertThat(heads.survives()).isGreaterThanOrEqualTo(0);
      down(1);
      down(2);
      assertThatThrownBy(() -> reader.heads(0, 0))
          .isInstanceOf(HoldfastException.class)
          .hasMessageContaining("of each placement");
    }
  }

  @Test
  void whoKnowsTheNewestPlacementAloneAsksForTheOthersFirst() throws Exception {
    start(false);
    List<Hash> names = written();
    Statement.Placement next = placement(2, 3, 4, 5);
    declare(3, next);
    try (Replicas replicas = Replicas.of(List.of(next));
        ReplicatedReader nobodyShows = replicas.openReader(List.of(), PlacedFixture.READING)) {
      assertThat(nobodyShows.heads(3, 0).survives()).isEqualTo(-1);
    }
    declare(4, old, next);
    try (Replicas replicas = Replicas.of(List.of(next));
        ReplicatedReader reader = replicas.openReader(List.of(), PlacedFixture.READING)) {
      assertThat(reader.servers()).hasSize(6);
      assertThat(reader.heads(0, 0).heads()).isEqualTo(names);
    }
  }

  @Test
  void d11AWriterOpenedDuringAMoveWantsEnoughOfBothAndFollowsWhatOldServersHave() throws Exception {
    start(false);
    List<Hash> names = written();
    declareMove();
    List<Statement> known = List.of(old, placement(2, 3, 4, 5));
    try (Replicas replicas = Replicas.of(known);
        CapsuleWriter writer = writer(replicas, PlacedFixture.each())) {
      NodeFixture.eventually("all are connected", () -> connected(writer) == 6);
      Hash name = writer.append("during".getBytes(UTF_8));
      assertThat(writer.commit()).singleElement().isInstanceOf(WriteResult.Replicated.class);
      assertThat(having(name, 0, 1, 2)).isGreaterThanOrEqualTo(2);
      assertThat(having(name, 3, 4, 5)).isGreaterThanOrEqualTo(2);
      assertThat(first.reader(ReaderOptions.withoutCache()).heads().heads()).containsExactly(name);
      assertThat(names).doesNotContain(name);
    }
    down(1);
    down(2);
    try (Replicas replicas = Replicas.of(known)) {
      assertThatThrownBy(() -> writer(replicas, PlacedFixture.each()))
          .isInstanceOf(HoldfastException.class)
          .hasMessageContaining("of version 1 of the placement");
    }
  }

  /**
   * The servers of the one in the middle never had anything; those of the first are told nothing.
   */
  @Test
  void threePlacementsInARowLoseNothing() throws Exception {
    start(true);
    List<Hash> names = first.append(20, patient());
    Statement.Placement middle = placement(2, 3);
    Statement.Placement last = placement(3, 4, 5);
    nodes.get(3).stop();
    // One after the other to both: once they know the last they tell each other.
    for (Statement one : List.of(old, middle, last)) {
      declare(4, one);
      declare(5, one);
    }
    for (int i : List.of(4, 5)) {
      NodeFixture.eventually("a server of the last has all", () -> proven(i, names) == 20);
    }
    try (Replicas replicas = Replicas.of(List.of(last));
        ReplicatedReader reader = replicas.openReader(List.of(), PlacedFixture.READING)) {
      assertThat(reader.servers()).hasSize(6);
    }
  }

  private Placing.Placed place(int... on) throws ProofException {
    return place(List.of(), on);
  }

  private Placing.Placed place(List<Statement.Placement> kept, int... on) throws ProofException {
    List<Server> servers = new ArrayList<>();
    try (CapsuleReader reader = first.reader(ReaderOptions.withoutCache())) {
      IntStream.of(on)
          .forEach(i -> servers.add(Server.at(endpoint(i), nodes.get(i).node.identity())));
      return Placing.place(reader, kept, none -> false, 0, servers, first.owner);
    } finally {
      servers.forEach(Server::close);
    }
  }

  private List<Statement> known() throws ProofException {
    try (CapsuleReader reader = first.reader(ReaderOptions.withoutCache())) {
      return reader.statements(true);
    }
  }

  @Test
  void aSecondChangeHoldsJointlyWithTheFirstUntilThatIsOver() throws Exception {
    start(false);
    down(2);
    place(0, 1, 3);
    // One of those that left does not say what it has.
    place(0, 3, 4);
    assertThat(versions()).containsExactly(1L, 2L, 3L);
    Handover asked = Handover.ask(known(), 0);
    assertThat(asked.asked()).hasSize(5);
    assertThat(asked.over()).isFalse();
    up(2);
    // Told again, to those also that left two placements ago.
    assertThat(place(0, 3, 4).told()).hasSize(5).allMatch(one -> one.receipt() != null);
    assertThat(over()).isTrue();
    place(3, 4, 5);
    assertThat(versions()).containsExactly(3L, 4L);
  }

  /** The server that is asked first was told of nothing, or of the first placement alone. */
  @Test
  void noServerThatHidesAPlacementHasASecondOneSignedWithItsVersion() throws Exception {
    start(false);
    Statement.Placement hidden = placement(2, 1, 2, 3);
    for (int i = 1; i < 4; i++) {
      declare(i, old, hidden);
    }
    // The others of the first placement show the second, and its members are asked too.
    Placing.Placed placed = place(4, 5);
    assertThat(placed.placement().version()).isEqualTo(3);
    assertThat(placed.told()).hasSize(6);
    assertThat(versions()).containsExactly(1L, 2L, 3L);
  }

  @Test
  void whatIsKnownHereCountsThoughTheServerThatIsAskedWasNotTold() throws Exception {
    start(false);
    Statement.Placement elsewhere = placement(2, 1, 2, 3);
    for (int i = 1; i < 4; i++) {
      declare(i, old, elsewhere);
    }
    down(1);
    down(2);
    // Of the first placement the server that was told of nothing newer answers alone.
    assertThatThrownBy(() -> place(4, 5))
        .isInstanceOf(HoldfastException.class)
        .hasMessageContaining("1 of 3 servers of version 1")
        .hasMessageContaining("2 have to; no answer from ")
        .hasMessageContaining(endpoint(1).toString())
        .hasMessageContaining(endpoint(2).toString());
    up(1);
    assertThat(place(List.of(elsewhere), 4, 5).placement().version()).isEqualTo(3);
  }

  private List<Long> versions() throws ProofException {
    return Release.joint(known()).stream().map(Statement.Placement::version).toList();
  }

  private boolean over() {
    try {
      return Handover.ask(known(), 0).over();
    } catch (ProofException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aReleaseEndsAMoveForWhoeverIsOpenedLater() throws Exception {
    start(true);
    List<Hash> names = first.append(5, patient());
    Statement.Placement next = placement(2, 3, 4, 5);
    for (Statement one : List.of(old, next)) {
      for (int i = 0; i < 6; i++) {
        declare(i, one);
      }
    }
    NodeFixture.eventually("all hold the same", this::over);
    try (CapsuleReader reader = first.reader(ReaderOptions.withoutCache())) {
      assertThat(Placing.release(reader, List.of(), 0, GivenUp.NOTHING, first.owner).told())
          .hasSize(6)
          .allMatch(one -> one.receipt() != null);
    }
    List<Statement> after = known();
    assertThat(Release.joint(after)).containsExactly(next);
    for (int i = 0; i < 3; i++) {
      nodes.get(i).close();
    }
    try (Replicas replicas = Replicas.of(after);
        ReplicatedReader reader = replicas.openReader(List.of(), PlacedFixture.READING);
        CapsuleWriter writer = writer(replicas, patient())) {
      assertThat(reader.heads(2, 0).heads()).containsExactly(names.getLast());
      writer.append("after".getBytes(UTF_8));
      assertThat(writer.commit()).singleElement().isInstanceOf(WriteResult.Replicated.class);
    }
  }

  /** Its writers and readers count on it until it is released, so it is given the capsule again. */
  @Test
  void aServerThatLeftAndLostItsDiskGetsTheCapsuleAgain() throws Exception {
    start(true);
    List<Hash> names = first.append(5, patient());
    Statement.Placement next = placement(2, 3, 4, 5);
    // One after the other to all: once they know the last they tell each other.
    for (Statement one : List.of(old, next)) {
      for (int i = 0; i < 6; i++) {
        declare(i, one);
      }
    }
    NodeFixture.eventually("all have all", () -> having(names.getLast(), 0, 1, 2, 3, 4, 5) == 6);
    nodes.get(1).startEmpty();
    NodeFixture.eventually("it has all again", () -> holdsAgain(1, names));
    try (CapsuleReader reader =
        nodes.get(1).server.openReader(first.capsule, List.of(), PlacedFixture.READING)) {
      assertThat(reader.statements(true)).contains(old, next);
    }
  }

  private boolean holdsAgain(int node, List<Hash> names) {
    try (CapsuleReader reader =
        nodes.get(node).server.openReader(first.capsule, List.of(), PlacedFixture.READING)) {
      return reader.readHeaders(names).stream().allMatch(r -> r instanceof ReadResult.Proven);
    } catch (HoldfastException | ProofException e) {
      return false;
    }
  }

  private Placing.Placed giveUp(CapsuleReader reader, String... servers) throws ProofException {
    return Placing.release(reader, List.of(), 0, GivenUp.servers(servers), first.owner);
  }

  /** Whom they do not hold the same with is gone, and they do not hold the same themselves. */
  @Test
  void whoeverIsGivenUpTheNewMembersHaveToHoldTheSame() throws Exception {
    start(false);
    move();
    for (int i : List.of(3, 4)) {
      declare(
          i,
          Statement.Grant.sign(
              first.capsule,
              i,
              first.contentKey,
              first.owner.readerKey().publicHalf(),
              first.owner));
    }
    nodes.get(1).stop();
    nodes.get(2).stop();
    String[] all = {endpoint(0).toString(), endpoint(1).toString(), endpoint(2).toString()};
    try (CapsuleReader reader = first.reader(ReaderOptions.withoutCache())) {
      assertThatThrownBy(() -> giveUp(reader, all))
          .isInstanceOf(HoldfastException.class)
          .hasMessageContaining("the members do not hold the same yet");
    }
  }

  @Test
  void whatOnlyServersThatAreGoneMayHaveIsGivenUpByTheOwnerAlone() throws Exception {
    start(false);
    move();
    nodes.get(1).stop();
    nodes.get(2).stop();
    try (CapsuleReader reader = first.reader(ReaderOptions.withoutCache())) {
      assertThatThrownBy(() -> Placing.release(reader, List.of(), 0, GivenUp.NOTHING, first.owner))
          .isInstanceOf(HoldfastException.class)
          .hasMessageContaining("may have what its members lack");
      assertThat(Release.joint(known())).hasSize(2);
      // One of the two is given up; the other one may have something all the same.
      assertThatThrownBy(() -> giveUp(reader, endpoint(1).toString()))
          .isInstanceOf(HoldfastException.class)
          .hasMessageContaining("may have what its members lack")
          .hasMessageContaining(endpoint(2).toString());
      assertThatThrownBy(() -> giveUp(reader, endpoint(3).toString()))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("none of the servers that left");
      assertThatThrownBy(() -> Placing.release(reader, List.of(), 1, GivenUp.NOTHING, first.owner))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("more than half");
      assertThat(Release.joint(known())).hasSize(2);
      String identity = nodes.get(2).node.identity().toString();
      assertThat(giveUp(reader, endpoint(1).toString(), identity).complete()).isTrue();
    }
    try (Replicas replicas = Replicas.of(known());
        CapsuleWriter writer = writer(replicas, patient())) {
      writer.append("goes on".getBytes(UTF_8));
      assertThat(writer.commit()).singleElement().isInstanceOf(WriteResult.Replicated.class);
    }
  }
}
