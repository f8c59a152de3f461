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
import java.util.Arrays;
import java.util.BitSet;
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
 *           ‖ of an increment, whose magic is HFCAPSI1: u32 number of base heads ‖ their names, ascending
 *           ‖ u32 number of statements, each u32 length and statement ‖ u64 number of records
 *   frames  u32 length and records in transport form, parents first where they are present; at most 4 MiB
 *   end     u32 0 ‖ SHA-256 of everything before
 * </pre>
 *
 * <p>The file layer cuts a file into these parts; this class says what must hold of each. Every
 * record must be proven by the signatures among the statements, every leaf that is left out must be
 * erased by one of them, and with a succession among them every record must lie below its final
 * heads.
 *
 * <p>An <em>increment</em> holds what came after an earlier bundle. It names the heads of what it
 * goes on from, its <em>base</em>, and leaves out what lies there. It is proven all the same by
 * what is in it alone: a signature covers what lies below it, and what is new lies below nothing
 * old, but for a record that filled a hole. For such a one the <em>links</em> come too: headers of
 * the base, without bodies, that lead to it from a signature. So an increment shows that its
 * records belong to the capsule; what lies below them it does not hold, and does not show.
 */
public final class Bundle {
  /** The first eight bytes of a bundle. */
  public static final Bytes MAGIC = Bytes.utf8("HFCAPSU1");

  /** The first eight bytes of an increment. */
  public static final Bytes INCREMENT_MAGIC = Bytes.utf8("HFCAPSI1");

  /** Heads of the base of an increment at most. */
  public static final int BASE_HEADS = 1 << 20;

  /** Bytes of one frame at most, if it holds more than one record. */
  public static final int FRAME_BYTES = 4 << 20;

  /** Bytes of one frame at most. */
  public static final int MAX_FRAME_BYTES = Limits.BODY_BYTES + (8 << 20);

  /** Statements of one bundle at most. */
  public static final int STATEMENTS = 1 << 24;

  private Bundle() {}

  /**
   * What stands in front of the statements.
   *
   * @param base the heads of what an increment goes on from, ascending; empty for a whole bundle
   */
  public record Head(Metadata metadata, Bytes creationSignature, List<Hash> base) {
    /** Checks the order of the base. */
    public Head {
      base = List.copyOf(base);
      for (int i = 1; i < base.size(); i++) {
        if (base.get(i - 1).compareTo(base.get(i)) >= 0) {
          throw new IllegalArgumentException("the heads of a base ascend, each once");
        }
      }
    }

    /** The head of a whole bundle. */
    public Head(Metadata metadata, Bytes creationSignature) {
      this(metadata, creationSignature, List.of());
    }

    /** Whether the bundle holds only what came after its base. */
    public boolean incremental() {
      return !base.isEmpty();
    }

    /** Encodes magic, metadata, signature and base. */
    public byte[] encode() {
      Encoder out =
          new Encoder(512)
              .raw(incremental() ? INCREMENT_MAGIC : MAGIC)
              .bytes32(metadata.encode())
              .raw(creationSignature);
      if (incremental()) {
        out.u32(base.size());
        base.forEach(out::hash);
      }
      return out.toBytes();
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

    /**
     * The head of an increment.
     *
     * @param names 32 bytes for each head of the base, as many as {@link #baseCount} said
     */
    public Head withBase(byte[] names) throws ProofException {
      List<Hash> heads = new ArrayList<>(names.length / Hash.SIZE);
      Decoder in = new Decoder(names, "base of the bundle");
      while (in.remaining() > 0) {
        Hash next = in.hash();
        if (!heads.isEmpty() && heads.getLast().compareTo(next) >= 0) {
          throw new ProofException(
              Violation.MALFORMED, "the heads that the bundle goes on from do not ascend");
        }
        heads.add(next);
      }
      if (heads.isEmpty()) {
        throw new ProofException(Violation.MALFORMED, "an increment goes on from something");
      }
      return new Head(metadata, creationSignature, heads);
    }

    /** Reads the number of heads of the base. */
    public static int baseCount(byte[] fourBytes) throws ProofException {
      return new Decoder(fourBytes, "bundle").u32(BASE_HEADS);
    }
  }

