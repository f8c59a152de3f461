package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.testkit.Gen;
import holdfast.testkit.Property;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class FinalHeadsTest {
  private static final Hash SUCCESSOR = Hash.of(Fixture.filled(0xBB, 32));

  private final Fixture fixture = new Fixture(2);
  private final Gen gen = new Gen(7);

  private Statement.Succession succession(Fixture of, List<Hash> heads) {
    return Statement.Succession.sign(of.capsule, 9, heads, SUCCESSOR, of.owner);
  }

  private FinalHeads closing(Hash... heads) throws ProofException {
    return FinalHeads.of(succession(fixture, List.of(heads)), fixture.metadata);
  }

  /** Every final record has a proof under the rule, and no other record has any. */
  @Test
  void aClosedCapsuleProvesWhatLiesBelowItsFinalHeadsAndNothingElse() {
    Property.check(
        80,
        random -> {
          ChainProofTest.Server server =
              ChainProofTest.server(random, 2, random.between(3, 40), random.between(1, 6));
          List<Hash> heads = new ArrayList<>();
          for (RecordHeader head : random.some(server.headers, 3)) {
            server.sign(head, random.below(2));
            heads.add(head.name());
          }
          Fixture of = server.fixture;
          FinalHeads closing = FinalHeads.of(succession(of, heads), of.metadata);
          Set<Hash> below = below(server, heads);
          server.graph.close(heads);
          for (RecordHeader header : server.headers) {
            long arrival = server.graph.arrivalOf(header.name());
            assertThat(server.graph.isFinal(arrival)).isEqualTo(below.contains(header.name()));
            if (below.contains(header.name())) {
              ProofPlan plan = new ProofPlan();
              assertThat(plan.addFinal(server.graph, null, arrival, Fixture.NONE_DAMAGED))
                  .isEqualTo(ProofPlan.Outcome.PROVEN);
              List<ChainProof.Verified> verified = check(server, plan, header.name());
              closing.require(verified, name -> false);
              assertThat(verified.getLast().header()).isEqualTo(header);
            } else {
              ProofPlan plan = new ProofPlan();
              if (plan.add(server.graph, null, arrival, Fixture.NONE_DAMAGED)
                  == ProofPlan.Outcome.PROVEN) {
                List<ChainProof.Verified> verified = check(server, plan, header.name());
                Fixture.violates(Violation.OUTSIDE, () -> closing.require(verified, name -> false));
              }
            }
          }
        });
  }

  private static List<ChainProof.Verified> check(
      ChainProofTest.Server server, ProofPlan plan, Hash target) throws ProofException {
    return ChainProof.check(
        ChainProof.encode(plan, server),
        server.fixture.capsule,
        server.fixture.metadata,
        null,
        List.of(target));
  }

  private static Set<Hash> below(ChainProofTest.Server server, List<Hash> heads) {
    Set<Hash> found = new HashSet<>();
    List<Hash> todo = new ArrayList<>(heads);
    while (!todo.isEmpty()) {
      RecordHeader header = server.model.present.get(todo.removeLast());
      if (header != null && found.add(header.name())) {
        todo.addAll(header.pointers());
      }
    }
    return found;
  }

  @Test
  void theWayToAFinalHeadSurvivesBeingStored() {
    Property.check(
        20,
        random -> {
          Fixture of = new Fixture(1);
          List<RecordHeader> history = NaiveGraph.history(random, of, 30);
          InMemoryOrderedMap map = new InMemoryOrderedMap();
          RecordGraph graph = new RecordGraph(map, 4);
          history.forEach(h -> graph.insert(h, graph.arrivalsOf(h.pointers())));
          graph.close(List.of(history.getLast().name()));
          graph.flush();
          RecordGraph again = new RecordGraph(map, 4);
          for (long at = 0; at < again.size(); at++) {
            assertThat(again.isFinal(at)).isEqualTo(graph.isFinal(at));
            if (graph.isFinal(at)) {
              assertThat(again.finalHop(at)).isEqualTo(graph.finalHop(at));
            }
          }
        });
  }

  private ChainProof.Verified proven(RecordHeader header) {
    return new ChainProof.Verified(header, new Voucher(0, true));
  }

  @Test
  void everyHeaderOfAProofMustBelong() throws ProofException {
    RecordHeader root = fixture.header(gen, 0, List.of());
    RecordHeader last = fixture.header(gen, 0, List.of(root.name()));
    RecordHeader stolen = fixture.header(gen, 0, List.of(last.name(), root.name()));
    FinalHeads closing = closing(last.name());
    closing.require(List.of(proven(last), proven(root)), name -> false);
    closing.require(List.of(proven(root)), root.name()::equals);
    closing.require(List.of(), name -> false);
    // What lies below does not belong by being signed, nor by what an outsider says of it.
    refused(closing, proven(root));
    refused(closing, proven(stolen));
    refused(closing, proven(stolen), proven(last));
    refused(closing, proven(stolen), proven(root));
    refused(closing, proven(root), proven(last));
  }

  private static void refused(FinalHeads closing, ChainProof.Verified... proof) {
    Fixture.violates(Violation.OUTSIDE, () -> closing.require(List.of(proof), name -> false));
  }

  @Test
  void onlyTheOwnerClosesACapsule() {
    Statement.Succession forged =
        Statement.Succession.sign(
            fixture.capsule, 9, List.of(), SUCCESSOR, fixture.writers.getFirst());
    Fixture.violates(Violation.BAD_SIGNATURE, () -> FinalHeads.of(forged, fixture.metadata));
    Fixture elsewhere = new Fixture(2, 1);
    Fixture.violates(
        Violation.WRONG_CAPSULE,
        () -> FinalHeads.of(succession(elsewhere, List.of()), fixture.metadata));
    byte[] signature = fixture.sign(fixture.header(gen, 0, List.of()), 0).encode();
    Fixture.violates(Violation.MALFORMED, () -> FinalHeads.decode(signature, fixture.metadata));
  }

  /** Authorship shows by a signature within, though the way from the final head is another's. */
  @Test
  void authorshipShowsBelowTheFinalHeadOfAnotherWriter() throws ProofException {
    ChainProofTest.Server server = new ChainProofTest.Server(fixture);
    RecordHeader first = fixture.header(gen, 1, List.of());
    RecordHeader second = fixture.header(gen, 1, List.of(first.name()));
    RecordHeader head = fixture.header(gen, 0, List.of(second.name(), first.name()));
    List.of(first, second, head).forEach(server::add);
    server.sign(second, 1);
    server.sign(head, 0);
    server.graph.close(List.of(head.name()));
    ProofPlan plan = new ProofPlan();
    assertThat(plan.addFinal(server.graph, null, 0, Fixture.NONE_DAMAGED))
        .isEqualTo(ProofPlan.Outcome.PROVEN);
    List<ChainProof.Verified> verified = check(server, plan, first.name());
    closing(head.name()).require(verified, name -> false);
    assertThat(verified.getLast().voucher()).isEqualTo(new Voucher(1, true));
    assertThat(OfflineProof.verify(file(ChainProof.encode(plan, server), head.name())).voucher())
        .isEqualTo(new Voucher(1, true));
  }

  private byte[] file(byte[] chain, Hash head) {
    return OfflineProof.encode(
        fixture.metadata, chain, null, null, List.of(), succession(fixture, List.of(head)));
  }

  @Test
  void aProofFileWithASuccessionKeepsToIt() throws ProofException {
    RecordHeader root = fixture.header(gen, 0, List.of());
    RecordHeader last = fixture.header(gen, 0, List.of(root.name()));
    byte[] chain =
        new Encoder()
            .u32(2)
            .raw(last.unsafeBytes())
            .u8(0)
            .u16(0)
            .raw(fixture.sign(last, 0).signature())
            .raw(root.unsafeBytes())
            .u8(1)
            .u32(0)
            .toBytes();
    FinalHeads closing = OfflineProof.verify(file(chain, last.name())).closing();
    assertThat(closing).isNotNull();
    assertThat(java.util.Objects.requireNonNull(closing).successor()).isEqualTo(SUCCESSOR);
    Fixture.violates(Violation.OUTSIDE, () -> OfflineProof.verify(file(chain, root.name())));
    byte[] whole = file(chain, last.name());
    byte[] without = OfflineProof.encode(fixture.metadata, chain, null, null, List.of(), null);
    assertThat(OfflineProof.verify(without).closing()).isNull();
    for (int size = without.length + 1; size < whole.length; size++) {
      byte[] cut = java.util.Arrays.copyOf(whole, size);
      Fixture.violates(() -> OfflineProof.verify(cut));
    }
  }

  @Test
  void aBundleWithASuccessionHoldsNothingOutside() throws ProofException {
    Sealer sealer = fixture.sealer(gen, 0);
    Record kept = sealer.seal(List.of(new byte[1]), 1, List.of());
    Record stolen = sealer.seal(List.of(new byte[2]), 2, List.of(kept.name()));
    Bundle.Head head =
        new Bundle.Head(
            fixture.metadata,
            holdfast.base.Bytes.wrap(fixture.metadata.signCreation(fixture.owner)));
    Bundle.Verifier good = new Bundle.Verifier(head);
    good.statement(fixture.sign(kept.header(), 0).encode());
    good.statement(succession(fixture, List.of(kept.name())).encode());
    good.frame(Record.encodeAll(List.of(kept)));
    good.finish(1);
    assertThat(good.closing()).isNotNull();
    Bundle.Verifier bad = new Bundle.Verifier(head);
    bad.statement(succession(fixture, List.of(kept.name())).encode());
    bad.statement(fixture.sign(stolen.header(), 0).encode());
    bad.frame(Record.encodeAll(List.of(kept, stolen)));
    Fixture.violates(Violation.OUTSIDE, () -> bad.finish(2));
    byte[] another = succession(fixture, List.of(stolen.name())).encode();
    Fixture.violates(Violation.MALFORMED, () -> bad.statement(another));
  }
}
