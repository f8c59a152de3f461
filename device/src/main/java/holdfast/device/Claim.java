package holdfast.device;

import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a device says of the sequence numbers {@code first} to {@code last} of one queue: which of
 * them will never be sent and why; how many operations the others are, and the root of their tree.
 *
 * <p>Ranges and operations together are exactly the numbers from first to last. Encoding:
 * docs/edge-format.md, section 2.
 *
 * @param device the device's Ed25519 key, 32 bytes
 * @param incarnation names the queue, 16 bytes
 * @param ranges ascending, apart; two that touch have different reasons
 * @param root root of the tree over the operations, 32 bytes
 * @param origin what the incarnation goes on from; there exactly when the claim begins with 1
 */
public record Claim(
    Octets device,
    Octets incarnation,
    long first,
    long last,
    List<Range> ranges,
    int operations,
    Octets root,
    @Nullable Origin origin) {
  /** Bytes of a device's key. */
  public static final int KEY_SIZE = 32;

  /** Bytes of the name of a queue. */
  public static final int INCARNATION_SIZE = 16;

  /** Most operations, and most ranges, of one batch. */
  public static final int MAX_ITEMS = 4096;

  private static final Octets NO_ROOT = Octets.wrap(new byte[Tree.HASH_SIZE]);
  private static final int FIXED_SIZE =
      KEY_SIZE + INCARNATION_SIZE + 8 + 8 + 4 + 4 + Tree.HASH_SIZE;

  /** Checks the limits, and that the numbers add up. */
  public Claim {
    device.expect(KEY_SIZE, "a device's key");
    incarnation.expect(INCARNATION_SIZE, "an incarnation");
    root.expect(Tree.HASH_SIZE, "a root");
    ranges = List.copyOf(ranges);
    if ((first == 1) != (origin != null)) {
      throw new IllegalArgumentException(
          "a claim says what it goes on from exactly when it begins with 1");
    }
    if (first < 1 || last < first) {
      throw new IllegalArgumentException("a claim cannot cover " + first + " to " + last);
    }
    if (ranges.size() > MAX_ITEMS || operations < 0 || operations > MAX_ITEMS) {
      throw new IllegalArgumentException(
          "a claim has at most "
              + MAX_ITEMS
              + " ranges and operations, not "
              + ranges.size()
              + " and "
              + operations);
    }
    long left = last - first + 1;
    Range before = null;
    for (Range range : ranges) {
      // Compared with the range before, never with its last + 1: past 2^63 - 1 that is negative.
      boolean ascends = before == null ? range.first() >= first : range.first() > before.last();
      if (!ascends || range.last() > last || range.count() > left) {
        throw new IllegalArgumentException(
            "the range " + range + " overlaps another or lies outside of the claim");
      }
      if (before != null
          && range.first() - 1 == before.last()
          && range.reason() == before.reason()) {
        throw new IllegalArgumentException(
            "two ranges that touch have the same reason: " + before + ", " + range);
      }
      left -= range.count();
      before = range;
    }
    if (left != operations) {
      throw new IllegalArgumentException(
          "the claim covers "
              + (last - first + 1)
              + " numbers; its ranges leave "
              + left
              + ", and it has "
              + operations
              + " operations");
    }
    if (operations == 0 && !root.equals(NO_ROOT)) {
      throw new IllegalArgumentException("the root of no operations is 32 zero bytes");
    }
  }

  /** A claim of a first queue, or one that does not begin with 1. */
  public Claim(
      Octets device,
      Octets incarnation,
      long first,
      long last,
      List<Range> ranges,
      int operations,
      Octets root) {
    this(
        device,
        incarnation,
        first,
        last,
        ranges,
        operations,
        root,
        first == 1 ? Origin.FIRST : null);
  }

  /** Bytes of the encoding. */
  public int encodedSize() {
    return FIXED_SIZE + ranges.size() * Range.SIZE + (origin == null ? 0 : Origin.SIZE);
  }

  /** The encoding. */
  public byte[] encode() {
    byte[] bytes = new byte[encodedSize()];
    encode(ByteBuffer.wrap(bytes));
    return bytes;
  }

  void encode(ByteBuffer out) {
    out.put(device.unsafeArray()).put(incarnation.unsafeArray()).putLong(first).putLong(last);
    out.putInt(ranges.size());
    ranges.forEach(range -> range.encode(out));
    out.putInt(operations).put(root.unsafeArray());
    if (origin != null) {
      origin.encode(out);
    }
  }

  /** Reads one claim and nothing else. */
  public static Claim decode(byte[] bytes) throws MalformedException {
    Input in = new Input(bytes, "the claim");
    Claim claim = read(in);
    in.end();
    return claim;
  }

  static Claim read(Input in) throws MalformedException {
    Octets device = in.octets(KEY_SIZE);
    Octets incarnation = in.octets(INCARNATION_SIZE);
    long first = in.u64();
    long last = in.u64();
    int count = in.u32(MAX_ITEMS);
    if (count > in.remaining() / Range.SIZE) {
      throw in.malformed("announces " + count + " ranges and has no room for them");
    }
    Range[] ranges = new Range[count];
    for (int i = 0; i < count; i++) {
      ranges[i] = Range.read(in);
    }
    int operations = in.u32(MAX_ITEMS);
    Octets root = in.octets(Tree.HASH_SIZE);
    Origin origin = first == 1 ? Origin.read(in) : null;
    try {
      return new Claim(device, incarnation, first, last, List.of(ranges), operations, root, origin);
    } catch (IllegalArgumentException e) {
      throw in.malformed("is against a rule: " + e.getMessage());
    }
  }
}
