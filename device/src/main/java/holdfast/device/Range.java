package holdfast.device;

import java.nio.ByteBuffer;

/**
 * Operations that will not be sent, and why: u8 reason ‖ u64 first ‖ u64 last.
 *
 * @param first first sequence number, at least 1
 * @param last last sequence number, included
 */
public record Range(Reason reason, long first, long last) {
  static final int SIZE = 17;

  /** Checks that there is something in the range. */
  public Range {
    if (first < 1 || last < first) {
      throw new IllegalArgumentException("no range of sequence numbers: " + first + " to " + last);
    }
  }

  /** How many operations lie in it. */
  public long count() {
    return last - first + 1;
  }

  void encode(ByteBuffer out) {
    out.put((byte) reason.number()).putLong(first).putLong(last);
  }

  static Range read(Input in) throws MalformedException {
    Reason reason = Reason.of(in.u8(), in);
    long first = in.u64();
    long last = in.u64();
    if (first < 1 || last < first) {
      throw in.malformed("holds a range from " + first + " to " + last);
    }
    return new Range(reason, first, last);
  }
}
