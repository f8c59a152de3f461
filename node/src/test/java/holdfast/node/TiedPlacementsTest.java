package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.ProofException;
import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.GivenUp;
import holdfast.client.Handover;
import holdfast.client.Placing;
import holdfast.client.ReaderOptions;
import holdfast.client.Replicas;
import holdfast.client.ReplicatedReader;
import holdfast.client.Server;
import holdfast.testkit.Patience;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Two placements of one version, and how the owner gets rid of one of them. */
@Timeout(Patience.TEST_SECONDS)
class TiedPlacementsTest extends MovingCapsule {
  private static final ReaderOptions PLAIN = ReaderOptions.withoutCache();

  /** Of two placements of version 2, the one that holds is last; every server knows both. */
  private List<Statement.Placement> tie() throws ProofException {
    start(false);
    List<Statement.Placement> tied =
        Stream.of(placement(2, 2, 3, 4), placement(2, 3, 4, 5))
            .sorted(Statement.Placement.ORDER)
            .toList();
    for (int i = 0; i < 6; i++) {
      declare(i, old, tied.getFirst(), tied.getLast());
    }
    return tied;
  }

  private List<Statement> known() throws ProofException {
    try (CapsuleReader reader = first.reader(PLAIN)) {
      return reader.statements(true);
    }
  }

  private List<Long> versions() throws ProofException {
    return Release.joint(known()).stream().map(Statement.Placement::version).toList();
  }

  private Placing.Placed place(int needed, int... on) throws ProofException {
    List<Server> servers = new ArrayList<>();
    try (CapsuleReader reader = first.reader(PLAIN)) {
      IntStream.of(on)
          .forEach(i -> servers.add(Server.at(endpoint(i), nodes.get(i).node.identity())));
      return Placing.place(reader, List.of(), none -> false, needed, servers, first.owner);
    } finally {
      servers.forEach(Server::close);
    }
  }

  @Test
  void whileTwoHaveOneVersionNobodyMayStop() throws Exception {
    tie();
    // All sign the same, as of version 2: but a writer who knows one of the two alone states it
    // too.
    Handover now = Handover.ask(known(), 0);
    assertThat(now.tied()).isTrue();
    assertThat(now.settled()).isTrue();
    assertThat(now.asked()).noneMatch(now::mayStop);
    assertThat(now.over()).isFalse();
  }

  @Test
  void aReleaseOfOneOfTwoThatHaveOneVersionPlacesItOnceMoreAndEndsTheOther() throws Exception {
    Statement.Placement newest = tie().getLast();
    try (CapsuleReader reader = first.reader(PLAIN)) {
      Placing.Placed released = Placing.release(reader, List.of(), 0, GivenUp.NOTHING, first.owner);
      assertThat(released.told()).hasSize(6).allMatch(one -> one.receipt() != null);
      assertThat(released.placement().version()).isEqualTo(3);
      assertThat(released.placement().members()).isEqualTo(newest.members());
      assertThat(Release.joint(known())).containsExactly(released.placement());
      assertThat(Handover.ask(known(), 0).released()).isTrue();
      // Said again, nothing is signed again.
      List<Statement> before = known();
      Placing.release(reader, List.of(), 0, GivenUp.NOTHING, first.owner);
      assertThat(known()).containsExactlyInAnyOrderElementsOf(before);
    }
  }

  @Test
  void placedSoAlreadyItIsPlacedOnceMoreWhenAnotherHasItsVersion() throws Exception {
    boolean later = tie().getLast().names(nodes.get(5).node.identity());
    int[] same = later ? new int[] {3, 4, 5} : new int[] {2, 3, 4};
    assertThat(place(0, same).placement().version()).isEqualTo(3);
    assertThat(versions()).containsExactly(1L, 2L, 2L, 3L);
    assertThat(place(0, same).placement().version()).isEqualTo(3);
  }

  @Test
  void aReaderLeavesNeitherOfTwoThatHaveOneVersion() throws Exception {
    tie();
    try (Replicas replicas = Replicas.of(known());
        ReplicatedReader reader = replicas.openReader(List.of(), PLAIN)) {
      reader.lookEvery(1);
      // Each look has a session of its own; one that finds a placement to be over asks all members.
      NodeFixture.eventually(
          "the reader has looked often",
          () -> asks(reader) && meddlers.stream().mapToInt(one -> one.opened.get()).sum() > 20);
      assertThat(reader.servers()).hasSize(6);
    }
  }

  /** Broken off after that, the next placement of somebody else gets a version of its own. */
  @Test
  void thoseOfThePlacementBeforeHearOfANewOneFirst() throws Exception {
    start(false);
    Queue<List<Long>> knownBefore = new ConcurrentLinkedQueue<>();
    meddlers
        .get(3)
        .requests(request -> {
          if (request.hasDeclare()) {
            knownBefore.add(IntStream.range(0, 3).mapToObj(this::newest).toList());
          }
          return List.of(request);
        });
    place(0, 3, 4, 5);
    assertThat(knownBefore).containsOnly(List.of(2L, 2L, 2L));
  }

  private long newest(int node) {
    try (CapsuleReader reader =
        nodes.get(node).server.openReader(first.capsule, List.of(), PLAIN)) {
      Statement.Placement current = Statement.Placement.current(reader.statements(true));
      return current == null ? 0 : current.version();
    } catch (ProofException e) {
      throw new AssertionError("an honest server shows what it has", e);
    }
  }

  /** Writers wait for all three: two that agree may lack what the third has acknowledged. */
  @Test
  void theMoveBeforeIsReleasedByAsManyAsTheOwnerSays() throws Exception {
    start(false);
    place(0, 3, 4, 5);
    declare(
        5,
        Statement.Grant.sign(
            first.capsule, 1, first.contentKey, first.owner.readerKey().publicHalf(), first.owner));
    place(3, 2, 4, 5);
    assertThat(versions()).containsExactly(1L, 2L, 3L);
  }
}
