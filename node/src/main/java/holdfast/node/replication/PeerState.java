package holdfast.node.replication;

import com.google.protobuf.UnsafeByteOperations;
import holdfast.sync.Progress;
import holdfast.wire.PeerStatus;
import org.jspecify.annotations.Nullable;

/**
 * What a server says of a peer that keeps the same capsule.
 *
 * @param meeting whether a round is under way
 * @param meetingMillis for how long; 0 if none is
 * @param lastFullMillis when a round was last complete, milliseconds since 1970; 0 for not since
 *     the start
 * @param current how far the round under way is
 * @param last what the last complete round moved
 * @param trouble why the last round failed, if it did
 * @param liar whether the peer broke the protocol or sent something false
 */
public record PeerState(
    Member member,
    boolean meeting,
    long meetingMillis,
    long lastFullMillis,
    @Nullable Progress current,
    @Nullable Progress last,
    @Nullable String trouble,
    boolean liar) {
  /** The same for a client. */
  public PeerStatus toStatus() {
    PeerStatus.Builder status =
        PeerStatus.newBuilder()
            .setIdentity(UnsafeByteOperations.unsafeWrap(member.identity().bytes().toArray()))
            .setAddress(member.endpoint().toString())
            .setMeeting(meeting)
            .setMeetingMillis(meetingMillis)
            .setLastFullMillis(lastFullMillis)
            .setTrouble(trouble == null ? "" : trouble)
            .setLiar(liar);
    Progress progress = current == null ? last : current;
    if (progress != null) {
      status
          .setEntriesLeft(current == null ? 0 : progress.entriesToSend())
          .setRecordsSent(progress.recordsSent())
          .setRecordsReceived(progress.recordsReceived())
          .setBytesSent(progress.bytesSent())
          .setBytesReceived(progress.bytesReceived());
    }
    return status.build();
  }
}
