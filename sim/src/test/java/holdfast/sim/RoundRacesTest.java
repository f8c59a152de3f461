package holdfast.sim;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.sync.Effect;
import holdfast.sync.Input;
import holdfast.sync.Marker;
import holdfast.sync.MemoryReplica;
import holdfast.sync.Round;
import holdfast.sync.RoundOptions;
import holdfast.sync.Strategy;
import holdfast.testkit.Gen;
import holdfast.testkit.Property;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What happens to a replica, or to a round, while the round is under way. */
class RoundRacesTest {
  @ParameterizedTest
  @EnumSource(Strategy.class)
  void pushesAreAnsweredInTheirOrderWhateverTheDiskDoes(Strategy strategy) {
    Property.check(
        60,
        gen -> {
          Dag dag = grown(gen, 40);
          MemoryReplica a = some(gen, dag);
          MemoryReplica b = some(gen, dag);
          RoundOptions options = new RoundOptions(strategy, 2, 1 << 20, 4, 1 << 20, 1 << 10);
          Pairing pairing = pairing(gen, a, b, options, List.of(), List.of());
          pairing.slowDisks = true;
          pairing.run();
          RoundTest.expectFinished(pairing.first);
          RoundTest.expectFinished(pairing.second);
        });
  }

  @Test
  void aStatementThatComesWhileRoundsGreetHoldsUpNobody() {
    Gen gen = new Gen(1);
    Dag dag = grown(gen, 5);
    MemoryReplica a = all(dag);
    MemoryReplica b = all(dag);
    Pairing pairing = pairing(gen, a, b, RoundOptions.defaults(), List.of(), List.of());
    Statement.Erasure erasure = erasure(dag, dag.records().get(2));
    pairing.between = () -> a.store(List.of(), List.of(erasure));
    pairing.run();
    RoundTest.expectFinished(pairing.first);
    RoundTest.expectFinished(pairing.second);
  }

  @Test
  void whoHasSomethingErasedDuringARoundIsNoLiar() {
    int unfinished = 0;
    for (int when = 0; when < 120; when += 3) {
      Gen gen = new Gen(when);
      Dag dag = grown(gen, 30);
      MemoryReplica a = new MemoryReplica(dag.metadata());
      MemoryReplica b = all(dag);
      RoundOptions options = new RoundOptions(Strategy.LU, 1, 1 << 20, 1, 1 << 20, 1 << 10);
      Pairing pairing = pairing(gen, a, b, options, List.of(), List.of());
      int[] left = {when};
      pairing.between =
          () -> {
            if (left[0]-- == 0) {
              b.store(List.of(), List.of(erasure(dag, dag.records().get(3))));
            }
          };
      pairing.run();
      b.store(List.of(), List.of(erasure(dag, dag.records().get(3))));
      for (Pairing.Side side : List.of(pairing.first, pairing.second)) {
        assertThat(side.ended).hasSize(1).noneMatch(end -> end instanceof Effect.Lied);
      }
      unfinished += pairing.first.marker() == null ? 1 : 0;

      Pairing again = pairing(gen, a, b, options, List.of(), List.of()).run();
      RoundTest.expectFinished(again.first);
      RoundTest.expectEqual(a, b);
      long arrival = a.arrivalsOf(List.of(dag.records().get(3).name()))[0];
      assertThat(a.record(arrival).body()).isNull();
    }
    assertThat(unfinished).as("rounds that had to be given up").isBetween(1, 39);
  }

