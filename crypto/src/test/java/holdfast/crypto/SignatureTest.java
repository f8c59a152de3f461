package holdfast.crypto;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.amazon.corretto.crypto.provider.AmazonCorrettoCryptoProvider;
import holdfast.base.Bytes;
import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.testkit.Mutator;
import holdfast.testkit.Property;
import java.math.BigInteger;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Set;
import org.bouncycastle.crypto.params.Ed25519PrivateKeyParameters;
import org.bouncycastle.crypto.signers.Ed25519Signer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SignatureTest {
  private static byte[] hex(String digits) {
    return HexFormat.of().parseHex(digits);
  }

  /** RFC 8032, section 7.1, tests 1 to 3. */
  @ParameterizedTest
  @CsvSource({
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60,"
        + "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a,'',"
        + "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
        + "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb,"
        + "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c,72,"
        + "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e"
        + "458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7,"
        + "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025,af82,"
        + "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290"
        + "ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
  })
  void rfc8032(String seed, String publicKey, String message, String signature) throws Exception {
    SigningKey key = SigningKey.ofSeed(hex(seed));
    assertThat(key.verifyKey().bytes().toHex()).isEqualTo(publicKey);
    Signature signer = Providers.ed25519();
    byte[] pkcs8 = hex("302e020100300506032b657004220420" + seed);
    signer.initSign(Providers.ed25519KeyFactory().generatePrivate(new PKCS8EncodedKeySpec(pkcs8)));
    signer.update(hex(message));
    assertThat(HexFormat.of().formatHex(signer.sign())).isEqualTo(signature);
  }

  @Test
  void signsTagAndMessageAsAnotherImplementationDoes() {
    Property.check(
        30,
        gen -> {
          byte[] seed = gen.bytes(32);
          byte[] message = gen.bytesUpTo(300);
          Domain domain = gen.pick(Arrays.asList(Domain.values()));
          Ed25519Signer other = new Ed25519Signer();
          other.init(true, new Ed25519PrivateKeyParameters(seed));
          other.update(domain.tag(), 0, Domain.TAG_SIZE);
          other.update(message, 0, message.length);
          SigningKey key = SigningKey.ofSeed(seed);
          byte[] signature = key.sign(domain, message);
          assertThat(signature).isEqualTo(other.generateSignature());
          key.verifyKey().verify(domain, message, signature);
        });
  }

  @Test
  void everyFlippedByteAndEveryOtherPurposeIsRefused() throws Exception {
    SigningKey key = SigningKey.ofSeed(new byte[32]);
    VerifyKey verifyKey = key.verifyKey();
    byte[] message = Bytes.utf8("a record name").toArray();
    byte[] signature = key.sign(Domain.SIGN_RECORD, message);
    Mutator.eachByteChanged(
        signature,
        bad -> assertThat(verifyKey.verifies(Domain.SIGN_RECORD, message, bad)).isFalse());
    Mutator.eachLengthChanged(
        signature,
        bad -> assertThat(verifyKey.verifies(Domain.SIGN_RECORD, message, bad)).isFalse());
    Mutator.eachByteChanged(
        message,
        bad -> assertThat(verifyKey.verifies(Domain.SIGN_RECORD, bad, signature)).isFalse());
    for (Domain domain : Domain.values()) {
      assertThat(verifyKey.verifies(domain, message, signature))
          .isEqualTo(domain == Domain.SIGN_RECORD);
    }
    VerifyKey other = SigningKey.ofSeed(hex("01".repeat(32))).verifyKey();
    assertThatThrownBy(() -> other.verify(Domain.SIGN_RECORD, message, signature))
        .isInstanceOfSatisfying(
            ProofException.class,
            e -> assertThat(e.violation()).isEqualTo(Violation.BAD_SIGNATURE));
  }

  // ---- Small-order keys and malleable signatures, with arithmetic of our own -----------------

  private static final BigInteger P = BigInteger.TWO.pow(255).subtract(BigInteger.valueOf(19));
  private static final BigInteger L =
      BigInteger.TWO.pow(252).add(new BigInteger("27742317777372353535851937790883648493"));
  private static final BigInteger D =
      BigInteger.valueOf(-121665).multiply(BigInteger.valueOf(121666).modInverse(P)).mod(P);

  private record Point(BigInteger x, BigInteger y) {
    Point plus(Point other) {
      BigInteger t = D.multiply(x).multiply(other.x).multiply(y).multiply(other.y).mod(P);
      BigInteger top = x.multiply(other.y).add(y.multiply(other.x));
      BigInteger side = y.multiply(other.y).add(x.multiply(other.x));
      return new Point(
          top.multiply(BigInteger.ONE.add(t).modInverse(P)).mod(P),
          side.multiply(BigInteger.ONE.subtract(t).modInverse(P)).mod(P));
    }

    Point times(BigInteger factor) {
      Point sum = new Point(BigInteger.ZERO, BigInteger.ONE);
      for (int bit = factor.bitLength() - 1; bit >= 0; bit--) {
        sum = sum.plus(sum);
        if (factor.testBit(bit)) {
          sum = sum.plus(this);
        }
      }
      return sum;
    }

    static Point onCurve(BigInteger y) {
      BigInteger square = y.multiply(y);
      BigInteger xx =
          square
              .subtract(BigInteger.ONE)
              .multiply(D.multiply(square).add(BigInteger.ONE).modInverse(P))
              .mod(P);
      BigInteger x = xx.modPow(P.add(BigInteger.valueOf(3)).shiftRight(3), P);
      if (!x.multiply(x).mod(P).equals(xx)) {
        x = x.multiply(BigInteger.TWO.modPow(P.subtract(BigInteger.ONE).shiftRight(2), P)).mod(P);
      }
      return x.multiply(x).mod(P).equals(xx) ? new Point(x, y) : onCurve(y.add(BigInteger.ONE));
    }
  }

  private static byte[] littleEndian(BigInteger number) {
    byte[] out = new byte[32];
    byte[] big = number.toByteArray();
    for (int i = 0; i < Math.min(32, big.length); i++) {
      out[i] = big[big.length - 1 - i];
    }
    return out;
  }

  @Test
  void keysOfSmallOrderAreRefused() {
    Set<BigInteger> found = new HashSet<>();
    Property.check(
        40,
        gen -> {
          Point torsion = Point.onCurve(new BigInteger(1, gen.bytes(31))).times(L);
          found.add(torsion.y());
          for (BigInteger y = torsion.y(); y.bitLength() <= 255; y = y.add(P)) {
            for (int sign = 0; sign < 2; sign++) {
              byte[] key = littleEndian(y);
              key[31] |= (byte) (sign << 7);
              assertThatThrownBy(() -> VerifyKey.ed25519(key))
                  .isInstanceOf(ProofException.class)
                  .hasMessageContaining("small order");
            }
          }
        });
    if (Long.getLong("holdfast.seed") == null) {
      assertThat(found).as("the y-coordinates of all eight torsion points").hasSize(5);
    }
  }

  @Test
  void whatIsNoKeyOrNoSignatureNeverVerifies() {
    Property.check(
        200,
        gen -> {
          VerifyKey key = VerifyKey.ed25519(gen.bytes(32));
          assertThat(key.verifies(Domain.SIGN_RECORD, gen.bytesUpTo(40), gen.bytes(64))).isFalse();
          assertThat(key.verifies(Domain.SIGN_RECORD, gen.bytesUpTo(40), new byte[64])).isFalse();
        });
  }

  @Test
  void aSignatureHasOneForm() {
    // S + L would verify too if it were not refused.
    SigningKey key = SigningKey.ofSeed(new byte[32]);
    byte[] signature = key.sign(Domain.SIGN_RECORD, new byte[0]);
    byte[] s = new byte[33];
    for (int i = 0; i < 32; i++) {
      s[32 - i] = signature[32 + i];
    }
    byte[] other = signature.clone();
    System.arraycopy(littleEndian(new BigInteger(s).add(L)), 0, other, 32, 32);
    assertThat(other).isNotEqualTo(signature);
    assertThat(key.verifyKey().verifies(Domain.SIGN_RECORD, new byte[0], signature)).isTrue();
    assertThat(key.verifyKey().verifies(Domain.SIGN_RECORD, new byte[0], other)).isFalse();
  }

  // ---- Encodings -----------------------------------------------------------------------------

  @Test
  void keysHaveOneEncoding() {
    Property.check(
        20,
        gen -> {
          VerifyKey key = SigningKey.ofSeed(gen.bytes(32)).verifyKey();
          Encoder out = new Encoder();
          key.encode(out);
          assertThat(VerifyKey.decode(new Decoder(out.toBytes(), "key"))).isEqualTo(key);
          assertThat(VerifyKey.parse(key.toString())).isEqualTo(key).hasSameHashCodeAs(key);
          assertThat(key.toString()).contains(key.brief());
          Mutator.eachByteChanged(
              out.toBytes(),
              bad -> {
                try {
                  assertThat(VerifyKey.decode(new Decoder(bad, "key"))).isNotEqualTo(key);
                } catch (ProofException refused) {
                  assertThat(refused.violation()).isEqualTo(Violation.MALFORMED);
                }
              });
        });
    assertThatThrownBy(() -> VerifyKey.parse("rsa:00"))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> VerifyKey.parse("ed25519:00"))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> VerifyKey.parse("ed25519:" + "00".repeat(32)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  /** RFC 8410, section 10.3. */
  @Test
  void readsThePemThatOthersWrite() {
    String pem =
        """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
        -----END PRIVATE KEY-----
        """;
    SigningKey key = SigningKey.parsePem(pem);
    assertThat(key.verifyKey().bytes().toHex())
        .isEqualTo("19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1");
    assertThat(key.toPem()).isEqualTo(pem);
  }

  @Test
  void whatIsNotAnEd25519PemIsRefused() {
    for (String bad :
        new String[] {
          "",
          "-----END PRIVATE KEY----------BEGIN PRIVATE KEY-----",
          "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
          "-----BEGIN PRIVATE KEY-----\nA\n-----END PRIVATE KEY-----",
        }) {
      assertThatThrownBy(() -> SigningKey.parsePem(bad))
          .isInstanceOf(IllegalArgumentException.class);
    }
    assertThatThrownBy(() -> SigningKey.ofSeed(new byte[31]))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void freshKeysDiffer() {
    SecureRandom random = new SecureRandom();
    assertThat(SigningKey.generate(random).verifyKey())
        .isNotEqualTo(SigningKey.generate(random).verifyKey());
  }

  /** Falling back is silent and seventy times slower, so it must not happen where it need not. */
  @Test
  void theNativeProviderIsInUseWhereItLoads() {
    boolean loads =
        !Boolean.getBoolean("holdfast.jdkCrypto")
            && AmazonCorrettoCryptoProvider.INSTANCE.getLoadingError() == null;
    assertThat(Providers.description()).startsWith(loads ? "AmazonCorretto" : "JDK ");
  }
}
