package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.capsule.Statement;
import holdfast.client.BundleExport;
import holdfast.client.BundleFile;
import holdfast.client.BundleImport;
import holdfast.client.CapsuleReader;
import holdfast.client.Placing;
import holdfast.client.ReaderOptions;
import holdfast.client.WriterOptions;
import holdfast.testkit.Patience;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Placements as a server takes them. */
@Timeout(Patience.TEST_SECONDS)
class PlacementTest {
  @TempDir Path folder;
  private NodeFixture fixture;

  @BeforeEach
  void start() throws Exception {
    fixture = NodeFixture.start(folder.resolve("data"));
  }

  @AfterEach
  void stop() {
    fixture.close();
  }

  private Statement.Placement placement(long version, String address) {
    return Statement.Placement.sign(
        fixture.capsule,
        1,
        version,
        List.of(new Statement.Placement.Member(fixture.node.identity(), address)),
        fixture.owner);
  }

  private void superseded(Statement.Placement placement) {
    assertThatThrownBy(() -> fixture.server.declare(placement))
        .isInstanceOfSatisfying(
            HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.SUPERSEDED));
  }

  private List<Statement> kept() throws Exception {
    try (CapsuleReader reader = fixture.reader(ReaderOptions.withoutCache())) {
      return reader.statements(true);
    }
  }

  @Test
  void aPlacementOfALowerVersionIsRefusedAndTheSameOneIsNot() throws Exception {
    Statement.Placement second = placement(2, "a:1");
    fixture.server.declare(second);
    superseded(placement(1, "a:1"));
    fixture.server.declare(second);
    Statement.Placement third = placement(3, "a:1");
    fixture.server.declare(third);
    superseded(second);
    fixture.restart();
    superseded(second);
    assertThat(kept()).containsExactlyInAnyOrder(second, third);
    assertThat(Statement.Placement.current(kept())).isEqualTo(third);
  }

  @Test
  void ofTwoPlacementsOfOneVersionTheSmallerNameHolds() throws Exception {
    Statement.Placement one = placement(1, "a:1");
    Statement.Placement two = placement(1, "b:1");
    boolean inOrder = one.name().compareTo(two.name()) < 0;
    Statement.Placement smaller = inOrder ? one : two;
    Statement.Placement greater = inOrder ? two : one;
    fixture.server.declare(greater);
    fixture.server.declare(smaller);
    superseded(greater);
    assertThat(Statement.Placement.current(kept())).isEqualTo(smaller);
  }

  @Test
  void placingBringsTheCapsuleAndTellsOldAndNewMembers() throws Exception {
    Statement grant =
        Statement.Grant.sign(
            fixture.capsule,
            1,
            fixture.contentKey,
            fixture.owner.readerKey().publicHalf(),
            fixture.owner);
    fixture.server.declare(grant);
    try (NodeFixture second = NodeFixture.start(folder.resolve("second"));
        NodeFixture third = NodeFixture.start(folder.resolve("third"));
        CapsuleReader reader = fixture.reader(ReaderOptions.withoutCache())) {
      Placing.Placed first =
          Placing.place(reader, List.of(fixture.server, second.server), fixture.owner);
      assertThat(first.complete()).isTrue();
      assertThat(first.placement().version()).isEqualTo(1);
      // Asked of one that knows nothing of it, the version still grows: the others are asked too.
      third.server.create(fixture.metadata, fixture.owner);
      try (CapsuleReader unknowing =
          third.server.openReader(fixture.capsule, List.of(), ReaderOptions.withoutCache())) {
        second.stop();
        Placing.Placed next =
            Placing.place(unknowing, List.of(fixture.server, third.server), fixture.owner);
        assertThat(next.placement().version()).isEqualTo(2);
        assertThat(next.complete()).isTrue();
        assertThat(next.told()).hasSize(3);
        Placing.Told left = next.told().getLast();
        assertThat(left.stays()).isFalse();
        assertThat(left.receipt()).isNull();
        assertThat(left.failure()).hasMessageContaining("cannot reach");
        assertThat(unknowing.statements(true)).contains(grant, next.placement());
        assertThatThrownBy(
                () -> Placing.place(unknowing, List.of(third.server, third.server), fixture.owner))
            .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(
                () -> Placing.place(unknowing, List.of(third.server, second.server), fixture.owner))
            .isInstanceOf(HoldfastException.class);
        assertThat(Statement.Placement.current(unknowing.statements(true)))
            .isEqualTo(next.placement());
        // Said again, it is the same placement, and whoever left is told again too.
        Placing.Placed again =
            Placing.place(unknowing, List.of(third.server, fixture.server), fixture.owner);
        assertThat(again.placement()).isEqualTo(next.placement());
        assertThat(again.told()).hasSize(3);
        assertThat(again.told().getLast().member()).isEqualTo(left.member());
      }
    }
  }

  @Test
  void placementsTravelInABundleAndNeverGoBack() throws Exception {
    fixture.append(3, WriterOptions.defaults());
    for (int version = 1; version <= 5; version++) {
      fixture.server.declare(placement(version, "a:1"));
    }
    Path bundle = folder.resolve("all.capsule");
    try (CapsuleReader reader = fixture.reader(ReaderOptions.withoutCache())) {
      BundleExport.write(reader, bundle, done -> {});
    }
    BundleFile file = BundleFile.verify(bundle);
    fixture.server.declare(placement(6, "a:1"));
    BundleImport.bring(fixture.server, file, done -> {});
    assertThat(kept()).hasSize(6);
    List<Statement> before = kept();
    NodeFixture other = NodeFixture.start(folder.resolve("other"));
    try {
      BundleImport.bring(other.server, file, done -> {});
      try (CapsuleReader reader =
          other.server.openReader(fixture.capsule, List.of(), ReaderOptions.withoutCache())) {
        assertThat(before).containsAll(reader.statements(true)).hasSize(6);
        assertThat(Statement.Placement.current(reader.statements(true)))
            .isEqualTo(placement(5, "a:1"));
      }
    } finally {
      other.close();
    }
  }
}
