package holdfast.cli;

import holdfast.base.Hash;
import holdfast.wire.PeerStatus;
import org.jspecify.annotations.Nullable;

/**
 * What is left to bring to a peer and from it, and how long that may take. null stands for what is
 * not known, and never for nothing.
 *
 * @param records that the peer is not known to hold; of a round under way, what is left of it
 * @param bytes of these, about: those sent in the round under way are taken off
 * @param recordsToReceive how many more the peer said that it holds than the server asked; what the
 *     server alone has hides as many
 * @param sentPerSecond records, in the round under way
 * @param receivedPerSecond records, in the round under way
 * @param secondsLeft at that rate; 0 when nothing is left
 */
record SyncOutlook(
    long records,
    long bytes,
    @Nullable Long recordsToReceive,
    @Nullable Double sentPerSecond,
    @Nullable Double receivedPerSecond,
    @Nullable Long secondsLeft) {

  /**
   * Of a peer.
   *
   * @param here records that the server asked holds of the capsule
   */
  static SyncOutlook of(PeerStatus peer, Hash capsule, long here) {
    long records = peer.getBacklogRecords();
    long bytes = peer.getBacklogBytes();
    if (peer.getMeeting()) {
      // Before the difference is known, and once all of it is sent, nothing is meant to be sent.
      records =
          peer.getEntriesLeft() > 0
              ? peer.getEntriesLeft()
              : Math.max(0, records - peer.getRecordsSent());
      bytes = records == 0 ? 0 : Math.max(0, bytes - peer.getBytesSent());
    }
    Long receive = null;
    if (peer.hasSaid() && capsule.equals(capsuleOf(peer))) {
      receive = Math.max(0, peer.getSaid().getRecords() - here);
    }
    Double sent = perSecond(peer, peer.getRecordsSent());
    Double received = perSecond(peer, peer.getRecordsReceived());
    Long sending = seconds(records, sent);
    Long receiving = seconds(receive == null ? 0 : receive, received);
    Long left =
        sending == null || receiving == null ? null : Long.valueOf(Math.max(sending, receiving));
    return new SyncOutlook(records, bytes, receive, sent, received, left);
  }

  private static @Nullable Hash capsuleOf(PeerStatus peer) {
    byte[] name = peer.getSaid().getCapsule().toByteArray();
    return name.length == Hash.SIZE ? Hash.of(name) : null;
  }

  private static @Nullable Double perSecond(PeerStatus peer, long records) {
    return peer.getMeeting() && peer.getMeetingMillis() > 0
        ? Double.valueOf(records * 1000.0 / peer.getMeetingMillis())
        : null;
  }

  /** How long so many take: not known while none is moved. */
  private static @Nullable Long seconds(long records, @Nullable Double perSecond) {
    if (records == 0) {
      return 0L;
    }
    return perSecond == null || perSecond == 0
        ? null
        : Long.valueOf(Math.round(records / perSecond));
  }
}
