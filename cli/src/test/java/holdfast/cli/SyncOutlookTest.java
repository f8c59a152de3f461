package holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import holdfast.base.Hash;
import holdfast.wire.Heartbeat;
import holdfast.wire.PeerStatus;
import org.junit.jupiter.api.Test;

/** What is left to bring to a peer and from it. */
class SyncOutlookTest {
  private static final Hash CAPSULE = Hash.ZERO;

  private static SyncOutlook of(PeerStatus.Builder peer) {
    return SyncOutlook.of(peer.build(), CAPSULE, 100);
  }

  private static PeerStatus.Builder behind() {
    return PeerStatus.newBuilder().setBacklogRecords(500).setBacklogBytes(64_000);
  }

  private static PeerStatus.Builder meeting() {
    return behind().setMeeting(true).setMeetingMillis(2_000);
  }

  @Test
  void withoutARoundTheBacklogIsLeftAndNobodyKnowsForHowLong() {
    SyncOutlook now = of(behind());
    assertThat(now.records()).isEqualTo(500);
    assertThat(now.bytes()).isEqualTo(64_000);
    assertThat(now.sentPerSecond()).isNull();
    assertThat(now.secondsLeft()).isNull();
    assertThat(of(PeerStatus.newBuilder()).secondsLeft()).isZero();
  }

  @Test
  void whatIsReceivedSaysNothingOfHowLongSendingTakes() {
    SyncOutlook now =
        of(
            meeting()
                .setEntriesLeft(300)
                .setRecordsSent(200)
                .setBytesSent(24_000)
                .setRecordsReceived(100_000));
    assertThat(now.records()).isEqualTo(300);
    assertThat(now.bytes()).isEqualTo(40_000);
    assertThat(now.sentPerSecond()).isEqualTo(100);
    assertThat(now.receivedPerSecond()).isEqualTo(50_000);
    assertThat(now.secondsLeft()).isEqualTo(3);
  }

  @Test
  void beforeTheDifferenceIsKnownAndAfterAllIsSentNothingIsMeantToBeSent() {
    assertThat(of(meeting()).records()).isEqualTo(500);
    assertThat(of(meeting()).secondsLeft()).isNull();
    SyncOutlook sent = of(meeting().setRecordsSent(500).setBytesSent(1));
    assertThat(sent.records()).isZero();
    assertThat(sent.bytes()).isZero();
    assertThat(sent.secondsLeft()).isZero();
  }

  @Test
  void aReplicaThatIsFilledUpReceivesWhatThePeerSaidThatItHolds() {
    Heartbeat.Builder said =
        Heartbeat.newBuilder().setCapsule(ByteString.copyFrom(CAPSULE.toBytes())).setRecords(1_100);
    PeerStatus.Builder filling =
        PeerStatus.newBuilder().setMeeting(true).setMeetingMillis(1_000).setSaid(said);
    assertThat(of(filling).recordsToReceive()).isEqualTo(1_000);
    assertThat(of(filling).secondsLeft()).isNull();
    assertThat(of(filling.setRecordsReceived(100)).secondsLeft()).isEqualTo(10);
    // What it says of another capsule is not about this one.
    ByteString other =
        ByteString.copyFrom(new byte[] {1}).concat(ByteString.copyFrom(new byte[31]));
    assertThat(of(filling.setSaid(said.setCapsule(other))).recordsToReceive()).isNull();
  }
}
