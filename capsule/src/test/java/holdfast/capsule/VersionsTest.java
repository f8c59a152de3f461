package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.VerifyKey;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class VersionsTest {
  @Test
  void theHighestVersionInCommonIsUsed() {
    assertThat(new Versions(1, 3).commonWith(new Versions(2, 5))).isEqualTo(3);
    assertThat(new Versions(2, 9).commonWith(new Versions(1, 4))).isEqualTo(4);
    assertThat(new Versions(3, 3).commonWith(new Versions(1, 3))).isEqualTo(3);
  }

  @Test
  void noneInCommonNamesBothRanges() {
    for (Versions server : new Versions[] {new Versions(1, 3), new Versions(7, 8)}) {
      assertThatThrownBy(() -> new Versions(4, 6).commonWith(server))
          .isInstanceOfSatisfying(
              HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.VERSION))
          .hasMessageContaining("4 to 6")
          .hasMessageContaining(server.toString());
    }
    assertThatThrownBy(() -> new Versions(0, 1)).hasMessageContaining("from 0 to 1");
    assertThatThrownBy(() -> new Versions(2, 1)).hasMessageContaining("from 2 to 1");
    assertThatThrownBy(() -> new Versions(1, 1 << 16)).hasMessageContaining("65536");
  }

  @Test
  void possessionCoversWhatBothSidesStated() throws ProofException {
    Fixture fixture = new Fixture(1);
    VerifyKey writer = fixture.writers.getFirst().verifyKey();
    Possession.Stated stated = new Possession.Stated(new Versions(1, 3), new Versions(1, 2));
    byte[] proof = prove(fixture, stated);
    verify(fixture, writer, stated, proof);
    verify(fixture, writer, null, prove(fixture, null));
    for (Possession.Stated other :
        new Possession.Stated[] {
          new Possession.Stated(new Versions(1, 1), new Versions(1, 2)),
          new Possession.Stated(new Versions(2, 3), new Versions(1, 2)),
          new Possession.Stated(new Versions(1, 3), new Versions(1, 1)),
          new Possession.Stated(new Versions(1, 2), new Versions(1, 3)),
        }) {
      Fixture.violates(Violation.BAD_SIGNATURE, () -> verify(fixture, writer, other, proof));
    }
    Fixture.violates(Violation.BAD_SIGNATURE, () -> verify(fixture, writer, null, proof));
  }

  private static byte[] prove(Fixture fixture, Possession.@Nullable Stated stated) {
    return Possession.prove(
        fixture.writers.getFirst(),
        Fixture.SERVER.verifyKey(),
        fixture.capsule,
        fixture.capsule,
        fixture.capsule,
        stated);
  }

  private static void verify(
      Fixture fixture, VerifyKey writer, Possession.@Nullable Stated stated, byte[] proof)
      throws ProofException {
    Possession.verify(
        writer,
        Fixture.SERVER.verifyKey(),
        fixture.capsule,
        fixture.capsule,
        fixture.capsule,
        stated,
        proof);
  }
}
