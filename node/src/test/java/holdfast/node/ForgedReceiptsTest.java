package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.base.Violation;
import holdfast.capsule.Freshness;
import holdfast.capsule.Receipt;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReaderOptions;
import holdfast.client.WriterOptions;
import holdfast.crypto.SigningKey;
import holdfast.wire.Done;
import holdfast.wire.Reply;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** A server whose receipts, or whose answers about freshness, are not what they should be. */
class ForgedReceiptsTest extends MaliciousServerTest {
  private static UnaryOperator<Reply> receipts(UnaryOperator<holdfast.wire.Receipt> how) {
    return reply ->
        reply.hasReceipt()
            ? reply.toBuilder().setReceipt(how.apply(reply.getReceipt())).build()
            : reply;
  }

  private void expect(Violation violation, String words, UnaryOperator<Reply> forgery)
      throws Exception {
    CapsuleWriter writer = writer(WriterOptions.defaults());
    writer.append("one".getBytes(UTF_8));
    writer.append("two".getBytes(UTF_8));
    meddler.alter(forgery);
    refused(violation, words, writer::commit);
  }

  /** The receipt for two records and a signature as a server could sign it. */
  private UnaryOperator<Reply> signed(
      SigningKey by, Hash capsule, Receipt.Level level, boolean proven, boolean all) {
    return reply -> {
      if (!reply.hasReceipt()) {
        return reply;
      }
      List<Receipt.Entry> entries = new ArrayList<>();
      for (var request : meddler.requests) {
        if (request.hasWrite()) {
          var records =
              Forgery.recordsOf(
                  holdfast.wire.Answer.newBuilder()
                      .setRecords(request.getWrite().getRecords())
                      .build());
          records.forEach(record ->
              entries.add(
                  new Receipt.Entry(
                      Receipt.Kind.WRITE,
                      record.name(),
                      proven ? Receipt.Outcome.PROVEN : Receipt.Outcome.UNPROVEN)));
          if (all) {
            entries.add(
                new Receipt.Entry(
                    Receipt.Kind.SIGN, records.getLast().name(), Receipt.Outcome.PROVEN));
          }
        }
      }
      byte[] outcomes = new byte[entries.size()];
      for (int i = 0; i < outcomes.length; i++) {
        outcomes[i] = (byte) entries.get(i).outcome().number();
      }
      return reply.toBuilder()
          .setReceipt(
              reply.getReceipt().toBuilder()
                  .setReceipt(Forgery.bytes(Receipt.sign(by, capsule, level, 1, entries).encode()))
                  .setOutcomes(Forgery.bytes(outcomes)))
          .build();
    };
  }

  @Test
  void theForgersOwnReceiptWouldHold() throws Exception {
    // So that the tests below fail for the reason they name.
    CapsuleWriter writer = writer(WriterOptions.defaults());
    writer.append("one".getBytes(UTF_8));
    writer.append("two".getBytes(UTF_8));
    meddler.alter(signed(fixture.nodeKey(), fixture.capsule, Receipt.Level.SYNCED, true, true));
    assertThat(writer.commitOrThrow()).hasSize(1);
  }

  @Test
  void receiptOfAnotherServer() throws Exception {
    expect(
        Violation.BAD_RECEIPT,
        "the receipt is by server",
        signed(fixture.stranger, fixture.capsule, Receipt.Level.SYNCED, true, true));
  }

  @Test
  void receiptOfAnotherCapsule() throws Exception {
    expect(
        Violation.BAD_RECEIPT,
        "the receipt is for capsule",
        signed(fixture.nodeKey(), Hash.ZERO, Receipt.Level.SYNCED, true, true));
  }

  @Test
  void receivedWhereSyncedWasAskedFor() throws Exception {
    expect(
        Violation.BAD_RECEIPT,
        "states RECEIVED where SYNCED was asked for",
        signed(fixture.nodeKey(), fixture.capsule, Receipt.Level.RECEIVED, true, true));
  }

  @Test
  void signedRecordCalledUnproven() throws Exception {
    expect(
        Violation.BAD_RECEIPT,
        "unproven though it is signed",
        signed(fixture.nodeKey(), fixture.capsule, Receipt.Level.SYNCED, false, true));
  }

  @Test
  void receiptThatOmitsAnOperation() throws Exception {
    expect(
        Violation.BAD_RECEIPT,
        "covers only 2 operations",
        signed(fixture.nodeKey(), fixture.capsule, Receipt.Level.SYNCED, true, false));
  }

  @Test
  void receiptThatOmitsAnOperationAndDoesNotSaySo() throws Exception {
    var shorter = signed(fixture.nodeKey(), fixture.capsule, Receipt.Level.SYNCED, true, false);
    expect(
        Violation.BAD_RECEIPT,
        "does not cover the 3 operations",
        reply ->
            receipts(receipt ->
                    receipt.toBuilder()
                        .setOutcomes(Forgery.bytes((byte) 1, (byte) 1, (byte) 1))
                        .build())
                .apply(shorter.apply(reply)));
  }

  @Test
  void receiptThatCoversMoreThanWasSent() throws Exception {
    expect(
        Violation.BAD_RECEIPT,
        "covers 4 operations, 3 were sent",
        receipts(receipt ->
            receipt.toBuilder()
                .setOutcomes(Forgery.bytes((byte) 1, (byte) 1, (byte) 1, (byte) 1))
                .build()));
  }

