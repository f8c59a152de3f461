package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.testkit.Gen;
import holdfast.testkit.Mutator;
import holdfast.testkit.Property;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ChainProofTest {
  /** A server's side: the graph, the headers, the signatures. */
  static final class Server implements ChainProof.Source {
    final Fixture fixture;
    final NaiveGraph model = new NaiveGraph();
    final RecordGraph graph = new RecordGraph(new InMemoryOrderedMap(), 4);
    final List<RecordHeader> headers = new ArrayList<>();
    final Map<Long, Statement.WriterSignature> signatures = new HashMap<>();

    Server(Fixture fixture) {
      this.fixture = fixture;
    }

    void add(RecordHeader header) {
      graph.insert(header, graph.arrivalsOf(header.pointers()));
      headers.add(header);
      model.present.put(header.name(), header);
    }

    void sign(RecordHeader header, int signer) {
      long arrival = graph.arrivalOf(header.name());
      graph.sign(arrival, signer);
      model.signers.computeIfAbsent(header.name(), name -> new HashSet<>()).add(signer);
      Statement.WriterSignature known = signatures.get(arrival);
      if (known == null || signer == header.writer()) {
        signatures.put(arrival, fixture.sign(header, signer));
      }
    }

    @Override
    public byte[] header(long arrival) {
      return headers.get((int) arrival).unsafeBytes();
    }

    @Override
    public Statement.WriterSignature signature(long arrival) {
      return java.util.Objects.requireNonNull(signatures.get(arrival));
    }
  }

  static Server server(Gen gen, int writers, int records, int signatures) {
    Server server = new Server(new Fixture(writers));
    List<RecordHeader> history = NaiveGraph.history(gen, server.fixture, records);
    history.removeIf(header -> gen.oneIn(12));
    gen.shuffled(history).forEach(server::add);
    for (int i = 0; i < signatures; i++) {
      server.sign(gen.pick(history), gen.below(writers));
    }
    return server;
  }

  @Test
  void d13EveryProvenRecordHasAProofThatHolds() {
    Property.check(
        60,
        gen -> {
          Server server = server(gen, gen.between(1, 3), gen.between(2, 40), gen.between(1, 5));
          Set<Hash> proven = server.model.provenDistances().keySet();
          Map<Hash, Integer> authored = server.model.authoredDistances();
          for (RecordHeader header : server.headers) {
            ProofPlan plan = new ProofPlan();
            long arrival = server.graph.arrivalOf(header.name());
            assertThat(plan.add(server.graph, null, arrival, Fixture.NONE_DAMAGED))
                .isEqualTo(
                    proven.contains(header.name())
                        ? ProofPlan.Outcome.PROVEN
                        : ProofPlan.Outcome.UNPROVEN);
            if (!proven.contains(header.name())) {
              assertThat(plan.size()).isZero();
              continue;
            }
            byte[] proof = ChainProof.encode(plan, server);
            List<ChainProof.Verified> verified =
                ChainProof.verify(
                    proof,
                    server.fixture.capsule,
                    server.fixture.metadata,
                    null,
                    List.of(header.name()));
            ChainProof.Verified last = verified.getLast();
            assertThat(last.header()).isEqualTo(header);
            assertThat(last.voucher().authored()).isEqualTo(authored.containsKey(header.name()));
            assertThat(server.model.vouchedBy(header.name(), last.voucher().signer())).isTrue();
            if (last.voucher().authored()) {
              assertThat(verified).as("the shortest").hasSize(authored.get(header.name()) + 1);
            }
          }
        });
  }

  /** A reader asks for batches, server and reader keep their caches; both never part ways. */
  @Test
  void d13d17d18ProofsFromCachesHoldWhateverWasReadBefore() {
    Property.check(
        60,
        gen -> {
          Server server = server(gen, gen.between(1, 3), gen.between(2, 60), gen.between(1, 4));
          int capacity = gen.pick(List.of(0, 1, 4, 20, 1000));
          CacheMirror mirror = new CacheMirror(capacity);
          VerificationCache cache = new VerificationCache(capacity, gen.below(3));
          Set<Hash> everProven = new HashSet<>();
          for (int answer = 1; answer <= 12; answer++) {
            if (gen.oneIn(4)) {
              server.sign(gen.pick(server.headers), gen.below(server.fixture.writers.size()));
            }
            ProofPlan plan = new ProofPlan();
            List<Hash> targets = new ArrayList<>();
            for (RecordHeader header : gen.some(server.headers, 8)) {
              long arrival = server.graph.arrivalOf(header.name());
              if (plan.add(server.graph, mirror, arrival, Fixture.NONE_DAMAGED)
                  == ProofPlan.Outcome.PROVEN) {
                targets.add(header.name());
              } else {
                assertThat(server.model.provenDistances()).doesNotContainKey(header.name());
              }
            }
            byte[] proof = ChainProof.encode(plan, server);
            List<ChainProof.Verified> verified =
                ChainProof.verify(
                    proof, server.fixture.capsule, server.fixture.metadata, cache, targets);
            assertThat(verified).hasSize(plan.size());
            for (ChainProof.Verified one : verified) {
              Voucher voucher = one.voucher();
              assertThat(server.model.vouchedBy(one.header().name(), voucher.signer())).isTrue();
              if (voucher.authored()) {
                assertThat(voucher.signer()).isEqualTo(one.header().writer());
                assertThat(server.model.authoredDistances()).containsKey(one.header().name());
              }
              everProven.add(one.header().name());
            }
            assertThat(everProven).containsAll(targets);
            mirror.await(answer, plan.additions());
            mirror.acknowledge(answer);
          }
        });
  }

  @Test
  void aBatchOfProofsSharesHeaders() throws ProofException {
    Gen gen = new Gen(1);
    Server server = new Server(new Fixture(1));
    List<Hash> names = new ArrayList<>();
    Backpointers pointers = new Backpointers(new Backpointers.Strategy.Chain(), List.of());
    for (int i = 0; i < 50; i++) {
      RecordHeader header = server.fixture.header(gen, 0, pointers.next());
      pointers.appended(header.name());
      server.add(header);
      names.add(header.name());
    }
    server.sign(server.headers.getLast(), 0);
    ProofPlan plan = new ProofPlan();
    for (long arrival = 0; arrival < 50; arrival++) {
      assertThat(plan.add(server.graph, null, arrival, Fixture.NONE_DAMAGED))
          .isEqualTo(ProofPlan.Outcome.PROVEN);
    }
    assertThat(plan.size()).isEqualTo(50);
    byte[] proof = ChainProof.encode(plan, server);
    Fixture f = server.fixture;
    assertThat(ChainProof.verify(proof, f.capsule, f.metadata, null, names)).hasSize(50);
  }

  // ---- Forgeries -----------------------------------------------------------------------------

  /** Writes proofs by hand, whether they hold or not. */
  private static final class Forger {
    private final List<byte[]> entries = new ArrayList<>();

    Forger signed(RecordHeader header, Statement.WriterSignature signature) {
      return add(
          new Encoder()
              .raw(header.unsafeBytes())
              .u8(0)
              .u16(signature.signer())
              .raw(signature.signature()));
    }

    Forger pointedAt(RecordHeader header, int by) {
      return add(new Encoder().raw(header.unsafeBytes()).u8(1).u32(by));
    }

    Forger known(RecordHeader header) {
      return add(new Encoder().raw(header.unsafeBytes()).u8(2));
    }

    private Forger add(Encoder entry) {
      entries.add(entry.toBytes());
      return this;
    }

    byte[] proof() {
      Encoder out = new Encoder().u32(entries.size());
      entries.forEach(out::raw);
      return out.toBytes();
    }
  }

  private final Gen gen = new Gen(3);
  private final Fixture fixture = new Fixture(2);
  private final RecordHeader a = made(0);
  private final RecordHeader b = made(0, a);
  private final RecordHeader c = made(0, b);
  private final RecordHeader d = made(0, c);

  private RecordHeader made(int writer, RecordHeader... pointers) {
    return fixture.header(gen, writer, Arrays.stream(pointers).map(RecordHeader::name).toList());
  }

  private List<ChainProof.Verified> verify(
      Forger proof, VerificationCache cache, RecordHeader... targets) throws ProofException {
    return ChainProof.verify(
        proof.proof(),
        fixture.capsule,
        fixture.metadata,
        cache,
        Arrays.stream(targets).map(RecordHeader::name).toList());
  }

  private void refused(Violation violation, Forger proof, RecordHeader... targets) {
    VerificationCache cache = new VerificationCache(100, 0);
    Fixture.violates(violation, () -> verify(proof, cache, targets));
    assertThat(cache.size()).as("nothing is cached unless the whole proof holds").isZero();
  }

  private Forger chain() {
    return new Forger()
        .signed(d, fixture.sign(d, 0))
        .pointedAt(c, 0)
        .pointedAt(b, 1)
        .pointedAt(a, 2);
  }

  @Test
  void anHonestChainHolds() throws ProofException {
    VerificationCache cache = new VerificationCache(100, 0);
    assertThat(verify(chain(), cache, a)).hasSize(4);
    for (RecordHeader header : List.of(a, b, c, d)) {
      assertThat(cache.record(header.name())).isEqualTo(new Voucher(0, true));
    }
  }

  @Test
  void aReplacedMiddleIsRefused() {
    RecordHeader forged = made(0, a);
    refused(
        Violation.BROKEN_CHAIN,
        new Forger()
            .signed(d, fixture.sign(d, 0))
            .pointedAt(c, 0)
            .pointedAt(forged, 1)
            .pointedAt(a, 2),
        a);
  }

  @Test
  void aSkippedMiddleIsRefused() {
    refused(
        Violation.BROKEN_CHAIN,
        new Forger().signed(d, fixture.sign(d, 0)).pointedAt(b, 0).pointedAt(a, 1),
        a);
  }

  @Test
  void theLastLinkIntoTheCacheIsChecked() throws ProofException {
    VerificationCache cache = new VerificationCache(100, 0);
    verify(new Forger().signed(d, fixture.sign(d, 0)), cache, d);
    RecordHeader forged = made(0);
    // D is cached; it does not point at the forged record.
    Fixture.violates(
        Violation.BROKEN_CHAIN,
        () -> verify(new Forger().known(d).pointedAt(forged, 0), cache, forged));
    // The forged record points at D: that proves D, if anything, not itself.
    RecordHeader above = made(0, d);
    Fixture.violates(Violation.BROKEN_CHAIN, () -> verify(new Forger().known(above), cache, above));
    Fixture.violates(
        Violation.BROKEN_CHAIN,
        () -> verify(new Forger().known(d).pointedAt(above, 0), cache, above));
    assertThat(cache.size()).isEqualTo(1);
    assertThat(verify(new Forger().known(d).pointedAt(c, 0), cache, c)).hasSize(2);
  }

  @Test
  void whatWasNeverVerifiedIsNotKnown() {
    refused(Violation.BROKEN_CHAIN, new Forger().known(d).pointedAt(c, 0), c);
    Fixture.violates(Violation.BROKEN_CHAIN, () -> verify(new Forger().known(d), null, d));
  }

  @Test
  void aCachedTargetIsASuccess() throws ProofException {
    VerificationCache cache = new VerificationCache(100, 0);
    verify(chain(), cache, a);
    assertThat(verify(new Forger(), cache, a, b)).isEmpty();
    assertThat(verify(chain(), cache, a)).as("proving it again is one too").hasSize(4);
    assertThat(cache.size()).isEqualTo(4);
    RecordHeader other = made(0);
    Fixture.violates(Violation.BROKEN_CHAIN, () -> verify(new Forger(), cache, a, other));
  }

  @Test
  void aTargetThatTheProofDoesNotReachIsMissed() {
    RecordHeader other = made(0);
    refused(Violation.BROKEN_CHAIN, chain(), a, other);
  }

  @Test
  void nothingIsCachedWhenALaterHeaderFails() {
    Forger late = chain().pointedAt(made(0), 3);
    refused(Violation.BROKEN_CHAIN, late, a);
    Forger unreached = chain();
    refused(Violation.BROKEN_CHAIN, unreached, made(1));
    VerificationCache cache = new VerificationCache(100, 0);
    byte[] trailing = Arrays.copyOf(chain().proof(), chain().proof().length + 1);
    Fixture.violates(
        Violation.MALFORMED,
        () ->
            ChainProof.verify(
                trailing, fixture.capsule, fixture.metadata, cache, List.of(a.name())));
    assertThat(cache.size()).isZero();
  }

  @Test
  void linksLeadBackwardsOnly() {
    for (int by : new int[] {1, 2, 3, Limits.PROOF_HEADERS}) {
      refused(
          Violation.BROKEN_CHAIN,
          new Forger().signed(d, fixture.sign(d, 0)).pointedAt(c, by).pointedAt(b, 1),
          b);
    }
    refused(Violation.BROKEN_CHAIN, new Forger().pointedAt(c, 0), c);
    // A circle of reasons is no reason.
    refused(Violation.BROKEN_CHAIN, new Forger().pointedAt(c, 1).pointedAt(b, 0), b);
  }

  @Test
  void aHeaderOfAnotherCapsuleIsRefused() {
    Fixture elsewhere = new Fixture(2, 1);
    RecordHeader foreign = elsewhere.header(gen, 0, List.of());
    // Its signature is a good one, by the same key.
    refused(
        Violation.WRONG_CAPSULE, new Forger().signed(foreign, elsewhere.sign(foreign, 0)), foreign);
    RecordHeader pointing = made(0, foreign);
    refused(
        Violation.WRONG_CAPSULE,
        new Forger().signed(pointing, fixture.sign(pointing, 0)).pointedAt(foreign, 0),
        foreign);
  }

  @Test
  void signaturesByTheWrongKeyAreRefused() {
    Statement.WriterSignature good = fixture.sign(d, 0);
    Statement.WriterSignature byStranger =
        Statement.WriterSignature.sign(fixture.capsule, d.name(), 0, Fixture.STRANGER);
    Statement.WriterSignature byOwner =
        Statement.WriterSignature.sign(fixture.capsule, d.name(), 0, fixture.owner);
    Statement.WriterSignature wrongIndex =
        new Statement.WriterSignature(fixture.capsule, d.name(), 1, good.signature());
    Statement.WriterSignature noSuchWriter =
        new Statement.WriterSignature(fixture.capsule, d.name(), 2, good.signature());
    Statement.WriterSignature ofAnotherRecord = fixture.sign(c, 0);
    for (Statement.WriterSignature bad :
        List.of(byStranger, byOwner, wrongIndex, noSuchWriter, ofAnotherRecord)) {
      refused(Violation.BAD_SIGNATURE, new Forger().signed(d, bad), d);
    }
  }

  @Test
  void aChainVouchesAndOnlyItsOwnWritersSignatureShowsAuthorship() throws ProofException {
    RecordHeader claimed = made(0);
    RecordHeader byOther = made(1, claimed);
    RecordHeader between = made(0, byOther);
    VerificationCache cache = new VerificationCache(100, 0);
    List<ChainProof.Verified> verified =
        verify(
            new Forger().signed(byOther, fixture.sign(byOther, 1)).pointedAt(claimed, 0),
            cache,
            claimed);
    assertThat(verified.get(0).voucher()).isEqualTo(new Voucher(1, true));
    assertThat(verified.get(1).voucher()).isEqualTo(new Voucher(1, false));
    // One header by another writer on the way, and what lies below is vouched for only.
    verified =
        verify(
            new Forger()
                .signed(between, fixture.sign(between, 0))
                .pointedAt(byOther, 0)
                .pointedAt(claimed, 1),
            null,
            claimed);
    assertThat(verified)
        .extracting(one -> one.voucher().authored())
        .containsExactly(true, false, false);
    // Signed by a writer it does not name.
    verified = verify(new Forger().signed(claimed, fixture.sign(claimed, 1)), null, claimed);
    assertThat(verified.getFirst().voucher()).isEqualTo(new Voucher(1, false));
    // A cache remembers which it was, and learns better.
    assertThat(cache.record(claimed.name())).isEqualTo(new Voucher(1, false));
    verify(new Forger().known(claimed), cache, claimed);
    assertThat(cache.record(claimed.name())).isEqualTo(new Voucher(1, false));
    verify(new Forger().signed(claimed, fixture.sign(claimed, 0)), cache, claimed);
    assertThat(cache.record(claimed.name())).isEqualTo(new Voucher(0, true));
  }

  @Test
  void hugeCountsCostNothing() {
    for (int count : new int[] {1, 1000, Limits.PROOF_HEADERS, Integer.MAX_VALUE}) {
      byte[] announced = new Encoder().u32(count).toBytes();
      Fixture.violates(
          Violation.MALFORMED,
          () ->
              ChainProof.verify(
                  announced, fixture.capsule, fixture.metadata, null, List.of(a.name())));
    }
  }

  @Test
  void plansStopAtTheLimit() {
    RecordGraph graph = new RecordGraph(new InMemoryOrderedMap(), ALL_BLOCKS);
    Hash before = null;
    int longest = Limits.PROOF_HEADERS;
    for (int i = 0; i <= longest; i++) {
      RecordHeader header = fixture.header(gen, 0, before == null ? List.of() : List.of(before));
      graph.insert(header, before == null ? new long[0] : new long[] {i - 1});
      before = header.name();
    }
    graph.sign(longest, 0);
    ProofPlan plan = new ProofPlan();
    assertThat(plan.add(graph, null, 0, Fixture.NONE_DAMAGED))
        .as("one header too many")
        .isEqualTo(ProofPlan.Outcome.UNPROVEN);
    assertThat(plan.size()).isZero();
    assertThat(plan.add(graph, null, 1, Fixture.NONE_DAMAGED)).isEqualTo(ProofPlan.Outcome.PROVEN);
    assertThat(plan.size()).isEqualTo(longest);
  }

  private static final int ALL_BLOCKS = 1 << 20;

  @Test
  void everyChangedByteIsRefused() throws Exception {
    byte[] proof = chain().proof();
    Mutator.Target refused =
        changed -> {
          VerificationCache cache = new VerificationCache(100, 0);
          Fixture.violates(() ->
              ChainProof.verify(
                  changed, fixture.capsule, fixture.metadata, cache, List.of(a.name())));
          assertThat(cache.size()).isZero();
        };
    Mutator.eachByteChanged(proof, refused);
    Mutator.eachLengthChanged(proof, refused);
  }
}
