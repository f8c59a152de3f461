package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Heads, roots, missing names, and what a closed capsule takes. */
class HeadsAndHolesTest extends HandmadeGraph {
  @Test
  void pointersToAbsentRecordsMakeNeitherHeadNorRoot() {
    RecordHeader a = made(0);
    RecordHeader b = made(0, a);
    long atB = add(b);
    assertThat(graph.roots(9)).containsExactly(atB);
    assertThat(graph.heads(9)).containsExactly(atB);
    long atA = add(a);
    assertThat(graph.roots(9)).containsExactly(atA);
    assertThat(graph.heads(9)).containsExactly(atB);
  }

  @Test
  void anIsolatedRecordIsHeadAndRoot() {
    long alone = add(made(0));
    assertThat(graph.heads(9)).containsExactly(alone);
    assertThat(graph.roots(9)).containsExactly(alone);
    assertThat(graph.missingNames(9)).isEmpty();
  }

  /** Two holes with an island between: seen as heads, roots and missing names. */
  @Test
  void anIslandBetweenTwoHolesShows() {
    List<RecordHeader> chain = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      chain.add(i == 0 ? made(0) : made(0, chain.getLast()));
    }
    long bottom = add(chain.get(0));
    long island = add(chain.get(2));
    long top = add(chain.get(4));
    assertThat(graph.heads(9)).containsExactly(bottom, island, top);
    assertThat(graph.roots(9)).containsExactly(bottom, island, top);
    assertThat(graph.missingNames(9))
        .containsExactlyInAnyOrder(chain.get(1).name(), chain.get(3).name());
  }

  @Test
  void d47AWriterThatReturnsToAStaleHeadMakesABranch() {
    RecordHeader a = made(0);
    RecordHeader b = made(0, a);
    RecordHeader late = made(0, a);
    add(a);
    long atB = add(b);
    graph.sign(atB, 0);
    long atLate = add(late);
    assertThat(graph.provenHeads(9)).containsExactly(atB);
    assertThat(graph.unprovenTips(9)).containsExactly(atLate);
    graph.sign(atLate, 0);
    assertThat(graph.provenHeads(9)).containsExactly(atB, atLate);
    long merge = add(made(0, b, late));
    graph.sign(merge, 0);
    assertThat(graph.provenHeads(9)).containsExactly(merge);
  }

  @Test
  void unprovenTipsAreFoundBehindManyProvenOnes() {
    for (int i = 0; i < 20; i++) {
      graph.sign(add(made(0)), 0);
    }
    long unproven = add(made(0));
    assertThat(graph.unprovenTips(5)).containsExactly(unproven);
    graph.flush();
    assertThat(graph.unprovenTips(5)).containsExactly(unproven);
    assertThat(graph.provenHeads(5)).hasSize(5);
  }

  @Test
  void aClosedCapsuleTakesWhatLeadsToTheFinalHeadsOnly() {
    RecordHeader a = made(0);
    RecordHeader b = made(0, a);
    RecordHeader c = made(0, b);
    RecordHeader stray = made(0, a);
    graph.close(List.of(c.name()));
    assertThat(graph.closed()).isTrue();
    assertThat(graph.belongsToFinal(b.name())).as("not known yet to lead there").isFalse();
    assertThat(graph.belongsToFinal(c.name())).isTrue();
    graph.flush();
    assertThat(graph.belongsToFinal(c.name())).isTrue();
    add(c);
    assertThat(graph.belongsToFinal(b.name())).isTrue();
    add(b);
    assertThat(graph.belongsToFinal(a.name())).isTrue();
    assertThat(graph.belongsToFinal(stray.name())).isFalse();
  }

  @Test
  void closingTwiceCountsAnAbsentHeadOnce() {
    RecordHeader absent = made(0);
    graph.close(List.of(absent.name()));
    graph.close(List.of(absent.name()));
    graph.flush();
    graph.close(List.of(absent.name()));
    graph.flush();
    assertThat(graph.holeCount()).isEqualTo(1);
    add(absent);
    assertThat(graph.holeCount()).isZero();
    assertThat(graph.missingNames(9)).isEmpty();
  }
}
