package holdfast.crypto;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.testkit.Mutator;
import holdfast.testkit.Property;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import javax.crypto.KDF;
import javax.crypto.SecretKey;
import javax.crypto.spec.HKDFParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** Hashing, key derivation, sealing and grants, against published vectors. */
class SealTest {
  private static byte[] hex(String digits) {
    return HexFormat.of().parseHex(digits);
  }

  private static void badSeal(ThrowingCallable action) {
    assertThatThrownBy(action)
        .isInstanceOfSatisfying(
            ProofException.class, e -> assertThat(e.violation()).isEqualTo(Violation.BAD_SEAL));
  }

  // ---- Hashing -------------------------------------------------------------------------------

  /** FIPS 180-4, the example "abc". */
  @Test
  void sha256() {
    byte[] out = new byte[40];
    Sha256.get().plain("xabcx".getBytes(StandardCharsets.US_ASCII), 1, 3, out, 4);
    assertThat(HexFormat.of().formatHex(out))
        .isEqualTo(
            "00000000ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad00000000");
  }

  @Test
  void everyHashBeginsWithItsTag() throws Exception {
    MessageDigest plain = MessageDigest.getInstance("SHA-256");
    byte[] input = Bytes.utf8("input").toArray();
    for (Domain domain : Domain.values()) {
      plain.update(domain.tag());
      assertThat(Sha256.get().hash(domain, input)).isEqualTo(Hash.of(plain.digest(input)));
    }
    Hash left = Hash.parse("01".repeat(32));
    Hash right = Hash.parse("02".repeat(32));
    plain.update(Domain.NODE.tag());
    plain.update(left.toBytes());
    assertThat(Sha256.get().node(left, right)).isEqualTo(Hash.of(plain.digest(right.toBytes())));
    assertThat(Sha256.get().node(left, right)).isNotEqualTo(Sha256.get().node(right, left));
  }

  @Test
  void tagsAreEightDistinctAsciiBytes() {
    assertThat(Domain.values())
        .extracting(domain -> new String(domain.tag(), StandardCharsets.US_ASCII))
        .doesNotHaveDuplicates()
        .allMatch(tag -> tag.matches("hf1\\.[a-z]{4}"));
    byte[] to = new byte[10];
    Domain.LEAF.write(to, 1);
    assertThat(Arrays.copyOfRange(to, 1, 9)).isEqualTo(Domain.LEAF.tag());
    Domain.LEAF.tag()[0] = 0;
    assertThat(Domain.LEAF.tag()[0]).isEqualTo((byte) 'h');
  }

  // ---- Key derivation ------------------------------------------------------------------------

