package holdfast.crypto;

import holdfast.base.ProofException;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import org.bouncycastle.crypto.params.Ed25519PrivateKeyParameters;
import org.jspecify.annotations.Nullable;

/**
 * An Ed25519 key pair that signs: the identity of an owner, writer, reader or node.
 *
 * <p>Stored as PKCS#8 PEM (RFC 5958, RFC 8410), which {@code openssl pkey} reads. The same seed
 * yields a {@link ReaderKey} by HKDF, so one file is all that has to be kept.
 */
public final class SigningKey {
  private static final int SEED_SIZE = 32;
  private static final byte[] PKCS8_PREFIX =
      HexFormat.of().parseHex("302e020100300506032b657004220420");
  private static final String PEM_BEGIN = "-----BEGIN PRIVATE KEY-----";
  private static final String PEM_END = "-----END PRIVATE KEY-----";

  private static final ThreadLocal<@Nullable Signature> SIGNER = new ThreadLocal<>();

  private final Secret seed;
  private final PrivateKey key;
  private final VerifyKey verifyKey;

  private SigningKey(byte[] seed) {
    this.seed = Secret.copyOf(seed);
    try {
      byte[] encoded = pkcs8(seed);
      this.key = Providers.ed25519KeyFactory().generatePrivate(new PKCS8EncodedKeySpec(encoded));
      Arrays.fill(encoded, (byte) 0);
      this.verifyKey =
          VerifyKey.ed25519(new Ed25519PrivateKeyParameters(seed).generatePublicKey().getEncoded());
    } catch (GeneralSecurityException | ProofException e) {
      throw new AssertionError("every 32-byte seed is an Ed25519 key", e);
    }
  }

  /** The key pair of a 32-byte seed. */
  public static SigningKey ofSeed(byte[] seed) {
    if (seed.length != SEED_SIZE) {
      throw new IllegalArgumentException("a seed has 32 bytes, not " + seed.length);
    }
    return new SigningKey(seed);
  }

  /** A fresh key pair. */
  public static SigningKey generate(SecureRandom random) {
    byte[] seed = new byte[SEED_SIZE];
    random.nextBytes(seed);
    SigningKey made = new SigningKey(seed);
    Arrays.fill(seed, (byte) 0);
    return made;
  }

  /**
   * Parses PKCS#8 PEM as written by {@link #toPem} or {@code openssl genpkey -algorithm ed25519}.
   */
  public static SigningKey parsePem(String pem) {
    int begin = pem.indexOf(PEM_BEGIN);
    int end = pem.indexOf(PEM_END);
    if (begin < 0 || end < begin) {
      throw new IllegalArgumentException("no PRIVATE KEY block found; expected PKCS#8 PEM");
    }
    byte[] der;
    try {
      der = Base64.getMimeDecoder().decode(pem.substring(begin + PEM_BEGIN.length(), end));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("the PRIVATE KEY block is not base64", e);
    }
    if (der.length != PKCS8_PREFIX.length + SEED_SIZE
        || !Arrays.equals(der, 0, PKCS8_PREFIX.length, PKCS8_PREFIX, 0, PKCS8_PREFIX.length)) {
      throw new IllegalArgumentException("the PRIVATE KEY block does not hold an Ed25519 key");
    }
    SigningKey made = new SigningKey(Arrays.copyOfRange(der, PKCS8_PREFIX.length, der.length));
    Arrays.fill(der, (byte) 0);
    return made;
  }

  /** The private key as PKCS#8 PEM; whoever reads it can sign. */
  public String toPem() {
    byte[] der = pkcs8(seed.expose());
    String body = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der);
    Arrays.fill(der, (byte) 0);
    return PEM_BEGIN + "\n" + body + "\n" + PEM_END + "\n";
  }

  private static byte[] pkcs8(byte[] seed) {
    byte[] der = Arrays.copyOf(PKCS8_PREFIX, PKCS8_PREFIX.length + SEED_SIZE);
    System.arraycopy(seed, 0, der, PKCS8_PREFIX.length, SEED_SIZE);
    return der;
  }

  /** The public half. */
  public VerifyKey verifyKey() {
    return verifyKey;
  }

  /** The X25519 key to which content keys are granted. */
  public ReaderKey readerKey() {
    return ReaderKey.derive(seed);
  }

  /** Signs tag ‖ message; 64 bytes, the same every time. */
  public byte[] sign(Domain domain, byte[] message) {
    try {
      Signature signer = SIGNER.get();
      if (signer == null) {
        signer = Providers.ed25519();
        SIGNER.set(signer);
      }
      signer.initSign(key);
      signer.update(domain.unsafeTag());
      signer.update(message);
      return signer.sign();
    } catch (GeneralSecurityException e) {
      throw new AssertionError("signing with a valid key cannot fail", e);
    }
  }

  @Override
  public String toString() {
    return "SigningKey[" + verifyKey + "]";
  }
}
