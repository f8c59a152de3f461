package holdfast.client;

import holdfast.base.Bytes;
import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.ProofException;
import org.jspecify.annotations.Nullable;

/**
 * One change of a key, as it is kept in a leaf: u8 1 (put) or 2 (delete) ‖ u16 length and key ‖
 * value, which is the rest.
 *
 * @param value null for a deletion
 */
record Mutation(Bytes key, @Nullable Bytes value) {
  private static final int PUT = 1;
  private static final int DELETE = 2;

  byte[] encode() {
    Encoder out = new Encoder(key.size() + 16);
    out.u8(value == null ? DELETE : PUT).bytes16(key.unsafeArray());
    if (value != null) {
      out.raw(value);
    }
    return out.toBytes();
  }

  static Mutation decode(byte[] leaf) throws ProofException {
    Decoder in = new Decoder(leaf, "key-value leaf");
    int kind = in.u8();
    Bytes key = Bytes.wrap(in.bytes16(0xFFFF));
    Bytes value = Bytes.wrap(in.raw(in.remaining()));
    if (kind == PUT) {
      return new Mutation(key, value);
    }
    if (kind != DELETE || value.size() != 0) {
      throw in.malformed("is neither a put nor a deletion");
    }
    return new Mutation(key, null);
  }
}
