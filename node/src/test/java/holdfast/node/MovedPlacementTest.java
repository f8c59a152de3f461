package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleWriter;
import holdfast.client.QuorumFreshness;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.Replicas;
import holdfast.client.ReplicatedReader;
import holdfast.client.WriteResult;
import holdfast.crypto.Domain;
import holdfast.testkit.Patience;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The owner places a capsule elsewhere while a writer or a reader is open. */
@Timeout(Patience.TEST_SECONDS)
class MovedPlacementTest extends MovingCapsule {
  @Test
  void aWriterFollowsAMoveOfAllMembersWhileItStreams() throws Exception {
    start(true);
    List<Hash> names = new ArrayList<>();
    List<WriteResult> results = new ArrayList<>();
    try (Replicas replicas = Replicas.of(List.of(old));
        CapsuleWriter writer = writer(replicas, patient())) {
      writer.onResult(results::add);
      for (int i = 0; i < 50; i++) {
        names.add(writer.append(("before " + i).getBytes(UTF_8)));
      }
      move();
      NodeFixture.eventually(
          "the old servers are left",
          () -> {
            append(writer, names);
            return members(writer).equals(addresses(3, 4, 5));
          });
      for (int i = 0; i < 3; i++) {
        nodes.get(i).close();
      }
      for (int i = 0; i < 20; i++) {
        append(writer, names);
      }
    }
    assertThat(results).allMatch(one -> one instanceof WriteResult.Replicated);
    assertThat(((WriteResult.Replicated) results.getLast()).placement().version()).isEqualTo(2);
    // All is on each of the new servers at last, also what the old ones alone were sent.
    for (int i = 3; i < 6; i++) {
      int node = i;
      NodeFixture.eventually("a new server has all", () -> proven(node, names) == names.size());
    }
  }

  @Test
  void whatIsInFlightGoesToTheNewMembersAndWantsEnoughOfBoth() throws Exception {
    start(false);
    try (Replicas replicas = Replicas.of(List.of(old));
        CapsuleWriter writer = writer(replicas, patient())) {
      NodeFixture.eventually("all are connected", () -> connected(writer) == 3);
      down(1);
      down(2);
      Hash name = writer.append("in flight".getBytes(UTF_8));
      CompletableFuture<List<WriteResult>> fate = new CompletableFuture<>();
      Thread.ofPlatform()
          .start(() -> {
            try {
              fate.complete(writer.commit());
            } catch (ProofException | RuntimeException e) {
              fate.completeExceptionally(e);
            }
          });
      NodeFixture.eventually("one old server has it", () -> has(0, name));
      declareMove();
      NodeFixture.eventually("the new servers have it", () -> having(name, 3, 4, 5) == 3);
      // Three receipts of the new placement, one of the old.
      NodeFixture.eventually("they have signed", () -> acknowledged(writer, 3, 4, 5) == 3);
      assertThat(fate).isNotDone();
      up(1);
      WriteResult.Replicated done = (WriteResult.Replicated) fate.get().getFirst();
      assertThat(done.placement().version()).isEqualTo(2);
      assertThat(done.acknowledgements()).hasSize(3);
      assertThat(having(name, 0, 1)).isEqualTo(2);
      // Nothing brings the new servers what the old ones have: both go on to be written to.
      assertThat(members(writer)).isEqualTo(addresses(0, 1, 2, 3, 4, 5));
      up(2);
    }
  }

  @Test
  void aReaderFollowsAMoveAndLeavesTheOldServersWhenTheNewOnesHaveAll() throws Exception {
    start(true);
    List<Hash> names = first.append(20, patient());
    try (Replicas replicas = Replicas.of(List.of(old));
        ReplicatedReader reader = replicas.openReader(List.of(), PlacedFixture.READING)) {
      reader.lookEvery(1);
      assertThat(reader.readAll(names)).allMatch(r -> r instanceof ReadResult.Proven);
      move();
      NodeFixture.eventually(
          "the new servers are read, the old ones are left",
          () -> {
            assertThat(allProven(reader, names)).isTrue();
            return reader.servers().stream()
                .map(one -> one.endpoint().toString())
                .collect(Collectors.toSet())
                .equals(addresses(3, 4, 5));
          });
      for (int i = 0; i < 3; i++) {
        nodes.get(i).close();
      }
      assertThat(allProven(reader, names)).isTrue();
      assertThat(reader.heads(2, 2).heads()).containsExactly(names.getLast());
    }
  }

