package holdfast.sim;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.sync.Effect;
import holdfast.sync.Entry;
import holdfast.sync.Marker;
import holdfast.sync.MemoryReplica;
import holdfast.sync.RoundOptions;
import holdfast.sync.Strategy;
import holdfast.testkit.Gen;
import holdfast.testkit.Property;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Two replicas, one round, no faults: every strategy ends in equal sets (D27, D31). */
class RoundTest {

  @ParameterizedTest
  @EnumSource(Strategy.class)
  void d27d31AnyTwoReplicasEndEqual(Strategy strategy) {
    Property.check(150, gen -> anyTwo(gen, strategy));
  }

  private static void anyTwo(Gen gen, Strategy strategy) {
    Dag dag = new Dag(gen, gen.between(1, 3));
    dag.grow(gen.pick(List.of(0, 1, 5, 40, 300)));
    if (gen.oneIn(2)) {
      dag.signTips();
    }
    MemoryReplica a = new MemoryReplica(dag.metadata());
    MemoryReplica b = new MemoryReplica(dag.metadata());
    int common = gen.below(101);
    int mostly = gen.below(101);
    for (Record record : dag.records()) {
      boolean both = gen.below(100) < common;
      boolean first = gen.below(100) < mostly;
      if (both || first) {
        a.store(List.of(record), List.of());
      }
      if (both || !first) {
        b.store(List.of(record), List.of());
      }
    }
    for (Statement.WriterSignature signature : dag.signatures()) {
      int where = gen.below(3);
      if (where != 0) {
        a.store(List.of(), List.of(signature));
      }
      if (where != 1) {
        b.store(List.of(), List.of(signature));
      }
    }
    RoundOptions options =
        new RoundOptions(
            strategy, gen.pick(List.of(1, 3, 100)), 1 << 20, gen.between(1, 4), 1 << 20, 1 << 10);
    Markers markers = converge(a, b, options, new Markers(List.of(), List.of()), gen);

    // Both go on, apart from each other; the next round is about what is new.
    int before = dag.records().size();
    dag.grow(gen.pick(List.of(0, 1, 20)));
    dag.signTips();
    for (Record record : dag.records().subList(before, dag.records().size())) {
      (gen.oneIn(2) ? a : b).store(List.of(record), List.of());
    }
    for (Statement.WriterSignature signature : dag.signatures()) {
      (gen.oneIn(2) ? a : b).store(List.of(), List.of(signature));
    }
    converge(a, b, options, markers, gen);
  }

  /** The quick check: nothing else is said about what both sides hold. */
  @ParameterizedTest
  @EnumSource(Strategy.class)
  void d30EqualSetsAreToldByOneHash(Strategy strategy) {
    Gen gen = new Gen(30);
    Dag dag = new Dag(gen, 2);
    dag.grow(300);
    dag.signTips();
    MemoryReplica a = new MemoryReplica(dag.metadata());
    MemoryReplica b = new MemoryReplica(dag.metadata());
    a.store(dag.records(), dag.signatures());
    b.store(gen.shuffled(dag.records()), dag.signatures());
    List<byte[]> said = new ArrayList<>();
    Pairing pairing = meeting(a, b, strategy, NO_MARKERS, gen, said);
    expectFinished(pairing.first);
    expectFinished(pairing.second);
    assertThat(said)
        .extracting(Wire::kind)
        .contains(Wire.SINCE)
        .doesNotContain(Wire.DIFFERENCE, Wire.PUSH, Wire.ENDS);
    assertThat(said.stream().mapToInt(one -> one.length).sum()).isLessThan(1000);
  }

  /** What counts is when a record came here, not when its writer says that it was made. */
  @ParameterizedTest
  @EnumSource(Strategy.class)
  void d29ARoundIsAboutWhatCameSinceTheLastOneWithThatPeer(Strategy strategy) {
    Gen gen = new Gen(29);
    Dag dag = new Dag(gen, 2);
    dag.grow(300);
    dag.signTips();
    Record oldest = dag.records().getFirst();
    List<Record> others = dag.records().subList(1, dag.records().size());
    assertThat(others).allMatch(one -> one.header().timeMillis() >= oldest.header().timeMillis());
    MemoryReplica a = new MemoryReplica(dag.metadata());
    MemoryReplica b = new MemoryReplica(dag.metadata());
    MemoryReplica newcomer = new MemoryReplica(dag.metadata());
    a.store(others, dag.signatures());
    b.store(others, dag.signatures());

    List<byte[]> first = new ArrayList<>();
    Pairing met = meeting(a, b, strategy, NO_MARKERS, gen, first);
    Markers markers =
        new Markers(List.of(expectFinished(met.first)), List.of(expectFinished(met.second)));
    assertThat(compared(first)).isEqualTo(a.entries()).isGreaterThanOrEqualTo(299);

    a.store(List.of(oldest), List.of());
    List<byte[]> second = new ArrayList<>();
    meeting(a, b, strategy, markers, gen, second);
    assertThat(compared(second)).as("the one record that came late").isEqualTo(1);
    expectEqual(a, b);

    // What is known of one peer is not known of another.
    List<byte[]> elsewhere = new ArrayList<>();
    meeting(a, newcomer, strategy, NO_MARKERS, gen, elsewhere);
    assertThat(compared(elsewhere)).isEqualTo(a.entries());
    expectEqual(a, newcomer);
  }

