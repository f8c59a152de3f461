package holdfast.node.heartbeat;

import com.google.protobuf.UnsafeByteOperations;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.capsule.Metadata;
import holdfast.crypto.Domain;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.node.replication.Backlog;
import holdfast.wire.EdgeReport;

/**
 * What an edge says of itself in its heartbeats.
 *
 * @param name what its operator calls it; 1 to 64 characters
 * @param capsule the one that it writes to now
 * @param records records in it
 * @param backlog what is not known to be on as many masters as there are to be
 */
public record EdgeState(String name, Hash capsule, long records, Backlog backlog) {
  /** Characters of a name at most. */
  public static final int NAME_CHARACTERS = 64;

  /** Checks the name. */
  public EdgeState {
    if (name.isBlank() || name.length() > NAME_CHARACTERS) {
      throw new IllegalArgumentException("an edge's name has 1 to 64 characters");
    }
  }

  /** The report to one server, signed by the key that writes the capsule. */
  EdgeReport toWire(long timeMillis, VerifyKey edge, VerifyKey to, SigningKey writer) {
    EdgeReport unsigned = toWire(timeMillis);
    byte[] signature = writer.sign(Domain.EDGE_STATE, signed(unsigned, edge, to));
    return unsigned.toBuilder().setSignature(UnsafeByteOperations.unsafeWrap(signature)).build();
  }

  /**
   * Whether a report is the edge's own: signed by the writer of its capsule, and said by this
   * server to that one.
   *
   * @param metadata of the capsule that the report names
   * @param edge the identity of the server that is said to have said it
   * @param to the identity of the server that tells of it
   */
  public static boolean verifies(
      EdgeReport report, Metadata metadata, VerifyKey edge, VerifyKey to) {
    if (!report.getCapsule().equals(UnsafeByteOperations.unsafeWrap(metadata.name().toBytes()))
        || report.getName().length() > NAME_CHARACTERS) {
      return false;
    }
    byte[] message = signed(report, edge, to);
    byte[] signature = report.getSignature().toByteArray();
    return metadata.writers().stream()
        .anyMatch(writer -> writer.key().verifies(Domain.EDGE_STATE, message, signature));
  }

  private static byte[] signed(EdgeReport report, VerifyKey edge, VerifyKey to) {
    Encoder out = new Encoder().raw(report.getCapsule().toByteArray());
    edge.encode(out);
    to.encode(out);
    return out.u64(report.getTimeMillis())
        .text16(report.getName())
        .u64(report.getRecords())
        .u64(report.getBacklogRecords())
        .u64(report.getBacklogBytes())
        .u64(report.getOldestMillis())
        .toBytes();
  }

  private EdgeReport toWire(long timeMillis) {
    return EdgeReport.newBuilder()
        .setTimeMillis(timeMillis)
        .setName(name)
        .setCapsule(UnsafeByteOperations.unsafeWrap(capsule.toBytes()))
        .setRecords(records)
        .setBacklogRecords(backlog.records())
        .setBacklogBytes(backlog.bytes())
        .setOldestMillis(backlog.oldestMillis())
        .build();
  }
}
