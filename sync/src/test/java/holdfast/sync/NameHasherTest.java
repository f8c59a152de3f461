package holdfast.sync;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.sync.NameHasher.Purpose;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

class NameHasherTest {

  /**
   * As {@code openssl mac -macopt hexkey:000102…0f -macopt size:16 -in FILE SIPHASH} has it, of a
   * file with the bytes 0 to 31.
   */
  @Test
  void isSipHash() {
    byte[] bytes = new byte[Hash.SIZE];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) i;
    }
    NameHasher hasher = new NameHasher(bytes);
    hasher.hash(Hash.of(bytes));
    byte[] out =
        ByteBuffer.allocate(16)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(hasher.first())
            .putLong(hasher.second())
            .array();
    assertThat(HexFormat.of().formatHex(out)).isEqualTo("7c3956ca5eeafc3e363e9d556546eb68");
  }

  @Test
  void dependsOnSaltAndPurpose() {
    Hash one = Hash.ZERO;
    Hash other = Hash.parse("01".repeat(32));
    assertThat(first(one, Purpose.IDS))
        .isEqualTo(first(one, Purpose.IDS))
        .isNotEqualTo(first(other, Purpose.IDS))
        .isNotEqualTo(first(one, Purpose.FILTER));
  }

  private static long first(Hash salt, Purpose purpose) {
    NameHasher hasher = new NameHasher(salt, purpose);
    hasher.hash(Hash.ZERO);
    return hasher.first();
  }
}
