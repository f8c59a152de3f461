package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.SigningPolicy;
import holdfast.client.WriteResult;
import holdfast.client.WriterOptions;
import holdfast.testkit.Patience;
import holdfast.wire.Error;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A server that is silent, deaf, busy, or breaks off. */
@Timeout(Patience.TEST_SECONDS)
class UnreliableServerTest extends MaliciousServerTest {
  private static final WriterOptions IMPATIENT = WriterOptions.defaults().withRetry(300, 150);

  /** Opens something. */
  private interface Opening<T> {
    T open() throws ProofException;
  }

  /** Opens what has little patience: again, until a server that is honest was fast enough. */
  private static <T> T opened(Opening<T> opening) throws ProofException {
    while (true) {
      try {
        return opening.open();
      } catch (HoldfastException e) {
        assertThat(e.code()).isEqualTo(ErrorCode.UNREACHABLE);
      }
    }
  }

  private long records() {
    try {
      return fixture.records();
    } catch (ProofException e) {
      throw new AssertionError(e);
    }
  }

  private static byte[] text(int i) {
    return ("record " + i).getBytes(UTF_8);
  }

  @Test
  void silentServer_writesAreUnknownAndReadsFail() throws Exception {
    CapsuleWriter writer = opened(() -> writer(IMPATIENT));
    Hash name = writer.append(text(0));
    meddler.replies(reply -> reply.hasReceipt() || reply.hasAnswer() ? List.of() : List.of(reply));
    writer.send();
    NodeFixture.eventually("it is stored", () -> records() == 1);
    List<WriteResult> results = writer.commit();
    assertThat(results).singleElement().isInstanceOf(WriteResult.Unknown.class);
    assertThat(results.getFirst().names()).containsExactly(name);
    try (CapsuleReader reader =
        opened(() -> server.openReader(fixture.capsule, List.of(), new ReaderOptions(0, 100)))) {
      assertThatThrownBy(() -> reader.read(name))
          .isInstanceOfSatisfying(
              HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNREACHABLE))
          .hasMessageContaining("did not answer within 100 ms");
    }
    // It was stored all the same, once; asking settles what Unknown left open.
    try (CapsuleReader honest = fixture.reader(ReaderOptions.defaults())) {
      assertThat(honest.read(name)).isInstanceOf(ReadResult.Proven.class);
    }
    assertThat(fixture.records()).isEqualTo(1);
  }

  @Test
  void deafServer_writesAreUnknownAndTheWriterIsNotHeldFast() throws Exception {
    CapsuleWriter writer = opened(() -> writer(IMPATIENT.withInFlight(4)));
    meddler.requests(request -> request.hasWrite() ? List.of() : List.of(request));
    writer.append(text(0));
    meddler.deafen();
    meddler.cut();
    for (int i = 0; i < 3; i++) {
      writer.append(List.of(new byte[1 << 20]));
    }
    List<WriteResult> results = writer.commit();
    assertThat(results).isNotEmpty().allMatch(r -> r instanceof WriteResult.Unknown);
  }

  @Test
  void serverThatBreaksOff_identicalBytesAreSentAgainAndNothingIsDoubled() throws Exception {
    AtomicInteger receipts = new AtomicInteger();
    meddler.replies(reply -> {
      if (reply.hasReceipt() && receipts.incrementAndGet() % 3 == 1 && receipts.get() < 20) {
        meddler.cut();
        return List.of();
      }
      return List.of(reply);
    });
    List<Hash> names = new ArrayList<>();
    try (CapsuleWriter writer = writer(WriterOptions.defaults().withBatchRecords(3))) {
      for (int i = 0; i < 60; i++) {
        names.add(writer.append(text(i)));
      }
      assertThat(writer.commitOrThrow().stream().flatMap(s -> s.names().stream()).toList())
          .isEqualTo(names);
    }
    assertThat(receipts.get()).isGreaterThan(5);
    List<ByteString> writes = new ArrayList<>();
    for (Request request : meddler.requests) {
      if (request.hasWrite()) {
        writes.add(request.getWrite().toByteString());
      }
    }
    Set<ByteString> distinct = new HashSet<>(writes);
    assertThat(writes).hasSizeGreaterThan(20);
    assertThat(distinct).hasSize(20);
    assertThat(fixture.records()).isEqualTo(60);
    fixture.expectClean(60);
  }

  @Test
  void serverThatBreaksOffWhileReading() throws Exception {
    List<Hash> names = fixture.append(30, WriterOptions.defaults().withBatchRecords(5));
    AtomicInteger answers = new AtomicInteger();
    meddler.replies(reply -> {
      if (reply.hasAnswer() && answers.incrementAndGet() % 2 == 0) {
        meddler.cut();
        return List.of();
      }
      return List.of(reply);
    });
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      for (Hash name : names) {
        assertThat(reader.read(name)).isInstanceOf(ReadResult.Proven.class);
      }
    }
    assertThat(meddler.opened.get()).isGreaterThan(10);
  }

  private static Reply busy(long id, long retryAfterMillis) {
    return Reply.newBuilder()
        .setId(id)
        .setError(
            Error.newBuilder()
                .setCode(ErrorCode.BUSY.number())
                .setMessage("busy")
                .setRetryAfterMillis(retryAfterMillis))
        .build();
  }

  @Test
  void hintToWaitForEverIsNotFollowed() throws Exception {
    CapsuleWriter writer = opened(() -> writer(IMPATIENT));
    writer.append(text(0));
    meddler.replies(reply ->
        reply.hasReceipt()
            ? List.of(busy(reply.getReceipt().getIds(0), Long.MAX_VALUE))
            : List.of(reply));
    assertThat(writer.commit()).singleElement().isInstanceOf(WriteResult.Unknown.class);
  }

  @Test
  void signatureThatOvertakesItsRecordIsSentAgain() throws Exception {
    // The record's batch meets a busy server, the signature behind it does not.
    AtomicInteger writes = new AtomicInteger();
    meddler.requests(request -> {
      if (request.hasWrite() && writes.getAndIncrement() == 0) {
        meddler.push(busy(request.getId(), 1));
        return List.of();
      }
      return List.of(request);
    });
    try (CapsuleWriter writer =
        writer(WriterOptions.defaults().withSigning(new SigningPolicy.OnDemand()))) {
      writer.append(text(0));
      writer.send();
      writer.sign();
      assertThat(writer.commit()).hasSize(2).allMatch(r -> r instanceof WriteResult.Stored);
    }
  }

  @Test
  void statementsWithoutEnd() throws Exception {
    fixture.append(3, WriterOptions.defaults());
    meddler.alter(reply ->
        reply.hasStatements()
            ? reply.toBuilder()
                .setStatements(reply.getStatements().toBuilder().setEnd(false))
                .build()
            : reply);
    meddler.requests(request ->
        request.hasStatements()
            ? List.of(
                request.toBuilder()
                    .setStatements(request.getStatements().toBuilder().clearAfter())
                    .build())
            : List.of(request));
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      refused(Violation.MALFORMED, "over and over", () -> reader.statements(false));
    }
  }

  @Test
  void pagesThatLeadNowhere() throws Exception {
    fixture.append(3, WriterOptions.defaults());
    meddler.alter(reply ->
        reply.hasPage()
            ? reply.toBuilder()
                .setPage(reply.getPage().toBuilder().setEnd(false).setNext(0))
                .build()
            : reply);
    try (CapsuleReader reader = reader(ReaderOptions.defaults())) {
      refused(Violation.MALFORMED, "leads nowhere", () -> reader.page(0, 10, true));
    }
  }
}