  /** While nothing brings the new servers what the old ones have, heads want both. */
  @Test
  void headsWantEnoughOfEachPlacementWhileBothHold() throws Exception {
    start(false);
    List<Hash> names = first.append(1, patient());
    try (Replicas replicas = Replicas.of(List.of(old));
        ReplicatedReader reader = replicas.openReader(List.of(), PlacedFixture.READING)) {
      reader.lookEvery(1);
      declareMove();
      NodeFixture.eventually(
          "both hold", () -> allProven(reader, names) && reader.servers().size() == 6);
      QuorumFreshness heads = reader.heads(3, 2);
      assertThat(heads.heads()).isEqualTo(names);
      assertThat(heads.answers()).hasSize(6);
      assertThat(heads.groups()).containsOnly(new QuorumFreshness.Group(3, 2, 3)).hasSize(2);
      down(1);
      assertThat(reader.heads(2, 2).heads()).isNotNull();
      down(2);
      assertThatThrownBy(() -> reader.heads(2, 2))
          .isInstanceOf(HoldfastException.class)
          .hasMessageContaining("of each placement");
    }
  }

  /** The owner's software was not ours, or older than the check. */
  @Test
  void aMemberAtAPortThatDoesNotExistIsOneThatCannotBeReached() throws Exception {
    start(false);
    List<Statement.Placement.Member> on = new ArrayList<>(placement(2, 3, 4).members());
    on.add(new Statement.Placement.Member(nodes.get(5).node.identity(), "127.0.0.1:99999"));
    assertThatThrownBy(() -> Statement.Placement.sign(first.capsule, 2, 2, on, first.owner))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("127.0.0.1:99999");
    Statement.Placement draft = new Statement.Placement(first.capsule, 2, 2, on, Bytes.EMPTY);
    Statement.Placement next =
        new Statement.Placement(
            first.capsule,
            2,
            2,
            on,
            Bytes.wrap(first.owner.sign(Domain.SIGN_PLACE, draft.unsigned())));
    try (Replicas replicas = Replicas.of(List.of(old));
        CapsuleWriter writer = writer(replicas, patient())) {
      for (int i : List.of(0, 1, 2, 3, 4)) {
        declare(i, old, next);
      }
      NodeFixture.eventually("the writer follows", () -> connected(writer) == 5);
      writer.append("goes on".getBytes(UTF_8));
      assertThat(writer.commit()).singleElement().isInstanceOf(WriteResult.Replicated.class);
      NodeFixture.eventually("and leaves the old servers", () -> members(writer).size() == 3);
    }
    try (Replicas replicas = Replicas.of(List.of(old, next));
        ReplicatedReader reader = replicas.openReader(List.of(), PlacedFixture.READING)) {
      assertThat(reader.heads(0, 0).groups()).hasSize(2);
    }
  }

  /** Opened by what one server shows, which was told of nothing since. */
  @Test
  void d22WhoeverAnswersForTheHeadsShowsThePlacementsToo() throws Exception {
    start(false);
    first.append(1, patient());
    Statement.Placement next = placement(2, 3, 4, 5);
    Release released = Release.sign(first.capsule, 2, 2, first.owner);
    List<Hash> names = new ArrayList<>();
    for (int i = 1; i < 6; i++) {
      declare(i, old, next, released);
    }
    try (Replicas members = Replicas.of(List.of(next, released));
        CapsuleWriter writer = writer(members, patient())) {
      append(writer, names);
    }
    try (Replicas replicas = Replicas.of(List.of(old));
        ReplicatedReader reader = replicas.openReader(List.of(), PlacedFixture.READING)) {
      QuorumFreshness heads = reader.heads(0, 0);
      assertThat(heads.heads()).isEqualTo(names);
      assertThat(heads.groups()).hasSize(1);
      assertThat(reader.placement()).isEqualTo(next);
    }
  }

  /** D22: one that only the old servers know may be missing, whatever the new ones say. */
  @Test
  void d22WhatHeadsSurviveIsTheLeastOfThePlacementsThatHold() throws Exception {
    start(false);
    List<Hash> names = first.append(1, patient());
    Statement.Placement one = placement(2, 3);
    nodes.get(0).server.declare(one);
    nodes.get(3).server.declare(one);
    try (Replicas replicas = Replicas.of(List.of(old));
        ReplicatedReader reader = replicas.openReader(List.of(), PlacedFixture.READING)) {
      reader.lookEvery(1);
      NodeFixture.eventually(
          "both hold", () -> allProven(reader, names) && reader.servers().size() == 4);
      QuorumFreshness all = reader.heads(3, 0);
      assertThat(all.groups())
          .containsExactly(new QuorumFreshness.Group(1, 1, 1), new QuorumFreshness.Group(3, 2, 3));
      assertThat(all.survives()).isZero();
      // One answer of each is all of the new one, and may miss what two of the old acknowledged.
      down(1);
      down(2);
      assertThat(reader.heads(1, 0).survives()).isEqualTo(-1);
      assertThatThrownBy(() -> reader.heads(0, 0)).isInstanceOf(HoldfastException.class);
    }
  }

