package holdfast.sim;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Bytes;
import holdfast.capsule.Backpointers;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.capsule.Record;
import holdfast.capsule.Sealer;
import holdfast.capsule.Statement;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.sync.Marker;
import holdfast.sync.MemoryReplica;
import holdfast.sync.RoundOptions;
import holdfast.sync.Strategy;
import holdfast.testkit.Gen;
import holdfast.testkit.Patience;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * An edge whose master is gone for a day, in virtual time: the edge goes on flushing, a record
 * every few seconds, and gives the day to the master over a link that is cut again and again.
 */
@Timeout(Patience.TEST_SECONDS)
final class MasterGoneTest {
  private static final long DAY_SECONDS = 24 * 3600;
  private static final int SECONDS_A_FLUSH = 8;
  private static final int FLUSHES_A_SIGNATURE = 10;

  /** Small pushes, so that the day is many of them. */
  private static final RoundOptions SMALL =
      new RoundOptions(Strategy.ADAPTIVE, 256, 1 << 20, 4, 64L << 20, 1 << 14);

  private final Gen gen = new Gen(21);
  private final Edge edge = new Edge(gen);
  private final MemoryReplica master = new MemoryReplica(edge.metadata);
  private final List<Integer> sentRecords = new ArrayList<>();
  private int longest;

  /** Flushes by a clock of its own. */
  private static final class Edge {
    final Metadata metadata;
    final MemoryReplica replica;
    private final SigningKey key;
    private final Sealer sealer;
    private final Backpointers links =
        new Backpointers(new Backpointers.Strategy.Skip(), List.of());
    private final Gen gen;
    private long second;
    private long flushes;

    Edge(Gen gen) {
      this.gen = gen;
      this.key = SigningKey.ofSeed(gen.bytes(32));
      this.metadata =
          new Metadata(
              key.verifyKey(),
              List.of(new Metadata.Writer(key.verifyKey(), "edge")),
              "",
              0,
              "",
              Bytes.wrap(gen.bytes(16)),
              new TreeMap<>());
      this.sealer =
          new Sealer(
              metadata.name(), 0, new ContentKey(0, Secret.copyOf(gen.bytes(32))), gen.bytes(16));
      this.replica = new MemoryReplica(metadata);
    }

    void flush() {
      Record record = sealer.seal(List.of(gen.bytes(60)), 1000 * second, links.next());
      links.appended(record.name());
      replica.store(
          List.of(record),
          ++flushes % FLUSHES_A_SIGNATURE == 0
              ? List.of(Statement.WriterSignature.sign(metadata.name(), record.name(), 0, key))
              : List.of());
    }

    void flushFor(long seconds) {
      for (long end = second + seconds; second < end; second += SECONDS_A_FLUSH) {
        flush();
      }
    }
  }

  /** A round in which the edge flushes on; after so many messages of the edge the link is cut. */
  private Pairing meet(Marker ofEdge, Marker ofMaster, int cutAfter) {
    Pairing pairing = pairing(ofEdge, ofMaster);
    int[] messages = {0};
    pairing.tampering =
        message -> {
          if (++messages[0] > cutAfter) {
            return List.of();
          }
          if (Wire.kind(message) == Wire.PUSH) {
            sentRecords.add(Wire.pushed(message).size());
          }
          longest = Math.max(longest, message.length);
          return List.of(message);
        };
    pairing.between =
        () -> {
          if (messages[0] <= cutAfter && pairing.first.ended.isEmpty()) {
            edge.flush();
          }
        };
    return pairing.run();
  }

  private static Marker marker(Pairing.Side side) {
    return RoundTest.expectFinished(side);
  }

  @Test
  void i21AMasterThatWasGoneForADayGetsTheDayOnceOverALinkThatIsCutAgainAndAgain() {
    edge.flushFor(400);
    Pairing before = meet(Marker.NONE, Marker.NONE, Integer.MAX_VALUE);
    Marker ofEdge = marker(before.first);
    Marker ofMaster = marker(before.second);
    sentRecords.clear();

    edge.flushFor(DAY_SECONDS);
    long day = edge.replica.entries() - master.entries();
    assertThat(day).isGreaterThan(DAY_SECONDS / SECONDS_A_FLUSH - FLUSHES_A_SIGNATURE);

    // No attempt comes to its end before most of the day is there, and each lasts for some
    // messages.
    int attempts = 0;
    Pairing last;
    do {
      long held = master.entries();
      boolean cut = edge.replica.entries() - held > day / 5;
      last = meet(ofEdge, ofMaster, cut ? gen.between(1, 14) : Integer.MAX_VALUE);
      attempts++;
      assertThat(master.entries()).as("after attempt %d", attempts).isGreaterThanOrEqualTo(held);
    } while (last.first.ended.isEmpty());

    assertThat(attempts).as("attempts").isBetween(4, 40);
    assertThat(marker(last.second).round()).isEqualTo(marker(last.first).round());
    assertThat(longest).as("bytes of a message").isLessThan(2 << 20);
    int sent = sentRecords.stream().mapToInt(Integer::intValue).sum();
    assertThat(sent).as("records sent, %d of them new", day).isLessThan((int) (day + day / 4));

    // What was flushed meanwhile comes with the next round, and then both hold the same.
    sentRecords.clear();
    Pairing after = meet(marker(last.first), marker(last.second), Integer.MAX_VALUE);
    Pairing quiet = pairing(marker(after.first), marker(after.second)).run();
    RoundTest.expectFinished(quiet.first);
    RoundTest.expectEqual(edge.replica, master);
    assertThat(sentRecords.stream().mapToInt(Integer::intValue).sum()).isLessThan(1_000);
  }

  private Pairing pairing(Marker ofEdge, Marker ofMaster) {
    return new Pairing(
        edge.replica, master, SMALL, List.of(ofEdge), List.of(ofMaster), gen.hash(), gen.hash());
  }
}
