package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.testkit.Property;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The record graph against the definitions, and what it keeps of each record. */
class RecordGraphTest extends HandmadeGraph {
  /**
   * Histories arrive in order, backwards or shuffled, with holes that stay or are filled late, in
   * batches and alone, twice, signed now and then; what is staged is flushed, lost, or read again.
   */
  @ParameterizedTest
  @EnumSource(GraphPair.Signers.class)
  void d14d15d23TheGraphAnswersAsTheDefinitionsDo(GraphPair.Signers mode) {
    Property.check(
        120,
        gen -> {
          GraphPair pair = new GraphPair(gen, mode);
          int size = gen.oneIn(10) ? gen.between(250, 300) : gen.between(1, 40);
          List<RecordHeader> history = NaiveGraph.history(gen, pair.fixture, size);
          List<RecordHeader> coming = new ArrayList<>(history);
          coming.removeIf(header -> gen.oneIn(size > 100 ? 50 : 8));
          switch (gen.below(3)) {
            case 0 -> Collections.reverse(coming);
            case 1 -> coming = gen.shuffled(coming);
            default -> {}
          }
          int at = 0;
          while (at < coming.size()) {
            switch (gen.below(12)) {
              case 0, 1, 2, 3 -> pair.insertAlone(coming.get(at++));
              case 4, 5 -> {
                int to = Math.min(coming.size(), at + gen.between(1, 1 + size / 8));
                List<RecordHeader> batch = new ArrayList<>(coming.subList(at, to));
                while (gen.oneIn(2)) {
                  batch.add(gen.pick(coming.subList(0, to)));
                }
                pair.insert(gen.shuffled(batch));
                at = to;
              }
              case 6, 7 -> pair.signSomething();
              case 8, 9 -> pair.flush();
              case 10 -> {
                if (gen.oneIn(4)) {
                  pair.failedWrite();
                  at = Math.min(at, gen.below(coming.size()));
                } else if (gen.oneIn(3)) {
                  pair.restart();
                }
              }
              default -> {
                if (gen.oneIn(6)) {
                  pair.close(history);
                }
              }
            }
            if (size < 100 || gen.oneIn(40)) {
              pair.compare();
            }
          }
          for (RecordHeader header : gen.shuffled(history)) {
            pair.insertAlone(header);
          }
          pair.signSomething();
          pair.compare();
          assertThat(pair.graph.missingNames(GraphPair.ALL)).isEmpty();
          assertThat(pair.graph.holeCount()).isZero();
          pair.flush();
          pair.compare();
          pair.restart();
          pair.compare();
        });
  }

  /** Looks at entries, counted: work is compared, not time. */
  private static final class CountingMap implements OrderedMap {
    private final OrderedMap map = new InMemoryOrderedMap();
    long looks;

    @Override
    public byte @Nullable [] get(byte[] key) {
      looks++;
      return map.get(key);
    }

    @Override
    public void put(byte[] key, byte[] value) {
      map.put(key, value);
    }

    @Override
    public void remove(byte[] key) {
      map.remove(key);
    }

    @Override
    public void scan(byte[] from, byte[] to, Visitor visitor) {
      map.scan(
          from,
          to,
          (key, value) -> {
            looks++;
            return visitor.visit(key, value);
          });
    }
  }

  /** Records come one by one, each signed; nothing walks over the 4000 of 16 blocks for that. */
  @Test
  void anInsertLooksAtAFewEntriesHoweverManyThereAre() {
    CountingMap map = new CountingMap();
    RecordGraph growing = new RecordGraph(map, 1);
    Backpointers pointers = new Backpointers(new Backpointers.Strategy.Skip(), List.of());
    List<Long> looks = new ArrayList<>();
    for (int i = 0; i < 4000; i++) {
      if (i % 500 == 0) {
        looks.add(-map.looks);
      }
      RecordHeader header = fixture.header(gen, 0, pointers.next());
      pointers.appended(header.name());
      growing.sign(growing.insert(header, growing.arrivalsOf(header.pointers())), 0);
      growing.flush();
      if (i % 500 == 499) {
        looks.add(looks.removeLast() + map.looks);
      }
    }
    assertThat(growing.provenCount()).isEqualTo(4000);
    assertThat(looks).hasSize(8).allMatch(some -> some < 1500);
  }

  @Test
  void bodiesAreMarkedErased() {
    InMemoryOrderedMap map = new InMemoryOrderedMap();
    RecordGraph first = new RecordGraph(map, 4);
    for (int i = 0; i < 3; i++) {
      first.insert(made(0), new long[0]);
    }
    first.markErased(0, true);
    first.markErased(1, false);
    first.flush();
    RecordGraph second = new RecordGraph(map, 4);
    assertThat(second.bodyState(0)).isEqualTo(Record.State.ERASED);
    assertThat(second.bodyState(1)).isEqualTo(Record.State.PARTLY_ERASED);
    assertThat(second.bodyState(2)).isEqualTo(Record.State.WHOLE);
    second.markErased(1, true);
    assertThat(second.bodyState(1)).isEqualTo(Record.State.ERASED);
  }

  @Test
  void timesAreFoundByBlocks() {
    Property.check(
        20,
        random -> {
          RecordGraph times = new RecordGraph(new InMemoryOrderedMap(), 1);
          List<Long> claimed = new ArrayList<>();
          for (int i = random.between(0, 900); i > 0; i--) {
            RecordHeader header = fixture.header(random, 0, List.of());
            times.insert(header, new long[0]);
            claimed.add(header.timeMillis());
          }
          times.flush();
          for (int round = 0; round < 20; round++) {
            long from = random.anyLong();
            long to = from + (random.anyLong() >>> 1);
            List<Long> visited = new ArrayList<>();
            long at = 0;
            while ((at = times.mayLieWithin(at, from, to)) < times.size()) {
              visited.add(at++);
            }
            assertThat(at).isEqualTo(times.size());
            for (long i = 0; i < claimed.size(); i++) {
              long time = claimed.get((int) i);
              if (time >= from && time < to) {
                assertThat(visited).contains(i);
              }
            }
          }
        });
  }

  @Test
  void longHistoriesSurviveReloadingWithASmallCache() {
    InMemoryOrderedMap map = new InMemoryOrderedMap();
    RecordGraph writing = new RecordGraph(map, 1);
    Backpointers pointers = new Backpointers(new Backpointers.Strategy.Skip(), List.of());
    Collection<Hash> names = new ArrayList<>();
    for (int i = 0; i < 3000; i++) {
      RecordHeader header = fixture.header(gen, 0, pointers.next());
      pointers.appended(header.name());
      names.add(header.name());
      writing.insert(header, writing.arrivalsOf(header.pointers()));
      if (i % 97 == 0) {
        writing.flush();
        writing = new RecordGraph(map, 1);
      }
    }
    writing.sign(2999, 0);
    writing.flush();
    RecordGraph read = new RecordGraph(map, 1);
    assertThat(read.provenCount()).isEqualTo(3000);
    long arrival = 0;
    for (Hash name : names) {
      assertThat(read.arrivalOf(name)).isEqualTo(arrival++);
    }
    for (long i = 0; i < 3000; i++) {
      // 2·log₂ 3000 is 23.1.
      assertThat(read.witness(i).distance()).isLessThanOrEqualTo(23);
    }
  }
}
