package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.base.Violation;
import holdfast.capsule.Metadata;
import holdfast.capsule.Record;
import holdfast.client.CapsuleReader;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.WriterOptions;
import holdfast.wire.Answer;
import holdfast.wire.Reply;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** A server that gives other records than those asked for. */
class ForgedRecordsTest extends MaliciousServerTest {
  private List<Hash> names = List.of();

  private void expect(Violation violation, String words, UnaryOperator<Reply> forgery)
      throws Exception {
    names = fixture.append(4, WriterOptions.defaults());
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      meddler.alter(forgery);
      refused(violation, words, () -> reader.readAll(names));
      // Nothing of the refused answer was taken over.
      for (Hash name : names) {
        assertThat(reader.cache().record(name)).isNull();
      }
      meddler.replies(List::of);
      assertThat(reader.readAll(names)).allMatch(r -> r instanceof ReadResult.Proven);
    }
  }

  @Test
  void wrongRecordForAName() throws Exception {
    expect(
        Violation.WRONG_NAME,
        "got a header that hashes to",
        Forgery.records(records -> {
          records.set(0, records.get(1));
          return records;
        }));
  }

  @Test
  void bodyOfAnotherRecord() throws Exception {
    expect(
        Violation.WRONG_BODY,
        "the body is not the one",
        Forgery.records(records -> {
          Record first = records.get(0);
          records.set(0, new Record(first.header(), first.state(), records.get(1).body()));
          return records;
        }));
  }

  @Test
  void bodyLeftOutWithoutAWord() throws Exception {
    expect(
        Violation.MISSING,
        "without its body",
        Forgery.records(records -> {
          records.set(2, new Record(records.get(2).header(), Record.State.HEADER_ONLY, null));
          return records;
        }));
  }

  @Test
  void reorderedBatch() throws Exception {
    expect(
        Violation.WRONG_NAME,
        "got a header that hashes to",
        Forgery.records(records -> {
          Collections.swap(records, 1, 2);
          return records;
        }));
  }

  @Test
  void duplicatedBatch() throws Exception {
    expect(
        Violation.MALFORMED,
        "bytes that do not belong to it",
        Forgery.records(records -> {
          records.addAll(List.copyOf(records));
          return records;
        }));
  }

  @Test
  void truncatedBatch() throws Exception {
    expect(
        Violation.MALFORMED,
        "ends early",
        Forgery.records(records -> records.subList(0, records.size() - 1)));
  }

  @Test
  void truncatedStatuses() throws Exception {
    expect(
        Violation.MISSING,
        "the answer speaks of 3 records",
        Forgery.answers(
            answer -> answer.toBuilder().setStatuses(answer.getStatuses().substring(1)).build()));
  }

  @Test
  void emptyAnswer() throws Exception {
    expect(
        Violation.MISSING,
        "the answer speaks of 0 records",
        Forgery.answers(answer -> Answer.getDefaultInstance()));
  }

  @Test
  void unknownStatus() throws Exception {
    expect(
        Violation.MALFORMED,
        "unknown status",
        Forgery.answers(answer ->
            answer.toBuilder()
                .setStatuses(Forgery.bytes((byte) 9, (byte) 0, (byte) 0, (byte) 0))
                .build()));
  }

  @Test
  void oversizedLengthOfABody() throws Exception {
    expect(
        Violation.MALFORMED,
        "where at most",
        Forgery.answers(answer -> {
          byte[] records = answer.getRecords().toByteArray();
          Record first = Forgery.recordsOf(answer).getFirst();
          records[first.header().size() + 1] = 0x7F;
          return answer.toBuilder().setRecords(Forgery.bytes(records)).build();
        }));
  }

  @Test
  void answerOfAnotherKind() throws Exception {
    expect(
        Violation.MALFORMED,
        "answers with",
        reply ->
            reply.hasAnswer()
                ? Reply.newBuilder()
                    .setId(reply.getId())
                    .setDone(holdfast.wire.Done.getDefaultInstance())
                    .build()
                : reply);
  }

  @Test
  void answersOfTwoQuestionsExchanged() throws Exception {
    names = fixture.append(2, WriterOptions.defaults());
    List<Reply> held = new ArrayList<>();
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      meddler.replies(reply -> {
        held.add(reply);
        if (held.size() < 2) {
          return List.of();
        }
        return List.of(
            held.get(0).toBuilder().setId(held.get(1).getId()).build(),
            held.get(1).toBuilder().setId(held.get(0).getId()).build());
      });
      var first = reader.beginRead(names.subList(0, 1));
      reader.send();
      reader.beginRead(names.subList(1, 2));
      reader.send();
      refused(Violation.WRONG_NAME, "got a header that hashes to", first::await);
    }
  }

  @Test
  void recordOfAnotherCapsule() throws Exception {
    Metadata other = fixture.create("other");
    Hash foreign = fixture.append(other.name(), 1, WriterOptions.defaults()).getFirst();
    Answer[] stolen = new Answer[1];
    try (CapsuleReader there =
        server.openReader(other.name(), List.of(fixture.contentKey), ReaderOptions.defaults())) {
      meddler.alter(
          Forgery.answers(answer -> {
            stolen[0] = answer;
            return answer;
          }));
      there.read(foreign);
    }
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      meddler.alter(Forgery.answers(answer -> stolen[0]));
      refused(Violation.WRONG_CAPSULE, "belongs to capsule", () -> reader.read(foreign));
    }
  }

  @Test
  void anotherCapsuleThatVerifiesPerfectly() throws Exception {
    Metadata other = fixture.create("other");
    meddler.requests(request ->
        request.hasInit()
            ? List.of(
                request.toBuilder()
                    .setInit(
                        request.getInit().toBuilder()
                            .setCapsule(Forgery.bytes(other.name().toBytes())))
                    .build())
            : List.of(request));
    refused(
        Violation.WRONG_NAME,
        "the server's metadata is that of capsule " + other.name().brief(),
        () -> reader(ReaderOptions.defaults()));
  }

  @Test
  void metadataWithAnotherSignatureAlgorithm() throws Exception {
    meddler.alter(reply -> {
      if (!reply.hasOpened()) {
        return reply;
      }
      byte[] metadata = reply.getOpened().getMetadata().toByteArray();
      metadata[1] = 2;
      return reply.toBuilder()
          .setOpened(reply.getOpened().toBuilder().setMetadata(Forgery.bytes(metadata)))
          .build();
    });
    refused(Violation.WRONG_NAME, "metadata", () -> reader(ReaderOptions.defaults()));
  }

  @Test
  void moreCacheThanAskedFor() throws Exception {
    for (int entries : new int[] {1 << 20, -1}) {
      meddler.alter(reply ->
          reply.hasOpened()
              ? reply.toBuilder()
                  .setOpened(reply.getOpened().toBuilder().setCacheEntries(entries))
                  .build()
              : reply);
      refused(
          Violation.MALFORMED, "opens the session wrongly", () -> reader(ReaderOptions.defaults()));
    }
  }

  @Test
  void absentIsAClaimAndNothingMore() throws Exception {
    names = fixture.append(2, WriterOptions.defaults());
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      meddler.alter(
          Forgery.answers(answer ->
              Answer.newBuilder()
                  .setStatuses(Forgery.bytes((byte) 1, (byte) 3))
                  .setProof(Forgery.encode(List.of()))
                  .build()));
      assertThat(reader.readAll(names))
          .containsExactly(
              new ReadResult.Absent(names.get(0)), new ReadResult.Damaged(names.get(1)));
    }
  }

  @Test
  void anotherWritersNameOnARecordComesOutAsVouchedFor() throws Exception {
    // Writer 1 makes a record that names writer 0, and signs it; no server can tell.
    Hash honest = fixture.append(1, WriterOptions.defaults()).getFirst();
    try (RawClient raw = new RawClient(fixture, fixture.second)) {
      Record forged = raw.record(0, List.of(honest), "not by writer 0".getBytes(UTF_8));
      raw.expectReceipt(raw.write(List.of(forged), List.of(raw.sign(forged.name()))));
      try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
        var result = (ReadResult.Proven) reader.read(forged.name());
        assertThat(result.voucher().signer()).isEqualTo(1);
        assertThat(result.voucher().authored()).isFalse();
        assertThat(((ReadResult.Proven) reader.read(honest)).voucher().authored()).isTrue();
      }
    }
  }
}
