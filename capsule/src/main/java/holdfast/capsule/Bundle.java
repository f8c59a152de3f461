package holdfast.capsule;

import holdfast.base.Bytes;
import holdfast.base.Decoder;
import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.VerifyKey;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A capsule in a file ({@code .capsule}): metadata, statements and records, complete with what
 * verifies them.
 *
 * <pre>
 *   head    magic HFCAPSU1 ‖ u32 length and metadata ‖ 64-byte signature of the owner under the creation
 *           ‖ u32 number of statements, each u32 length and statement ‖ u64 number of records
 *   frames  u32 length and records in transport form, parents first where they are present; at most 4 MiB
 *   end     u32 0 ‖ SHA-256 of everything before
 * </pre>
 *
 * <p>The file layer cuts a file into these parts; this class says what must hold of each. Every
 * record must be proven by the signatures among the statements, every leaf that is left out must be
 * erased by one of them, and with a succession among them every record must lie below its final
 * heads.
 */
public final class Bundle {
  /** The first eight bytes of a bundle. */
  public static final Bytes MAGIC = Bytes.utf8("HFCAPSU1");

  /** Bytes of one frame at most, if it holds more than one record. */
  public static final int FRAME_BYTES = 4 << 20;

  /** Bytes of one frame at most. */
  public static final int MAX_FRAME_BYTES = Limits.BODY_BYTES + (8 << 20);

  /** Statements of one bundle at most. */
  public static final int STATEMENTS = 1 << 24;

  private Bundle() {}

  /** What stands in front of the statements. */
  public record Head(Metadata metadata, Bytes creationSignature) {
    /** Encodes magic, metadata and signature. */
    public byte[] encode() {
      return new Encoder(512)
          .raw(MAGIC)
          .bytes32(metadata.encode())
          .raw(creationSignature)
          .toBytes();
    }

    /** Reads metadata and signature and checks them; the magic has been read before. */
    public static Head of(byte[] metadata, byte[] signature) throws ProofException {
      Metadata decoded = Metadata.decode(metadata);
      if (signature.length != VerifyKey.SIGNATURE_SIZE) {
        throw new ProofException(Violation.MALFORMED, "the owner's signature has 64 bytes");
      }
      decoded.verifyCreation(signature);
      return new Head(decoded, Bytes.wrap(signature));
    }
  }

  /** Checks a bundle part by part and counts what it holds. */
  public static final class Verifier implements Record.ErasedBodies {
    private final Metadata metadata;
    private final Hash capsule;
    private final List<Statement.WriterSignature> signatures = new ArrayList<>();
    private final Set<Hash> statementNames = new HashSet<>();
    private final Set<Hash> erasedRecords = new HashSet<>();
    private final Set<Statement.Erased.OfLeaf> erasedLeaves = new HashSet<>();
    private final List<Statement.Erased.OfTimes> erasedTimes = new ArrayList<>();
    private final RecordGraph graph = new RecordGraph(new InMemoryOrderedMap(), Integer.MAX_VALUE);
    private @Nullable FinalHeads closing;
    private long leaves;
    private long sealedBytes;
    private long erased;

    /** A verifier of one bundle. */
    public Verifier(Head head) {
      this.metadata = head.metadata();
      this.capsule = metadata.name();
    }

