package holdfast.device;

import java.nio.file.Path;

/** How a device shows on whose behalf it speaks. */
public sealed interface EdgeLogin {
  /** The user's name. */
  String user();

  /** Name and password, sent over TLS with each request. */
  record Password(String user, String password) implements EdgeLogin {
    /** Checks that the name can be told from the password. */
    public Password {
      if (user.isEmpty() || user.contains(":")) {
        throw new IllegalArgumentException("a user's name is not empty and has no colon");
      }
    }

    @Override
    public String toString() {
      return "Password[user=" + user + "]";
    }
  }

  /**
   * A certificate and its private key.
   *
   * @param user the user that the certificate names
   * @param file a PKCS#12 or JKS key store
   * @param password of the store
   */
  record KeyFile(String user, Path file, String password) implements EdgeLogin {
    @Override
    public String toString() {
      return "KeyFile[user=" + user + ", file=" + file + "]";
    }
  }
}
