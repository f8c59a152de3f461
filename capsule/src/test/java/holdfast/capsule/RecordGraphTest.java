package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.testkit.Gen;
import holdfast.testkit.Property;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RecordGraphTest {
  private static final int ALL = Integer.MAX_VALUE;

  /** A map that shows writes only when they are committed, and can lose them, as a disk does. */
  private static final class HostMap implements OrderedMap {
    private final InMemoryOrderedMap committed = new InMemoryOrderedMap();
    private final List<Runnable> batch = new ArrayList<>();

    @Override
    public byte[] get(byte[] key) {
      return committed.get(key);
    }

    @Override
    public void put(byte[] key, byte[] value) {
      batch.add(() -> committed.put(key, value));
    }

    @Override
    public void remove(byte[] key) {
      batch.add(() -> committed.remove(key));
    }

    @Override
    public void scan(byte[] from, byte[] to, Visitor visitor) {
      committed.scan(from, to, visitor);
    }

    void commit() {
      batch.forEach(Runnable::run);
      batch.clear();
    }

    void fail() {
      batch.clear();
    }
  }

  /** Who signs what. */
  private enum Signers {
    /** One writer, who signs its own records. */
    OWN,
    /** Several writers, each of whom signs only what others wrote. */
    OTHERS,
    /** Several writers, who sign anything. */
    MIXED
  }

  /** A graph and its model, to which the same things happen. */
  private static final class Pair {
    final Gen gen;
    final Signers mode;
    final Fixture fixture;
    final HostMap map = new HostMap();
    RecordGraph graph;
    NaiveGraph model = new NaiveGraph();
    NaiveGraph flushed = new NaiveGraph();

    Pair(Gen gen, Signers mode) {
      this.gen = gen;
      this.mode = mode;
      this.fixture = new Fixture(mode == Signers.OWN ? 1 : 3);
      this.graph = reopened();
    }

    RecordGraph reopened() {
      return new RecordGraph(map, gen.pick(List.of(0, 1, 2, 100)));
    }

    void insert(List<RecordHeader> batch) {
      List<Hash> fresh = new ArrayList<>();
      List<Long> told = new ArrayList<>();
      for (RecordHeader header : batch) {
        if (model.present.putIfAbsent(header.name(), header) == null) {
          fresh.add(header.name());
        }
      }
      long[] arrivals =
          graph.insertAll(
              batch,
              (position, arrival) -> {
                told.add(arrival);
                assertThat(batch.get(position).name()).isEqualTo(fresh.get(told.size() - 1));
              });
      assertThat(told).hasSameSizeAs(fresh);
      for (int i = 0; i < arrivals.length; i++) {
        assertThat(arrivals[i]).isEqualTo(graph.arrivalOf(batch.get(i).name()));
      }
    }

    void insertAlone(RecordHeader header) {
      if (model.present.putIfAbsent(header.name(), header) == null) {
        graph.insert(header, graph.arrivalsOf(header.pointers()));
      }
    }

    void signSomething() {
      if (model.present.isEmpty()) {
        return;
      }
      RecordHeader header = model.header(gen.pick(model.arrivals()));
      int signer = gen.below(fixture.writers.size());
      if (mode == Signers.OTHERS && signer == header.writer()) {
        signer = (signer + 1) % 3;
      }
      model.signers.computeIfAbsent(header.name(), name -> new HashSet<>()).add(signer);
      long arrival = graph.arrivalOf(header.name());
      Witness before = graph.witness(arrival);
      boolean improved = graph.sign(arrival, signer);
      Witness after = graph.witness(arrival);
      assertThat(improved).isEqualTo(!after.equals(before));
      assertThat(graph.sign(arrival, signer)).as("once more changes nothing").isFalse();
      assertThat(after.proven()).isTrue();
    }

    void close(List<RecordHeader> history) {
      List<Hash> heads = gen.some(history, 4).stream().map(RecordHeader::name).toList();
      model.closed = true;
      model.finalHeads.addAll(heads);
      graph.close(heads);
    }

    void flush() {
      graph.flush();
      map.commit();
      flushed = model.copy();
      List<byte[]> awaited = new ArrayList<>();
      map.scan(new byte[] {'M'}, new byte[] {'N'}, (key, value) -> awaited.add(key));
      assertThat(awaited)
          .as("one entry for each hole, none left behind")
          .hasSize((int) model.holes());
    }

    void failedWrite() {
      if (gen.oneIn(2)) {
        graph.flush();
      }
      map.fail();
      graph.discard();
      model = flushed.copy();
    }

    void restart() {
      map.fail();
      graph = reopened();
      model = flushed.copy();
    }

    // ---- Comparing ---------------------------------------------------------------------------

    private Hash nameAt(long arrival) {
      return model.arrivals().get((int) arrival);
    }

    private Set<Hash> names(long[] arrivals) {
      List<Hash> order = model.arrivals();
      Set<Hash> names = new TreeSet<>();
      for (long arrival : arrivals) {
        assertThat(names.add(order.get((int) arrival))).isTrue();
      }
      return names;
    }

    void compare() {
      List<Hash> order = model.arrivals();
      assertThat(graph.size()).isEqualTo(order.size());
      for (int i = 0; i < order.size(); i++) {
        assertThat(graph.arrivalOf(order.get(i))).isEqualTo(i);
      }
      assertThat(graph.arrivalOf(gen.hash())).isEqualTo(-1);
      assertThat(names(graph.heads(ALL))).isEqualTo(model.heads());
      assertThat(names(graph.roots(ALL))).isEqualTo(model.roots());
      assertThat(new TreeSet<>(graph.missingNames(ALL))).isEqualTo(model.missing());
      assertThat(graph.missingNames(ALL)).doesNotHaveDuplicates();
      assertThat(graph.missingNames(2)).hasSize(Math.min(2, model.missing().size()));
      assertThat(graph.holeCount()).isEqualTo(model.holes());
      assertThat(names(graph.provenHeads(ALL))).isEqualTo(model.provenHeads());
      Set<Hash> tips = model.heads();
      tips.removeAll(model.provenDistances().keySet());
      assertThat(names(graph.unprovenTips(ALL))).isEqualTo(tips);
      assertThat(graph.unprovenTips(1)).hasSize(Math.min(1, tips.size()));
      compareWitnesses(order);
      compareClosing();
    }

    private void compareWitnesses(List<Hash> order) {
      Map<Hash, Integer> proven = model.provenDistances();
      Map<Hash, Integer> authored = model.authoredDistances();
      assertThat(graph.provenCount()).isEqualTo(proven.size());
      for (int arrival = 0; arrival < order.size(); arrival++) {
        RecordHeader header = model.header(order.get(arrival));
        assertThat(graph.writer(arrival)).isEqualTo(header.writer());
        long[] pointers = graph.pointers(arrival);
        assertThat(pointers)
            .isEqualTo(
                header.pointers().stream()
                    .mapToLong(name -> model.present.containsKey(name) ? order.indexOf(name) : -1)
                    .toArray());
        Witness witness = graph.witness(arrival);
        assertThat(witness.proven()).isEqualTo(proven.containsKey(header.name()));
        assertThat(witness.authored()).isEqualTo(authored.containsKey(header.name()));
        if (witness.authored()) {
          assertThat(witness.distance()).isEqualTo(authored.get(header.name()));
        } else if (witness.proven() && mode != Signers.MIXED) {
          assertThat(witness.distance()).isEqualTo(proven.get(header.name()));
        } else if (witness.proven()) {
          // One witness a record: below an authored chain a shorter vouched one may go unseen.
          assertThat(witness.distance()).isGreaterThanOrEqualTo(proven.get(header.name()));
        }
        if (witness.proven()) {
          followChain(arrival, witness.authored());
        }
      }
    }

    /** Each hop is a present record that points at the one below; the last is signed. */
    private void followChain(long start, boolean authored) {
      long at = start;
      while (graph.witness(at).distance() > 0) {
        long above = graph.witness(at).nextHop();
        assertThat(graph.pointers(above)).contains(at);
        if (authored) {
          assertThat(graph.witness(above).authored()).isTrue();
          assertThat(graph.witness(above).distance()).isEqualTo(graph.witness(at).distance() - 1);
          assertThat(graph.writer(above)).isEqualTo(graph.writer(at));
        }
        at = above;
      }
      Set<Integer> signers = model.signers.get(nameAt(at));
      assertThat(signers).isNotNull().isNotEmpty();
      if (authored) {
        assertThat(signers).contains(graph.writer(start));
      }
    }

    private void compareClosing() {
      assertThat(graph.closed()).isEqualTo(model.closed);
      Set<Hash> finals = model.finalNames();
      Set<Hash> proven = model.provenDistances().keySet();
      for (Hash name : model.missing()) {
        assertThat(graph.belongsToFinal(name)).isEqualTo(finals.contains(name));
        boolean awaited =
            proven.stream().anyMatch(child -> model.header(child).pointers().contains(name));
        assertThat(graph.awaitedByProven(name)).isEqualTo(awaited);
      }
      assertThat(graph.belongsToFinal(gen.hash())).isFalse();
      assertThat(graph.awaitedByProven(gen.hash())).isFalse();
    }
  }

  /**
   * Histories arrive in order, backwards or shuffled, with holes that stay or are filled late, in
   * batches and alone, twice, signed now and then; what is staged is flushed, lost, or read again.
   */
  @ParameterizedTest
  @EnumSource(Signers.class)
  void d14d15d23TheGraphAnswersAsTheDefinitionsDo(Signers mode) {
    Property.check(
        120,
        gen -> {
          Pair pair = new Pair(gen, mode);
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
          assertThat(pair.graph.missingNames(ALL)).isEmpty();
          assertThat(pair.graph.holeCount()).isZero();
          pair.flush();
          pair.compare();
          pair.restart();
          pair.compare();
        });
  }

  /** However a history arrives, what is proven, authored and at which authored distance is one. */
  @Test
  void d15WitnessesDoNotDependOnTheOrderOfArrivalOrSigning() {
    Property.check(
        60,
        gen -> {
          Fixture fixture = new Fixture(1);
          List<RecordHeader> history = NaiveGraph.history(gen, fixture, 40);
          List<RecordHeader> signed = gen.some(history, 5);
          List<String> outcomes = new ArrayList<>();
          for (int round = 0; round < 3; round++) {
            RecordGraph graph = new RecordGraph(new InMemoryOrderedMap(), 4);
            List<Object> steps = new ArrayList<>(history);
            for (Object step : gen.shuffled(steps)) {
              RecordHeader header = (RecordHeader) step;
              long arrival = graph.insert(header, graph.arrivalsOf(header.pointers()));
              if (round == 0 && signed.contains(header)) {
                graph.sign(arrival, 0);
              }
            }
            for (RecordHeader header : gen.shuffled(signed)) {
              graph.sign(graph.arrivalOf(header.name()), 0);
            }
            StringBuilder outcome = new StringBuilder();
            for (RecordHeader header : history) {
              Witness witness = graph.witness(graph.arrivalOf(header.name()));
              outcome.append(witness.proven() ? witness.distance() : "-").append(' ');
            }
            outcomes.add(outcome.toString());
          }
          assertThat(outcomes).containsOnly(outcomes.getFirst());
        });
  }

  // ---- The traps, one by one -----------------------------------------------------------------

  private final Fixture fixture = new Fixture(2);
  private final Gen gen = new Gen(4);
  private final RecordGraph graph = new RecordGraph(new InMemoryOrderedMap(), 4);

  private RecordHeader made(int writer, RecordHeader... pointers) {
    return fixture.header(gen, writer, Arrays.stream(pointers).map(RecordHeader::name).toList());
  }

  private long add(RecordHeader header) {
    return graph.insert(header, graph.arrivalsOf(header.pointers()));
  }

  @Test
  void theWalkFromASignaturePassesMissingAncestorsBy() {
    // D points at B, which is missing, and at C; both lead to A.
    RecordHeader a = made(0);
    RecordHeader b = made(0, a);
    RecordHeader c = made(0, a);
    RecordHeader d = made(0, b, c);
    long atA = add(a);
    add(c);
    long atD = add(d);
    graph.sign(atD, 0);
    assertThat(graph.witness(atA)).isEqualTo(new Witness(2, graph.arrivalOf(c.name())));
    assertThat(graph.missingNames(9)).containsExactly(b.name());
  }

  @Test
  void fillingAHoleBelowASignatureProvesWhatLiesBelowIt() {
    RecordHeader a = made(0);
    RecordHeader b = made(0, a);
    RecordHeader c = made(0, b);
    long atA = add(a);
    long atC = add(c);
    graph.sign(atC, 0);
    assertThat(graph.witness(atA).proven()).isFalse();
    assertThat(graph.provenCount()).isEqualTo(1);
    graph.flush();
    long atB = add(b);
    assertThat(graph.witness(atB)).isEqualTo(new Witness(1, atC));
    assertThat(graph.witness(atA)).isEqualTo(new Witness(2, atB));
    assertThat(graph.provenHeads(9)).containsExactly(atC);
  }

  @Test
  void aWitnessIsThereAsSoonAsTheSignatureIs() {
    RecordHeader a = made(0);
    RecordHeader b = made(0, a);
    long atA = add(a);
    long atB = add(b);
    assertThat(graph.sign(atB, 0)).isTrue();
    assertThat(graph.witness(atA)).isEqualTo(new Witness(1, atB));
  }

  @Test
  void d15WitnessesOnlyImprove() {
    RecordHeader a = made(0);
    RecordHeader b = made(0, a);
    RecordHeader c = made(0, b);
    RecordHeader skipping = made(0, c, a);
    long atA = add(a);
    add(b);
    add(c);
    long atSkipping = add(skipping);
    graph.sign(graph.arrivalOf(c.name()), 0);
    assertThat(graph.witness(atA).distance()).isEqualTo(2);
    graph.sign(atSkipping, 0);
    assertThat(graph.witness(atA)).isEqualTo(new Witness(1, atSkipping));
    graph.sign(graph.arrivalOf(b.name()), 0);
    assertThat(graph.witness(atA).distance()).isEqualTo(1);
    graph.sign(atA, 0);
    assertThat(graph.witness(atA).distance()).isZero();
    assertThat(graph.sign(atSkipping, 0)).isFalse();
  }

  @Test
  void authorshipCountsForMoreThanDistance() {
    RecordHeader a = made(0);
    RecordHeader b = made(0, a);
    RecordHeader c = made(0, b);
    RecordHeader foreign = made(1, a);
    long atA = add(a);
    add(b);
    add(c);
    long atForeign = add(foreign);
    graph.sign(atForeign, 1);
    assertThat(graph.witness(atA).authored()).isFalse();
    assertThat(graph.witness(atA).distance()).isEqualTo(1);
    graph.sign(graph.arrivalOf(c.name()), 0);
    assertThat(graph.witness(atA).authored()).isTrue();
    assertThat(graph.witness(atA).distance()).isEqualTo(2);
    // A signature by somebody else vouches; it is not authorship.
    RecordHeader other = made(0);
    long atOther = add(other);
    graph.sign(atOther, 1);
    assertThat(graph.witness(atOther).authored()).isFalse();
    assertThat(graph.witness(atOther).distance()).isZero();
    graph.sign(atOther, 0);
    assertThat(graph.witness(atOther).authored()).isTrue();
  }

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