    /** Takes a statement. */
    public Statement statement(byte[] encoded) throws ProofException {
      Statement statement = Statement.decode(encoded);
      if (!statement.capsule().equals(capsule)) {
        throw new ProofException(
            Violation.WRONG_CAPSULE, "the bundle holds a statement about another capsule");
      }
      if (!statementNames.add(statement.name())) {
        throw new ProofException(Violation.MALFORMED, "the bundle holds a statement twice");
      }
      statement.verify(metadata);
      switch (statement) {
        case Statement.WriterSignature signature -> signatures.add(signature);
        case Statement.Erasure erasure -> {
          switch (erasure.erased()) {
            case Statement.Erased.OfRecord(Hash record) -> erasedRecords.add(record);
            case Statement.Erased.OfLeaf leaf -> erasedLeaves.add(leaf);
            case Statement.Erased.OfTimes times -> erasedTimes.add(times);
          }
        }
        case Statement.Grant grant -> {}
        case Statement.Placement placement -> {}
        case Statement.Succession succession -> {
          if (closing != null) {
            throw new ProofException(
                Violation.MALFORMED, "the bundle closes the capsule more than once");
          }
          closing = FinalHeads.of(succession, metadata);
        }
      }
      return statement;
    }

    /** Takes a frame of records. */
    public List<Record> frame(byte[] encoded) throws ProofException {
      List<Record> records = Record.readAll(encoded, Integer.MAX_VALUE);
      if (records.isEmpty()) {
        throw new ProofException(Violation.MALFORMED, "the bundle holds an empty frame");
      }
      for (Record record : records) {
        record.expect(capsule, record.name());
        if (record.state() == Record.State.HEADER_ONLY) {
          throw new ProofException(
              Violation.MALFORMED,
              "the bundle leaves out the body of record " + record.name().brief());
        }
        record.expectErased(this);
        if (graph.arrivalOf(record.name()) >= 0) {
          throw new ProofException(
              Violation.MALFORMED, "the bundle holds record " + record.name().brief() + " twice");
        }
        graph.insert(record.header(), graph.arrivalsOf(record.header().pointers()));
        leaves += record.header().leafCount();
        sealedBytes += record.header().sealedSize();
        erased += record.state() == Record.State.WHOLE ? 0 : 1;
      }
      return records;
    }

    /** Checks that what came is what the head announced, and that all of it is proven. */
    public void finish(long announcedRecords) throws ProofException {
      if (graph.size() != announcedRecords) {
        throw new ProofException(
            Violation.MALFORMED,
            "the bundle announces " + announcedRecords + " records and holds " + graph.size());
      }
      for (Statement.WriterSignature signature : signatures) {
        long arrival = graph.arrivalOf(signature.record());
        if (arrival < 0) {
          throw new ProofException(
              Violation.MISSING,
              "the bundle holds a signature of record "
                  + signature.record().brief()
                  + " without the record");
        }
        graph.sign(arrival, signature.signer());
      }
      for (long arrival = 0; arrival < graph.size(); arrival++) {
        if (!graph.witness(arrival).proven()) {
          throw new ProofException(
              Violation.BROKEN_CHAIN,
              "record number " + arrival + " of the bundle is not proven by any signature in it");
        }
      }
      if (closing != null) {
        closing.require(graph);
      }
    }

    @Override
    public boolean body(RecordHeader header) {
      return erasedRecords.contains(header.name())
          || erasedTimes.stream().anyMatch(times -> times.covers(header.timeMillis()));
    }

    @Override
    public boolean leaf(Hash record, int leaf) {
      return erasedLeaves.contains(new Statement.Erased.OfLeaf(record, leaf));
    }

    /** The final heads that all records lie below; null when the capsule is not closed. */
    public @Nullable FinalHeads closing() {
      return closing;
    }

    /** The graph of the records taken so far. */
    public RecordGraph graph() {
      return graph;
    }

    /** Leaves of all records. */
    public long leaves() {
      return leaves;
    }

    /** Sealed bytes of all records, as their headers state them. */
    public long sealedBytes() {
      return sealedBytes;
    }

    /** Records whose body is erased, wholly or partly. */
    public long erased() {
      return erased;
    }

    /** Signatures in the bundle. */
    public int signatures() {
      return signatures.size();
    }
  }

  /** Reads the number of statements or records at the start of an array. */
  public static int statementCount(byte[] fourBytes) throws ProofException {
    return new Decoder(fourBytes, "bundle").u32(STATEMENTS);
  }
}
