package holdfast.edge;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.ProofException;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/**
 * Makes leaves smaller before they are sealed; sealed, nothing can be compressed any more. The
 * first byte of a leaf tells whether it is compressed: docs/edge-format.md, section 4.
 */
final class Compression {
  private static final int COMPRESSED = 0x80;

  /** Below this DEFLATE has nothing to gain and time to lose. */
  private static final int WORTHWHILE = 192;

  /** Each holds memory outside of the heap that takes longer to get than a leaf to compress. */
  private static final ArrayBlockingQueue<Deflater> SPARE = new ArrayBlockingQueue<>(4);

  private Compression() {}

  /** The leaf, compressed if that makes it smaller. */
  static byte[] wrap(byte[] plain) {
    if (plain.length < WORTHWHILE) {
      return plain;
    }
    Deflater spare = SPARE.poll();
    Deflater deflater = spare == null ? new Deflater(Deflater.BEST_SPEED, true) : spare;
    try {
      deflater.setInput(plain, 1, plain.length - 1);
      deflater.finish();
      // One byte less than what would be no gain.
      byte[] out = new byte[plain.length - 1 - 4];
      int size = deflater.deflate(out, 0, out.length);
      if (!deflater.finished()) {
        return plain;
      }
      return new Encoder(size + 5)
          .u8((plain[0] & 0xFF) | COMPRESSED)
          .u32(plain.length - 1)
          .raw(out, 0, size)
          .toBytes();
    } finally {
      deflater.reset();
      if (!SPARE.offer(deflater)) {
        deflater.end();
      }
    }
  }

  /** The leaf as it was before it was compressed. */
  static byte[] unwrap(byte[] leaf) throws ProofException {
    if (leaf.length == 0 || (leaf[0] & COMPRESSED) == 0) {
      return leaf;
    }
    Decoder in = new Decoder(leaf, "a compressed leaf of an edge");
    int kind = in.u8() & ~COMPRESSED;
    int size = in.u32(EdgeLeaf.MAX_BYTES);
    // DEFLATE makes nothing smaller than by a factor of 1032, so a size beyond is a lie.
    if (size > 1032L * in.remaining()) {
      throw in.malformed("promises " + size + " bytes, which so few cannot hold");
    }
    byte[] plain = new byte[1 + size];
    plain[0] = (byte) kind;
    Inflater inflater = new Inflater(true);
    try {
      int length = in.remaining();
      inflater.setInput(leaf, in.skip(length), length);
      int got = 0;
      while (got < size && !inflater.finished()) {
        int more = inflater.inflate(plain, 1 + got, size - got);
        if (more == 0 && !inflater.finished()) {
          throw in.malformed("ends early: " + size + " bytes expected, " + got + " found");
        }
        got += more;
      }
      // The stream has to say itself that it ends here.
      int beyond = inflater.finished() ? 0 : inflater.inflate(new byte[1]);
      if (got != size || beyond != 0 || !inflater.finished() || inflater.getRemaining() != 0) {
        throw in.malformed("does not hold exactly " + size + " bytes");
      }
      return plain;
    } catch (DataFormatException e) {
      throw in.malformed("is not DEFLATE");
    } finally {
      inflater.end();
    }
  }
}
