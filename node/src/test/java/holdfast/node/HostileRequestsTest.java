package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.wire.CommitPart;
import holdfast.wire.Declare;
import holdfast.wire.Fresh;
import holdfast.wire.Init;
import holdfast.wire.Possess;
import holdfast.wire.Range;
import holdfast.wire.Read;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import holdfast.wire.Watch;
import holdfast.wire.Write;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A client that asks for what makes no sense, and for more of everything than fits. */
@SuppressWarnings("RedundantSetterCall") // what a hostile client does
class HostileRequestsTest extends HostileClientTest {
  @Test
  void requestsThatMakeNoSense() {
    try (RawClient raw = RawClient.bare(fixture)) {
      raw.expectError(ErrorCode.INVALID, "no operation known", Request.newBuilder());
      for (Request.Builder early :
          List.of(
              Request.newBuilder().setRead(Read.getDefaultInstance()),
              Request.newBuilder().setWrite(Write.getDefaultInstance()),
              Request.newBuilder().setWatch(Watch.getDefaultInstance()),
              Request.newBuilder().setRange(Range.getDefaultInstance()),
              Request.newBuilder().setCommit(CommitPart.getDefaultInstance()),
              Request.newBuilder().setPossess(Possess.getDefaultInstance()))) {
        raw.expectError(ErrorCode.INVALID, "begin with Init", early);
      }
      raw.expectError(
          ErrorCode.VIOLATION,
          "MALFORMED",
          Request.newBuilder().setInit(Init.newBuilder().setCapsule(bytes(new byte[31]))));
      raw.expectError(
          ErrorCode.UNKNOWN_CAPSULE,
          "is not on this server",
          Request.newBuilder()
              .setInit(
                  Init.newBuilder()
                      .setCapsule(bytes(new byte[32]))
                      .setClientNonce(bytes(new byte[32]))));
    }
  }

