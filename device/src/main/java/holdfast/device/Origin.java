package holdfast.device;

import java.nio.ByteBuffer;

/**
 * What an incarnation goes on from, as the device says it in the claim that begins with number 1.
 * So an edge cannot leave out the end of an older count unseen.
 *
 * @param before the incarnation before it, 16 bytes; zero where there is none, or none is known
 * @param last how far that one has counted: what came after it goes on here
 */
public record Origin(Kind kind, Octets before, long last) {
  /** What a device knows of the incarnation before. */
  public enum Kind {
    /** There was none, as far as the device knows. */
    FIRST(0),
    /** It ends with {@code last}. */
    CONTINUES(1),
    /** It has {@code last} at least: the device has lost numbers that an edge has taken. */
    CONTINUES_AT_LEAST(2),
    /** There was one, and nothing else is known: the queue could not be read. */
    UNKNOWN(3);

    private final int number;

    Kind(int number) {
      this.number = number;
    }
  }

  static final int SIZE = 1 + Claim.INCARNATION_SIZE + 8;

  private static final Octets NONE = Octets.wrap(new byte[Claim.INCARNATION_SIZE]);

  /** Nothing before. */
  public static final Origin FIRST = new Origin(Kind.FIRST, NONE, 0);

  /** Something before, of which nothing is known. */
  public static final Origin UNKNOWN = new Origin(Kind.UNKNOWN, NONE, 0);

  /** Checks that there is an incarnation where one is spoken of. */
  public Origin {
    before.expect(Claim.INCARNATION_SIZE, "an incarnation");
    boolean names = kind == Kind.CONTINUES || kind == Kind.CONTINUES_AT_LEAST;
    if (last < 0 || (!names && (last != 0 || !before.equals(NONE)))) {
      throw new IllegalArgumentException(kind + " cannot go on from " + before + ", " + last);
    }
  }

  void encode(ByteBuffer out) {
    out.put((byte) kind.number).put(before.unsafeArray()).putLong(last);
  }

  static Origin read(Input in) throws MalformedException {
    int kind = in.u8();
    Octets before = in.octets(Claim.INCARNATION_SIZE);
    long last = in.u64();
    try {
      return switch (kind) {
        case 0 -> new Origin(Kind.FIRST, before, last);
        case 1 -> new Origin(Kind.CONTINUES, before, last);
        case 2 -> new Origin(Kind.CONTINUES_AT_LEAST, before, last);
        case 3 -> new Origin(Kind.UNKNOWN, before, last);
        default -> throw in.malformed("goes on from something unknown: " + kind);
      };
    } catch (IllegalArgumentException e) {
      throw in.malformed("is against a rule: " + e.getMessage());
    }
  }
}
