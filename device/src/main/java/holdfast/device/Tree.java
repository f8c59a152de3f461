package holdfast.device;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;

/** The Merkle tree of a batch, in the shape of RFC 6962: no leaf is ever duplicated. */
final class Tree {
  static final int HASH_SIZE = 32;

  private Tree() {}

  /** The root over encoded operations, in their order; 32 zero bytes over none. */
  static Octets root(List<byte[]> operations) {
    int count = operations.size();
    if (count == 0) {
      return Octets.wrap(new byte[HASH_SIZE]);
    }
    MessageDigest sha = sha256();
    byte[][] level = new byte[count][];
    for (int i = 0; i < count; i++) {
      sha.update(Tag.LEAF.unsafeBytes());
      level[i] = sha.digest(operations.get(i));
    }
    while (count > 1) {
      for (int i = 0; i < count / 2; i++) {
        sha.update(Tag.NODE.unsafeBytes());
        sha.update(level[2 * i]);
        level[i] = sha.digest(level[2 * i + 1]);
      }
      if (count % 2 == 1) {
        level[count / 2] = level[count - 1];
      }
      count = (count + 1) / 2;
    }
    return Octets.wrap(level[0]);
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }
}
