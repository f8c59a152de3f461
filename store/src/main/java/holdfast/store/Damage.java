package holdfast.store;

import holdfast.base.Decoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import org.jspecify.annotations.Nullable;

/**
 * What is wrong with a stored record.
 *
 * @param capsule the capsule's number
 * @param arrival the record's arrival number; {@link #WHOLE_CAPSULE} when nothing of the capsule
 *     can be read
 * @param name the record's name; null when it is not known any more
 * @param what in plain words, for people
 * @param foundMillis when it was found
 */
public record Damage(
    int capsule, long arrival, @Nullable Hash name, Part part, String what, long foundMillis) {
  /** The arrival number that stands for all of a capsule. */
  public static final long WHOLE_CAPSULE = -1;

  /** What of a record is damaged, worst first. */
  public enum Part {
    /** The header: nothing of the record can be read, nor anything proven through it. */
    HEADER(0),
    /** What the store has noted about it: its name, backpointers, or the way to prove it. */
    GRAPH(1),
    /** Its signature: nothing can be proven from it. */
    SIGNATURE(2),
    /** The body or the tree above it; the header is sound and goes on proving others. */
    BODY(3);

    private final int number;

    Part(int number) {
      this.number = number;
    }

    /** The number in a note. */
    int number() {
      return number;
    }

    static Part read(Decoder in) throws ProofException {
      return switch (in.u8()) {
        case 0 -> HEADER;
        case 1 -> GRAPH;
        case 2 -> SIGNATURE;
        case 3 -> BODY;
        default -> throw in.malformed("names an unknown part");
      };
    }

    /** Whether a proof may not lead through such a record. */
    public boolean breaksProofs() {
      return this != BODY;
    }

    /** Whether an intact copy of the record mends it; the record graph is made of more than it. */
    public boolean mendedByCopy() {
      return this != GRAPH;
    }

    /** Whether leaves and bodies of such a record are refused. */
    public boolean hidesBody() {
      return this == HEADER || this == BODY;
    }
  }
}
