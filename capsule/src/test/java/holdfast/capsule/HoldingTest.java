package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.base.Violation;
import holdfast.crypto.SigningKey;
import holdfast.testkit.Mutator;
import org.junit.jupiter.api.Test;

/** What a server signs that it holds. */
class HoldingTest {
  private final Fixture fixture = new Fixture(1);
  private final Hash salt = Hash.of(Fixture.filled(1, 32));
  private final Hash digest = Hash.of(Fixture.filled(2, 32));

  private Holding by(SigningKey server, long version, long count, Hash sum) {
    return Holding.sign(server, fixture.capsule, salt, 7, version, count, sum);
  }

  @Test
  void itIsVerifiedForTheServerTheCapsuleAndTheQuestion() throws Exception {
    Holding holding = by(Fixture.SERVER, 2, 10, digest);
    assertThat(Holding.decode(holding.encode())).isEqualTo(holding);
    holding.verify(Fixture.SERVER.verifyKey(), fixture.capsule, salt);
    Fixture.violates(
        Violation.NOT_FRESH,
        () -> holding.verify(Fixture.STRANGER.verifyKey(), fixture.capsule, salt));
    Fixture.violates(
        Violation.NOT_FRESH, () -> holding.verify(Fixture.SERVER.verifyKey(), salt, salt));
    Fixture.violates(
        Violation.NOT_FRESH,
        () -> holding.verify(Fixture.SERVER.verifyKey(), fixture.capsule, digest));
    Mutator.eachByteChanged(
        holding.encode(),
        changed ->
            Fixture.violates(() ->
                Holding.decode(changed).verify(Fixture.SERVER.verifyKey(), fixture.capsule, salt)));
    Mutator.eachLengthChanged(
        holding.encode(), changed -> Fixture.violates(() -> Holding.decode(changed)));
  }

  @Test
  void serversAgreeOnNumberAndDigestUnderOneSalt() {
    Holding one = by(Fixture.SERVER, 2, 10, digest);
    assertThat(one.agrees(by(Fixture.STRANGER, 1, 10, digest))).isTrue();
    assertThat(one.agrees(by(Fixture.STRANGER, 2, 11, digest))).isFalse();
    assertThat(one.agrees(by(Fixture.STRANGER, 2, 10, salt))).isFalse();
    Holding elsewhere = Holding.sign(Fixture.STRANGER, fixture.capsule, digest, 7, 2, 10, digest);
    assertThat(one.agrees(elsewhere)).isFalse();
  }
}
