package holdfast.node.replication;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

/** Rounds at once: nobody is kept out by others. */
class SlotsTest {
  private static final VerifyKey OWNER = peer(100);

  private static VerifyKey peer(int number) {
    return SigningKey.ofSeed(ByteBuffer.allocate(32).putInt(number).array()).verifyKey();
  }

  @Test
  void oneHostilePeerCannotTakeAll() {
    Slots slots = new Slots(8);
    int taken = 0;
    while (slots.take(peer(1), OWNER)) {
      taken++;
    }
    assertThat(taken).isEqualTo(4);
    assertThat(slots.take(peer(2), OWNER)).isTrue();
    slots.free(peer(1), OWNER);
    assertThat(slots.take(peer(1), OWNER)).isTrue();
    assertThat(slots.take(peer(1), OWNER)).isFalse();
  }

  @Test
  void manyHostilePeersCannotTakeTheFirstOfAnother() {
    Slots slots = new Slots(8);
    for (int i = 1; i <= 20; i++) {
      assertThat(slots.take(peer(i), OWNER)).isTrue();
    }
    assertThat(slots.take(peer(1), OWNER)).as("a second one, when all are taken").isFalse();
    assertThat(slots.take(peer(21), OWNER)).isTrue();
  }

  @Test
  void anOwnerThatNamesManyPeersKeepsOutNobodyElse() {
    Slots slots = new Slots(8);
    for (int i = 0; i < Slots.OF_AN_OWNER; i++) {
      assertThat(slots.take(peer(i), OWNER)).isTrue();
    }
    assertThat(slots.take(peer(99), OWNER)).isFalse();
    assertThat(slots.take(peer(99), peer(101))).isTrue();
    slots.free(peer(0), OWNER);
    assertThat(slots.take(peer(98), OWNER)).isTrue();
    assertThat(slots.take(peer(97), OWNER)).as("one was given back").isFalse();
  }

  @Test
  void allRoundsTogetherHaveABound() {
    Slots slots = new Slots(8);
    int taken = 0;
    for (int owner = 0; owner < 20; owner++) {
      for (int i = 0; i < Slots.OF_AN_OWNER; i++) {
        taken += slots.take(peer(1000 * owner + i), peer(owner)) ? 1 : 0;
      }
    }
    assertThat(taken).isEqualTo(Slots.IN_ALL);
  }

  @Test
  void whatIsGivenBackIsFreeForOthers() {
    Slots slots = new Slots(4);
    for (int i = 1; i <= 4; i++) {
      slots.take(peer(i), OWNER);
    }
    slots.free(peer(4), OWNER);
    assertThatThrownBy(() -> slots.free(peer(4), OWNER)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> slots.free(peer(3), peer(101)))
        .isInstanceOf(IllegalStateException.class);
    assertThat(slots.take(peer(1), OWNER)).as("a second one").isTrue();
    assertThat(slots.take(peer(2), OWNER)).as("all are taken").isFalse();
    assertThat(slots.take(peer(4), OWNER)).isTrue();
  }

  @Test
  void withoutSlotsThereAreNoRounds() {
    assertThat(new Slots(0).take(peer(1), OWNER)).isFalse();
  }
}
