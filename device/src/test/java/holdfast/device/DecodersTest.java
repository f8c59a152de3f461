package holdfast.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import holdfast.testkit.Mutator;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A short run of a simple fuzzer over every decoder. {@code -Dholdfast.fuzzMillis=N} runs longer,
 * {@code -Dholdfast.fuzzSeed=N} elsewhere.
 */
class DecodersTest {
  private static final long MILLIS = Long.getLong("holdfast.fuzzMillis", 250);
  private static final long SEED = Long.getLong("holdfast.fuzzSeed", 1);

  @ParameterizedTest
  @EnumSource
  void theCorpusIsAccepted(Decoders decoder) {
    for (byte[] input : decoder.corpus()) {
      assertThatCode(() -> decoder.decode(input)).doesNotThrowAnyException();
    }
  }

  @ParameterizedTest
  @EnumSource
  void hostileInputIsRefusedAndNothingElseHappens(Decoders decoder) throws Exception {
    assertThat(Mutator.fuzz(SEED, MILLIS, decoder.corpus(), decoder::accept)).isPositive();
    for (byte[] input : decoder.corpus()) {
      Mutator.eachByteChanged(input, decoder::accept);
      Mutator.eachLengthChanged(input, decoder::accept);
    }
    decoder.accept(new byte[0]);
    decoder.accept(new byte[1000]);
    decoder.accept(Fixture.filled(0xFF, 1000));
  }
}
