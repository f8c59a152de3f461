package holdfast.crypto;

import holdfast.base.Bytes;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import java.util.HexFormat;
import java.util.Locale;
import org.bouncycastle.crypto.AsymmetricCipherKeyPair;
import org.bouncycastle.crypto.InvalidCipherTextException;
import org.bouncycastle.crypto.hpke.HPKE;
import org.bouncycastle.crypto.params.X25519PrivateKeyParameters;
import org.bouncycastle.crypto.params.X25519PublicKeyParameters;

/**
 * A reader's X25519 key pair, derived from the seed of its key file, to which content keys are
 * sealed with HPKE: base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM (RFC 9180).
 */
public final class ReaderKey {
  /** Bytes of an encapsulated key in front of the ciphertext. */
  public static final int ENCAPSULATION_SIZE = 32;

  private static final String TEXT_PREFIX = "x25519:";

  private final AsymmetricCipherKeyPair pair;
  private final PublicHalf publicHalf;

  private ReaderKey(X25519PrivateKeyParameters key) {
    X25519PublicKeyParameters pub = key.generatePublicKey();
    this.pair = new AsymmetricCipherKeyPair(pub, key);
    this.publicHalf = new PublicHalf(Bytes.wrap(pub.getEncoded()));
  }

  static ReaderKey derive(Secret seed) {
    byte[] scalar = Hkdf.derive(new byte[0], seed.expose(), Domain.READER_KEY, new byte[0]);
    return new ReaderKey(new X25519PrivateKeyParameters(scalar));
  }

  /** The public half, to be given to the owner. */
  public PublicHalf publicHalf() {
    return publicHalf;
  }

  /** Opens what was sealed to this key for the same context. */
  public byte[] open(byte[] sealed, byte[] context) throws ProofException {
    if (sealed.length < ENCAPSULATION_SIZE + Aead.TAG_SIZE) {
      throw new ProofException(Violation.BAD_SEAL, "the grant is too short to hold a key");
    }
    byte[] enc = java.util.Arrays.copyOf(sealed, ENCAPSULATION_SIZE);
    byte[] text = java.util.Arrays.copyOfRange(sealed, ENCAPSULATION_SIZE, sealed.length);
    try {
      return suite().open(enc, pair, Domain.GRANT_SEAL.tag(), context, text, null, null, null);
    } catch (InvalidCipherTextException | IllegalArgumentException | IllegalStateException e) {
      // The last is how a zero shared secret is reported: an encapsulated key of small order.
      throw new ProofException(
          Violation.BAD_SEAL, "the grant does not open with this reader key", e);
    }
  }

  static HPKE suite() {
    return new HPKE(
        HPKE.mode_base, HPKE.kem_X25519_SHA256, HPKE.kdf_HKDF_SHA256, HPKE.aead_AES_GCM256);
  }

  /** The public half of a reader key; text form {@code x25519:} and 64 hexadecimal digits. */
  public record PublicHalf(Bytes bytes) {
    /** Checks the size. */
    public PublicHalf {
      if (bytes.size() != 32) {
        throw new IllegalArgumentException("an X25519 key has 32 bytes, not " + bytes.size());
      }
    }

    /** Parses the text form. */
    public static PublicHalf parse(String text) {
      if (!text.toLowerCase(Locale.ROOT).startsWith(TEXT_PREFIX)) {
        throw new IllegalArgumentException(
            "a reader key is written x25519: and 64 hexadecimal digits, not " + text);
      }
      return new PublicHalf(
          Bytes.wrap(HexFormat.of().parseHex(text.substring(TEXT_PREFIX.length()))));
    }

    /** Seals a text to this key, bound to a context that must be given again to open it. */
    public byte[] seal(byte[] text, byte[] context) {
      HPKE suite = suite();
      try {
        byte[][] made =
            suite.seal(
                suite.deserializePublicKey(bytes.toArray()),
                Domain.GRANT_SEAL.tag(),
                context,
                text,
                null,
                null,
                null);
        byte[] sealed = java.util.Arrays.copyOf(made[1], ENCAPSULATION_SIZE + made[0].length);
        System.arraycopy(made[0], 0, sealed, ENCAPSULATION_SIZE, made[0].length);
        return sealed;
      } catch (IllegalStateException e) {
        throw new IllegalArgumentException("the reader key " + this + " is of small order", e);
      } catch (InvalidCipherTextException e) {
        throw new AssertionError("sealing cannot fail", e);
      }
    }

    @Override
    public String toString() {
      return TEXT_PREFIX + bytes.toHex();
    }
  }
}