  @Test
  void negativeAndHugeNumbers() {
    try (RawClient raw = new RawClient(fixture, null)) {
      for (long number : new long[] {-1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 32}) {
        Reply page =
            raw.call(
                Request.newBuilder()
                    .setRange(Range.newBuilder().setFrom(number).setLimit((int) number)));
        assertThat(page.hasPage()).as(page.toString()).isTrue();
        Reply reset =
            raw.call(
                Request.newBuilder()
                    .setAcknowledged(number)
                    .setFresh(Fresh.newBuilder().setNonce(bytes(new byte[32]))));
        Reply fresh = reset.hasCacheReset() ? raw.next() : reset;
        assertThat(fresh.hasFresh()).as(fresh.toString()).isTrue();
      }
      for (int entries : new int[] {-1, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
        Reply opened =
            raw.call(
                Request.newBuilder()
                    .setInit(
                        Init.newBuilder()
                            .setCapsule(bytes(fixture.capsule.toBytes()))
                            .setClientNonce(bytes(new byte[32]))
                            .setCacheEntries(entries)));
        assertThat(opened.getOpened().getCacheEntries()).isBetween(0, Limits.CACHE_ENTRIES);
      }
    }
  }

  @Test
  void tooManyNamesStatementsAndRecords() {
    try (RawClient raw = writer()) {
      byte[] names = new byte[32 * (Limits.NAMES_PER_REQUEST + 1)];
      raw.expectError(
          ErrorCode.VIOLATION,
          "at most " + Limits.NAMES_PER_REQUEST,
          Request.newBuilder().setRead(Read.newBuilder().setNames(bytes(names))));
      raw.expectError(
          ErrorCode.VIOLATION,
          "names more than",
          Request.newBuilder()
              .setRead(
                  Read.newBuilder()
                      .setLeaves(bytes(new byte[36 * (Limits.NAMES_PER_REQUEST + 1)]))));
      raw.expectError(
          ErrorCode.TOO_LARGE,
          "at most 1024 statements",
          Request.newBuilder()
              .setDeclare(
                  Declare.newBuilder()
                      .addAllStatements(Collections.nCopies(1025, ByteString.EMPTY))));
      raw.expectError(
          ErrorCode.VIOLATION,
          "at most",
          Request.newBuilder()
              .setInit(
                  Init.newBuilder()
                      .setCapsule(bytes(fixture.capsule.toBytes()))
                      .setClientNonce(bytes(new byte[32]))
                      .setCachedNames(bytes(new byte[32 * (Limits.RESUMED_NAMES + 1)]))));
      byte[] one = Record.encodeAll(List.of(raw.record(1, List.of(), text("x"))));
      byte[] many = new byte[one.length * (Limits.RECORDS_PER_BATCH + 1)];
      for (int at = 0; at < many.length; at += one.length) {
        System.arraycopy(one, 0, many, at, one.length);
      }
      raw.expectError(ErrorCode.VIOLATION, "holds more than", RawClient.write(many, List.of()));
    }
  }

  @Test
  void provenRecordsInTheWorstOrderAreCheckedQuickly() {
    // A stranger carries a long chain, newest first, signed by nobody who may.
    List<Record> chain = new ArrayList<>();
    List<Hash> pointers = List.of();
    for (int i = 0; i < Limits.RECORDS_PER_BATCH; i++) {
      Record record = RawClient.record(fixture.capsule, 1, pointers, text("x"));
      pointers = List.of(record.name());
      chain.add(record);
    }
    Statement lowest =
        Statement.WriterSignature.sign(fixture.capsule, chain.getFirst().name(), 1, fixture.second);
    try (RawClient raw = new RawClient(fixture, null)) {
      for (List<Record> order : List.of(chain, chain.reversed())) {
        raw.expectError(ErrorCode.DENIED, "is not proven", raw.write(order, List.of(lowest)));
      }
    }
  }

  @Test
  void thousandsOfInits() {
    try (RawClient raw = new RawClient(fixture, null)) {
      for (int i = 0; i < 3000; i++) {
        raw.send(
            Request.newBuilder()
                .setInit(
                    Init.newBuilder()
                        .setCapsule(bytes(fixture.capsule.toBytes()))
                        .setClientNonce(bytes(new byte[32]))
                        .setCacheEntries(1 << 20)));
      }
      for (int i = 0; i < 3000; i++) {
        assertThat(raw.next().hasOpened()).isTrue();
      }
    }
  }

  @Test
  void thousandsOfQuestionsAboutFreshness() {
    try (RawClient raw = new RawClient(fixture, null)) {
      for (int i = 0; i < 3000; i++) {
        raw.send(Request.newBuilder().setFresh(Fresh.newBuilder().setNonce(bytes(new byte[32]))));
      }
      for (int i = 0; i < 3000; i++) {
        assertThat(raw.next().hasFresh()).isTrue();
      }
    }
  }

  @Test
  void watchesWithoutEnd() {
    try (RawClient raw = new RawClient(fixture, null)) {
      for (int i = 0; i < 16; i++) {
        assertThat(raw.call(Request.newBuilder().setWatch(Watch.newBuilder())).hasPage()).isTrue();
      }
      raw.expectError(
          ErrorCode.TOO_LARGE,
          "at most 16 watches",
          Request.newBuilder().setWatch(Watch.newBuilder()));
    }
  }

  // ---- Commits in parts -------------------------------------------------------------------------

  private static Request.Builder part(byte[] leaves) {
    return Request.newBuilder().setCommit(CommitPart.newBuilder().setLeaves(bytes(leaves)));
  }

  private static Request.Builder last(byte[] leaves, RecordHeader header) {
    return Request.newBuilder()
        .setCommit(
            CommitPart.newBuilder()
                .setLeaves(bytes(leaves))
                .setHeader(bytes(header.unsafeBytes())));
  }

  @Test
  void D36_anAbortedCommitLeavesNothing() {
    try (RawClient raw = writer()) {
      Record record = raw.record(1, List.of(), new byte[5000]);
      byte[] leaves = record.body().unsafeBytes();
      assertThat(raw.call(part(leaves)).hasDone()).isTrue();
      assertThat(
              raw.call(Request.newBuilder().setCommit(CommitPart.newBuilder().setAbort(true)))
                  .hasDone())
          .isTrue();
      // The header alone finds no leaves.
      raw.expectError(ErrorCode.VIOLATION, "MALFORMED", last(new byte[0], record.header()));
      // Nor after the session has chosen its capsule anew.
      assertThat(raw.call(part(leaves)).hasDone()).isTrue();
      raw.init(fixture.capsule);
      raw.expectError(ErrorCode.DENIED, "a writer's key", last(new byte[0], record.header()));
    }
    try (RawClient gone = writer()) {
      assertThat(gone.call(part(new byte[1 << 20])).hasDone()).isTrue();
    }
  }

  @Test
  void committedLeavesThatAreNotTheAnnouncedOnes() {
    try (RawClient raw = writer()) {
      Record record = raw.record(1, List.of(), new byte[5000]);
      Record other = raw.record(1, List.of(), new byte[5000]);
      raw.expectError(
          ErrorCode.VIOLATION, "WRONG_BODY", last(other.body().unsafeBytes(), record.header()));
      raw.expectError(
          ErrorCode.VIOLATION,
          "comes without leaf 0",
          last(record.body().erase(leaf -> true).unsafeBytes(), record.header()));
    }
    try (RawClient stranger = new RawClient(fixture, null)) {
      stranger.expectError(ErrorCode.DENIED, "a writer's key", part(new byte[10]));
    }
  }

  @Test
  void commitsOfMoreThanARecordHolds() {
    try (RawClient raw = writer()) {
      byte[] part = new byte[23 << 20];
      Reply reply = raw.call(part(part));
      for (int i = 0; i < 3 && reply.hasDone(); i++) {
        reply = raw.call(part(part));
      }
      assertThat(reply.hasError()).isTrue();
      assertThat(ErrorCode.of(reply.getError().getCode()))
          .isIn(ErrorCode.TOO_LARGE, ErrorCode.BUSY);
    }
  }
}
