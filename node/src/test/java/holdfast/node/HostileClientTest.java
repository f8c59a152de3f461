package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.capsule.Metadata;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.WriterOptions;
import holdfast.wire.Acknowledge;
import holdfast.wire.CommitPart;
import holdfast.wire.Create;
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
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A client that keeps to no rule. After each attack an honest one is served, and nothing was stored
 * that should not have been.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(30)
class HostileClientTest {
  private NodeFixture fixture;
  private Hash honest = Hash.ZERO;

  @BeforeAll
  void startNode(@TempDir Path folder) throws Exception {
    fixture = NodeFixture.start(folder);
  }

  @BeforeEach
  void start() throws Exception {
    fixture.begin();
    honest = fixture.append(1, WriterOptions.defaults()).getFirst();
  }

  @AfterEach
  void honestClientsAreServedAndNothingElseIsStored() throws Exception {
    assertThat(fixture.records()).isEqualTo(1);
    List<Hash> names = fixture.append(2, WriterOptions.defaults());
    try (CapsuleReader reader = fixture.reader(ReaderOptions.defaults())) {
      assertThat(reader.readAll(names)).allMatch(r -> r instanceof ReadResult.Proven);
      assertThat(reader.read(honest)).isInstanceOf(ReadResult.Proven.class);
    }
    assertThat(fixture.records()).isEqualTo(3);
  }

  @AfterAll
  void everythingStoredIsSound() throws Exception {
    fixture.expectClean(3);
    fixture.close();
  }

  private RawClient writer() {
    return new RawClient(fixture, fixture.second);
  }

  private static byte[] text(String text) {
    return text.getBytes(UTF_8);
  }

  private static ByteString bytes(byte[] array) {
    return ByteString.copyFrom(array);
  }

  // ---- Records that may not be written ----------------------------------------------------------

  @Test
  void recordOfAnotherCapsule() throws Exception {
    Hash other = fixture.create("other").name();
    try (RawClient raw = writer()) {
      raw.expectError(
          ErrorCode.VIOLATION,
          "a record belongs to capsule",
          raw.write(List.of(RawClient.record(other, 1, List.of(), text("x"))), List.of()));
    }
  }

  @Test
  void recordWithoutPossession() {
    try (RawClient raw = new RawClient(fixture, null)) {
      Record record = raw.record(0, List.of(honest), text("x"));
      raw.expectError(ErrorCode.DENIED, "is not proven", raw.write(List.of(record), List.of()));
      // Nor below a record that is not proven itself.
      Record above = raw.record(0, List.of(record.name()), text("y"));
      raw.expectError(
          ErrorCode.DENIED, "is not proven", raw.write(List.of(record, above), List.of()));
    }
  }

  @Test
  void possessionOfAnotherKey() {
    try (RawClient raw = new RawClient(fixture, null)) {
      raw.expectError(ErrorCode.VIOLATION, "BAD_SIGNATURE", raw.possession(0, fixture.stranger));
      raw.expectError(ErrorCode.VIOLATION, "BAD_SIGNATURE", raw.possession(0, fixture.second));
      raw.expectError(ErrorCode.VIOLATION, "writer 2 is claimed", raw.possession(2, fixture.owner));
      raw.expectError(ErrorCode.INVALID, "not negative", raw.possession(-1, fixture.owner));
      raw.expectError(
          ErrorCode.DENIED,
          "is not proven",
          raw.write(List.of(raw.record(0, List.of(), text("x"))), List.of()));
    }
  }

  @Test
  void possessionOfAnEarlierSession() {
    Request.Builder earlier;
    try (RawClient first = writer()) {
      earlier = first.possession(1, fixture.second);
    }
    try (RawClient raw = new RawClient(fixture, null)) {
      raw.expectError(ErrorCode.VIOLATION, "BAD_SIGNATURE", earlier);
    }
  }

  @Test
  void possessionEndsWithTheNextInit() {
    try (RawClient raw = writer()) {
      raw.init(fixture.capsule);
      raw.expectError(
          ErrorCode.DENIED,
          "is not proven",
          raw.write(List.of(raw.record(1, List.of(), text("x"))), List.of()));
    }
  }

  @Test
  void signatureByAKeyThatMayNotSign() {
    try (RawClient raw = writer()) {
      Record record = raw.record(1, List.of(), text("x"));
      for (int signer : new int[] {0, 1, 2, 0xFFFF}) {
        Statement forged =
            Statement.WriterSignature.sign(
                fixture.capsule, record.name(), signer, fixture.stranger);
        raw.expectError(
            ErrorCode.VIOLATION, "BAD_SIGNATURE", raw.write(List.of(record), List.of(forged)));
      }
    }
  }

  @Test
  void signatureOfARecordThatIsAbsent() {
    try (RawClient raw = writer()) {
      raw.expectError(
          ErrorCode.NOT_FOUND,
          "is to be signed and is not here",
          raw.write(List.of(), List.of(raw.sign(fixture.capsule))));
      // A batch is taken whole or not at all.
      Record record = raw.record(1, List.of(), text("x"));
      raw.expectError(
          ErrorCode.NOT_FOUND,
          "is not here",
          raw.write(List.of(record), List.of(raw.sign(record.name()), raw.sign(fixture.capsule))));
    }
  }

  @Test
  void signatureForAnotherCapsule() {
    try (RawClient raw = writer()) {
      Statement foreign = Statement.WriterSignature.sign(Hash.ZERO, honest, 1, fixture.second);
      raw.expectError(ErrorCode.VIOLATION, "WRONG_CAPSULE", raw.write(List.of(), List.of(foreign)));
    }
  }

