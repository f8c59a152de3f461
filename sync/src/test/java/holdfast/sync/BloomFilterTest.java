package holdfast.sync;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.testkit.Gen;
import holdfast.testkit.Mutator;
import holdfast.testkit.Property;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BloomFilterTest {
  private static final Hash SALT = new Gen(9).hash();

  private static byte[] encoded(BloomFilter filter) {
    Encoder out = new Encoder();
    filter.encode(out);
    assertThat(out.size()).isEqualTo(filter.encodedSize());
    return out.toBytes();
  }

  private static BloomFilter decoded(byte[] bytes, Hash salt) throws ProofException {
    Decoder in = new Decoder(bytes, "filter");
    BloomFilter filter = BloomFilter.decode(in, salt);
    in.end();
    return filter;
  }

  /** Also for sizes where few bits are shared by few names: an honest filter is never refused. */
  @Test
  void whatWasAddedIsContainedAlsoOnceItHasTravelled() {
    Property.check(
        400,
        gen -> {
          Hash salt = gen.hash();
          List<Hash> names = gen.list(gen.between(0, gen.oneIn(5) ? 3000 : 30), gen::hash);
          BloomFilter filter = new BloomFilter(salt, names.size(), gen.between(2, 32));
          names.forEach(filter::add);
          byte[] bytes = encoded(filter);
          BloomFilter there = decoded(bytes, salt);
          assertThat(names).allMatch(filter::mayContain).allMatch(there::mayContain);
          assertThat(encoded(there)).isEqualTo(bytes);
        });
  }

  /** Fewer in small filters, which are rounded up to whole words. */
  @ParameterizedTest
  @ValueSource(ints = {10, 100, 10_000})
  void oneInAHundredOthersSeemsContained(int count) {
    Gen gen = new Gen(count);
    int seemed = 0;
    for (int filters = 100_000 / count; filters > 0; filters--) {
      BloomFilter filter = BloomFilter.of(gen.hash(), gen.list(count, gen::hash));
      for (int i = 0; i < count; i++) {
        seemed += filter.mayContain(gen.hash()) ? 1 : 0;
      }
    }
    assertThat(seemed).isBetween(300, 1200);
  }

  @Test
  void anotherSaltHasOtherFalsePositives() {
    Gen gen = new Gen(1);
    List<Hash> names = gen.list(10_000, gen::hash);
    BloomFilter one = BloomFilter.of(gen.hash(), names);
    BloomFilter other = BloomFilter.of(gen.hash(), names);
    List<Hash> seemed = new ArrayList<>(gen.list(20_000, gen::hash));
    seemed.removeIf(name -> !one.mayContain(name));
    assertThat(seemed).hasSizeGreaterThan(100);
    assertThat(seemed.stream().filter(other::mayContain).count()).isLessThan(seemed.size() / 10);
  }

  @Test
  void theEmptyFilterContainsNothing() throws ProofException {
    BloomFilter empty = BloomFilter.of(SALT, List.of());
    assertThat(decoded(encoded(empty), SALT).mayContain(Hash.ZERO)).isFalse();
    assertThat(encoded(empty)).hasSize(5);
  }

  @Test
  void aFilterThatContainsAlmostEverythingIsRefused() throws ProofException {
    byte[] bytes = encoded(new BloomFilter(SALT, 640, 10));
    byte[] full = bytes.clone();
    Arrays.fill(full, 5, full.length, (byte) 0xFF);
    assertThatThrownBy(() -> decoded(full, SALT))
        .hasMessageContaining("6400 ones in 6400 bits")
        .asInstanceOf(InstanceOfAssertFactories.throwable(ProofException.class))
        .extracting(ProofException::violation)
        .isEqualTo(Violation.MALFORMED);

    byte[] most = bytes.clone();
    Arrays.fill(most, 5, 5 + 560, (byte) 0xFF);
    assertThat(decoded(most, SALT)).isNotNull();
    most[5 + 560] = 1;
    assertThatThrownBy(() -> decoded(most, SALT)).hasMessageContaining("4481 ones");
  }

  @Test
  void sizesAreBounded() {
    assertThatThrownBy(() -> new BloomFilter(SALT, Integer.MAX_VALUE, 10))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new BloomFilter(SALT, 1, 1))
        .isInstanceOf(IllegalArgumentException.class);
    BloomFilter small = new BloomFilter(SALT, 1, 10);
    small.add(Hash.ZERO);
    assertThatThrownBy(() -> small.add(Hash.ZERO)).isInstanceOf(IllegalStateException.class);
    // A length beyond what follows is refused before an array is made for it.
    byte[] long0 = {7, 0, 0x3F, (byte) 0xFF, (byte) 0xFF, 0, 0, 0, 0, 0, 0, 0, 0};
    assertThatThrownBy(() -> decoded(long0, SALT)).isInstanceOf(ProofException.class);
  }

  @Test
  void hostileInputIsRefusedAndNothingElseHappens() throws Exception {
    Gen gen = new Gen(3);
    List<byte[]> corpus =
        List.of(
            encoded(BloomFilter.of(SALT, gen.list(20, gen::hash))),
            encoded(new BloomFilter(SALT, 3, 32)));
    Mutator.Target target =
        bytes -> {
          try {
            BloomFilter filter = decoded(bytes, SALT);
            assertThat(encoded(filter)).isEqualTo(bytes);
            filter.mayContain(Hash.ZERO);
          } catch (ProofException refused) {
            assertThat(refused.violation()).isEqualTo(Violation.MALFORMED);
          }
        };
    for (byte[] bytes : corpus) {
      Mutator.eachByteChanged(bytes, target);
      Mutator.eachLengthChanged(bytes, target);
    }
    assertThat(Mutator.fuzz(1, Long.getLong("holdfast.fuzzMillis", 250), corpus, target))
        .isPositive();
  }
}
