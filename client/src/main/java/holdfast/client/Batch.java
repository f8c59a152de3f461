package holdfast.client;

import com.google.protobuf.ByteString;
import holdfast.base.Hash;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.wire.CommitPart;
import holdfast.wire.Level;
import holdfast.wire.Request;
import holdfast.wire.Write;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Records and signatures that are sent together, sealed and encoded once: whoever sends them, and
 * however often, sends the same bytes.
 *
 * @param names the records, in order
 * @param headers their headers
 * @param requests the requests that carry it, without ids; the last is answered by the receipt
 * @param expected what a receipt has to cover
 * @param signedLater the record that is signed here and went in an earlier batch; a server that has
 *     not got it must be sent it first; null when every record that is signed is in this one
 * @param bytes about how much memory it holds
 */
record Batch(
    List<Hash> names,
    List<RecordHeader> headers,
    List<Request> requests,
    List<ReceiptCheck.Expected> expected,
    @Nullable Record signedLater,
    long bytes) {

  /**
   * Encodes a batch.
   *
   * @param records in order; one that does not fit into a message is alone
   * @param signatures of these records, and of {@code signedLater}
   */
  static Batch of(
      List<Record> records,
      List<Statement.WriterSignature> signatures,
      Receipt.Level level,
      @Nullable Record signedLater) {
    List<Hash> names = records.stream().map(Record::name).toList();
    List<Hash> signed = signatures.stream().map(Statement.WriterSignature::record).toList();
    List<ByteString> encoded =
        signatures.stream().map(s -> ServerSession.bytes(s.encode())).toList();
    Level asked = level == Receipt.Level.SYNCED ? Level.SYNCED : Level.RECEIVED;
    long bytes = records.stream().mapToLong(Record::encodedSize).sum();
    List<Request> requests =
        bytes > BodyParts.PART_BYTES && records.size() == 1
            ? parts(records.getFirst(), encoded, asked)
            : List.of(write(records, encoded, asked));
    return new Batch(
        names,
        records.stream().map(Record::header).toList(),
        requests,
        List.of(
            new ReceiptCheck.Expected(Receipt.Kind.WRITE, names),
            new ReceiptCheck.Expected(Receipt.Kind.SIGN, signed)),
        signedLater,
        bytes + (signedLater == null ? 0 : signedLater.encodedSize()));
  }

  private static Request write(List<Record> records, List<ByteString> signatures, Level level) {
    return Request.newBuilder()
        .setWrite(
            Write.newBuilder()
                .setRecords(ServerSession.bytes(Record.encodeAll(records)))
                .addAllSignatures(signatures)
                .setLevel(level))
        .build();
  }

  /** A record too large for one message, in parts. */
  private static List<Request> parts(Record record, List<ByteString> signatures, Level level) {
    return BodyParts.commit(
            record, false, CommitPart.newBuilder().addAllSignatures(signatures).setLevel(level))
        .stream()
        .map(Request.Builder::build)
        .toList();
  }

  /** How many operations a receipt has to cover. */
  int size() {
    return expected.stream().mapToInt(e -> e.names().size()).sum();
  }
}
