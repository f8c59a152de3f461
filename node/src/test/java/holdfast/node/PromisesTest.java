package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Freshness;
import holdfast.capsule.Metadata;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.client.SigningPolicy;
import holdfast.client.WriteResult;
import holdfast.client.WriterOptions;
import holdfast.testkit.Patience;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the capsule service promises, one row of the paper after the other. */
@Timeout(Patience.TEST_SECONDS)
class PromisesTest extends MaliciousServerTest {
  @Test
  void D4_unknownCapsuleIsAClearError() {
    assertThatThrownBy(() -> server.openReader(Hash.ZERO, List.of(), ReaderOptions.defaults()))
        .isInstanceOfSatisfying(
            HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNKNOWN_CAPSULE))
        .hasMessageContaining("is not on this server");
  }

  @Test
  void D7_headersAreReadAndProvenWithoutAnyBody() throws Exception {
    List<Hash> names = new ArrayList<>();
    try (CapsuleWriter writer = fixture.writer(CHAIN)) {
      for (int i = 0; i < 4; i++) {
        names.add(writer.append(new byte[200_000]));
      }
      writer.sign();
      writer.commitOrThrow();
    }
    AtomicInteger bytes = new AtomicInteger();
    meddler.alter(
        Forgery.answers(answer -> {
          bytes.addAndGet(answer.getSerializedSize());
          return answer;
        }));
    try (CapsuleReader reader = reader(ReaderOptions.withoutCache())) {
      assertThat(reader.readHeaders(names))
          .hasSize(4)
          .allSatisfy(result ->
              assertThat(result)
                  .isInstanceOfSatisfying(
                      ReadResult.Proven.class,
                      proven -> {
                        assertThat(proven.record().state()).isEqualTo(Record.State.HEADER_ONLY);
                        assertThat(proven.record().header().sealedSize()).isGreaterThan(200_000);
                      }));
      reader.prove(names);
      assertThat(bytes.get()).isBetween(4 * 149, 10_000);
      // The proof of one record leads over the headers of three others, and over no body.
      bytes.set(0);
      assertThat(reader.read(names.getFirst())).isInstanceOf(ReadResult.Proven.class);
      assertThat(bytes.get()).isBetween(200_000, 210_000);
    }
  }

  @Test
  void D9_D10_D11_everyWriteAndSignatureHasItsShareOfAReceiptAtTheLevelAskedFor() throws Exception {
    for (Receipt.Level level : Receipt.Level.values()) {
      try (CapsuleWriter writer =
          fixture.writer(WriterOptions.defaults().withLevel(level).withBatchRecords(3))) {
        List<Hash> names = new ArrayList<>();
        for (int i = 0; i < 7; i++) {
          names.add(writer.append(("record " + i).getBytes(UTF_8)));
        }
        List<Hash> covered = new ArrayList<>();
        int signatures = 0;
        for (WriteResult.Stored stored : writer.commitOrThrow()) {
          assertThat(stored.receipt().level()).isEqualTo(level);
          assertThat(stored.receipt().server()).isEqualTo(fixture.node.identity());
          for (Receipt.Extract extract : stored.extracts()) {
            extract.verify();
            assertThat(extract.entry().outcome()).isEqualTo(Receipt.Outcome.PROVEN);
            if (extract.entry().kind() == Receipt.Kind.WRITE) {
              covered.add(extract.entry().name());
            } else {
              signatures++;
            }
          }
        }
        assertThat(covered).isEqualTo(names);
        assertThat(signatures).isEqualTo(3);
      }
    }
  }

  @Test
  void D15_provenRightAfterSign() throws Exception {
    try (CapsuleWriter writer =
            fixture.writer(CHAIN.withBatchRecords(50).withSigning(new SigningPolicy.OnDemand()));
        CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
      for (int round = 0; round < 5; round++) {
        List<Hash> names = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
          names.add(writer.append(new byte[] {(byte) i}));
        }
        writer.commitOrThrow();
        assertThat(reader.readAll(names)).allMatch(r -> r instanceof ReadResult.Unproven);
        writer.sign();
        writer.commitOrThrow();
        assertThat(reader.readAll(names)).allMatch(r -> r instanceof ReadResult.Proven);
      }
    }
  }

  @Test
  void D19_D20_cacheIsMirroredOnceAcknowledgedAndResumedInANewSession() throws Exception {
    List<Hash> names = fixture.append(300, CHAIN);
    List<Integer> bytes = new ArrayList<>();
    meddler.alter(
        Forgery.answers(answer -> {
          bytes.add(answer.getProof().size());
          return answer;
        }));
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      // Not acknowledged yet, so proven from the signature both times.
      var first = reader.beginRead(names.subList(0, 100));
      var second = reader.beginRead(names.subList(0, 100));
      first.await();
      second.await();
      assertThat(bytes.get(1)).isEqualTo(bytes.get(0)).isGreaterThan(300 * 149);
      reader.readAll(names);
      reader.readAll(names);
      int cached = bytes.getLast();
      assertThat(cached).isLessThan(bytes.getFirst() / 100);
      // A new session: the names are sent along, and the proofs stay as short.
      meddler.cut();
      assertThat(reader.readAll(names)).allMatch(r -> r instanceof ReadResult.Proven);
      assertThat(bytes.getLast()).isEqualTo(cached);
      assertThat(meddler.opened.get()).isEqualTo(2);
    }
  }

  @Test
  void D22_headsAreProvenHeadsAndUnprovenTipsApart() throws Exception {
    Hash proven = fixture.append(3, WriterOptions.defaults()).getLast();
    try (RawClient raw = new RawClient(fixture, fixture.second);
        CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
      Record tip = raw.record(1, List.of(proven), new byte[1]);
      Record island = raw.record(1, List.of(Hash.ZERO), new byte[1]);
      raw.expectReceipt(raw.write(List.of(tip, island), List.of()));
      Freshness fresh = reader.heads();
      assertThat(fresh.heads()).containsExactly(proven);
      assertThat(fresh.tips()).containsExactlyInAnyOrder(tip.name(), island.name());
    }
  }

  @Test
  void D40_capsulesAreNamespacesOfTheirOwn() throws Exception {
    Metadata other = fixture.create("other");
    Hash here = fixture.append(1, WriterOptions.defaults()).getFirst();
    Hash there = fixture.append(other.name(), 1, WriterOptions.defaults()).getFirst();
    try (CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
      assertThat(reader.read(here)).isInstanceOf(ReadResult.Proven.class);
      assertThat(reader.read(there)).isEqualTo(new ReadResult.Absent(there));
      assertThat(reader.heads().heads()).containsExactly(here);
    }
  }

  @Test
  void D41_hundredsOfSessionsAtOnce() throws Exception {
    List<CapsuleWriter> writers = new ArrayList<>();
    Set<Hash> names = new HashSet<>();
    for (int i = 0; i < 300; i++) {
      writers.add(fixture.writer(WriterOptions.defaults()));
    }
    for (CapsuleWriter writer : writers) {
      names.add(writer.append("the same text".getBytes(UTF_8)));
      writer.send();
    }
    for (CapsuleWriter writer : writers) {
      writer.commitOrThrow();
      writer.close();
    }
    // D46: equal plaintexts look different.
    assertThat(names).hasSize(300);
    assertThat(fixture.records()).isEqualTo(300);
    // D23: three hundred branches, merged by whoever comes next.
    try (CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
      assertThat(reader.heads().heads()).containsExactlyInAnyOrderElementsOf(names);
      assertThat(reader.readAll(List.copyOf(names))).allMatch(r -> r instanceof ReadResult.Proven);
    }
  }

  @Test
  void D42_batchesAreGatheredAndWaitedFor() throws Exception {
    try (CapsuleWriter writer = writer(WriterOptions.defaults().withBatchRecords(25))) {
      List<WriteResult> heard = new ArrayList<>();
      writer.onResult(heard::add);
      for (int i = 0; i < 100; i++) {
        writer.append(new byte[10]);
      }
      writer.commit();
      assertThat(heard).hasSize(4).allMatch(r -> r instanceof WriteResult.Stored);
    }
    assertThat(meddler.requests.stream().filter(r -> r.hasWrite())).hasSize(4);
  }

  @Test
  void D44_aSubscriberHearsOfRecordsOnceTheyAreProven() throws Exception {
    List<Hash> early = fixture.append(10, WriterOptions.defaults());
    try (CapsuleReader reader = fixture.reader(ReaderOptions.defaults());
        var watch = reader.watch(5);
        CapsuleWriter writer =
            fixture.writer(WriterOptions.defaults().withSigning(new SigningPolicy.OnDemand()))) {
      List<Hash> expected = new ArrayList<>(early.subList(5, 10));
      expected.add(writer.append(new byte[1]));
      writer.commitOrThrow();
      writer.sign();
      expected.add(writer.append(new byte[1]));
      writer.sign();
      writer.commitOrThrow();
      List<Hash> heard = new ArrayList<>();
      NodeFixture.eventually(
          "all records are heard of",
          () -> {
            try {
              watch
                  .poll(100)
                  .forEach(result -> {
                    assertThat(result).isInstanceOf(ReadResult.Proven.class);
                    heard.add(result.name());
                  });
            } catch (ProofException e) {
              throw new AssertionError(e);
            }
            return heard.size() >= expected.size();
          });
      assertThat(heard).containsExactlyElementsOf(expected);
    }
  }

  @Test
  void D47_aWriterThatComesBackToAStaleHeadMakesABranchAndLosesNothing() throws Exception {
    Hash root = fixture.append(1, WriterOptions.defaults()).getFirst();
    CapsuleWriter stale = fixture.writer(WriterOptions.defaults());
    List<Hash> meanwhile = fixture.append(3, WriterOptions.defaults());
    Hash branch = stale.append("from the stale head".getBytes(UTF_8));
    stale.commitOrThrow();
    stale.close();
    try (CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
      assertThat(reader.heads().heads()).containsExactlyInAnyOrder(meanwhile.getLast(), branch);
      var header = ((ReadResult.Proven) reader.read(branch)).record().header();
      assertThat(header.pointers()).containsExactly(root);
      assertThat(reader.readAll(meanwhile)).allMatch(r -> r instanceof ReadResult.Proven);
      // The next writer merges.
      Hash merge = fixture.append(1, WriterOptions.defaults()).getFirst();
      assertThat(((ReadResult.Proven) reader.read(merge)).record().header().pointers())
          .containsExactlyInAnyOrder(meanwhile.getLast(), branch);
      assertThat(reader.heads().heads()).containsExactly(merge);
    }
  }

  @Test
  void D48_whatWasAppendedIsSignedInTimeThoughNothingFollows() throws Exception {
    try (CapsuleWriter writer =
            writer(WriterOptions.defaults().withSigning(new SigningPolicy.EveryT(50)));
        CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
      for (int round = 0; round < 3; round++) {
        List<Hash> names = List.of(writer.append(new byte[1]), writer.append(new byte[2]));
        NodeFixture.eventually(
            "the records are proven",
            () -> {
              try {
                return reader.readAll(names).stream().allMatch(r -> r instanceof ReadResult.Proven);
              } catch (ProofException e) {
                throw new AssertionError(e);
              }
            });
      }
      writer.commitOrThrow();
    }
  }

  @Test
  void whatTheSigningTimerMeetsIsToldByTheNextCall() throws Exception {
    // Nothing but the timer sends: the batch does not fill up.
    CapsuleWriter writer =
        writer(
            WriterOptions.defaults()
                .withSigning(new SigningPolicy.EveryT(1))
                .withBatchRecords(8000)
                .withInFlight(1));
    meddler.alter(reply ->
        reply.hasReceipt()
            ? reply.toBuilder().setReceipt(reply.getReceipt().toBuilder().clearOutcomes()).build()
            : reply);
    List<Violation> told = new ArrayList<>();
    NodeFixture.eventually(
        "an append tells of the receipt that is wrong",
        () -> {
          try {
            writer.append(new byte[1]);
          } catch (ProofException e) {
            told.add(e.violation());
          }
          return !told.isEmpty();
        });
    assertThat(told).containsExactly(Violation.BAD_RECEIPT);
    assertThatThrownBy(writer::close).isInstanceOf(ProofException.class);
  }

  @Test
  void D48_periodicSignaturesProveAllThatCameBefore() throws Exception {
    List<Hash> names = new ArrayList<>();
    try (CapsuleWriter writer =
        writer(
            WriterOptions.defaults()
                .withSigning(new SigningPolicy.EveryN(10))
                .withBatchRecords(4))) {
      for (int i = 0; i < 25; i++) {
        names.add(writer.append(new byte[] {(byte) i}));
      }
      writer.commitOrThrow();
      try (CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
        List<ReadResult> results = reader.readAll(names);
        assertThat(results.subList(0, 20)).allMatch(r -> r instanceof ReadResult.Proven);
        assertThat(results.subList(20, 25)).allMatch(r -> r instanceof ReadResult.Unproven);
      }
    }
    assertThat(
            meddler.requests.stream()
                .filter(r -> r.hasWrite())
                .mapToInt(r -> r.getWrite().getSignaturesCount())
                .sum())
        .isEqualTo(3);
    try (Server other = fixture.connect();
        CapsuleReader reader =
            other.openReader(fixture.capsule, List.of(), ReaderOptions.defaults())) {
      assertThat(reader.readAll(names)).allMatch(r -> r instanceof ReadResult.Proven);
    }
  }
}
