package holdfast.sync;

import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import java.util.ArrayList;
import java.util.List;

/**
 * The messages of a round; docs/protocol.md has the table. Encoded canonically, first byte the
 * kind. Both sides send the same kinds; each kind belongs to a stage of {@link Round}.
 */
@SuppressWarnings("ArrayRecordComponent") // messages are made, sent and read; never compared
sealed interface Message {
  /** Names in one message at most. */
  int NAMES = 1 << 16;

  /** Bytes of memory that a name in a set takes, about. */
  long HELD_NAME_BYTES = 96;

  /** Owner's statements in one message at most. */
  int STATEMENTS = 1 << 12;

  /** Bytes of a reconciler's message at most. */
  int DIFFERENCE_BYTES = 4 << 20;

  /** Bytes of the records of one push at most: room for a batch and one record of any size. */
  int PUSH_BYTES = Limits.BODY_BYTES + 4 * Limits.LEAVES + (8 << 20);

  /** Records in one push at most. */
  int PUSHED = 1 << 13;

  int kind();

  void encodeFields(Encoder out);

  /** About how many bytes the encoding takes, where that can be many. */
  default int roomBytes() {
    return 128;
  }

  default byte[] encode() {
    Encoder out = new Encoder(roomBytes());
    out.u8(kind());
    encodeFields(out);
    return out.toBytes();
  }

  /**
   * Opens a round.
   *
   * @param least lowest version of this protocol that the side speaks
   * @param greatest highest one
   * @param salt this side's share of the round's salt
   * @param strategy number of the strategy; the initiator's counts
   * @param rounds the last complete rounds with this peer, newest first
   * @param statements hash over the sorted names of the owner's statements
   */
  record Hello(
      int least,
      int greatest,
      Hash capsule,
      Hash salt,
      int strategy,
      List<Hash> rounds,
      Hash statements)
      implements Message {
    static final int KIND = 1;

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public void encodeFields(Encoder out) {
      out.u16(least).u16(greatest).hash(capsule).hash(salt).u8(strategy).u8(rounds.size());
      rounds.forEach(out::hash);
      out.hash(statements);
    }
  }

  /** The names of all owner's statements held, or a part of them. */
  record StatementNames(List<Hash> names, boolean last) implements Message {
    static final int KIND = 2;

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public void encodeFields(Encoder out) {
      hashes(out, names);
      out.u8(last ? 1 : 0);
    }
  }

  /** Owner's statements that the peer lacks. */
  record Statements(List<byte[]> statements, boolean last) implements Message {
    static final int KIND = 3;

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public void encodeFields(Encoder out) {
      blobs(out, statements);
      out.u8(last ? 1 : 0);
    }
  }

  /** All that was sent in this stage is durable here. */
  record Ready() implements Message {
    static final int KIND = 4;

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public void encodeFields(Encoder out) {}
  }

  /** How many entries this side has that the peer may lack, and the digest of them. */
  record Since(long count, Hash digest) implements Message {
    static final int KIND = 5;

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public void encodeFields(Encoder out) {
      out.u64(count).hash(digest);
    }
  }

  /** A message of the reconciler. */
  record Difference(byte[] bytes) implements Message {
    static final int KIND = 6;

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public void encodeFields(Encoder out) {
      out.bytes32(bytes);
    }
  }

  /**
   * Records, children before the batches of their parents, and signatures.
   *
   * @param asksHave whether the answer shall name the backpointers that are here already
   */
  record Push(int number, boolean asksHave, byte[] records, List<byte[]> signatures)
      implements Message {
    static final int KIND = 7;

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public int roomBytes() {
      return 64 + records.length + 256 * signatures.size();
    }

    @Override
    public void encodeFields(Encoder out) {
      out.u32(number).u8(asksHave ? 1 : 0).bytes32(records);
      blobs(out, signatures);
    }
  }

  /** A push was verified and, as far as it can be proven, is durable here. */
  record Taken(int number, List<Hash> have) implements Message {
    static final int KIND = 8;

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public void encodeFields(Encoder out) {
      out.u32(number);
      hashes(out, have);
    }
  }

  /** Nothing more will be pushed in this stage. */
  record PushEnd() implements Message {
    static final int KIND = 9;

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public void encodeFields(Encoder out) {}
  }

  /** A record, or a signature of it, that entered late. */
  record LateEntry(Hash record, int signer) {}

  /**
   * What entered after this side's snapshot by other ways; none, but {@code again}, if too many.
   */
  record Late(boolean again, List<LateEntry> entries) implements Message {
    static final int KIND = 10;
    private static final int RECORD = 0xFFFF;

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public void encodeFields(Encoder out) {
      out.u8(again ? 1 : 0).u32(entries.size());
      for (LateEntry entry : entries) {
        out.hash(entry.record()).u16(entry.signer() == Entry.RECORD ? RECORD : entry.signer());
      }
    }

    static Late read(Decoder in) throws ProofException {
      boolean again = flag(in);
      int count = in.u32(NAMES);
      if (count > in.remaining() / (Hash.SIZE + 2)) {
        throw in.malformed("ends within a list of entries");
      }
      List<LateEntry> entries = new ArrayList<>(count);
      for (int i = 0; i < count; i++) {
        Hash record = in.hash();
        int signer = in.u16();
        entries.add(new LateEntry(record, signer == RECORD ? Entry.RECORD : signer));
      }
      return new Late(again, entries);
    }
  }

