package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.Violation;
import holdfast.capsule.FinalHeads;
import holdfast.capsule.OfflineProof;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.WriterOptions;
import holdfast.testkit.Patience;
import holdfast.wire.Answer;
import holdfast.wire.CacheReset;
import holdfast.wire.Reply;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A closed capsule, from honest servers and from others. */
@Timeout(Patience.TEST_SECONDS)
class SuccessionTest extends MaliciousServerTest {
  private static final Hash SUCCESSOR = Hash.of(new byte[32]);

  private Statement.Succession succession(List<Hash> heads) {
    return Statement.Succession.sign(fixture.capsule, 1, heads, SUCCESSOR, fixture.owner);
  }

  private void close(Hash... heads) throws Exception {
    fixture.server.declare(succession(List.of(heads)));
  }

  /** A branch of the second writer: what the owner leaves out. */
  private Hash branch(Hash from) throws Exception {
    try (RawClient raw = new RawClient(fixture, fixture.second)) {
      var record = raw.record(1, List.of(from), new byte[1]);
      raw.expectReceipt(raw.write(List.of(record), List.of(raw.sign(record.name()))));
      return record.name();
    }
  }

  @Test
  void aReaderLearnsOfTheSuccessionWhenItOpensOrWhileItReads() throws Exception {
    List<Hash> kept = fixture.append(200, WriterOptions.defaults().withBatchRecords(20));
    Hash outside = branch(kept.get(50));
    try (CapsuleReader early = fixture.reader(ReaderOptions.defaults())) {
      assertThat(early.read(outside)).isInstanceOf(ReadResult.Proven.class);
      assertThat(early.closing()).isNull();
      close(kept.getLast());
      // Verified before, and not taken from the cache any more.
      assertThat(early.read(outside)).isEqualTo(new ReadResult.Outside(outside));
      assertThat(Objects.requireNonNull(early.closing()).successor()).isEqualTo(SUCCESSOR);
      expectClosed(early, kept, outside);
    }
    fixture.restart();
    try (CapsuleReader late = fixture.reader(ReaderOptions.defaults())) {
      assertThat(late.closing()).isNotNull();
      expectClosed(late, kept, outside);
    }
  }

