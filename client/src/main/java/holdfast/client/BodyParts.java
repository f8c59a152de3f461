package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Body;
import holdfast.capsule.Metadata;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.wire.Answer.Standing;
import holdfast.wire.BodyPart;
import holdfast.wire.CommitPart;
import holdfast.wire.ReadBody;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/** Bodies that do not fit into a message, and travel in several. */
final class BodyParts {
  /** Bytes of leaves in one message. */
  static final int PART_BYTES = 4 << 20;

  private BodyParts() {}

  /**
   * A record fetched part by part.
   *
   * @param erasures the owner's statements, verified, that explain what is erased
   */
  record Fetched(Record record, List<Statement.Erasure> erasures) {}

  /**
   * Fetches the body of a header. What is in memory is the one body.
   *
   * @param header has the name and capsule expected; need not be proven
   */
  static Fetched fetch(CapsuleSession session, RecordHeader header, long timeoutMillis)
      throws ProofException {
    ByteArrayOutputStream leaves = new ByteArrayOutputStream();
    List<Statement.Erasure> erasures = new ArrayList<>();
    long most = header.sealedSize() + (4L + Hash.SIZE) * header.leafCount();
    for (int next = 0; next < header.leafCount(); ) {
      BodyPart part = ask(session, header.name(), next, timeoutMillis);
      erasures = erasures(part, session.metadata());
      if (part.getStatus() == Standing.ERASED_VALUE) {
        return checked(new Record(header, Record.State.ERASED, null), erasures);
      }
      requireHere(part.getStatus(), header.name());
      if (part.getNext() <= next || part.getNext() > header.leafCount()) {
        throw new ProofException(Violation.MALFORMED, "a part of a body leads nowhere");
      }
      if (leaves.size() + (long) part.getLeaves().size() > most) {
        throw new ProofException(
            Violation.WRONG_BODY,
            "the parts are more than the body of record " + header.name().brief() + " has");
      }
      leaves.writeBytes(part.getLeaves().toByteArray());
      next = part.getNext();
    }
    Body body = Body.decode(leaves.toByteArray(), header.leafCount());
    body.expect(header);
    Record.State state = body.whole() ? Record.State.WHOLE : Record.State.PARTLY_ERASED;
    return checked(new Record(header, state, body), erasures);
  }

  private static Fetched checked(Record record, List<Statement.Erasure> erasures)
      throws ProofException {
    record.expectErased(erasures);
    return new Fetched(record, erasures);
  }

  private static BodyPart ask(CapsuleSession session, Hash name, int from, long timeoutMillis)
      throws ProofException {
    return session
        .session()
        .call(
            Request.newBuilder()
                .setReadBody(
                    ReadBody.newBuilder()
                        .setName(ServerSession.bytes(name.toBytes()))
                        .setFrom(from)),
            Reply.ResultCase.BODY,
            timeoutMillis)
        .getBody();
  }

  private static List<Statement.Erasure> erasures(BodyPart part, Metadata metadata)
      throws ProofException {
    List<Statement.Erasure> erasures = new ArrayList<>();
    for (var encoded : part.getErasuresList()) {
      if (Statement.decode(encoded.toByteArray()) instanceof Statement.Erasure erasure
          && erasure.capsule().equals(metadata.name())) {
        erasure.verify(metadata);
        erasures.add(erasure);
      }
    }
    return erasures;
  }

  private static void requireHere(int status, Hash name) throws ProofException {
    switch (status) {
      case Standing.HERE_VALUE -> {}
      case Standing.ABSENT_VALUE ->
          throw new ProofException(
              Violation.MISSING,
              "the server has the header of record " + name.brief() + " and not its body");
      case Standing.DAMAGED_VALUE ->
          throw new HoldfastException(
              ErrorCode.DAMAGED,
              "record " + name.brief() + " is damaged on the server, which does not serve it");
      case Standing.OUTSIDE_VALUE -> throw CapsuleReader.outside(name);
      default -> throw new ProofException(Violation.MALFORMED, "a part of a body says nothing");
    }
  }

  /**
   * The requests that bring a record too large for one message; the last is answered by the
   * receipt.
   *
   * @param announced whether the session has shown no writer's key, so that the header must go
   *     ahead
   * @param last the last part, with signatures and level
   */
  static List<Request.Builder> commit(Record record, boolean announced, CommitPart.Builder last) {
    byte[] leaves = Objects.requireNonNull(record.body()).unsafeBytes();
    List<Request.Builder> requests = new ArrayList<>();
    for (int at = 0; at < leaves.length; at += PART_BYTES) {
      boolean isLast = at + PART_BYTES >= leaves.length;
      CommitPart.Builder part = isLast ? last : CommitPart.newBuilder();
      part.setLeaves(
          ServerSession.bytes(
              Arrays.copyOfRange(leaves, at, Math.min(leaves.length, at + PART_BYTES))));
      if (isLast) {
        part.setHeader(ServerSession.bytes(record.header().unsafeBytes()));
      }
      if (at == 0 && announced) {
        part.setAnnounced(ServerSession.bytes(record.header().unsafeBytes()));
        if (!isLast) {
          part.addAllSignatures(last.getSignaturesList());
        }
      }
      requests.add(Request.newBuilder().setCommit(part));
    }
    return requests;
  }
}
