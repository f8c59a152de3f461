package holdfast.node.replication;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What peers have sent and is not stored yet has one bound for all. */
class HeldBytesTest {
  private final List<String> ended = new ArrayList<>();
  private final HeldBytes held = new HeldBytes(1000);

  private HeldBytes.Holder round(String name, long secondsSinceAdvance) {
    long advanced = System.nanoTime() - secondsSinceAdvance * 1_000_000_000L;
    return new HeldBytes.Holder() {
      @Override
      public long advancedNanos() {
        return advanced;
      }

      @Override
      public void giveWay() {
        ended.add(name);
      }
    };
  }

  @Test
  void whoHoldsMuchForLongGivesWay() {
    HeldBytes.Holder hoarder = round("hoarder", 60);
    HeldBytes.Holder busy = round("busy", 1);
    HeldBytes.Holder small = round("small", 60);
    held.set(hoarder, 400);
    held.set(small, 10);
    held.set(busy, 500);
    assertThat(ended).isEmpty();
    held.set(busy, 700);
    assertThat(ended).containsExactly("hoarder");
    assertThat(held.all()).isEqualTo(710);
    held.set(hoarder, 0);
    assertThat(held.all()).as("it counts no more").isEqualTo(710);
  }

  @Test
  void howMuchAndHowLongCountTogether() {
    held.set(round("hoarder", 60), 300);
    held.set(round("large", 2), 650);
    held.set(round("busy", 1), 640);
    assertThat(ended).containsExactly("hoarder", "large");
  }

  @Test
  void ofThoseThatLieTheHeaviestGoesFirst() {
    held.set(round("record", 100), 900);
    held.set(round("few", 200), 50);
    held.set(round("more", 300), 200);
    assertThat(ended).containsExactly("more");
  }

  @Test
  void asManyGiveWayAsItTakes() {
    for (int i = 0; i < 9; i++) {
      held.set(round("hoarder " + i, 60), 100);
    }
    held.set(round("busy", 0), 600);
    assertThat(ended).hasSize(5).doesNotContain("busy");
    assertThat(held.all()).isEqualTo(1000);
  }

  @Test
  void aFewBytesThatLieForLongDoNotOutlastALargeRecord() {
    HeldBytes.Holder few = round("few", 600);
    HeldBytes.Holder record = round("record", 5);
    held.set(few, 6);
    held.set(record, 995);
    assertThat(ended).containsExactly("few");
    assertThat(held.all()).isEqualTo(995);
    held.set(record, 0);
    held.set(few, 6);
    held.set(record, 1000);
    assertThat(ended).as("there is just room for it").containsExactly("few", "few");
  }

  @Test
  void whoHoldsFarTooMuchEndsNobodyElse() {
    held.set(round("small", 60), 10);
    held.set(round("greedy", 5), 2000);
    assertThat(ended).containsExactly("greedy");
  }

  @Test
  void thoseThatLieGoOnWhereTheirBytesMakeNoRoom() {
    held.set(round("small", 60), 10);
    held.set(round("busy", 1), 600);
    held.set(round("large", 5), 600);
    assertThat(ended).containsExactly("large");
  }

  @Test
  void thereIsRoomForTwoOfTheLargestMessages() {
    assertThat(MeetingOptions.heldBytes(1L << 30)).isEqualTo(2L * Frames.MESSAGE_BYTES);
    assertThat(MeetingOptions.heldBytes(256L << 20)).isEqualTo(128L << 20);
    assertThat(MeetingOptions.heldBytes(16L << 30)).isEqualTo(2L << 30);
  }

  @Test
  void oneThatIsAloneGoesOn() {
    HeldBytes.Holder alone = round("alone", 60);
    held.set(alone, 5000);
    assertThat(ended).isEmpty();
    held.set(alone, 0);
    assertThat(held.all()).isZero();
  }
}
