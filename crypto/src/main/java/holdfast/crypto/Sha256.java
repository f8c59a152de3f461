package holdfast.crypto;

import holdfast.base.Hash;
import java.security.DigestException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import org.jspecify.annotations.Nullable;

/**
 * SHA-256 with a domain tag in front. One instance per thread, reached through {@link #get}; no
 * allocation besides the {@link Hash} returned.
 */
public final class Sha256 {
  private static final ThreadLocal<@Nullable Sha256> LOCAL = new ThreadLocal<>();

  private final MessageDigest digest;
  private final byte[] out = new byte[Hash.SIZE];
  private final byte[] pair = new byte[Domain.TAG_SIZE + 2 * Hash.SIZE];

  private Sha256() {
    try {
      digest = MessageDigest.getInstance("SHA-256", Providers.jdkDigests());
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
    Domain.NODE.write(pair, 0);
  }

  /** This thread's instance. */
  public static Sha256 get() {
    Sha256 local = LOCAL.get();
    if (local == null) {
      local = new Sha256();
      LOCAL.set(local);
    }
    return local;
  }

  /** Hash of tag ‖ input. */
  public Hash hash(Domain domain, byte[] input) {
    return hash(domain, input, 0, input.length);
  }

  /** Hash of tag ‖ a part of an array. */
  public Hash hash(Domain domain, byte[] input, int offset, int length) {
    digest.update(domain.unsafeTag());
    digest.update(input, offset, length);
    return finish();
  }

  /** Merkle node: hash of the node tag ‖ left ‖ right. */
  public Hash node(Hash left, Hash right) {
    left.write(pair, Domain.TAG_SIZE);
    right.write(pair, Domain.TAG_SIZE + Hash.SIZE);
    digest.update(pair);
    return finish();
  }

  /** Plain SHA-256 of a part of an array, written to {@code to}; for checksums of files. */
  public void plain(byte[] input, int offset, int length, byte[] to, int toOffset) {
    digest.update(input, offset, length);
    try {
      digest.digest(to, toOffset, Hash.SIZE);
    } catch (DigestException e) {
      throw new AssertionError("the buffer has room for 32 bytes", e);
    }
  }

  private Hash finish() {
    try {
      digest.digest(out, 0, Hash.SIZE);
    } catch (DigestException e) {
      throw new AssertionError("the buffer has 32 bytes", e);
    }
    return Hash.read(out, 0);
  }
}
