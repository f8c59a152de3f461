package holdfast.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.GivenUp;
import holdfast.client.Handover;
import holdfast.client.Placing;
import holdfast.client.ReaderOptions;
import holdfast.client.Replicas;
import holdfast.client.ReplicationOptions;
import holdfast.client.SigningPolicy;
import holdfast.client.WriterOptions;
import holdfast.testkit.Patience;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What was acknowledged and is not signed yet, while the capsule moves. */
@Timeout(Patience.TEST_SECONDS)
class UnsignedTailTest extends MovingCapsule {
  private static final WriterOptions LATE = patient().withSigning(new SigningPolicy.OnDemand());

  /** Looks for no move by itself, and wants all three servers. */
  private static final ReplicationOptions DEAF =
      ReplicationOptions.majority().withNeeded(3).withLookMillis(1L << 30);

  private static List<Hash> appended(CapsuleWriter writer) throws ProofException {
    List<Hash> names = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      names.add(writer.append(("unsigned " + i).getBytes(UTF_8)));
    }
    writer.commitOrThrow();
    return names;
  }

  private Handover asked() {
    try (CapsuleReader reader = first.reader(ReaderOptions.withoutCache())) {
      return Handover.ask(reader.statements(true), 0);
    } catch (ProofException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void d11AServerDoesNotLeaveWithWhatItAcknowledgedAndNothingProves() throws Exception {
    start(true);
    try (Replicas replicas = Replicas.of(List.of(old));
        CapsuleWriter writer = replicas.openWriter(first.owner, first.contentKey, LATE, DEAF)) {
      List<Hash> names = appended(writer);
      move();
      NodeFixture.eventually("the proven sets are the same", () -> asked().settled());
      Handover now = asked();
      assertThat(now.asked())
          .filteredOn(one -> !one.stays())
          .hasSize(3)
          .allMatch(one -> one.tail());
      assertThat(now.asked()).noneMatch(now::mayStop);
      assertThat(now.over()).isFalse();
      try (CapsuleReader reader = first.reader(ReaderOptions.withoutCache())) {
        assertThatThrownBy(
                () -> Placing.release(reader, List.of(), 0, GivenUp.NOTHING, first.owner))
            .isInstanceOf(HoldfastException.class);
      }
      writer.sign();
      // The new members have not got the record, and are sent it with its signature.
      assertThat(writer.commitOrThrow()).hasSize(3);
      NodeFixture.eventually("the old servers may stop", () -> asked().over());
      assertThat(proven(3, names) + proven(4, names) + proven(5, names)).isGreaterThanOrEqualTo(10);
    }
  }

  /** No round brings the record: nothing proves it before the signature does that comes with it. */
  @Test
  void d11ANewMemberThatLacksTheRecordOfASignatureIsSentIt() throws Exception {
    start(false);
    try (Replicas replicas = Replicas.of(List.of(old));
        CapsuleWriter writer = replicas.openWriter(first.owner, first.contentKey, LATE, DEAF)) {
      List<Hash> names = appended(writer);
      declareMove();
      writer.sign();
      assertThat(writer.commitOrThrow()).hasSize(3);
      List<Hash> newest = names.subList(4, 5);
      assertThat(proven(3, newest) + proven(4, newest) + proven(5, newest)).isEqualTo(3);
    }
  }

  @Test
  void whatAWriterNeverSignedIsGivenUpApartFromServersThatAreGone() throws Exception {
    start(true);
    try (Replicas replicas = Replicas.of(List.of(old));
        CapsuleWriter writer = replicas.openWriter(first.owner, first.contentKey, LATE, DEAF)) {
      appended(writer);
      move();
      NodeFixture.eventually("the proven sets are the same", () -> asked().settled());
      GivenUp unsigned = new GivenUp(Set.of(), true, false);
      NodeFixture.eventually(
          "nothing else keeps the old servers", () -> asked().lost(unsigned).size() == 3);
      assertThat(asked().over(unsigned)).isTrue();
      String gone = endpoint(2).toString();
      nodes.get(2).stop();
      NodeFixture.eventually("the members hold the same again", () -> asked().settled());
      assertThat(asked().over(unsigned)).isFalse();
      assertThat(asked().over(GivenUp.servers(gone))).isFalse();
      try (CapsuleReader reader = first.reader(ReaderOptions.withoutCache())) {
        GivenUp both = new GivenUp(Set.of(gone), true, false);
        assertThat(Placing.release(reader, List.of(), 0, both, first.owner).complete()).isTrue();
      }
    }
  }

  @Test
  void d45AnIdleWriterSignsWhenTheCapsuleMovesAndThenTheOldServersAreLeft() throws Exception {
    start(true);
    try (Replicas replicas = Replicas.of(List.of(old));
        CapsuleWriter writer = writer(replicas, LATE)) {
      List<Hash> names = appended(writer);
      assertThat(proven(0, names)).isZero();
      move();
      NodeFixture.eventually(
          "the old servers are left", () -> members(writer).equals(addresses(3, 4, 5)));
      assertThat(proven(3, names) + proven(4, names) + proven(5, names)).isGreaterThanOrEqualTo(10);
      assertThat(writer.commit()).isNotNull();
    }
  }
}
