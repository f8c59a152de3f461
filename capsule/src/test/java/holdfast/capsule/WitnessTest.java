package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.testkit.Property;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** How the best way to prove each record is kept. */
class WitnessTest extends HandmadeGraph {
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
}
