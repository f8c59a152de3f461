package holdfast.device;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.testkit.Gen;
import java.util.ArrayList;
import java.util.List;

/**
 * Every decoder as a fuzz target: hostile input may only be refused with a {@link
 * MalformedException}, and what is accepted is the one encoding of its value.
 */
enum Decoders {
  OPERATION {
    @Override
    void decode(byte[] input) throws MalformedException {
      assertThat(Operation.decode(input).encode()).isEqualTo(input);
    }

    @Override
    byte[] example(Gen gen) {
      return Fixture.operation(gen, gen.anyLong()).encode();
    }
  },
  CLAIM {
    @Override
    void decode(byte[] input) throws MalformedException {
      assertThat(Claim.decode(input).encode()).isEqualTo(input);
    }

    @Override
    byte[] example(Gen gen) {
      return Fixture.batch(gen).claim().encode();
    }
  },
  SIGNED_CLAIM {
    @Override
    void decode(byte[] input) throws MalformedException {
      assertThat(SignedClaim.decode(input).encode()).isEqualTo(input);
    }

    @Override
    byte[] example(Gen gen) {
      return Fixture.batch(gen).signed().encode();
    }
  },
  BATCH {
    @Override
    void decode(byte[] input) throws MalformedException {
      assertThat(Batch.decode(input).encode()).isEqualTo(input);
    }

    @Override
    byte[] example(Gen gen) {
      return Fixture.batch(gen).encode();
    }
  };

  /** Decodes, and checks that encoding gives the input again. */
  abstract void decode(byte[] input) throws MalformedException;

  /** A valid encoding. */
  abstract byte[] example(Gen gen);

  List<byte[]> corpus() {
    List<byte[]> corpus = new ArrayList<>();
    for (int seed = 0; seed < 4; seed++) {
      corpus.add(example(new Gen(seed)));
    }
    return corpus;
  }

  /** Takes hostile input: it is decoded or refused, nothing else. */
  void accept(byte[] input) {
    byte[] before = input.clone();
    try {
      decode(input);
    } catch (MalformedException refused) {
      assertThat(refused).hasMessageMatching("the \\w.*");
    }
    assertThat(input).isEqualTo(before);
  }
}
