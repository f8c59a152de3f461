package holdfast.crypto;

import com.amazon.corretto.crypto.provider.AmazonCorrettoCryptoProvider;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.Provider;
import java.security.Security;
import java.security.Signature;
import javax.crypto.Cipher;
import org.jspecify.annotations.Nullable;

/** Chooses who computes: the Corretto provider where it loads, the JDK otherwise. */
public final class Providers {
  private static final @Nullable Provider FAST = loadFast();

  private Providers() {}

  private static @Nullable Provider loadFast() {
    if (Boolean.getBoolean("holdfast.jdkCrypto")) {
      return null;
    }
    try {
      AmazonCorrettoCryptoProvider provider = AmazonCorrettoCryptoProvider.INSTANCE;
      if (provider.getLoadingError() != null) {
        return null;
      }
      // A provider that cannot do both is not used at all, so that behaviour is uniform.
      Signature.getInstance("Ed25519", provider);
      Cipher.getInstance("AES/GCM/NoPadding", provider);
      return provider;
    } catch (GeneralSecurityException | LinkageError e) {
      return null;
    }
  }

  /** Name and version of the provider that signs and seals, for status output. */
  public static String description() {
    Provider provider = FAST;
    return provider == null
        ? "JDK " + Runtime.version()
        : provider.getName() + " " + provider.getVersionStr();
  }

  /** The JDK's key factory; the other provider registers none, and takes the JDK's keys. */
  static KeyFactory ed25519KeyFactory() throws GeneralSecurityException {
    return KeyFactory.getInstance("Ed25519", "SunEC");
  }

  static Signature ed25519() throws GeneralSecurityException {
    return FAST == null ? Signature.getInstance("Ed25519") : Signature.getInstance("Ed25519", FAST);
  }

  static Cipher aesGcm() throws GeneralSecurityException {
    return FAST == null
        ? Cipher.getInstance("AES/GCM/NoPadding")
        : Cipher.getInstance("AES/GCM/NoPadding", FAST);
  }

  /** The JDK's own provider of SHA-256, whatever else is installed. */
  static Provider jdkDigests() {
    return Security.getProvider("SUN");
  }
}