  private static void expectClosed(CapsuleReader reader, List<Hash> kept, Hash outside)
      throws Exception {
    for (int round = 0; round < 2; round++) {
      for (Hash name : List.of(kept.get(77), kept.getFirst(), kept.getLast())) {
        assertThat(reader.read(name)).isInstanceOf(ReadResult.Proven.class);
      }
      assertThat(reader.readAll(kept)).allMatch(r -> r instanceof ReadResult.Proven);
    }
    assertThat(reader.heads().heads()).containsExactly(kept.getLast());
    assertThat(reader.heads().tips()).isEmpty();
    assertThat(reader.readLeaves(List.of(new ReadResult.LeafName(outside, 0))))
        .containsExactly(
            new ReadResult.LeafResult.Missing(
                new ReadResult.LeafName(outside, 0), ReadResult.LeafResult.Why.OUTSIDE));
    assertThatThrownBy(() -> reader.prove(List.of(outside)))
        .isInstanceOfSatisfying(
            HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.SUCCEEDED));
    assertThatThrownBy(() -> reader.proofMaterial(outside, -1)).hasMessageContaining("outside");
    OfflineProof proof =
        OfflineProof.verify(reader.proofMaterial(kept.get(77), 0).file(null, List.of()));
    FinalHeads closing = proof.closing();
    assertThat(Objects.requireNonNull(closing).successor()).isEqualTo(SUCCESSOR);
  }

  @Test
  void aWriterOfAClosedCapsuleIsToldWhereToGoOn() throws Exception {
    close(fixture.append(1, WriterOptions.defaults()).getFirst());
    assertThatThrownBy(() -> fixture.writer(WriterOptions.defaults()))
        .isInstanceOfSatisfying(
            HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.SUCCEEDED))
        .hasMessageContaining(SUCCESSOR.toString());
  }

  @Test
  void aProofThatIsNotRootedAtAFinalHeadIsRefused() throws Exception {
    List<Hash> kept = fixture.append(5, CHAIN);
    Hash outside = branch(kept.get(2));
    List<Answer> answers = new ArrayList<>();
    meddler.alter(
        Forgery.answers(answer -> {
          answers.add(answer);
          return answer;
        }));
    try (CapsuleReader before = reader(ReaderOptions.withoutCache())) {
      assertThat(before.read(outside)).isInstanceOf(ReadResult.Proven.class);
    }
    close(kept.getLast());
    // Signed by an authorised writer, above records that belong: it does not belong.
    meddler.alter(Forgery.answers(answer -> answers.getFirst()));
    for (ReaderOptions how : List.of(ReaderOptions.withoutCache(), ReaderOptions.defaults())) {
      try (CapsuleReader after = reader(how)) {
        refused(Violation.OUTSIDE, SUCCESSOR.toString(), () -> after.read(outside));
        refused(Violation.OUTSIDE, "final heads", () -> after.proofMaterial(outside, -1));
      }
    }
  }

  @Test
  void whatWasCachedBeforeTheSuccessionProvesNothingAfterIt() throws Exception {
    List<Hash> kept = fixture.append(5, CHAIN);
    Hash outside = branch(kept.get(2));
    List<Answer> answers = new ArrayList<>();
    meddler.alter(
        Forgery.answers(answer -> {
          answers.add(answer);
          return answer;
        }));
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      var header = ((ReadResult.Proven) reader.read(outside)).record().header();
      Answer before = answers.getFirst();
      close(kept.getLast());
      meddler.alter(
          Forgery.answers(answer ->
              before.toBuilder()
                  .setAnswer(0)
                  .setProof(Forgery.encode(List.of(Forgery.Link.known(header))))
                  .build()));
      refused(Violation.BROKEN_CHAIN, "never verified here", () -> reader.read(outside));
      meddler.alter(reply -> reply);
      assertThat(reader.readAll(kept)).allMatch(r -> r instanceof ReadResult.Proven);
    }
  }

  @Test
  void aServerThatWithholdsTheSuccessionGainsNothingFromAReaderThatKnowsIt() throws Exception {
    List<Hash> kept = fixture.append(5, CHAIN);
    Hash outside = branch(kept.get(2));
    Statement.Succession known = succession(List.of(kept.getLast()));
    // The server has never heard of it.
    try (CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
      assertThat(reader.read(outside)).isInstanceOf(ReadResult.Proven.class);
      reader.learn(known);
      refused(Violation.OUTSIDE, "final heads", () -> reader.read(outside));
      assertThat(reader.read(kept.getLast())).isInstanceOf(ReadResult.Proven.class);
      assertThat(reader.read(kept.getFirst())).isInstanceOf(ReadResult.Proven.class);
      refused(
          Violation.OUTSIDE,
          "closed the capsule twice",
          () -> reader.learn(succession(List.of(kept.getFirst()))));
    }
    close(kept.getLast());
    // It knows and does not say: what was never shown cannot be missed.
    meddler.alter(reply -> {
      Reply.Builder silent = reply.toBuilder();
      if (reply.hasOpened()) {
        silent.getOpenedBuilder().clearSuccession();
      }
      return reply.hasCacheReset()
          ? silent.setCacheReset(CacheReset.getDefaultInstance()).build()
          : silent.build();
    });
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      assertThat(reader.closing()).isNull();
      refused(Violation.MISSING, "no succession", () -> reader.read(outside));
    }
  }

  @Test
  void aSuccessionByAnotherThanTheOwnerIsAViolation() throws Exception {
    fixture.append(1, WriterOptions.defaults());
    Statement forged =
        Statement.Succession.sign(fixture.capsule, 1, List.of(), SUCCESSOR, fixture.second);
    meddler.alter(reply -> {
      Reply.Builder forging = reply.toBuilder();
      if (reply.hasOpened()) {
        forging.getOpenedBuilder().setSuccession(Forgery.bytes(forged.encode()));
      }
      return forging.build();
    });
    refused(Violation.BAD_SIGNATURE, "", () -> reader(ReaderOptions.defaults()));
  }
}
