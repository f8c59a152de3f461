package holdfast.sync;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.ProofException;
import java.util.Arrays;
import java.util.BitSet;

/**
 * The encoding of n bits: ⌈n/8⌉ bytes, bit i being bit i mod 8 of byte i/8; what is left of the
 * last byte is zero.
 */
final class Bits {
  private Bits() {}

  static void write(BitSet bits, int count, Encoder out) {
    out.raw(Arrays.copyOf(bits.toByteArray(), (count + 7) / 8));
  }

  static BitSet read(Decoder in, int count) throws ProofException {
    BitSet bits = BitSet.valueOf(in.raw((count + 7) / 8));
    if (bits.length() > count) {
      throw in.malformed("has a bit for more than the " + count + " names it answers");
    }
    return bits;
  }

  /** Reads a byte that is 0 or 1. */
  static boolean flag(Decoder in) throws ProofException {
    int flag = in.u8();
    if (flag > 1) {
      throw in.malformed("has the flag " + flag + ", expected 0 or 1");
    }
    return flag == 1;
  }
}