  @Test
  void flippedOutcome() throws Exception {
    expect(
        Violation.BAD_RECEIPT,
        "does not cover the 3 operations",
        receipts(receipt ->
            receipt.toBuilder().setOutcomes(Forgery.bytes((byte) 1, (byte) 2, (byte) 1)).build()));
  }

  @Test
  void unknownOutcome() throws Exception {
    expect(
        Violation.MALFORMED,
        "unknown outcome",
        receipts(receipt ->
            receipt.toBuilder().setOutcomes(Forgery.bytes((byte) 9, (byte) 1, (byte) 1)).build()));
  }

  @Test
  void receiptOfAnEarlierBatch() throws Exception {
    AtomicReference<holdfast.wire.Receipt> first = new AtomicReference<>();
    meddler.alter(
        receipts(receipt -> {
          first.compareAndSet(null, receipt);
          return receipt;
        }));
    try (CapsuleWriter writer = writer(WriterOptions.defaults())) {
      writer.append("an earlier one".getBytes(UTF_8));
      writer.append("and another".getBytes(UTF_8));
      writer.commitOrThrow();
    }
    expect(
        Violation.BAD_RECEIPT,
        "does not cover the 3 operations",
        receipts(receipt -> receipt.toBuilder().setReceipt(first.get().getReceipt()).build()));
  }

  @Test
  void signatureOfZeros() throws Exception {
    expect(
        Violation.BAD_RECEIPT,
        "signature does not verify",
        receipts(receipt -> {
          byte[] bytes = receipt.getReceipt().toByteArray();
          java.util.Arrays.fill(bytes, bytes.length - 64, bytes.length, (byte) 0);
          return receipt.toBuilder().setReceipt(Forgery.bytes(bytes)).build();
        }));
  }

  @Test
  void anotherSignatureAlgorithm() throws Exception {
    expect(
        Violation.MALFORMED,
        "unknown signature algorithm 0",
        receipts(receipt -> {
          byte[] bytes = receipt.getReceipt().toByteArray();
          bytes[0] = 0;
          return receipt.toBuilder().setReceipt(Forgery.bytes(bytes)).build();
        }));
  }

  @Test
  void doneInPlaceOfAReceipt() throws Exception {
    expect(
        Violation.BAD_RECEIPT,
        "no receipt",
        reply ->
            reply.hasReceipt()
                ? Reply.newBuilder()
                    .setId(reply.getReceipt().getIds(0))
                    .setDone(Done.getDefaultInstance())
                    .build()
                : reply);
  }

  @Test
  void receiptForRequestsThatWereNotMade() throws Exception {
    expect(
        Violation.BAD_RECEIPT,
        "a request that was not made",
        receipts(receipt -> receipt.toBuilder().addIds(4711).build()));
  }

  // ---- Freshness --------------------------------------------------------------------------------

  private static UnaryOperator<Reply> fresh(UnaryOperator<byte[]> how) {
    return reply ->
        reply.hasFresh()
            ? reply.toBuilder()
                .setFresh(
                    reply.getFresh().toBuilder()
                        .setAnswer(
                            Forgery.bytes(how.apply(reply.getFresh().getAnswer().toByteArray()))))
                .build()
            : reply;
  }

  @Test
  void staleHeadsReplayed() throws Exception {
    AtomicReference<byte[]> old = new AtomicReference<>();
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      meddler.alter(
          fresh(answer -> {
            old.compareAndSet(null, answer);
            return answer;
          }));
      reader.heads();
      fixture.append(1, WriterOptions.defaults());
      meddler.alter(fresh(answer -> old.get()));
      refused(Violation.NOT_FRESH, "for an earlier question", reader::heads);
      refused(
          Violation.NOT_FRESH, "for an earlier question", () -> writer(WriterOptions.defaults()));
    }
  }

  private UnaryOperator<Reply> freshlySigned(SigningKey by, Hash capsule, Hash... heads) {
    return fresh(answer -> {
      try {
        Hash nonce = Freshness.decode(answer).nonce();
        return Freshness.sign(by, capsule, nonce, 1, 1, List.of(heads), List.of()).encode();
      } catch (holdfast.base.ProofException e) {
        throw new AssertionError(e);
      }
    });
  }

  @Test
  void headsByAnotherServerOrOfAnotherCapsule() throws Exception {
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      meddler.alter(freshlySigned(fixture.stranger, fixture.capsule));
      refused(Violation.NOT_FRESH, "by another server", reader::heads);
      meddler.alter(freshlySigned(fixture.nodeKey(), Hash.ZERO));
      refused(Violation.NOT_FRESH, "for another capsule", reader::heads);
    }
  }

  @Test
  void headsWithASignatureThatIsNone() throws Exception {
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      meddler.alter(
          fresh(answer -> {
            answer[answer.length - 70] ^= 1;
            return answer;
          }));
      refused(Violation.NOT_FRESH, "does not verify", reader::heads);
    }
  }

  @Test
  void inventedHeadsAreNoPlaceToGoOnFrom() throws Exception {
    meddler.alter(freshlySigned(fixture.nodeKey(), fixture.capsule, fixture.capsule));
    refused(Violation.NOT_FRESH, "cannot prove it", () -> writer(WriterOptions.defaults()));
  }
}
