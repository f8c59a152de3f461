package holdfast.capsule;

import holdfast.base.Hash;
import holdfast.crypto.Domain;
import holdfast.crypto.Hkdf;
import holdfast.crypto.Secret;
import java.nio.ByteBuffer;

/**
 * The key that readers of a capsule share, of one epoch. Servers never see it. A new epoch shuts
 * out readers that are not granted its key.
 */
public record ContentKey(int epoch, Secret secret) {
  /** Bytes of a content key. */
  public static final int SIZE = 32;

  /** Checks the size. */
  public ContentKey {
    if (epoch < 0 || secret.size() != SIZE) {
      throw new IllegalArgumentException("a content key has an epoch of 0 or more and 32 bytes");
    }
  }

  byte[] sessionKey(Hash capsule, byte[] salt) {
    byte[] info = ByteBuffer.allocate(Hash.SIZE + 4).put(capsule.toBytes()).putInt(epoch).array();
    byte[] secretBytes = secret.expose();
    byte[] key = Hkdf.derive(salt, secretBytes, Domain.SESSION_KEY, info);
    java.util.Arrays.fill(secretBytes, (byte) 0);
    return key;
  }
}
