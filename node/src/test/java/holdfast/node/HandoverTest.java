package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.GivenUp;
import holdfast.client.Handover;
import holdfast.client.Placing;
import holdfast.client.ReaderOptions;
import holdfast.client.WriterOptions;
import holdfast.testkit.Patience;
import holdfast.wire.Error;
import holdfast.wire.Reply;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** When the servers that leave a placement may stop. */
@Timeout(Patience.TEST_SECONDS)
class HandoverTest {
  @TempDir Path folder;

  private static Statement.Placement placement(NodeFixture fixture, long version) {
    return Statement.Placement.sign(
        fixture.capsule,
        version,
        version,
        List.of(
            new Statement.Placement.Member(
                fixture.node.identity(), fixture.node.endpoint().toString())),
        fixture.owner);
  }

  private static Handover ask(NodeFixture fixture) throws Exception {
    try (CapsuleReader reader = fixture.reader(ReaderOptions.withoutCache())) {
      return Handover.ask(reader.statements(true), 0);
    }
  }

  @Test
  void aChangeIsNotOverWhileThePlacementBeforeIsNotKnown() throws Exception {
    try (NodeFixture fixture = NodeFixture.start(folder)) {
      fixture.server.declare(placement(fixture, 3));
      Handover unknown = ask(fixture);
      // It agrees with itself; but there was a placement before, of who knows which servers.
      assertThat(unknown.settled()).isTrue();
      assertThat(unknown.historyKnown()).isFalse();
      assertThat(unknown.over()).isFalse();
      fixture.server.declare(placement(fixture, 4));
      assertThat(ask(fixture).over()).isFalse();
      fixture.server.declare(Release.sign(fixture.capsule, 4, 3, fixture.owner));
      Handover known = ask(fixture);
      assertThat(known.over()).isTrue();
      assertThat(known.released()).isFalse();
    }
  }

  /** A placement that no server shows any more may have had servers with something of their own. */
  @Test
  void aPlacementThatNobodyShowsIsGivenUpApart() throws Exception {
    try (NodeFixture fixture = NodeFixture.start(folder)) {
      fixture.server.declare(placement(fixture, 3));
      GivenUp unsigned = new GivenUp(Set.of(), true, false);
      for (GivenUp other : List.of(GivenUp.NOTHING, unsigned)) {
        assertThat(ask(fixture).over(other)).isFalse();
        assertThatThrownBy(() -> release(fixture, other))
            .isInstanceOf(HoldfastException.class)
            .hasMessageContaining("a placement before is shown by no server");
      }
      GivenUp unknown = new GivenUp(Set.of(), false, true);
      assertThat(ask(fixture).over(unknown)).isTrue();
      assertThat(release(fixture, unknown).complete()).isTrue();
      assertThat(ask(fixture).released()).isTrue();
    }
  }

  private static Placing.Placed release(NodeFixture fixture, GivenUp givenUp) throws Exception {
    try (CapsuleReader reader = fixture.reader(ReaderOptions.withoutCache())) {
      return Placing.release(reader, List.of(), 0, givenUp, fixture.owner);
    }
  }

  /** Strangers can keep a server busy with counting; that is no silence. */
  @Test
  void aServerThatIsBusyIsAskedAgain() throws Exception {
    try (NodeFixture fixture = NodeFixture.start(folder);
        Meddler meddler = Meddler.of(fixture)) {
      AtomicInteger refused = new AtomicInteger();
      meddler.replies(reply ->
          List.of(
              reply.hasHold() && refused.incrementAndGet() <= 3
                  ? Reply.newBuilder()
                      .setId(reply.getId())
                      .setError(
                          Error.newBuilder()
                              .setCode(ErrorCode.BUSY.number())
                              .setRetryAfterMillis(1))
                      .build()
                  : reply));
      fixture.server.declare(
          Statement.Placement.sign(
              fixture.capsule,
              1,
              1,
              List.of(
                  new Statement.Placement.Member(
                      fixture.node.identity(), meddler.endpoint().toString())),
              fixture.owner));
      assertThat(ask(fixture).asked().getFirst().failure()).isNull();
      assertThat(refused).hasValue(4);
    }
  }

  @Test
  void whatIsHeldIsCountedOnce() throws Exception {
    try (NodeFixture fixture = NodeFixture.start(folder)) {
      fixture.server.declare(placement(fixture, 1));
      fixture.append(100, WriterOptions.defaults().withBatchRecords(10));
      Handover now = ask(fixture);
      var holding = Objects.requireNonNull(now.asked().getFirst().holding());
      // 100 records, ten of them signed, and the placement.
      assertThat(holding.count()).isEqualTo(111);
      assertThat(holding.version()).isEqualTo(1);
      assertThat(now.over()).isTrue();
      // Another salt, another digest: it cannot have been made before.
      var again = Objects.requireNonNull(ask(fixture).asked().getFirst().holding());
      assertThat(again.count()).isEqualTo(111);
      assertThat(again.digest()).isNotEqualTo(holding.digest());
    }
  }
}
