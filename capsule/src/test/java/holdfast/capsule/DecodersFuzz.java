package holdfast.capsule;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The same targets for Jazzer, which follows what the input covers. One decoder at a time:
 *
 * <pre>
 *   JAZZER_FUZZ=1 ./mvnw -pl capsule -am test -Dtest=DecodersFuzz -Dholdfast.decoder=METADATA \
 *       -Dsurefire.failIfNoSpecifiedTests=false
 * </pre>
 *
 * <p>Not part of the build: the name of the class keeps it out.
 */
class DecodersFuzz {
  private static final Decoders DECODER =
      Decoders.valueOf(System.getProperty("holdfast.decoder", "METADATA"));

  static Stream<Arguments> corpus() {
    return DECODER.corpus().stream().map(input -> Arguments.of((Object) input));
  }

  @MethodSource("corpus")
  @FuzzTest(maxDuration = "5m")
  void hostileInputIsRefusedAndNothingElseHappens(byte[] input) {
    DECODER.accept(input);
  }
}
