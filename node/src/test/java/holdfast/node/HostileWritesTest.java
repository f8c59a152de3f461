package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.capsule.Metadata;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.wire.Create;
import holdfast.wire.Declare;
import holdfast.wire.Request;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A client that writes what it may not write. */
class HostileWritesTest extends HostileClientTest {
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
}