  /**
   * What this side makes of the round.
   *
   * @param known for each of the peer's late names 1 if it is in this side's set, else 0
   * @param digest digest of this side's set without the peer's late names
   * @param moved records and signatures that this side received and did not have, in this round
   */
  record Verdict(byte[] known, Hash digest, long moved) implements Message {
    static final int KIND = 11;

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public void encodeFields(Encoder out) {
      out.bytes32(known).hash(digest).u64(moved);
    }
  }

  /** Begins Lu's algorithm: heads of the proven set, and the missing names. */
  record Ends(List<Hash> heads, List<Hash> missing) implements Message {
    static final int KIND = 12;

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public void encodeFields(Encoder out) {
      hashes(out, heads);
      hashes(out, missing);
    }
  }

  /** Which of the peer's heads are not proven here: one byte each. */
  record Wanted(byte[] wanted) implements Message {
    static final int KIND = 13;

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public void encodeFields(Encoder out) {
      out.bytes32(wanted);
    }
  }

  /** This side gives up, for a reason that is nobody's lie. */
  record Stop(String reason) implements Message {
    static final int KIND = 14;

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public void encodeFields(Encoder out) {
      out.text16(reason);
    }
  }

  static Message decode(byte[] bytes) throws ProofException {
    Decoder in = new Decoder(bytes, "message of a round");
    int kind = in.u8();
    Message message =
        switch (kind) {
          case Hello.KIND -> {
            int least = in.u16();
            int greatest = in.u16();
            Hash capsule = in.hash();
            Hash salt = in.hash();
            int strategy = in.u8();
            List<Hash> rounds = new ArrayList<>();
            for (int left = in.u8(); left > 0; left--) {
              rounds.add(in.hash());
            }
            yield new Hello(least, greatest, capsule, salt, strategy, rounds, in.hash());
          }
          case StatementNames.KIND -> new StatementNames(hashes(in, NAMES), flag(in));
          case Statements.KIND ->
              new Statements(blobs(in, STATEMENTS, Limits.STATEMENT_BYTES), flag(in));
          case Ready.KIND -> new Ready();
          case Since.KIND -> new Since(in.u64(), in.hash());
          case Difference.KIND -> new Difference(in.bytes32(DIFFERENCE_BYTES));
          case Push.KIND ->
              new Push(
                  in.u32(Integer.MAX_VALUE),
                  flag(in),
                  in.bytes32(PUSH_BYTES),
                  blobs(in, PUSHED, 256));
          case Taken.KIND -> new Taken(in.u32(Integer.MAX_VALUE), hashes(in, NAMES));
          case PushEnd.KIND -> new PushEnd();
          case Late.KIND -> Late.read(in);
          case Verdict.KIND -> new Verdict(in.bytes32(NAMES), in.hash(), in.u64());
          case Ends.KIND -> new Ends(hashes(in, NAMES), hashes(in, NAMES));
          case Wanted.KIND -> new Wanted(in.bytes32(NAMES));
          case Stop.KIND -> new Stop(in.text16(1024));
          default -> throw in.malformed("is of the unknown kind " + kind);
        };
    in.end();
    return message;
  }

  private static boolean flag(Decoder in) throws ProofException {
    int value = in.u8();
    if (value > 1) {
      throw in.malformed("has a flag of " + value);
    }
    return value == 1;
  }

  private static void hashes(Encoder out, List<Hash> names) {
    out.u32(names.size());
    names.forEach(out::hash);
  }

  private static List<Hash> hashes(Decoder in, int limit) throws ProofException {
    int count = in.u32(limit);
    if (count > in.remaining() / Hash.SIZE) {
      throw in.malformed("ends within a list of names");
    }
    List<Hash> names = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      names.add(in.hash());
    }
    return names;
  }

  private static void blobs(Encoder out, List<byte[]> blobs) {
    out.u32(blobs.size());
    blobs.forEach(out::bytes32);
  }

  private static List<byte[]> blobs(Decoder in, int limit, int bytes) throws ProofException {
    int count = in.u32(limit);
    if (count > in.remaining() / 4) {
      throw in.malformed("ends within a list");
    }
    List<byte[]> blobs = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      blobs.add(in.bytes32(bytes));
    }
    return blobs;
  }

  /** The records of a push. */
  static List<Record> records(Push push) throws ProofException {
    return Record.readAll(push.records(), PUSHED);
  }

  /** The signatures of a push, not yet verified. */
  static List<Statement.WriterSignature> signatures(Push push, Hash capsule) throws ProofException {
    List<Statement.WriterSignature> signatures = new ArrayList<>(push.signatures().size());
    for (byte[] encoded : push.signatures()) {
      if (!(Statement.decode(encoded) instanceof Statement.WriterSignature signature)) {
        throw new ProofException(
            holdfast.base.Violation.MALFORMED, "a push holds a statement of the owner");
      }
      if (!signature.capsule().equals(capsule)) {
        throw new ProofException(
            holdfast.base.Violation.WRONG_CAPSULE, "a pushed signature is of another capsule");
      }
      signatures.add(signature);
    }
    return signatures;
  }
}