  @Test
  void D5_aStoredRecordCannotBeOverwritten() throws Exception {
    try (RawClient raw = writer();
        CapsuleReader reader = fixture.reader(ReaderOptions.withoutCache())) {
      var stored = ((ReadResult.Proven) reader.read(honest)).record();
      Record other = raw.record(1, List.of(), text("record 1"));
      // The same name with another body: the body is not the one that the name commits to.
      raw.expectError(
          ErrorCode.VIOLATION,
          "WRONG_BODY",
          raw.write(
              List.of(new Record(stored.header(), Record.State.WHOLE, other.body())), List.of()));
      raw.expectError(
          ErrorCode.VIOLATION,
          "without its body",
          raw.write(List.of(new Record(stored.header(), Record.State.ERASED, null)), List.of()));
      // The record itself once more is success, and changes nothing.
      raw.expectReceipt(raw.write(List.of(stored, stored), List.of()));
      var again = ((ReadResult.Proven) reader.read(honest)).record();
      assertThat(again.header()).isEqualTo(stored.header());
      assertThat(again.body().unsafeBytes()).isEqualTo(stored.body().unsafeBytes());
    }
  }

  @Test
  void bodyLeftOutUnderAnErasureOfALeaf() throws Exception {
    // Anybody may carry proven records; nobody may bring one without leaves that are not erased.
    Metadata there = fixture.create("there");
    Record record = RawClient.record(there.name(), 1, List.of(), text("a"), text("b"));
    fixture.server.declare(
        Statement.Erasure.sign(
            there.name(), 1, new Statement.Erased.OfLeaf(record.name(), 0), "", fixture.owner));
    Statement signed =
        Statement.WriterSignature.sign(there.name(), record.name(), 1, fixture.second);
    try (RawClient raw = RawClient.bare(fixture)) {
      raw.init(there.name());
      raw.expectError(
          ErrorCode.VIOLATION,
          "without its body",
          raw.write(
              List.of(new Record(record.header(), Record.State.ERASED, null)), List.of(signed)));
      raw.expectError(
          ErrorCode.VIOLATION,
          "without leaf 1",
          raw.write(
              List.of(
                  new Record(
                      record.header(),
                      Record.State.PARTLY_ERASED,
                      record.body().erase(leaf -> true))),
              List.of(signed)));
      raw.expectReceipt(raw.write(List.of(record), List.of(signed)));
    }
  }

  @Test
  void headersThatPromiseWhatTheBodyDoesNotHold() {
    try (RawClient raw = writer()) {
      Record record = raw.record(1, List.of(), text("x"));
      byte[] encoded = Record.encodeAll(List.of(record));
      for (String leaves : List.of("7fffffff", "00100001", "00000000", "00000002", "00100000")) {
        byte[] lie = encoded.clone();
        System.arraycopy(java.util.HexFormat.of().parseHex(leaves), 0, lie, 135, 4);
        raw.expectError(ErrorCode.VIOLATION, "", RawClient.write(lie, List.of()));
      }
      for (int at : new int[] {139, 147}) {
        byte[] lie = encoded.clone();
        lie[at] = 0x7F;
        raw.expectError(ErrorCode.VIOLATION, "MALFORMED", RawClient.write(lie, List.of()));
      }
      byte[] length = encoded.clone();
      length[record.header().size() + 1] = 0x7F;
      raw.expectError(ErrorCode.VIOLATION, "MALFORMED", RawClient.write(length, List.of()));
      raw.expectError(
          ErrorCode.VIOLATION, "MALFORMED", RawClient.write(new byte[] {1, 2, 3}, List.of()));
    }
  }

  @Test
  void writerIndexOutOfRange() {
    try (RawClient raw = writer()) {
      for (int index : new int[] {2, 255, 0xFFFF}) {
        raw.expectError(
            ErrorCode.VIOLATION,
            "writer " + index + " is claimed",
            raw.write(List.of(raw.record(index, List.of(), text("x"))), List.of()));
      }
    }
  }

  @Test
  void capsuleThatItsOwnerDidNotSign() throws Exception {
    byte[] signature = fixture.stranger.sign(holdfast.crypto.Domain.SIGN_CREATE, new byte[32]);
    try (RawClient raw = RawClient.bare(fixture)) {
      raw.expectError(
          ErrorCode.VIOLATION,
          "BAD_SIGNATURE",
          Request.newBuilder()
              .setCreate(
                  Create.newBuilder()
                      .setMetadata(bytes(fixture.metadata.encode()))
                      .setOwnerSignature(bytes(signature))));
    }
  }

  @Test
  void statementsOfSomebodyWhoIsNotTheOwner() {
    try (RawClient raw = writer()) {
      Statement erasure =
          Statement.Erasure.sign(
              fixture.capsule, 1, new Statement.Erased.OfRecord(honest), "", fixture.second);
      Statement succession =
          Statement.Succession.sign(fixture.capsule, 1, List.of(), Hash.ZERO, fixture.second);
      for (Statement statement : List.of(erasure, succession)) {
        raw.expectError(
            ErrorCode.VIOLATION,
            "BAD_SIGNATURE",
            Request.newBuilder()
                .setDeclare(Declare.newBuilder().addStatements(bytes(statement.encode()))));
      }
    }
  }

  // ---- Too much of everything -------------------------------------------------------------------

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
                    .setAcknowledge(Acknowledge.getDefaultInstance())
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
          "all its leaves",
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
