package holdfast.crypto;

import holdfast.base.ProofException;
import holdfast.base.Violation;
import java.security.GeneralSecurityException;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * AES-256-GCM with a counter as nonce (NIST SP 800-38D, section 8.2.1). One instance per thread.
 * The caller sees to it that a key never seals two texts under one counter.
 */
public final class Aead {
  /** Bytes by which sealing lengthens a text. */
  public static final int TAG_SIZE = 16;

  private static final int TAG_BITS = 8 * TAG_SIZE;
  private static final int NONCE_SIZE = 12;

  private final Cipher cipher;
  private final byte[] nonce = new byte[NONCE_SIZE];

  /** A cipher of the chosen provider. */
  public Aead() {
    try {
      cipher = Providers.aesGcm();
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every JDK has AES-GCM", e);
    }
  }

  /** Wraps 32 key bytes. */
  public static SecretKey key(byte[] bytes) {
    if (bytes.length != 32) {
      throw new IllegalArgumentException("an AES-256 key has 32 bytes, not " + bytes.length);
    }
    return new SecretKeySpec(bytes, "AES");
  }

  private GCMParameterSpec nonce(int counter) {
    nonce[8] = (byte) (counter >>> 24);
    nonce[9] = (byte) (counter >>> 16);
    nonce[10] = (byte) (counter >>> 8);
    nonce[11] = (byte) counter;
    return new GCMParameterSpec(TAG_BITS, nonce);
  }

  /** Seals into {@code out} at {@code outOffset}: as many bytes as the text has, and the tag. */
  public void seal(
      SecretKey key,
      int counter,
      byte[] aad,
      byte[] text,
      int offset,
      int length,
      byte[] out,
      int outOffset) {
    try {
      cipher.init(Cipher.ENCRYPT_MODE, key, nonce(counter));
      cipher.updateAAD(aad);
      cipher.doFinal(text, offset, length, out, outOffset);
    } catch (GeneralSecurityException e) {
      throw new AssertionError("sealing with a valid key cannot fail", e);
    }
  }

  /** Opens what {@link #seal} made; {@link Violation#BAD_SEAL} when anything differs. */
  public byte[] open(SecretKey key, int counter, byte[] aad, byte[] sealed, int offset, int length)
      throws ProofException {
    if (length < TAG_SIZE) {
      throw new ProofException(
          Violation.BAD_SEAL, "a sealed text has 16 bytes or more, not " + length);
    }
    try {
      cipher.init(Cipher.DECRYPT_MODE, key, nonce(counter));
      cipher.updateAAD(aad);
      return cipher.doFinal(sealed, offset, length);
    } catch (AEADBadTagException e) {
      throw new ProofException(
          Violation.BAD_SEAL,
          "the ciphertext does not open with this key: it was altered, or sealed with another",
          e);
    } catch (GeneralSecurityException e) {
      throw new AssertionError("opening with a valid key fails only on a bad tag", e);
    }
  }
}
