package holdfast.capsule;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A record as it travels: header, what became of the body, and the body where it is there.
 *
 * <p>Encoding: header ‖ u8 state ‖ u32 length and body, the last two only for {@link State#WHOLE}
 * and {@link State#PARTLY_ERASED}.
 *
 * @param body the leaves; absent for the other two states
 */
public record Record(RecordHeader header, State state, @Nullable Body body) {
  /** What became of the body. */
  public enum State {
    /** All leaves are here. */
    WHOLE(0),
    /** The body was not asked for. */
    HEADER_ONLY(1),
    /** The owner had the body erased. */
    ERASED(2),
    /** The owner had some leaves erased. */
    PARTLY_ERASED(3);

    private final int number;

    State(int number) {
      this.number = number;
    }

    /** The number in the encoding. */
    public int number() {
      return number;
    }

    static State read(Decoder in) throws ProofException {
      return switch (in.u8()) {
        case 0 -> WHOLE;
        case 1 -> HEADER_ONLY;
        case 2 -> ERASED;
        case 3 -> PARTLY_ERASED;
        default -> throw in.malformed("has an unknown body state");
      };
    }

    /** Whether the owner had the body, or leaves of it, erased. */
    public boolean bodyGone() {
      return this == ERASED || this == PARTLY_ERASED;
    }

    /** Whether a body follows. */
    public boolean hasBody() {
      return this == WHOLE || this == PARTLY_ERASED;
    }
  }

  /** Checks that body and state agree. */
  public Record {
    if (state.hasBody() != (body != null)) {
      throw new IllegalArgumentException("a record in state " + state + " and its body disagree");
    }
  }

  /** A record with its whole body. */
  public static Record whole(RecordHeader header, Body body) {
    return new Record(header, State.WHOLE, body);
  }

  /** The record's name. */
  public Hash name() {
    return header.name();
  }

  /** Bytes of the encoding. */
  public int encodedSize() {
    return header.size() + 1 + (body == null ? 0 : 4 + body.unsafeBytes().length);
  }

  /** Appends the encoding. */
  public void encode(Encoder out) {
    out.raw(header.unsafeBytes()).u8(state.number());
    if (body != null) {
      out.bytes32(body.unsafeBytes());
    }
  }

  /** The encoding of several records, one behind the other. */
  public static byte[] encodeAll(List<Record> records) {
    int size = 0;
    for (Record record : records) {
      size = Math.addExact(size, record.encodedSize());
    }
    Encoder out = new Encoder(size);
    for (Record record : records) {
      record.encode(out);
    }
    return out.toBytes();
  }

  /** Reads the record at the decoder's position; checks nothing but the form. */
  public static Record read(byte[] buffer, Decoder in) throws ProofException {
    RecordHeader header = RecordHeader.read(buffer, in);
    State state = State.read(in);
    if (!state.hasBody()) {
      return new Record(header, state, null);
    }
    byte[] encoded = in.bytes32(Limits.BODY_BYTES + 4 * Limits.LEAVES);
    Body body = Body.decode(encoded, header.leafCount());
    if (body.whole() != (state == State.WHOLE)) {
      throw in.malformed("has a body that is not in the state it claims");
    }
    return new Record(header, state, body);
  }

  /** Reads records that fill all of {@code bytes}, at most {@code limit}. */
  public static List<Record> readAll(byte[] bytes, int limit) throws ProofException {
    Decoder in = new Decoder(bytes, "batch of records");
    List<Record> records = new ArrayList<>();
    while (in.remaining() > 0) {
      if (records.size() == limit) {
        throw in.malformed("holds more than " + limit + " records");
      }
      records.add(read(bytes, in));
    }
    return records;
  }

  /** Checks that this record is of the capsule and that its body, if any, is the committed one. */
  public void expect(Hash capsule, Hash expectedName) throws ProofException {
    header.expect(capsule, expectedName);
    if (body != null) {
      body.expect(header);
    }
  }

  /** What the owner has erased, by statements whose signatures have been verified. */
  public interface ErasedBodies {
    /** Whether the whole body of a record is erased. */
    boolean body(RecordHeader header);

    /** Whether one leaf is erased, by a statement about that leaf. */
    boolean leaf(Hash record, int leaf);
  }

  /**
   * Checks that whatever is missing of the body was erased by the owner: all of it at once, or each
   * missing leaf.
   *
   * @param erasures statements about this capsule whose signatures have been verified
   */
  public void expectErased(Collection<Statement.Erasure> erasures) throws ProofException {
    if (state == State.WHOLE) {
      return;
    }
    Set<Integer> leaves = new HashSet<>();
    for (Statement.Erasure erasure : erasures) {
      if (erasure.coversAll(header)) {
        return;
      }
      if (erasure.erased() instanceof Statement.Erased.OfLeaf(Hash record, int leaf)
          && record.equals(name())) {
        leaves.add(leaf);
      }
    }
    expectLeavesErased((record, leaf) -> leaves.contains(leaf));
  }

  /** The same, where statements are looked up. */
  public void expectErased(ErasedBodies erased) throws ProofException {
    if (state != State.WHOLE && !erased.body(header)) {
      expectLeavesErased(erased::leaf);
    }
  }

  private interface ErasedLeaves {
    boolean leaf(Hash record, int leaf);
  }

  private void expectLeavesErased(ErasedLeaves erased) throws ProofException {
    for (int leaf = 0; leaf < header.leafCount(); leaf++) {
      if ((body == null || body.erased(leaf)) && !erased.leaf(name(), leaf)) {
        throw new ProofException(
            Violation.MISSING,
            "record "
                + name().brief()
                + " comes without "
                + (body == null ? "its body" : "leaf " + leaf)
                + ", and no statement of the owner erases it");
      }
    }
  }
}