  /** Checks a bundle part by part and counts what it holds. */
  public static final class Verifier implements Record.ErasedBodies {
    /** Blocks of 256 records of the graph that stay decoded. */
    private static final int GRAPH_BLOCKS = 1 << 12;

    /** Signatures after which what follows from them is packed. */
    private static final int SIGNATURES = 1 << 12;

    private final Metadata metadata;
    private final Hash capsule;
    private final boolean incremental;
    private final Set<Hash> base;
    private final BitSet links = new BitSet();
    private final List<Statement.WriterSignature> signatures = new ArrayList<>();
    private final Set<Hash> statementNames = new HashSet<>();
    private final Set<Hash> erasedRecords = new HashSet<>();
    private final Set<Statement.Erased.OfLeaf> erasedLeaves = new HashSet<>();
    private final List<Statement.Erased.OfTimes> erasedTimes = new ArrayList<>();
    private final RecordGraph graph = new RecordGraph(new PackedOrderedMap(), GRAPH_BLOCKS);
    private @Nullable FinalHeads closing;
    private long leaves;
    private long sealedBytes;
    private long erased;

    /** A verifier of one bundle. */
    public Verifier(Head head) {
      this.metadata = head.metadata();
      this.capsule = metadata.name();
      this.incremental = head.incremental();
      this.base = Set.copyOf(head.base());
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
        case Release release -> {}
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
        boolean link = record.state() == Record.State.HEADER_ONLY;
        if (link && !incremental) {
          throw new ProofException(
              Violation.MALFORMED,
              "the bundle leaves out the body of record " + record.name().brief());
        }
        if (!link) {
          record.expectErased(this);
        }
        if (!link && base.contains(record.name())) {
          throw new ProofException(
              Violation.MALFORMED,
              "the bundle holds record " + record.name().brief() + " and goes on from it");
        }
        if (graph.arrivalOf(record.name()) >= 0) {
          throw new ProofException(
              Violation.MALFORMED, "the bundle holds record " + record.name().brief() + " twice");
        }
        long arrival = graph.insert(record.header(), graph.arrivalsOf(record.header().pointers()));
        if (link) {
          links.set((int) arrival);
          continue;
        }
        leaves += record.header().leafCount();
        sealedBytes += record.header().sealedSize();
        erased += record.state() == Record.State.WHOLE ? 0 : 1;
      }
      graph.flush();
      return records;
    }

    /** Checks that what came is what the head announced, and that all of it is proven. */
    public void finish(long announcedRecords) throws ProofException {
      if (graph.size() != announcedRecords) {
        throw new ProofException(
            Violation.MALFORMED,
            "the bundle announces " + announcedRecords + " records and holds " + graph.size());
      }
      int taken = 0;
      for (Statement.WriterSignature signature : signatures) {
        long arrival = graph.arrivalOf(signature.record());
        if (arrival < 0 && incremental) {
          // Of a record of the base, signed again since.
          continue;
        }
        if (arrival < 0) {
          throw new ProofException(
              Violation.MISSING,
              "the bundle holds a signature of record "
                  + signature.record().brief()
                  + " without the record");
        }
        graph.sign(arrival, signature.signer());
        if (++taken % SIGNATURES == 0) {
          graph.flush();
        }
      }
      graph.flush();
      for (long arrival = 0; arrival < graph.size(); arrival++) {
        if (!graph.witness(arrival).proven()) {
          throw new ProofException(
              Violation.BROKEN_CHAIN,
              "record number " + arrival + " of the bundle is not proven by any signature in it");
        }
      }
      for (int link = links.nextSetBit(0); link >= 0; link = links.nextSetBit(link + 1)) {
        if (Arrays.stream(graph.pointers(link)).allMatch(target -> target < 0)) {
          throw new ProofException(
              Violation.MALFORMED,
              "record number " + link + " of the bundle is a header that leads to nothing in it");
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

    /** Records that the bundle holds; headers of the base that lead to them are not counted. */
    public long records() {
      return graph.size() - links();
    }

    /** Headers of the base that lead to records of the bundle. */
    public long links() {
      return links.cardinality();
    }

    /** Whether what was taken in as this number is only the header of a record of the base. */
    public boolean isLink(long arrival) {
      return links.get((int) arrival);
    }

    /** The graph of the records taken so far, and of the headers of the base. */
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
