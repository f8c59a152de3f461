package holdfast.capsule;

import holdfast.base.Bytes;
import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import java.util.List;

/**
 * A server's signed acknowledgement of a batch of operations, and of how durable they are.
 *
 * <p>Encoding: server key ‖ capsule ‖ u8 level ‖ u64 time ‖ u32 tree size ‖ tree root ‖ signature,
 * which is over tag ‖ all before it. The tree (shape of RFC 6962) has a leaf per operation:
 * SHA-256(tag ‖ u8 kind ‖ name ‖ u8 outcome).
 */
public record Receipt(
    VerifyKey server,
    Hash capsule,
    Level level,
    long timeMillis,
    int size,
    Hash root,
    Bytes signature) {

  /** How durable a batch is. Others, made of several receipts, come with placements. */
  public enum Level {
    /** The server has it in memory and handed it to its operating system. */
    RECEIVED(0),
    /** The server has made it durable: fsync has returned. */
    SYNCED(1);

    private final int number;

    Level(int number) {
      this.number = number;
    }

    /** The number in the encoding; a higher level has a higher one. */
    public int number() {
      return number;
    }

    static Level read(Decoder in) throws ProofException {
      return switch (in.u8()) {
        case 0 -> RECEIVED;
        case 1 -> SYNCED;
        default -> throw in.malformed("states an unknown level");
      };
    }
  }

  /** What was done. */
  public enum Kind {
    /** A capsule was created; the name is the capsule's. */
    CREATE(0),
    /** A record was written; the name is the record's. */
    WRITE(1),
    /** A record was signed; the name is the record's. */
    SIGN(2),
    /** A statement of the owner was accepted; the name is the statement's. */
    STATEMENT(3);

    private final int number;

    Kind(int number) {
      this.number = number;
    }

    /** The number in the encoding. */
    public int number() {
      return number;
    }

    static Kind read(Decoder in) throws ProofException {
      return switch (in.u8()) {
        case 0 -> CREATE;
        case 1 -> WRITE;
        case 2 -> SIGN;
        case 3 -> STATEMENT;
        default -> throw in.malformed("covers an unknown kind of operation");
      };
    }
  }

  /** What is true of a record by the time of the receipt. */
  public enum Outcome {
    /** Stored; no chain leads to it from a signature yet. */
    UNPROVEN(0),
    /** Stored and proven. */
    PROVEN(1),
    /** The header is stored; the body falls under an erasure and is not. */
    ERASED(2);

    private final int number;

    Outcome(int number) {
      this.number = number;
    }

    /** The number in the encoding. */
    public int number() {
      return number;
    }

    /** The outcome with this number. */
    public static Outcome of(int number) throws ProofException {
      return switch (number) {
        case 0 -> UNPROVEN;
        case 1 -> PROVEN;
        case 2 -> ERASED;
        default ->
            throw new ProofException(Violation.MALFORMED, "a receipt states an unknown outcome");
      };
    }
  }

  /** One operation covered by a receipt. */
  public record Entry(Kind kind, Hash name, Outcome outcome) {
    Hash leafHash() {
      byte[] leaf = new byte[34];
      leaf[0] = (byte) kind.number();
      name.write(leaf, 1);
      leaf[33] = (byte) outcome.number();
      return Sha256.get().hash(Domain.RECEIPT_LEAF, leaf);
    }
  }

  private static Hash[] leaves(List<Entry> entries) {
    Hash[] hashes = new Hash[entries.size()];
    for (int i = 0; i < hashes.length; i++) {
      hashes[i] = entries.get(i).leafHash();
    }
    return hashes;
  }

  /** Signs a receipt for a batch. */
  public static Receipt sign(
      SigningKey server, Hash capsule, Level level, long timeMillis, List<Entry> entries) {
    Hash root = Merkle.root(leaves(entries));
    Receipt draft =
        new Receipt(
            server.verifyKey(), capsule, level, timeMillis, entries.size(), root, Bytes.EMPTY);
    return new Receipt(
        draft.server,
        capsule,
        level,
        timeMillis,
        draft.size,
        root,
        Bytes.wrap(server.sign(Domain.RECEIPT, draft.unsigned())));
  }

  private byte[] unsigned() {
    Encoder out = new Encoder(128);
    server.encode(out);
    out.hash(capsule).u8(level.number()).u64(timeMillis).u32(size).hash(root);
    return out.toBytes();
  }

  /** The canonical encoding. */
  public byte[] encode() {
    return new Encoder(192).raw(unsigned()).raw(signature).toBytes();
  }

  /** Reads the encoding; checks nothing but the form. */
  public static Receipt decode(byte[] bytes) throws ProofException {
    Decoder in = new Decoder(bytes, "receipt");
    Receipt receipt = read(in);
    in.end();
    return receipt;
  }

  static Receipt read(Decoder in) throws ProofException {
    VerifyKey server = VerifyKey.decode(in);
    Hash capsule = in.hash();
    Level level = Level.read(in);
    long time = in.u64();
    int size = in.u32(2 * Limits.RECORDS_PER_BATCH);
    if (size == 0) {
      throw in.malformed("covers nothing");
    }
    return new Receipt(
        server,
        capsule,
        level,
        time,
        size,
        in.hash(),
        Bytes.wrap(in.raw(VerifyKey.SIGNATURE_SIZE)));
  }

  /**
   * Checks that the expected server acknowledges exactly these operations on this capsule, at this
   * level or a higher one.
   */
  public void verify(
      VerifyKey expectedServer, Hash expectedCapsule, Level least, List<Entry> entries)
      throws ProofException {
    verifySignature(expectedServer, expectedCapsule);
    if (level.compareTo(least) < 0) {
      throw new ProofException(
          Violation.BAD_RECEIPT,
          "the receipt states " + level + " where " + least + " was asked for");
    }
    if (entries.size() != size || !Merkle.root(leaves(entries)).equals(root)) {
      throw new ProofException(
          Violation.BAD_RECEIPT,
          "the receipt does not cover the " + entries.size() + " operations that were sent");
    }
  }

  private void verifySignature(VerifyKey expectedServer, Hash expectedCapsule)
      throws ProofException {
    if (!server.equals(expectedServer)) {
      throw new ProofException(
          Violation.BAD_RECEIPT,
          "the receipt is by server " + server + ", not by " + expectedServer);
    }
    if (!capsule.equals(expectedCapsule)) {
      throw new ProofException(
          Violation.BAD_RECEIPT,
          "the receipt is for capsule " + capsule.brief() + ", not for " + expectedCapsule.brief());
    }
    if (!server.verifies(Domain.RECEIPT, unsigned(), signature.unsafeArray())) {
      throw new ProofException(Violation.BAD_RECEIPT, "the receipt's signature does not verify");
    }
  }

  /**
   * One operation of a receipt, with the path that shows it: what a writer keeps or passes on.
   *
   * <p>Encoding: receipt ‖ u8 kind ‖ name ‖ u8 outcome ‖ u32 index ‖ path.
   */
  public record Extract(Receipt receipt, Entry entry, int index, List<Hash> path) {
    /** The extracts of all operations of a receipt. */
    public static List<Extract> ofAll(Receipt receipt, List<Entry> entries) {
      List<Hash[]> levels = Merkle.levels(leaves(entries));
      return java.util.stream.IntStream.range(0, entries.size())
          .mapToObj(i -> new Extract(receipt, entries.get(i), i, Merkle.path(levels, i)))
          .toList();
    }

    /** Appends the encoding. */
    public void encode(Encoder out) {
      out.raw(receipt.encode()).u8(entry.kind().number()).hash(entry.name());
      out.u8(entry.outcome().number()).u32(index);
      path.forEach(out::hash);
    }

    /** Reads the encoding at the decoder's position. */
    public static Extract read(Decoder in) throws ProofException {
      Receipt receipt = Receipt.read(in);
      Entry entry = new Entry(Kind.read(in), in.hash(), Outcome.of(in.u8()));
      int index = in.u32(receipt.size() - 1);
      int length = Merkle.pathLength(receipt.size(), index);
      List<Hash> path = new java.util.ArrayList<>(length);
      for (int i = 0; i < length; i++) {
        path.add(in.hash());
      }
      return new Extract(receipt, entry, index, path);
    }

    /** Checks signature and path. */
    public void verify() throws ProofException {
      receipt.verifySignature(receipt.server(), receipt.capsule());
      Hash root = Merkle.rootOfPath(entry.leafHash(), receipt.size(), index, path);
      if (!root.equals(receipt.root())) {
        throw new ProofException(
            Violation.BAD_RECEIPT, "the receipt does not cover record " + entry.name().brief());
      }
    }
  }
}
