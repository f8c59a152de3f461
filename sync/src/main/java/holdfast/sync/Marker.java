package holdfast.sync;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import java.util.ArrayList;
import java.util.List;

/**
 * What one side keeps of its last complete round with a peer: the peer holds every entry before
 * {@code position}, and those in {@code held} beyond it. Both sides keep the same {@code round}; if
 * they do not, one of them has lost something, and both begin at nothing.
 *
 * @param round identifies the round that both sides completed
 * @param position everything before it is with the peer
 * @param held ranges of later positions that are with the peer too; ascending, apart
 */
public record Marker(Hash round, long position, List<Range> held) {
  /** Before the first round: nothing is known of the peer. */
  public static final Marker NONE = new Marker(Hash.ZERO, 0, List.of());

  /** Ranges kept at most; what would be more is told to the peer again. */
  public static final int RANGES = 4096;

  /** Positions {@code from} to {@code to - 1}. */
  public record Range(long from, long to) {}

  /** Copies the ranges. */
  public Marker {
    held = List.copyOf(held);
  }

  /** Whether the peer is known to hold the entry at a position. */
  public boolean covers(long at) {
    if (at < position) {
      return true;
    }
    int low = 0;
    int high = held.size() - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      Range range = held.get(middle);
      if (at < range.from()) {
        high = middle - 1;
      } else if (at >= range.to()) {
        low = middle + 1;
      } else {
        return true;
      }
    }
    return false;
  }

  /** The marker after a round in which the peer was found to hold these later positions too. */
  static Marker after(Hash round, long began, long[] alsoHeld) {
    long position = began;
    List<Range> held = new ArrayList<>();
    for (long at : alsoHeld) {
      Range last = held.isEmpty() ? null : held.getLast();
      if (at < position) {
        continue;
      }
      if (at == position && last == null) {
        position++;
      } else if (last != null && last.to() == at) {
        held.set(held.size() - 1, new Range(last.from(), at + 1));
      } else if (held.size() < RANGES) {
        held.add(new Range(at, at + 1));
      }
    }
    return new Marker(round, position, held);
  }

  /** Encodes the marker for keeping. */
  public byte[] encode() {
    Encoder out = new Encoder();
    out.hash(round).u64(position).u32(held.size());
    held.forEach(range -> out.u64(range.from()).u64(range.to()));
    return out.toBytes();
  }

  /** Reads what {@link #encode} wrote. */
  public static Marker decode(byte[] bytes) throws ProofException {
    Decoder in = new Decoder(bytes, "marker");
    Hash round = in.hash();
    long position = in.u64();
    List<Range> held = new ArrayList<>();
    for (int left = in.u32(RANGES); left > 0; left--) {
      held.add(new Range(in.u64(), in.u64()));
    }
    in.end();
    return new Marker(round, position, held);
  }
}
