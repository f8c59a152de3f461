package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Hash;
import holdfast.testkit.Gen;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class BackpointersTest {
  /** Positions that each record of a run points at. */
  private static List<List<Integer>> run(Backpointers.Strategy strategy, int records) {
    Gen gen = new Gen(0);
    Backpointers pointers = new Backpointers(strategy, List.of());
    Map<Hash, Integer> positions = new HashMap<>();
    List<List<Integer>> targets = new ArrayList<>();
    for (int i = 0; i < records; i++) {
      List<Hash> next = pointers.next();
      assertThat(next).doesNotHaveDuplicates();
      assertThat(pointers.next()).as("asking twice changes nothing").isEqualTo(next);
      targets.add(next.stream().map(positions::get).toList());
      Hash name = gen.hash();
      positions.put(name, i);
      pointers.appended(name);
    }
    return targets;
  }

  /** Links from the last record of a run to each, going only backwards. */
  private static int[] distances(List<List<Integer>> targets) {
    int[] distances = new int[targets.size()];
    java.util.Arrays.fill(distances, Integer.MAX_VALUE);
    distances[targets.size() - 1] = 0;
    for (int i = targets.size() - 1; i >= 0; i--) {
      for (int target : targets.get(i)) {
        distances[target] = Math.min(distances[target], distances[i] + 1);
      }
    }
    return distances;
  }

  @Test
  void chainsPointAtTheRecordBefore() {
    List<List<Integer>> targets = run(new Backpointers.Strategy.Chain(), 20);
    assertThat(targets.getFirst()).isEmpty();
    for (int i = 1; i < 20; i++) {
      assertThat(targets.get(i)).containsExactly(i - 1);
    }
  }

  @Test
  void d14SkipPointersMakeProofsLogarithmic() {
    List<List<Integer>> targets = run(new Backpointers.Strategy.Skip(), 5000);
    int pointers = 0;
    for (int i = 1; i < targets.size(); i++) {
      List<Integer> expected = new ArrayList<>(List.of(i - 1));
      for (int step = 2; i % step == 0; step *= 2) {
        expected.add(i - step);
      }
      assertThat(targets.get(i)).isEqualTo(expected);
      pointers += expected.size();
    }
    assertThat(pointers).as("two on average").isLessThanOrEqualTo(2 * targets.size());
    for (int length : new int[] {2, 3, 100, 1023, 1024, 1025, 4999}) {
      int most = (int) Math.ceil(2 * Math.log(length) / Math.log(2));
      for (int distance : distances(targets.subList(0, length))) {
        assertThat(distance).isLessThanOrEqualTo(most);
      }
    }
  }

  @Test
  void d48CheckpointsPointAtTheCheckpointBefore() {
    List<List<Integer>> targets = run(new Backpointers.Strategy.Checkpoint(10), 100);
    for (int i = 1; i < 100; i++) {
      if (i % 10 == 0) {
        assertThat(targets.get(i)).containsExactly(i - 1, i - 10);
      } else {
        assertThat(targets.get(i)).containsExactly(i - 1);
      }
    }
    assertThatThrownBy(() -> new Backpointers.Strategy.Checkpoint(1))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(run(new Backpointers.Strategy.Checkpoint(2), 6).get(4)).containsExactly(3, 2);
  }

  @Test
  void d23ARunBeginsAtTheHeadsThereAre() {
    List<Hash> heads = new Gen(1).list(3, new Gen(2)::hash);
    Backpointers pointers = new Backpointers(new Backpointers.Strategy.Skip(), heads);
    assertThat(pointers.next()).isEqualTo(heads);
    Hash merge = new Gen(3).hash();
    pointers.appended(merge);
    assertThat(pointers.next()).containsExactly(merge);
  }
}
