package holdfast.node.replication;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Rounds at once: nobody is kept out by others. */
class SlotsTest {
  private static VerifyKey peer(int number) {
    byte[] seed = new byte[32];
    Arrays.fill(seed, (byte) number);
    return SigningKey.ofSeed(seed).verifyKey();
  }

  @Test
  void oneHostilePeerCannotTakeAll() {
    Slots slots = new Slots(8);
    int taken = 0;
    while (slots.take(peer(1))) {
      taken++;
    }
    assertThat(taken).isEqualTo(4);
    assertThat(slots.take(peer(2))).isTrue();
    slots.free(peer(1));
    assertThat(slots.take(peer(1))).isTrue();
    assertThat(slots.take(peer(1))).isFalse();
  }

  @Test
  void manyHostilePeersCannotTakeTheFirstOfAnother() {
    Slots slots = new Slots(8);
    for (int i = 1; i <= 20; i++) {
      assertThat(slots.take(peer(i))).isTrue();
    }
    assertThat(slots.take(peer(1))).as("a second one, when all are taken").isFalse();
    assertThat(slots.take(peer(21))).isTrue();
  }

  @Test
  void whatIsGivenBackIsFreeForOthers() {
    Slots slots = new Slots(4);
    for (int i = 1; i <= 4; i++) {
      slots.take(peer(i));
    }
    slots.free(peer(4));
    assertThatThrownBy(() -> slots.free(peer(4))).isInstanceOf(IllegalStateException.class);
    assertThat(slots.take(peer(4))).isTrue();
  }

  @Test
  void withoutSlotsThereAreNoRounds() {
    assertThat(new Slots(0).take(peer(1))).isFalse();
  }
}
