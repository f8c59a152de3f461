package holdfast.sim;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Record;
import java.util.ArrayList;
import java.util.List;

/**
 * The messages of a round as someone sees them who stands between the two sides: by
 * docs/protocol.md alone.
 */
final class Wire {
  static final int HELLO = 1;
  static final int STATEMENT_NAMES = 2;
  static final int STATEMENTS = 3;
  static final int READY = 4;
  static final int SINCE = 5;
  static final int DIFFERENCE = 6;
  static final int PUSH = 7;
  static final int PUSH_END = 9;
  static final int LATE = 10;
  static final int ENDS = 12;

  private static final int MANY = 1 << 20;

  private Wire() {}

  static int kind(byte[] message) {
    return message.length == 0 ? 0 : message[0];
  }

  /** The sender's share of the salt, in a HELLO. */
  static Hash salt(byte[] hello) throws ProofException {
    Decoder in = new Decoder(hello, "hello");
    in.skip(1 + 2 + 2 + Hash.SIZE);
    return in.hash();
  }

  /** What a push says. */
  record Push(int number, List<Record> records) {}

  static Push push(byte[] message) throws ProofException {
    Decoder in = new Decoder(message, "push");
    in.skip(1);
    int number = in.u32(Integer.MAX_VALUE);
    in.skip(1);
    return new Push(number, Record.readAll(in.bytes32(Integer.MAX_VALUE), MANY));
  }

  /** The records of a push that an honest side sends. */
  static List<Record> pushed(byte[] message) {
    try {
      return push(message).records();
    } catch (ProofException e) {
      throw new AssertionError("an honest side sent what nobody can read", e);
    }
  }

  /** A push, for those who forge them. */
  static byte[] push(int number, List<Record> records, List<byte[]> signatures) {
    Encoder out = new Encoder();
    out.u8(PUSH).u32(number).u8(0).bytes32(Record.encodeAll(records)).u32(signatures.size());
    signatures.forEach(out::bytes32);
    return out.toBytes();
  }

  /** A page of names of statements that says nothing, and that more follow. */
  static byte[] noNames() {
    return new Encoder().u8(STATEMENT_NAMES).u32(0).u8(0).toBytes();
  }

  /** Heads of the proven set, and missing names. */
  record Ends(List<Hash> heads, List<Hash> missing) {}

  static Ends ends(byte[] message) throws ProofException {
    Decoder in = new Decoder(message, "ends");
    in.skip(1);
    return new Ends(names(in), names(in));
  }

  private static List<Hash> names(Decoder in) throws ProofException {
    List<Hash> names = new ArrayList<>();
    for (int left = in.u32(MANY); left > 0; left--) {
      names.add(in.hash());
    }
    return names;
  }
}
