package holdfast.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class PropertyTest {
  @Test
  void aFailureNamesTheSeedThatReplaysIt() {
    assertThatThrownBy(() ->
            Property.check(1000, gen -> gen.below(10), value -> assertThat(value).isNotEqualTo(3)))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("value 3")
        .satisfies(failure -> {
          String seed = failure.getMessage().replaceAll("(?s).*-Dholdfast.seed=(\\d+).*", "$1");
          assertThat(new Gen(Long.parseLong(seed)).below(10)).isEqualTo(3);
        });
  }

  @Test
  void theSameSeedDrawsTheSameValues() {
    for (long seed = 0; seed < 20; seed++) {
      assertThat(drawn(seed)).isEqualTo(drawn(seed)).isNotEqualTo(drawn(seed + 1));
    }
  }

  private static String drawn(long seed) {
    Gen gen = new Gen(seed);
    return gen.hash()
        + gen.text(64)
        + gen.anyLong()
        + gen.some(List.of(1, 2, 3, 4), 4)
        + gen.shuffled(List.of(1, 2, 3, 4, 5, 6))
        + gen.list(3, () -> gen.between(5, 9));
  }

  @Test
  void changesEveryByteAndEveryLength() throws Exception {
    List<byte[]> seen = new ArrayList<>();
    byte[] bytes = {1, 2, 3};
    Mutator.eachByteChanged(bytes, seen::add);
    assertThat(seen).hasSize(9).doesNotContain(bytes);
    seen.clear();
    Mutator.eachLengthChanged(bytes, seen::add);
    assertThat(seen).hasSize(5).doesNotContain(bytes);
  }

  @Test
  void fuzzingFindsWhatBreaks() {
    byte[] good = {0, 0, 0, 4, 9, 9, 9, 9};
    assertThatThrownBy(() ->
            Mutator.fuzz(
                1,
                10_000,
                List.of(good),
                bytes -> {
                  if (bytes.length > 4 && bytes[3] > 4) {
                    throw new IndexOutOfBoundsException("length taken on trust");
                  }
                }))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("length taken on trust");
  }
}