  /** RFC 4231, test case 1; RFC 5869, test cases 1 and 3. */
  @Test
  void hmacAndHkdfVectors() {
    assertThat(Hkdf.hmac(hex("0b".repeat(20))).doFinal(Bytes.utf8("Hi There").toArray()))
        .isEqualTo(hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    byte[] ikm = hex("0b".repeat(22));
    byte[] prk = Hkdf.extract(hex("000102030405060708090a0b0c"), ikm);
    assertThat(prk)
        .isEqualTo(hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"));
    assertThat(Hkdf.hmac(prk).doFinal(hex("f0f1f2f3f4f5f6f7f8f901")))
        .isEqualTo(hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"));
    assertThat(Hkdf.extract(new byte[0], ikm))
        .isEqualTo(hex("19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04"));
  }

  @Test
  void derivesAsAnotherImplementationDoes() {
    Property.check(
        50,
        gen -> {
          byte[] salt = gen.bytes(16);
          byte[] ikm = gen.bytes(32);
          byte[] info = gen.bytesUpTo(40);
          Domain domain = gen.pick(Arrays.asList(Domain.values()));
          byte[] tagged = Arrays.copyOf(domain.tag(), 8 + info.length);
          System.arraycopy(info, 0, tagged, 8, info.length);
          byte[] expected =
              KDF.getInstance("HKDF-SHA256")
                  .deriveData(
                      HKDFParameterSpec.ofExtract()
                          .addIKM(ikm)
                          .addSalt(salt)
                          .thenExpand(tagged, 32));
          assertThat(Hkdf.derive(salt, ikm, domain, info)).isEqualTo(expected);
          Hkdf.Expander expander = new Hkdf.Expander(Hkdf.extract(salt, ikm));
          assertThat(expander.expand(domain, info)).isEqualTo(expected);
          assertThat(expander.expand(domain, info)).as("again").isEqualTo(expected);
        });
  }

  // ---- Sealing -------------------------------------------------------------------------------

  /** The AES-256 examples 13 and 14 of the paper that defines GCM. */
  @Test
  void gcmVectors() throws ProofException {
    Aead aead = new Aead();
    SecretKey zero = Aead.key(new byte[32]);
    byte[] empty = new byte[16];
    aead.seal(zero, 0, new byte[0], new byte[0], 0, 0, empty, 0);
    assertThat(empty).isEqualTo(hex("530f8afbc74536b9a963b4f1c4cb738b"));
    byte[] block = hex("cea7403d4d606b6e074ec5d3baf39d18" + "d0d1c8a799996bf0265b98b5d48ab919");
    assertThat(aead.open(zero, 0, new byte[0], block, 0, 32)).isEqualTo(new byte[16]);
    byte[] sealed = new byte[32];
    new Aead().seal(zero, 0, new byte[0], new byte[16], 0, 16, sealed, 0);
    assertThat(sealed).isEqualTo(block);
  }

  @Test
  void sealedTextOpensWithTheSameInputsOnly() {
    Property.check(
        25,
        gen -> {
          Aead aead = new Aead();
          SecretKey key = new SecretKeySpec(gen.bytes(32), "AES");
          int counter = gen.below(1 << 20);
          byte[] aad = gen.bytes(20);
          byte[] text = gen.bytesUpTo(60);
          byte[] sealed = new byte[3 + text.length + Aead.TAG_SIZE];
          aead.seal(key, counter, aad, text, 0, text.length, sealed, 3);
          byte[] exact = Arrays.copyOfRange(sealed, 3, sealed.length);
          assertThat(aead.open(key, counter, aad, sealed, 3, exact.length)).isEqualTo(text);
          Mutator.eachByteChanged(
              exact, bad -> badSeal(() -> aead.open(key, counter, aad, bad, 0, bad.length)));
          Mutator.eachLengthChanged(
              exact, bad -> badSeal(() -> aead.open(key, counter, aad, bad, 0, bad.length)));
          Mutator.eachByteChanged(
              aad, bad -> badSeal(() -> aead.open(key, counter, bad, exact, 0, exact.length)));
          badSeal(() -> aead.open(key, counter + 1, aad, exact, 0, exact.length));
          badSeal(() -> aead.open(Aead.key(gen.bytes(32)), counter, aad, exact, 0, exact.length));
          // After all those failures it still works.
          assertThat(aead.open(key, counter, aad, exact, 0, exact.length)).isEqualTo(text);
        });
    assertThatThrownBy(() -> Aead.key(new byte[16])).isInstanceOf(IllegalArgumentException.class);
  }

  // ---- Grants --------------------------------------------------------------------------------

  @Test
  void grantsOpenForTheirReaderAndContextOnly() {
    Property.check(
        6,
        gen -> {
          ReaderKey reader = SigningKey.ofSeed(gen.bytes(32)).readerKey();
          byte[] text = gen.bytes(32);
          byte[] context = gen.bytes(36);
          byte[] sealed = reader.publicHalf().seal(text, context);
          assertThat(reader.open(sealed, context)).isEqualTo(text);
          assertThat(reader.publicHalf().seal(text, context)).isNotEqualTo(sealed);
          badSeal(() -> SigningKey.ofSeed(gen.bytes(32)).readerKey().open(sealed, context));
          badSeal(() -> reader.open(sealed, gen.bytes(36)));
          for (int at : new int[] {0, 31, 32, sealed.length - 1}) {
            byte[] bad = sealed.clone();
            bad[at] ^= 1;
            badSeal(() -> reader.open(bad, context));
          }
          for (int length : new int[] {0, 31, 32, 47, 48, sealed.length - 1}) {
            badSeal(() -> reader.open(Arrays.copyOf(sealed, length), context));
          }
        });
  }

  /** An encapsulated key of small order makes the shared secret zero; RFC 9180 says to refuse. */
  @Test
  void grantsWithAnEncapsulatedKeyOfSmallOrderAreRefused() {
    ReaderKey reader = SigningKey.ofSeed(new byte[32]).readerKey();
    for (int first = 0; first < 2; first++) {
      byte[] sealed = new byte[80];
      sealed[0] = (byte) first;
      badSeal(() -> reader.open(sealed, new byte[0]));
    }
  }

  @Test
  void readerKeysOfSmallOrderAreRefused() {
    ReaderKey.PublicHalf zero = new ReaderKey.PublicHalf(Bytes.wrap(new byte[32]));
    assertThatThrownBy(() -> zero.seal(new byte[32], new byte[0]))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void readerKeysHaveATextForm() {
    SigningKey identity = SigningKey.ofSeed(new byte[32]);
    ReaderKey.PublicHalf half = identity.readerKey().publicHalf();
    assertThat(ReaderKey.PublicHalf.parse(half.toString())).isEqualTo(half);
    assertThat(half).isEqualTo(SigningKey.parsePem(identity.toPem()).readerKey().publicHalf());
    assertThat(half.bytes()).isNotEqualTo(identity.verifyKey().bytes());
    for (String bad : new String[] {"", "x25519:", "x25519:00", "ed25519:" + "00".repeat(32)}) {
      assertThatThrownBy(() -> ReaderKey.PublicHalf.parse(bad))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  // ---- Secrets -------------------------------------------------------------------------------

  @Test
  void secretsDoNotPrint() {
    Secret secret = Secret.copyOf(hex("cafebabe"));
    assertThat(secret).hasToString("Secret[4 bytes]");
    assertThat(SigningKey.ofSeed(hex("ab".repeat(32))).toString()).doesNotContain("abab");
    assertThat(secret).isEqualTo(Secret.copyOf(hex("cafebabe")));
    assertThat(secret).isNotEqualTo(Secret.copyOf(hex("cafebabf")));
    secret.expose()[0] = 0;
    assertThat(secret.expose()).isEqualTo(hex("cafebabe"));
    secret.wipe();
    assertThat(secret.expose()).isEqualTo(new byte[4]);
    assertThat(secret.size()).isEqualTo(4);
  }
}
