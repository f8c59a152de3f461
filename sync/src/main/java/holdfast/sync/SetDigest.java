package holdfast.sync;

import holdfast.base.Hash;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * A digest of a set of names that does not depend on their order: the sum modulo 2<sup>256</sup> of
 * SHA-256(tag ‖ salt ‖ name), and their number.
 *
 * <p>Such sums are AdHash (Bellare and Micciancio, "A New Paradigm for Collision-Free Hashing",
 * EUROCRYPT 1997). With a salt known beforehand, two sets of equal sum could be made by the
 * generalised birthday attack (Wagner, CRYPTO 2002); so the salt must be fresh, and of both sides,
 * once the sets are fixed.
 */
public final class SetDigest {
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  private final Hash salt;
  private final byte[] input = new byte[2 * Hash.SIZE];
  private final byte[] item = new byte[Hash.SIZE];
  // Most significant first.
  private final long[] sum = new long[4];
  private long count;

  /** The digest of the empty set. */
  public SetDigest(Hash salt) {
    this.salt = salt;
    salt.write(input, 0);
  }

  /** Adds a name, which must not be in the set yet. */
  public void add(Hash name) {
    hash(name);
    addItem();
    count++;
  }

  /** Adds names, none of which may be in the set yet. */
  public void addAll(Iterable<Hash> names) {
    names.forEach(this::add);
  }

  /** Takes out a name, which must be in the set. */
  public void subtract(Hash name) {
    hash(name);
    // The negative of a number in two's complement is its complement and one.
    long carry = 1;
    for (int i = 3; i >= 0; i--) {
      long word = ~(long) LONG.get(item, 8 * i);
      LONG.set(item, 8 * i, word + carry);
      carry = word == -1L ? carry : 0;
    }
    addItem();
    count--;
  }

  /**
   * The digest of the union with a set that has no name in common with this one.
   *
   * @throws IllegalArgumentException if the other digest has another salt
   */
  public SetDigest plus(SetDigest other) {
    if (!salt.equals(other.salt)) {
      throw new IllegalArgumentException("digests under different salts cannot be added");
    }
    SetDigest both = new SetDigest(salt);
    sum().write(both.item, 0);
    both.addItem();
    other.sum().write(both.item, 0);
    both.addItem();
    both.count = count + other.count;
    return both;
  }

  /** Number of names. */
  public long count() {
    return count;
  }

  /** The sum, as 32 big-endian bytes. */
  public Hash sum() {
    byte[] bytes = new byte[Hash.SIZE];
    for (int i = 0; i < 4; i++) {
      LONG.set(bytes, 8 * i, sum[i]);
    }
    return Hash.of(bytes);
  }

  private void hash(Hash name) {
    name.write(input, Hash.SIZE);
    Sha256.get().hash(Domain.SET_ITEM, input).write(item, 0);
  }

  private void addItem() {
    long carry = 0;
    for (int i = 3; i >= 0; i--) {
      long term = (long) LONG.get(item, 8 * i);
      long partial = sum[i] + term;
      long total = partial + carry;
      boolean over =
          Long.compareUnsigned(partial, term) < 0 || Long.compareUnsigned(total, partial) < 0;
      sum[i] = total;
      carry = over ? 1 : 0;
    }
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof SetDigest d
        && salt.equals(d.salt)
        && count == d.count
        && sum().equals(d.sum());
  }

  @Override
  public int hashCode() {
    return Long.hashCode(sum[3]);
  }

  @Override
  public String toString() {
    return count + " names, " + sum().brief();
  }
}
