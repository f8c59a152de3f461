package holdfast.node.heartbeat;

import com.google.protobuf.UnsafeByteOperations;
import holdfast.base.Hash;
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

  EdgeReport toWire() {
    return EdgeReport.newBuilder()
        .setName(name)
        .setCapsule(UnsafeByteOperations.unsafeWrap(capsule.toBytes()))
        .setRecords(records)
        .setBacklogRecords(backlog.records())
        .setBacklogBytes(backlog.bytes())
        .setOldestMillis(backlog.oldestMillis())
        .build();
  }
}
