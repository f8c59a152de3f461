package holdfast.crypto;

import holdfast.base.Bytes;
import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import java.security.GeneralSecurityException;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A public key that verifies signatures: algorithm and key bytes.
 *
 * <p>Encoding: u8 algorithm (1 = Ed25519) ‖ u16 length ‖ key. Text: {@code ed25519:} and 64
 * hexadecimal digits. Points of small order are refused: a signature by one would verify for many
 * messages.
 */
public final class VerifyKey {
  /** The number of Ed25519 in the encoding. */
  public static final int ED25519 = 1;

  /** Bytes of an Ed25519 signature. */
  public static final int SIGNATURE_SIZE = 64;

  /** How a key begins when it is written for people. */
  public static final String TEXT_PREFIX = "ed25519:";

  private static final int KEY_SIZE = 32;
  private static final byte[] X509_PREFIX = HexFormat.of().parseHex("302a300506032b6570032100");

  /** The y-coordinates of the eight torsion points, sign bit cleared, canonical or not. */
  private static final Set<String> SMALL_ORDER =
      Set.of(
          "0000000000000000000000000000000000000000000000000000000000000000",
          "0100000000000000000000000000000000000000000000000000000000000000",
          "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
          "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
          "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
          "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
          "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");

  private static final ThreadLocal<@Nullable Signature> VERIFIER = new ThreadLocal<>();

  private final Bytes key;
  private volatile @Nullable PublicKey parsed;

  private VerifyKey(Bytes key) {
    this.key = key;
  }

  /** The Ed25519 key with these 32 bytes. */
  public static VerifyKey ed25519(byte[] key) throws ProofException {
    if (key.length != KEY_SIZE) {
      throw new ProofException(
          Violation.MALFORMED, "an Ed25519 key has 32 bytes, not " + key.length);
    }
    byte[] y = key.clone();
    y[31] &= 0x7F;
    if (SMALL_ORDER.contains(HexFormat.of().formatHex(y))) {
      throw new ProofException(Violation.MALFORMED, "the key is a point of small order");
    }
    return new VerifyKey(Bytes.copyOf(key));
  }

  /** Reads the encoding. */
  public static VerifyKey decode(Decoder in) throws ProofException {
    int algorithm = in.u8();
    if (algorithm != ED25519) {
      throw in.malformed("names the unknown signature algorithm " + algorithm);
    }
    return ed25519(in.bytes16(KEY_SIZE));
  }

  /** Parses the text form. */
  public static VerifyKey parse(String text) {
    if (!text.toLowerCase(Locale.ROOT).startsWith(TEXT_PREFIX)) {
      throw new IllegalArgumentException(
          "a key is written ed25519: and 64 hexadecimal digits, not " + text);
    }
    try {
      return ed25519(HexFormat.of().parseHex(text.substring(TEXT_PREFIX.length())));
    } catch (ProofException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }

  /** Appends the encoding. */
  public void encode(Encoder out) {
    out.u8(ED25519).bytes16(key.unsafeArray());
  }

  /** The 32 key bytes. */
  public Bytes bytes() {
    return key;
  }

  /**
   * Verifies a signature over tag ‖ message.
   *
   * @throws ProofException {@link Violation#BAD_SIGNATURE} when it does not verify
   */
  public void verify(Domain domain, byte[] message, byte[] signature) throws ProofException {
    if (!verifies(domain, message, signature)) {
      throw new ProofException(Violation.BAD_SIGNATURE, "the signature is not by the key " + this);
    }
  }

  /** Whether a signature over tag ‖ message verifies. */
  public boolean verifies(Domain domain, byte[] message, byte[] signature) {
    if (signature.length != SIGNATURE_SIZE) {
      return false;
    }
    try {
      Signature verifier = VERIFIER.get();
      if (verifier == null) {
        verifier = Providers.ed25519();
        VERIFIER.set(verifier);
      }
      verifier.initVerify(publicKey());
      verifier.update(domain.unsafeTag());
      verifier.update(message);
      return verifier.verify(signature);
    } catch (GeneralSecurityException e) {
      // Providers answer a malformed key or signature with an exception; both mean "no".
      return false;
    }
  }

  private PublicKey publicKey() throws GeneralSecurityException {
    PublicKey known = parsed;
    if (known == null) {
      byte[] encoded = new byte[X509_PREFIX.length + KEY_SIZE];
      System.arraycopy(X509_PREFIX, 0, encoded, 0, X509_PREFIX.length);
      System.arraycopy(key.unsafeArray(), 0, encoded, X509_PREFIX.length, KEY_SIZE);
      known = Providers.ed25519KeyFactory().generatePublic(new X509EncodedKeySpec(encoded));
      parsed = known;
    }
    return known;
  }

  /** The first eight hexadecimal digits, for people. */
  public String brief() {
    return key.toHex().substring(0, 8);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof VerifyKey k && key.equals(k.key);
  }

  @Override
  public int hashCode() {
    return key.hashCode();
  }

  @Override
  public String toString() {
    return TEXT_PREFIX + key.toHex();
  }
}
