package holdfast.sync;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Hash;
import holdfast.crypto.Domain;
import holdfast.testkit.Gen;
import holdfast.testkit.Property;
import java.math.BigInteger;
import java.security.MessageDigest;
import java.util.List;
import org.junit.jupiter.api.Test;

class SetDigestTest {
  private static final BigInteger MODULUS = BigInteger.ONE.shiftLeft(256);

  private static SetDigest of(Hash salt, List<Hash> names) {
    SetDigest digest = new SetDigest(salt);
    digest.addAll(names);
    return digest;
  }

  @Test
  void isTheSumOfTheHashesOfSaltAndName() {
    Property.check(
        50,
        gen -> {
          Hash salt = gen.hash();
          List<Hash> names = gen.list(gen.between(0, 60), gen::hash);
          BigInteger sum = BigInteger.ZERO;
          for (Hash name : names) {
            sum = sum.add(item(salt, name));
          }
          SetDigest digest = of(salt, names);
          assertThat(new BigInteger(1, digest.sum().toBytes())).isEqualTo(sum.mod(MODULUS));
          assertThat(digest.count()).isEqualTo(names.size());
        });
  }

  private static BigInteger item(Hash salt, Hash name) throws Exception {
    MessageDigest sha = MessageDigest.getInstance("SHA-256");
    sha.update(Domain.SET_ITEM.tag());
    sha.update(salt.toBytes());
    return new BigInteger(1, sha.digest(name.toBytes()));
  }

  @Test
  void doesNotDependOnTheOrder() {
    Property.check(
        50,
        gen -> {
          Hash salt = gen.hash();
          List<Hash> names = gen.list(gen.between(0, 40), gen::hash);
          int cut = gen.between(0, names.size());
          SetDigest all = of(salt, names);
          assertThat(of(salt, gen.shuffled(names))).isEqualTo(all).hasSameHashCodeAs(all);
          SetDigest parts =
              of(salt, names.subList(cut, names.size())).plus(of(salt, names.subList(0, cut)));
          assertThat(parts).isEqualTo(all);
        });
  }

  @Test
  void whatIsTakenOutLeavesNothingBehind() {
    Property.check(
        50,
        gen -> {
          Hash salt = gen.hash();
          List<Hash> names = gen.list(gen.between(1, 40), gen::hash);
          int cut = gen.between(0, names.size());
          SetDigest digest = of(salt, names);
          gen.shuffled(names.subList(cut, names.size())).forEach(digest::subtract);
          assertThat(digest).isEqualTo(of(salt, names.subList(0, cut)));
        });
  }

  @Test
  void otherNamesOrSaltsHaveOtherDigests() {
    Gen gen = new Gen(1);
    Hash salt = gen.hash();
    List<Hash> names = gen.list(10, gen::hash);
    SetDigest digest = of(salt, names);
    assertThat(of(salt, names.subList(1, 10))).isNotEqualTo(digest);
    assertThat(of(gen.hash(), names)).isNotEqualTo(digest);
    SetDigest replaced = of(salt, names.subList(1, 10));
    replaced.add(gen.hash());
    assertThat(replaced).isNotEqualTo(digest);
    assertThat(new SetDigest(salt).sum()).isEqualTo(Hash.ZERO);
  }

  @Test
  void sumsUnderDifferentSaltsAreNotAdded() {
    Gen gen = new Gen(2);
    SetDigest one = of(gen.hash(), List.of());
    SetDigest other = of(gen.hash(), List.of());
    assertThatThrownBy(() -> one.plus(other)).isInstanceOf(IllegalArgumentException.class);
  }
}