  @ParameterizedTest
  @EnumSource(Strategy.class)
  void whatHasRottenIsTakenFromThePeerAgain(Strategy strategy) {
    Property.check(
        30,
        gen -> {
          Dag dag = grown(gen, 20);
          MemoryReplica a = all(dag);
          MemoryReplica b = all(dag);
          if (gen.oneIn(2)) {
            Statement closing = succession(dag);
            a.store(List.of(), List.of(closing));
            b.store(List.of(), List.of(closing));
          }
          for (long arrival = 0; arrival < 20; arrival++) {
            if (gen.oneIn(6) && a.exchanged(arrival)) {
              if (gen.oneIn(2)) {
                a.damage(arrival);
              } else {
                a.damageHeader(arrival);
              }
            }
          }
          RoundOptions options = RoundOptions.defaults().withStrategy(strategy);
          Pairing pairing = pairing(gen, a, b, options, List.of(), List.of()).run();
          RoundTest.expectFinished(pairing.first);
          assertThat(a.damaged()).isEmpty();
        });
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whatIsDamagedDuringARoundIsToldInALaterOne(boolean header) {
    Gen gen = new Gen(1);
    Dag dag = grown(gen, 10);
    Record last = dag.records().getLast();
    MemoryReplica a = all(dag);
    MemoryReplica b = new MemoryReplica(dag.metadata());
    b.store(dag.records().subList(0, 9), List.of());
    long arrival = a.arrivalsOf(List.of(last.name()))[0];
    if (header) {
      a.damageHeader(arrival);
    } else {
      a.damage(arrival);
    }
    Pairing first = pairing(gen, a, b, RoundOptions.defaults(), List.of(), List.of()).run();
    Marker ofA = RoundTest.expectFinished(first.first);
    Marker ofB = RoundTest.expectFinished(first.second);

    a.store(List.of(last), List.of());
    Pairing second = pairing(gen, a, b, RoundOptions.defaults(), List.of(ofA), List.of(ofB)).run();
    RoundTest.expectFinished(second.first);
    RoundTest.expectEqual(a, b);
  }

  @Test
  void aSignatureThatIsSentAgainAndAgainIsHeldOnce() {
    Gen gen = new Gen(1);
    Dag dag = grown(gen, 3);
    MemoryReplica a = all(dag);
    MemoryReplica b = new MemoryReplica(dag.metadata());
    byte[] signature = dag.signature(dag.stray(), 0).encode();
    Pairing pairing = pairing(gen, a, b, RoundOptions.defaults(), List.of(), List.of());
    int[] pushes = {0};
    pairing.tampering =
        message -> {
          if (Wire.kind(message) == Wire.PUSH) {
            pushes[0]++;
          }
          return Wire.kind(message) == Wire.PUSH_END
              ? List.of(
                  Wire.push(pushes[0], List.of(), Collections.nCopies(50, signature)), message)
              : List.of(message);
        };
    long[] held = {0};
    pairing.between = () -> held[0] = Math.max(held[0], pairing.second.round.heldBytes());
    pairing.run();
    assertThat(held[0]).isBetween(1L, 2L * signature.length);
  }

  @Test
  void messagesThatComeEarlyAreHeldToALimit() {
    Gen gen = new Gen(1);
    Round round =
        new Round(
            new MemoryReplica(grown(gen, 1).metadata()),
            false,
            RoundOptions.defaults(),
            List.of(),
            gen.hash());
    byte[] push =
        new Encoder().u8(Wire.PUSH).u32(0).u8(0).bytes32(new byte[1 << 20]).u32(0).toBytes();
    List<Effect> effects = new ArrayList<>();
    for (int i = 0; i < 70; i++) {
      round.step(new Input.Received(push), effects::add);
      assertThat(round.heldBytes()).isLessThanOrEqualTo(Round.EARLY_BYTES);
    }
    assertThat(effects).last().isInstanceOf(Effect.GaveUp.class);
  }

  private static Dag grown(Gen gen, int count) {
    Dag dag = new Dag(gen, 2);
    dag.grow(count);
    dag.signTips();
    return dag;
  }

  private static MemoryReplica all(Dag dag) {
    MemoryReplica replica = new MemoryReplica(dag.metadata());
    replica.store(dag.records(), dag.signatures());
    return replica;
  }

  private static MemoryReplica some(Gen gen, Dag dag) {
    MemoryReplica replica = new MemoryReplica(dag.metadata());
    replica.store(gen.some(dag.records(), 40), dag.signatures());
    return replica;
  }

  private static Statement.Erasure erasure(Dag dag, Record record) {
    return Statement.Erasure.sign(
        dag.metadata().name(),
        5_000,
        new Statement.Erased.OfRecord(record.name()),
        "",
        dag.owner());
  }

  private static Statement.Succession succession(Dag dag) {
    return Statement.Succession.sign(
        dag.metadata().name(),
        5_000,
        dag.signatures().stream()
            .map(Statement.WriterSignature::record)
            .distinct()
            .limit(5)
            .toList(),
        Hash.ZERO,
        dag.owner());
  }

  private static Pairing pairing(
      Gen gen,
      MemoryReplica a,
      MemoryReplica b,
      RoundOptions options,
      List<Marker> markersOfA,
      List<Marker> markersOfB) {
    return new Pairing(a, b, options, markersOfA, markersOfB, gen.hash(), gen.hash());
  }
}