  /** One round; what the first side says is noted. */
  private static Pairing meeting(
      MemoryReplica a,
      MemoryReplica b,
      Strategy strategy,
      Markers markers,
      Gen gen,
      List<byte[]> said) {
    Pairing pairing =
        new Pairing(
            a,
            b,
            RoundOptions.defaults().withStrategy(strategy),
            markers.ofA(),
            markers.ofB(),
            gen.hash(),
            gen.hash());
    pairing.tampering =
        message -> {
          said.add(message);
          return List.of(message);
        };
    return pairing.run();
  }

  /** How many entries the first comparison of a round was about. */
  private static long compared(List<byte[]> said) {
    byte[] since =
        said.stream().filter(one -> Wire.kind(one) == Wire.SINCE).findFirst().orElseThrow();
    return ByteBuffer.wrap(since).getLong(1);
  }

  @ParameterizedTest
  @EnumSource(Strategy.class)
  void whatIsDamagedOnOneSideComesBackFromTheOther(Strategy strategy) {
    Property.check(60, gen -> damagedOnOneSide(gen, strategy));
  }

  private static void damagedOnOneSide(Gen gen, Strategy strategy) {
    Dag dag = new Dag(gen, gen.between(1, 3));
    dag.grow(gen.pick(List.of(1, 5, 40, 300)));
    dag.signTips();
    MemoryReplica a = new MemoryReplica(dag.metadata());
    MemoryReplica b = new MemoryReplica(dag.metadata());
    a.store(dag.records(), dag.signatures());
    b.store(dag.records(), dag.signatures());
    int often = gen.between(1, 10);
    for (long arrival = 0; arrival < dag.records().size(); arrival++) {
      if (gen.oneIn(often)) {
        (gen.oneIn(3) ? a : b).damage(arrival);
      }
    }
    converge(a, b, new RoundOptions(strategy, 100, 1 << 20, 4, 1 << 20, 1 << 10), NO_MARKERS, gen);
    for (long arrival = 0; arrival < dag.records().size(); arrival++) {
      assertThat(a.record(arrival)).as("record %d at the first", arrival).isNotNull();
      assertThat(b.record(arrival)).as("record %d at the second", arrival).isNotNull();
    }
  }

  private static final Markers NO_MARKERS = new Markers(List.of(), List.of());

  private record Markers(List<Marker> ofA, List<Marker> ofB) {}

  /**
   * Rounds until the proven sets are equal. One is enough unless what it brings makes more provable
   * than its passes can follow.
   */
  private static Markers converge(
      MemoryReplica a, MemoryReplica b, RoundOptions options, Markers before, Gen gen) {
    Markers markers = before;
    for (int rounds = 0; rounds < 6; rounds++) {
      Pairing one =
          new Pairing(a, b, options, markers.ofA(), markers.ofB(), gen.hash(), gen.hash()).run();
      markers =
          new Markers(List.of(expectFinished(one.first)), List.of(expectFinished(one.second)));
      if (provenSet(a).equals(provenSet(b))) {
        break;
      }
    }
    expectEqual(a, b);
    return markers;
  }

  static Marker expectFinished(Pairing.Side side) {
    assertThat(side.ended).hasSize(1);
    if (side.ended.getFirst() instanceof Effect.Lied lied) {
      throw new AssertionError("an honest peer is called a liar", lied.evidence());
    }
    assertThat(side.ended.getFirst()).isInstanceOf(Effect.Finished.class);
    return java.util.Objects.requireNonNull(side.marker());
  }

  static void expectEqual(MemoryReplica a, MemoryReplica b) {
    Set<Hash> ofA = provenSet(a);
    Set<Hash> ofB = provenSet(b);
    Set<Hash> onlyA = new TreeSet<>(ofA);
    onlyA.removeAll(ofB);
    Set<Hash> onlyB = new TreeSet<>(ofB);
    onlyB.removeAll(ofA);
    assertThat(onlyA).as("only at the first of %d", ofA.size()).isEmpty();
    assertThat(onlyB).as("only at the second of %d", ofB.size()).isEmpty();
  }

  /** Names of the proven records, and of their signatures. */
  static Set<Hash> provenSet(MemoryReplica replica) {
    Set<Hash> names = new TreeSet<>();
    List<Entry> entries = new ArrayList<>(replica.entries(0, replica.entries()));
    entries.forEach(entry -> names.add(entry.name()));
    return names;
  }
}
