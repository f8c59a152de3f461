package holdfast.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class HashTest {
  private static byte[] random(SplittableRandom random, boolean nearlyEqual) {
    byte[] bytes = new byte[32];
    if (nearlyEqual) {
      bytes[random.nextInt(32)] = (byte) random.nextInt(256);
    } else {
      random.nextBytes(bytes);
    }
    return bytes;
  }

  @Test
  void behavesLikeItsBytes() {
    SplittableRandom random = new SplittableRandom(7);
    for (int i = 0; i < 5000; i++) {
      byte[] left = random(random, i % 2 == 0);
      byte[] right = random(random, i % 2 == 0);
      Hash a = Hash.of(left);
      Hash b = Hash.of(right);
      assertThat(Integer.signum(a.compareTo(b)))
          .isEqualTo(Integer.signum(Arrays.compareUnsigned(left, right)));
      assertThat(a.equals(b)).isEqualTo(Arrays.equals(left, right));
      assertThat(a.toBytes()).isEqualTo(left);
      assertThat(a.matches(left, 0)).isTrue();
      assertThat(a.matches(right, 0)).isEqualTo(Arrays.equals(left, right));
      assertThat(Hash.parse(a.toString())).isEqualTo(a).hasSameHashCodeAs(a);
      assertThat(a.toString()).isEqualTo(HexFormat.of().formatHex(left)).startsWith(a.brief());
      byte[] shifted = new byte[40];
      a.write(shifted, 5);
      assertThat(Hash.read(shifted, 5)).isEqualTo(a);
      assertThat(a.prefix()).isEqualTo(HexFormat.fromHexDigitsToLong(a.brief()));
    }
  }

  @Test
  void onlyThirtyTwoBytesAreAHash() {
    assertThatThrownBy(() -> Hash.of(new byte[31])).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Hash.parse("00")).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Hash.parse("zz".repeat(32)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void sortedDistinctRefusesTwins() {
    Hash one = Hash.parse("01".repeat(32));
    Hash two = Hash.parse("fe".repeat(32));
    assertThat(Hash.sortedDistinct(List.of(two, one))).containsExactly(one, two);
    assertThatThrownBy(() -> Hash.sortedDistinct(List.of(two, one, two)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void bytesAreValues() {
    byte[] array = {1, 2, 3};
    Bytes bytes = Bytes.copyOf(array);
    array[0] = 9;
    assertThat(bytes)
        .isEqualTo(Bytes.parseHex("010203"))
        .hasSameHashCodeAs(Bytes.parseHex("010203"))
        .isNotEqualTo(Bytes.parseHex("010204"));
    bytes.toArray()[0] = 9;
    assertThat(bytes.at(0)).isEqualTo((byte) 1);
    assertThat(bytes.size()).isEqualTo(3);
    assertThat(Bytes.utf8("ä").toUtf8()).isEqualTo("ä");
    assertThat(Bytes.wrap(new byte[33])).hasToString("33 bytes");
  }
}
