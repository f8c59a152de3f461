package holdfast.crypto;

import java.security.GeneralSecurityException;
import java.util.Arrays;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** HKDF with SHA-256 (RFC 5869), for outputs of exactly 32 bytes. */
public final class Hkdf {
  private static final int SIZE = 32;

  private Hkdf() {}

  /** An HMAC-SHA-256 of the JDK, keyed; not safe for use by several threads. */
  static Mac hmac(byte[] key) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256", "SunJCE");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac;
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every JDK has HMAC-SHA-256", e);
    }
  }

  /** Extract: HMAC(salt, input keying material). An empty salt stands for 32 zero bytes. */
  public static byte[] extract(byte[] salt, byte[] ikm) {
    return hmac(salt.length == 0 ? new byte[SIZE] : salt).doFinal(ikm);
  }

  /** Expand to 32 bytes: HMAC(prk, tag ‖ info ‖ 0x01). */
  public static byte[] expand(byte[] prk, Domain domain, byte[] info) {
    return new Expander(prk).expand(domain, info);
  }

  /** Extract, then expand to 32 bytes. */
  public static byte[] derive(byte[] salt, byte[] ikm, Domain domain, byte[] info) {
    byte[] prk = extract(salt, ikm);
    byte[] out = expand(prk, domain, info);
    Arrays.fill(prk, (byte) 0);
    return out;
  }

  /** Expands one pseudorandom key many times. Not safe for use by several threads. */
  public static final class Expander {
    private final Mac mac;

    /** An expander of this pseudorandom key. */
    public Expander(byte[] prk) {
      this.mac = hmac(prk);
    }

    /** HMAC(prk, tag ‖ info ‖ 0x01): the first 32 bytes of HKDF-Expand. */
    public byte[] expand(Domain domain, byte[] info) {
      mac.update(domain.unsafeTag());
      mac.update(info);
      mac.update((byte) 1);
      return mac.doFinal();
    }
  }
}
