package holdfast.capsule;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.ProofException;
import java.util.Arrays;

/**
 * The graph entries of up to {@link #SIZE} records with consecutive arrival numbers, as parallel
 * arrays. Also a zone map: the least and the greatest claimed time in the block.
 *
 * <p>Stored as: u16 count ‖ u64 least time ‖ u64 greatest time, then per record: u16 writer ‖ u8
 * flags ‖ varint rank+1 (rotated so that small ranks are short) ‖ varint distance to next hop ‖
 * varint number of pointers ‖ varint per pointer, arrival minus target, zigzag, 0 for a missing one
 * ‖ for a record below the final heads of a succession: varint distance to the next hop towards
 * them, zigzag, 0 for a final head.
 */
final class GraphBlock {
  static final int SHIFT = 8;
  static final int SIZE = 1 << SHIFT;

  /** About what one takes in memory. */
  static final long MEMORY_BYTES = 8 << 10;

  /** Some present record points here. */
  static final int HAS_CHILD = 1;

  /** Some proven record points here. */
  static final int HAS_PROVEN_CHILD = 2;

  /** The body was erased by the owner. */
  static final int ERASED = 4;

  /** Some leaves were erased by the owner. */
  static final int PARTLY_ERASED = 8;

  /** An ancestor of the final heads of a succession, or one of them. */
  static final int FINAL = 16;

  /** Carries a signature, its own writer's or another's. */
  static final int SIGNED = 32;

  /** A pointer to a record that is not here. */
  static final long MISSING = -1;

  /** Whether it was changed since it was last written. */
  boolean dirty;

  int count;
  long leastTime = Long.MAX_VALUE;
  long greatestTime;
  final short[] writer = new short[SIZE];
  final byte[] flags = new byte[SIZE];
  final int[] rank = new int[SIZE];
  final long[] hop = new long[SIZE];
  final int[] pointerStart = new int[SIZE + 1];
  long[] pointers = new long[SIZE];

  /** The next hop towards a final head, where {@link #FINAL} is set; few capsules are closed. */
  private long[] finalHop = new long[0];

  int add(int writerIndex, long time, long[] targets) {
    int at = count++;
    leastTime = Math.min(leastTime, time);
    greatestTime = Math.max(greatestTime, time);
    writer[at] = (short) writerIndex;
    rank[at] = Witness.UNPROVEN;
    int start = pointerStart[at];
    int end = start + targets.length;
    if (end > pointers.length) {
      pointers = Arrays.copyOf(pointers, Math.max(end, 2 * pointers.length));
    }
    System.arraycopy(targets, 0, pointers, start, targets.length);
    pointerStart[at + 1] = end;
    return at;
  }

  int writer(int at) {
    return writer[at] & 0xFFFF;
  }

  boolean has(int at, int flag) {
    return (flags[at] & flag) != 0;
  }

  /** Notes the record, by arrival number, that leads from this one towards a final head. */
  void makeFinal(int at, long towards) {
    if (finalHop.length == 0) {
      finalHop = new long[SIZE];
    }
    flags[at] |= FINAL;
    finalHop[at] = towards;
  }

  long finalHop(int at) {
    return finalHop[at];
  }

  byte[] encode(long first) {
    byte[] out = new byte[18 + count * 34 + 10 * pointerStart[count]];
    int size = header(out);
    for (int i = 0; i < count; i++) {
      out[size++] = (byte) (writer[i] >>> 8);
      out[size++] = (byte) writer[i];
      out[size++] = flags[i];
      size = varint(out, size, Integer.toUnsignedLong(Integer.rotateLeft(rank[i] + 1, 1)));
      boolean hopped = rank[i] != Witness.UNPROVEN && (rank[i] & ~Witness.VOUCHED) != 0;
      size = varint(out, size, hopped ? zigzag(hop[i] - (first + i)) : 0);
      size = varint(out, size, pointerStart[i + 1] - pointerStart[i]);
      for (int p = pointerStart[i]; p < pointerStart[i + 1]; p++) {
        size = varint(out, size, pointers[p] == MISSING ? 0 : zigzag(first + i - pointers[p]));
      }
      if (has(i, FINAL)) {
        size = varint(out, size, zigzag(finalHop[i] - (first + i)));
      }
    }
    return Arrays.copyOf(out, size);
  }

  private int header(byte[] out) {
    byte[] head =
        new Encoder(18).u16(count).u64(count == 0 ? 0 : leastTime).u64(greatestTime).toBytes();
    System.arraycopy(head, 0, out, 0, head.length);
    return head.length;
  }

  static GraphBlock decode(byte[] bytes, long first) throws ProofException {
    Decoder in = new Decoder(bytes, "graph block");
    GraphBlock block = new GraphBlock();
    block.count = in.u16();
    if (block.count > SIZE) {
      throw in.malformed("holds " + block.count + " records");
    }
    block.leastTime = in.u64();
    block.greatestTime = in.u64();
    for (int i = 0; i < block.count; i++) {
      block.writer[i] = (short) in.u16();
      block.flags[i] = (byte) in.u8();
      block.rank[i] = Integer.rotateRight((int) varint(in), 1) - 1;
      block.hop[i] = first + i + unzigzag(varint(in));
      int pointers = (int) varint(in);
      int start = block.pointerStart[i];
      if (pointers < 0 || pointers > in.remaining()) {
        throw in.malformed("claims " + pointers + " pointers");
      }
      int end = start + pointers;
      if (end > block.pointers.length) {
        block.pointers = Arrays.copyOf(block.pointers, Math.max(end, 2 * block.pointers.length));
      }
      for (int p = start; p < end; p++) {
        long delta = varint(in);
        block.pointers[p] = delta == 0 ? MISSING : first + i - unzigzag(delta);
      }
      block.pointerStart[i + 1] = end;
      if (block.has(i, FINAL)) {
        block.makeFinal(i, first + i + unzigzag(varint(in)));
      }
    }
    in.end();
    return block;
  }

  private static long zigzag(long value) {
    return value << 1 ^ value >> 63;
  }

  private static long unzigzag(long value) {
    return value >>> 1 ^ -(value & 1);
  }

  private static int varint(byte[] out, int size, long value) {
    int at = size;
    long rest = value;
    while ((rest & ~0x7FL) != 0) {
      out[at++] = (byte) (rest | 0x80);
      rest >>>= 7;
    }
    out[at++] = (byte) rest;
    return at;
  }

  private static long varint(Decoder in) throws ProofException {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      int next = in.u8();
      value |= (long) (next & 0x7F) << shift;
      if ((next & 0x80) == 0) {
        return value;
      }
    }
    throw in.malformed("holds a number that never ends");
  }
}
