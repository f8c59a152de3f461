package holdfast.capsule;

import holdfast.base.Bytes;
import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.Domain;
import holdfast.crypto.ReaderKey;
import holdfast.crypto.Sha256;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A signed, permanent fact about a capsule. All statements a replica has ever accepted stay with it
 * and travel before any record.
 *
 * <p>Encoding: u8 kind ‖ capsule name ‖ fields ‖ 64-byte signature. The signature of an owner's
 * statement is over tag ‖ everything before it; that of a writer over tag ‖ record name.
 */
public sealed interface Statement
    permits Statement.WriterSignature,
        Statement.Erasure,
        Statement.Grant,
        Statement.Succession,
        Statement.Placement,
        Release {
  /** The capsule it is about. */
  Hash capsule();

  /** The signature. */
  Bytes signature();

  /** The number of this kind in the encoding. */
  int kind();

  /** Checks the signature by the key that the capsule's metadata authorises for it. */
  void verify(Metadata metadata) throws ProofException;

  /** Appends the encoding without the signature. */
  void encodeFields(Encoder out);

  /** The whole encoding. */
  default byte[] encode() {
    return new Encoder().raw(unsigned()).raw(signature()).toBytes();
  }

  /** The encoding without the signature. */
  default byte[] unsigned() {
    Encoder out = new Encoder();
    out.u8(kind()).hash(capsule());
    encodeFields(out);
    return out.toBytes();
  }

  /** The statement's name: SHA-256(tag ‖ encoding). */
  default Hash name() {
    return Sha256.get().hash(Domain.STATEMENT, encode());
  }

  /**
   * A writer's signature of a record.
   *
   * @param signer index of the writer whose key signed, which need not be the one the record names
   */
  record WriterSignature(Hash capsule, Hash record, int signer, Bytes signature)
      implements Statement {
    static final int KIND = 1;

    /** Signs a record name. */
    public static WriterSignature sign(Hash capsule, Hash record, int signer, SigningKey key) {
      byte[] signature = key.sign(Domain.SIGN_RECORD, record.toBytes());
      return new WriterSignature(capsule, record, signer, Bytes.wrap(signature));
    }

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public void encodeFields(Encoder out) {
      out.hash(record).u16(signer);
    }

    @Override
    public void verify(Metadata metadata) throws ProofException {
      VerifyKey key = metadata.writerKey(signer);
      if (!key.verifies(Domain.SIGN_RECORD, record.toBytes(), signature.unsafeArray())) {
        throw new ProofException(
            Violation.BAD_SIGNATURE,
            "the signature of record "
                + record.brief()
                + " is not by writer "
                + signer
                + " ("
                + key
                + ")");
      }
    }
  }

  /** What an erasure takes away. */
  sealed interface Erased {
    /** The body of one record. */
    record OfRecord(Hash record) implements Erased {}

    /** One leaf of one record. */
    record OfLeaf(Hash record, int leaf) implements Erased {}

    /**
     * The bodies of all records whose claimed time lies in a range, those that arrive later too.
     *
     * @param fromMillis first time erased
     * @param toMillis first time not erased any more; not after the time of the statement
     */
    record OfTimes(long fromMillis, long toMillis) implements Erased {
      /** Whether a claimed time lies in the range. */
      public boolean covers(long timeMillis) {
        return timeMillis >= fromMillis && timeMillis < toMillis;
      }
    }
  }

  /** The owner's order to erase bodies; headers and proofs stay. */
  record Erasure(Hash capsule, long timeMillis, Erased erased, String reason, Bytes signature)
      implements Statement {
    static final int KIND = 2;

    /** Checks that a range lies in the past. */
    public Erasure {
      if (erased instanceof Erased.OfTimes(long from, long to) && (from >= to || to > timeMillis)) {
        throw new IllegalArgumentException(
            "an erased time range is not empty and ends no later than the statement itself");
      }
    }

    /** Whether this erases the record's body, or some of it. */
    public boolean touches(RecordHeader header) {
      return switch (erased) {
        case Erased.OfRecord(Hash record) -> record.equals(header.name());
        case Erased.OfLeaf(Hash record, int leaf) -> record.equals(header.name());
        case Erased.OfTimes times -> times.covers(header.timeMillis());
      };
    }

    /** Whether this erases a leaf of the record. */
    public boolean covers(RecordHeader header, int leaf) {
      return touches(header)
          && !(erased instanceof Erased.OfLeaf(Hash record, int only) && only != leaf);
    }

    /** Whether this erases the whole body of the record. */
    public boolean coversAll(RecordHeader header) {
      return touches(header) && !(erased instanceof Erased.OfLeaf);
    }

    /** Signs an erasure. */
    public static Erasure sign(
        Hash capsule, long timeMillis, Erased erased, String reason, SigningKey owner) {
      Erasure draft = new Erasure(capsule, timeMillis, erased, reason, Bytes.EMPTY);
      return new Erasure(
          capsule,
          timeMillis,
          erased,
          reason,
          Bytes.wrap(owner.sign(Domain.SIGN_ERASE, draft.unsigned())));
    }

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public void encodeFields(Encoder out) {
      out.u64(timeMillis);
      switch (erased) {
        case Erased.OfRecord(Hash record) -> out.u8(1).hash(record);
        case Erased.OfLeaf(Hash record, int leaf) -> out.u8(2).hash(record).u32(leaf);
        case Erased.OfTimes(long from, long to) -> out.u8(3).u64(from).u64(to);
      }
      out.text16(reason);
    }

    @Override
    public void verify(Metadata metadata) throws ProofException {
      metadata.owner().verify(Domain.SIGN_ERASE, unsigned(), signature.unsafeArray());
    }
  }

  /**
   * The owner's gift of a content key to a reader.
   *
   * @param sealedKey HPKE encapsulation ‖ ciphertext of the key, bound to capsule and epoch
   */
  record Grant(
      Hash capsule,
      long timeMillis,
      int epoch,
      ReaderKey.PublicHalf reader,
      Bytes sealedKey,
      Bytes signature)
      implements Statement {
    static final int KIND = 3;

    /** Seals a content key to a reader and signs. */
    public static Grant sign(
        Hash capsule,
        long timeMillis,
        ContentKey key,
        ReaderKey.PublicHalf reader,
        SigningKey owner) {
      byte[] sealed = reader.seal(key.secret().expose(), context(capsule, key.epoch()));
      Grant draft =
          new Grant(capsule, timeMillis, key.epoch(), reader, Bytes.wrap(sealed), Bytes.EMPTY);
      return new Grant(
          capsule,
          timeMillis,
          key.epoch(),
          reader,
          draft.sealedKey,
          Bytes.wrap(owner.sign(Domain.SIGN_GRANT, draft.unsigned())));
    }

    private static byte[] context(Hash capsule, int epoch) {
      return new Encoder().hash(capsule).u32(epoch).toBytes();
    }

    /** Opens the content key with the reader's private key. */
    public ContentKey open(ReaderKey key) throws ProofException {
      byte[] secret = key.open(sealedKey.toArray(), context(capsule, epoch));
      if (secret.length != ContentKey.SIZE) {
        throw new ProofException(Violation.BAD_SEAL, "the grant does not hold a content key");
      }
      return new ContentKey(epoch, holdfast.crypto.Secret.copyOf(secret));
    }

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public void encodeFields(Encoder out) {
      out.u64(timeMillis).u32(epoch).raw(reader.bytes()).bytes16(sealedKey.unsafeArray());
    }

    @Override
    public void verify(Metadata metadata) throws ProofException {
      metadata.owner().verify(Domain.SIGN_GRANT, unsigned(), signature.unsafeArray());
    }
  }

  /**
   * The owner's closing of a capsule in favour of another: how writers' keys are replaced.
   *
   * @param finalHeads records whose ancestry is all that the capsule will ever hold; sorted
   * @param successor name of the capsule in which things go on
   */
  record Succession(
      Hash capsule, long timeMillis, List<Hash> finalHeads, Hash successor, Bytes signature)
      implements Statement {
    static final int KIND = 4;

    /** Checks the order and number of the heads. */
    public Succession {
      finalHeads = List.of(Hash.sortedDistinct(finalHeads));
      if (finalHeads.size() > Limits.HEADS) {
        throw new IllegalArgumentException("at most " + Limits.HEADS + " final heads are allowed");
      }
    }

    /** Signs a succession. */
    public static Succession sign(
        Hash capsule, long timeMillis, List<Hash> finalHeads, Hash successor, SigningKey owner) {
      Succession draft = new Succession(capsule, timeMillis, finalHeads, successor, Bytes.EMPTY);
      return new Succession(
          capsule,
          timeMillis,
          finalHeads,
          successor,
          Bytes.wrap(owner.sign(Domain.SIGN_SUCCEED, draft.unsigned())));
    }

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public void encodeFields(Encoder out) {
      out.u64(timeMillis).u16(finalHeads.size());
      finalHeads.forEach(out::hash);
      out.hash(successor);
    }

    @Override
    public void verify(Metadata metadata) throws ProofException {
      metadata.owner().verify(Domain.SIGN_SUCCEED, unsigned(), signature.unsafeArray());
    }
  }

  /**
   * The owner's word on which servers keep the capsule. The one with the highest version holds; all
   * are kept, so that it can be shown who was to keep what.
   *
   * @param version from 1, higher than that of every placement before
   * @param members in ascending order of their identities, each once; at least one
   */
  record Placement(
      Hash capsule, long timeMillis, long version, List<Member> members, Bytes signature)
      implements Statement {
    static final int KIND = 5;

    /**
     * The later placement is the greater; of two with one version, the one with the smaller name.
     */
    public static final Comparator<Placement> ORDER =
        Comparator.comparingLong(Placement::version)
            .thenComparing(Placement::name, Comparator.reverseOrder());

    /**
     * A server that keeps the capsule.
     *
     * @param identity the server itself
     * @param address where it was last found, HOST:PORT; who answers there must show the identity
     */
    public record Member(VerifyKey identity, String address) {
      /** Checks the form of the address. */
      public Member {
        if (address.length() > Limits.ADDRESS_BYTES || !address.matches("[!-~]+:[0-9]{1,5}")) {
          throw new IllegalArgumentException("an address is HOST:PORT, not '" + address + "'");
        }
      }
    }

    /** Checks version, number and identities of the members, and puts them in order. */
    public Placement {
      members =
          members.stream()
              .sorted(
                  Comparator.comparing(
                      m -> m.identity().bytes().unsafeArray(), Arrays::compareUnsigned))
              .toList();
      if (version < 1 || members.isEmpty() || members.size() > Limits.MEMBERS) {
        throw new IllegalArgumentException(
            "a placement has a version from 1 and 1 to " + Limits.MEMBERS + " members");
      }
      if (members.stream().map(Member::identity).distinct().count() < members.size()) {
        throw new IllegalArgumentException("a placement names each server once");
      }
    }

    /**
     * Signs a placement.
     *
     * @throws IllegalArgumentException also for a port that does not exist: whoever reads a
     *     statement has to take it, and nobody can ever reach that member
     */
    public static Placement sign(
        Hash capsule, long timeMillis, long version, List<Member> members, SigningKey owner) {
      for (Member member : members) {
        int port =
            Integer.parseInt(member.address().substring(member.address().lastIndexOf(':') + 1));
        if (port < 1 || port > 65_535) {
          throw new IllegalArgumentException(
              "a port lies between 1 and 65535, and a member is placed at " + member.address());
        }
      }
      Placement draft = new Placement(capsule, timeMillis, version, members, Bytes.EMPTY);
      return new Placement(
          capsule,
          timeMillis,
          version,
          members,
          Bytes.wrap(owner.sign(Domain.SIGN_PLACE, draft.unsigned())));
    }

    /** The placement that holds among these statements; null when there is none. */
    public static @Nullable Placement current(Collection<? extends Statement> statements) {
      return statements.stream()
          .filter(Placement.class::isInstance)
          .map(Placement.class::cast)
          .max(ORDER)
          .orElse(null);
    }

    /** How many members are more than half of them. */
    public int majority() {
      return members.size() / 2 + 1;
    }

    /** Whether a server is among the members. */
    public boolean names(VerifyKey server) {
      return members.stream().anyMatch(member -> member.identity().equals(server));
    }

    @Override
    public int kind() {
      return KIND;
    }

    @Override
    public void encodeFields(Encoder out) {
      out.u64(timeMillis).u64(version).u16(members.size());
      for (Member member : members) {
        member.identity().encode(out);
        out.text16(member.address());
      }
    }

    @Override
    public void verify(Metadata metadata) throws ProofException {
      metadata.owner().verify(Domain.SIGN_PLACE, unsigned(), signature.unsafeArray());
    }

    private static Placement read(Hash capsule, Decoder in) throws ProofException {
      long time = in.u64();
      long version = in.u64();
      int count = in.u16();
      if (count > Limits.MEMBERS) {
        throw in.malformed("has " + count + " members");
      }
      List<Member> members = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        members.add(new Member(VerifyKey.decode(in), in.text16(Limits.ADDRESS_BYTES)));
      }
      Placement placement = new Placement(capsule, time, version, members, Statement.signature(in));
      if (!placement.members().equals(members)) {
        throw in.malformed("has members that are not in ascending order");
      }
      return placement;
    }
  }

  /** Reads a statement that fills all of {@code bytes}. Its signature is not checked here. */
  static Statement decode(byte[] bytes) throws ProofException {
    Decoder in = new Decoder(bytes, "statement");
    if (bytes.length > Limits.STATEMENT_BYTES) {
      throw in.malformed("has more than " + Limits.STATEMENT_BYTES + " bytes");
    }
    int kind = in.u8();
    Hash capsule = in.hash();
    try {
      Statement statement =
          switch (kind) {
            case WriterSignature.KIND ->
                new WriterSignature(capsule, in.hash(), in.u16(), signature(in));
            case Erasure.KIND -> {
              long time = in.u64();
              Erased erased =
                  switch (in.u8()) {
                    case 1 -> new Erased.OfRecord(in.hash());
                    case 2 -> new Erased.OfLeaf(in.hash(), in.u32(Limits.LEAVES - 1));
                    case 3 -> new Erased.OfTimes(in.u64(), in.u64());
                    default -> throw in.malformed("erases something unknown");
                  };
              yield new Erasure(
                  capsule, time, erased, in.text16(Limits.DESCRIPTION_BYTES), signature(in));
            }
            case Grant.KIND ->
                new Grant(
                    capsule,
                    in.u64(),
                    in.u32(Integer.MAX_VALUE),
                    new ReaderKey.PublicHalf(Bytes.wrap(in.raw(32))),
                    Bytes.wrap(in.bytes16(256)),
                    signature(in));
            case Succession.KIND -> {
              long time = in.u64();
              int count = in.u16();
              if (count > Limits.HEADS) {
                throw in.malformed("has " + count + " final heads");
              }
              List<Hash> heads = new ArrayList<>();
              for (int i = 0; i < count; i++) {
                heads.add(in.hash());
                if (i > 0 && heads.get(i).compareTo(heads.get(i - 1)) <= 0) {
                  throw in.malformed("has final heads that are not in ascending order");
                }
              }
              yield new Succession(capsule, time, heads, in.hash(), signature(in));
            }
            case Placement.KIND -> Placement.read(capsule, in);
            case Release.KIND -> new Release(capsule, in.u64(), in.u64(), signature(in));
            default -> throw in.malformed("is of the unknown kind " + kind);
          };
      in.end();
      return statement;
    } catch (IllegalArgumentException e) {
      throw new ProofException(Violation.MALFORMED, "statement: " + e.getMessage(), e);
    }
  }

  private static Bytes signature(Decoder in) throws ProofException {
    return Bytes.wrap(in.raw(VerifyKey.SIGNATURE_SIZE));
  }
}