  /** D11: who waits for one receipt may have it from the one server that is away. */
  @Test
  void d11AnOldPlacementIsLeftByWhatWritesWereAcknowledgedBy() throws Exception {
    start(false);
    for (int i : List.of(0, 1, 3, 4, 5)) {
      declare(i, old, placement(2, 3, 4, 5));
    }
    try (CapsuleWriter writer =
        nodes.get(2).server.openWriter(first.capsule, first.owner, first.contentKey, patient())) {
      writer.append("acknowledged by one".getBytes(UTF_8));
      writer.commitOrThrow();
    }
    down(2);
    ReaderOptions how = PlacedFixture.READING;
    try (Replicas replicas = Replicas.of(List.of(old));
        ReplicatedReader ofOne = replicas.openReader(List.of(), how, 1);
        ReplicatedReader ofMost = replicas.openReader(List.of(), how)) {
      ofOne.lookEvery(1);
      ofMost.lookEvery(1);
      NodeFixture.eventually("both hold", () -> asks(ofMost) && ofMost.servers().size() == 6);
      NodeFixture.eventually(
          "two of three have nothing of their own: enough when two acknowledge",
          () -> asks(ofMost) && ofMost.servers().size() == 3);
      // All three of the new ones say it; one of the two that vouched for the old may have lied.
      assertThat(ofMost.heads(3, 0).survives()).isZero();
      NodeFixture.eventually(
          "the other one follows too", () -> asks(ofOne) && ofOne.servers().size() == 6);
      meddlers.get(5).requests.clear();
      NodeFixture.eventually(
          "it has asked again and again what is held",
          () ->
              asks(ofOne)
                  && meddlers.get(5).requests.stream().filter(one -> one.hasHold()).count() >= 3);
      assertThat(ofOne.servers()).hasSize(6);
      assertThatThrownBy(() -> ofMost.heads(3, 1)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  private long acknowledged(CapsuleWriter writer, int... among) {
    Set<String> which = addresses(among);
    return writer.replicas().stream()
        .filter(one -> which.contains(one.member().address()) && one.acknowledged() > 0)
        .count();
  }

  @Test
  void neitherPlacementAloneWillDoWhileBothHold() throws Exception {
    start(false);
    // On the old servers alone, so that they are not left.
    first.append(1, patient());
    try (Replicas replicas = Replicas.of(List.of(old));
        CapsuleWriter writer = writer(replicas, PlacedFixture.each())) {
      declareMove();
      NodeFixture.eventually("all are connected", () -> connected(writer) == 6);
      for (int[] few : new int[][] {{1, 2}, {4, 5}}) {
        down(few[0]);
        down(few[1]);
        writer.append("too few of one".getBytes(UTF_8));
        assertThat(writer.commit()).singleElement().isInstanceOf(WriteResult.Unknown.class);
        up(few[0]);
        up(few[1]);
        NodeFixture.eventually("all are connected again", () -> connected(writer) == 6);
      }
      Hash name = writer.append("enough of both".getBytes(UTF_8));
      assertThat(writer.commit()).singleElement().isInstanceOf(WriteResult.Replicated.class);
      assertThat(having(name, 0, 1, 2)).isGreaterThanOrEqualTo(2);
      assertThat(having(name, 3, 4, 5)).isGreaterThanOrEqualTo(2);
    }
  }

  @Test
  void aLowerVersionIsNeverTaken() throws Exception {
    start(false);
    Statement.Placement newer = placement(3, 0, 1, 3);
    Release released = Release.sign(first.capsule, 3, 3, first.owner);
    try (Replicas replicas = Replicas.of(List.of(newer, released));
        CapsuleWriter writer = writer(replicas, PlacedFixture.each())) {
      NodeFixture.eventually("all are connected", () -> connected(writer) == 3);
      // All that the servers know is version 1, and 2 comes while they are asked.
      first.server.declare(placement(2, 0, 4, 5));
      meddlers.get(0).requests.clear();
      NodeFixture.eventually(
          "a server was asked again and again",
          () -> meddlers.get(0).requests.stream().filter(one -> one.hasStatements()).count() >= 3);
      writer.append("still there".getBytes(UTF_8));
      WriteResult.Replicated done = (WriteResult.Replicated) writer.commit().getFirst();
      assertThat(done.placement()).isEqualTo(newer);
      assertThat(members(writer)).isEqualTo(addresses(0, 1, 3));
    }
  }
}
