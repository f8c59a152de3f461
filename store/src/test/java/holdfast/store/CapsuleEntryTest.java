package holdfast.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class CapsuleEntryTest {
  private static final int SIGNATURE_BYTES = 64;

  @Test
  void itsPartsAreWhatItWasMadeOf() throws Exception {
    byte[] signature = new byte[SIGNATURE_BYTES];
    Arrays.fill(signature, (byte) 7);
    byte[] metadata = {1, 2, 3};
    CapsuleEntry entry = CapsuleEntry.of(Hash.ZERO, 258, signature, metadata);
    assertThat(entry.number()).isEqualTo(258);
    assertThat(entry.signature()).isEqualTo(signature);
    assertThat(entry.encodedMetadata()).isEqualTo(metadata);
    assertThat(entry.stored()).startsWith(0, 0, 1, 2, 7).endsWith(7, 1, 2, 3);
  }

  @Test
  void oneThatIsCutOffIsDamagedAndNoAccident() {
    CapsuleEntry entry =
        new CapsuleEntry(Hash.ZERO, Arrays.copyOf(new byte[0], 4 + SIGNATURE_BYTES - 1));
    assertThatThrownBy(entry::metadata)
        .isInstanceOf(ProofException.class)
        .hasMessageContaining("cut off");
    assertThatThrownBy(entry::signature).isInstanceOf(ProofException.class);
  }
}
