package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.testkit.Gen;
import holdfast.testkit.Property;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The order of proving against a list that simply grows (D29). */
class ProvenLogTest {
  private record Told(long position, long arrival, int signer) {}

  @Test
  void tellsWhatWasAddedInTheOrderOfFlushes() {
    Property.check(200, ProvenLogTest::againstAList);
  }

  private static void againstAList(Gen gen) {
    InMemoryOrderedMap map = new InMemoryOrderedMap();
    ProvenLog log = new ProvenLog(map);
    List<Told> model = new ArrayList<>();
    long next = 0;
    for (int flush = gen.between(1, 12); flush > 0; flush--) {
      Set<Long> records = new HashSet<>();
      for (int run = gen.between(0, 4); run > 0; run--) {
        next += gen.between(0, 3);
        for (int length = gen.between(1, 700); length > 0; length--) {
          records.add(next++);
        }
      }
      List<Long> shuffled = new ArrayList<>(records);
      java.util.Collections.sort(shuffled, java.util.Comparator.reverseOrder());
      shuffled.forEach(log::addRecord);
      List<Long> sorted = new ArrayList<>(records);
      java.util.Collections.sort(sorted);
      sorted.forEach(arrival -> model.add(new Told(model.size(), arrival, -1)));
      for (int i = gen.between(0, 3); i > 0 && next > 0; i--) {
        int signer = gen.between(0, 255);
        if (!log.holdsStaged(next - 1, signer)) {
          model.add(new Told(model.size(), next - 1, signer));
        }
        log.addSignature(next - 1, signer);
      }
      if (gen.between(0, 9) == 0) {
        log.discard();
        while (model.size() > log.size()) {
          model.removeLast();
        }
      } else {
        log.flush();
      }
      if (gen.between(0, 3) == 0) {
        log = new ProvenLog(map);
      }
      assertThat(log.size()).isEqualTo(model.size());
    }
    long from = model.isEmpty() ? 0 : gen.between(0, model.size());
    long to = from + (model.size() == from ? 0 : gen.between(0, (int) (model.size() - from)));
    List<Told> told = new ArrayList<>();
    log.visit(
        from, to, (position, arrival, signer) -> told.add(new Told(position, arrival, signer)));
    assertThat(told).isEqualTo(model.subList((int) from, (int) to));
  }

  @Test
  void theGraphLogsEachRecordOnceWhenItIsProvenAndEachSignature() {
    InMemoryOrderedMap map = new InMemoryOrderedMap();
    RecordGraph graph = new RecordGraph(map, 16);
    Gen gen = new Gen(7);
    Fixture fixture = new Fixture(1);
    List<RecordHeader> chain = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      chain.add(
          fixture.header(gen, 0, chain.isEmpty() ? List.of() : List.of(chain.getLast().name())));
    }
    graph.insertAll(chain, (position, arrival) -> {});
    graph.flush();
    assertThat(graph.log().size()).isZero();

    graph.sign(3, 0);
    graph.flush();
    List<String> told = new ArrayList<>();
    graph
        .log()
        .visit(0, graph.log().size(), (at, arrival, signer) -> told.add(arrival + "/" + signer));
    assertThat(told).isEqualTo(Arrays.asList("0/-1", "1/-1", "2/-1", "3/-1", "3/0"));

    graph.sign(4, 0);
    graph.flush();
    told.clear();
    graph
        .log()
        .visit(5, graph.log().size(), (at, arrival, signer) -> told.add(arrival + "/" + signer));
    assertThat(told).isEqualTo(Arrays.asList("4/-1", "4/0"));
  }
}
