package holdfast.sync;

import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import java.math.BigInteger;

/** Sum modulo 2^256 of SHA-256(tag ‖ salt ‖ name) over the names of a set. */
public final class SetDigest {
  private static final BigInteger MODULUS = BigInteger.ONE.shiftLeft(256);
  private final Hash salt;
  private BigInteger sum = BigInteger.ZERO;

  SetDigest(Hash salt) {
    this.salt = salt;
  }

  private BigInteger term(Hash name) {
    byte[] input = new Encoder(64).hash(salt).hash(name).toBytes();
    return new BigInteger(1, Sha256.get().hash(Domain.ROUND_SALT, input).toBytes());
  }

  void add(Hash name) {
    sum = sum.add(term(name)).mod(MODULUS);
  }

  void subtract(Hash name) {
    sum = sum.subtract(term(name)).mod(MODULUS);
  }

  SetDigest copy() {
    SetDigest same = new SetDigest(salt);
    same.sum = sum;
    return same;
  }

  byte[] toBytes() {
    byte[] all = new byte[32];
    byte[] bytes = sum.toByteArray();
    int length = Math.min(32, bytes.length);
    System.arraycopy(bytes, bytes.length - length, all, 32 - length, length);
    return all;
  }
}
