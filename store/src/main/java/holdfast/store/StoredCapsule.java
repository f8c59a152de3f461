package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.capsule.ChainProof;
import holdfast.capsule.LeafProof;
import holdfast.capsule.Metadata;
import holdfast.capsule.Record;
import holdfast.capsule.RecordGraph;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.rocksdb.RocksDBException;

/**
 * One capsule in the store: what readers see. Whatever concerns the graph happens under the
 * capsule's lock, which the committer holds while it applies a group.
 */
public final class StoredCapsule implements ChainProof.Source {
  /** About what a statement takes in memory, its reason among it. */
  private static final long STATEMENT_BYTES = 512;

  private final CapsuleStore store;
  private final Tables tables;
  private final int number;
  private final Metadata metadata;
  private final byte[] encodedMetadata;
  private final byte[] creationSignature;
  private final Hash name;
  private final CapsuleTable table;
  private final RecordGraph graph;
  private final Contents contents;
  private final Erasures erasures = new Erasures();
  private volatile Statement.@Nullable Succession succession;
  private volatile Statement.@Nullable Placement placement;

  final ReentrantLock lock = new ReentrantLock();

  /** Bytes of its records, as {@link Usage} counts them; changed under the lock. */
  private volatile long usedBytes;

  /** What it was last seen to hold in memory. */
  private volatile long memoryBytes;

  StoredCapsule(CapsuleStore store, CapsuleEntry entry) throws ProofException {
    this.store = store;
    this.tables = store.tables();
    this.number = entry.number();
    this.encodedMetadata = entry.encodedMetadata();
    this.creationSignature = entry.signature();
    this.metadata = Metadata.decode(encodedMetadata);
    this.name = metadata.name();
    this.table = new CapsuleTable(tables, number);
    this.graph = new RecordGraph(table, store.options().graphBlocks());
    this.contents = new Contents(store, this);
    this.usedBytes = Usage.ofCapsule(tables, number);
    loadStatements();
  }

  private void loadStatements() throws ProofException {
    byte[] after = Keys.statement(number, 2, Hash.ZERO);
    StatementPage page = page(after, Integer.MAX_VALUE);
    for (byte[] encoded : page.statements()) {
      remember(Statement.decode(encoded));
    }
  }

  // ---- Damage
  // -----------------------------------------------------------------------------------

  /** Up to {@code limit} records known to be damaged, by arrival. */
  public List<Damage> damaged(int limit) {
    return store.quarantine().list(number, limit);
  }

  /** How many records are known to be damaged. */
  public int damagedCount() {
    return store.quarantine().count(number);
  }

  /** Whether a record is known to be damaged in such a way that no proof may lead through it. */
  public boolean breaksProofs(long arrival) {
    Damage known = store.quarantine().find(number, arrival);
    return known != null && known.part().breaksProofs();
  }

  /** Whether a record is known to be damaged, and an intact copy would mend it. */
  public boolean wantsCopy(long arrival) {
    Damage known = store.quarantine().find(number, arrival);
    return known != null && known.part().mendedByCopy();
  }

  /** Whether there are records that intact copies would mend. */
  public boolean wantsCopies() {
    return store.quarantine().wantsCopies(number);
  }

  /** Whether the signature of a record is known to be damaged, so that it is taken again. */
  boolean signatureDamaged(long arrival) {
    Damage known = store.quarantine().find(number, arrival);
    return known != null && known.part() == Damage.Part.SIGNATURE;
  }

  /** About how many bytes of memory it holds; while it is being changed, how many it did before. */
  long memoryBytes() {
    if (lock.tryLock()) {
      try {
        memoryBytes =
            encodedMetadata.length + graph.memoryBytes() + STATEMENT_BYTES * erasures.size();
      } finally {
        lock.unlock();
      }
    }
    return memoryBytes;
  }

  /** Drops what can be read again, unless it is being worked with right now. */
  void letGo() {
    if (!lock.isHeldByCurrentThread() && lock.tryLock()) {
      try {
        graph.forgetDecoded();
      } finally {
        lock.unlock();
      }
    }
  }

  void remember(Statement statement) {
    switch (statement) {
      case Statement.Erasure erasure -> erasures.add(erasure);
      case Statement.Succession closing -> succession = closing;
      case Statement.Placement placed -> {
        Statement.Placement before = placement;
        if (before == null || Statement.Placement.ORDER.compare(placed, before) > 0) {
          placement = placed;
        }
      }
      case Statement.Grant grant -> {}
      case Release release -> {}
      case Statement.WriterSignature signature -> {}
    }
  }

  /** Bytes of its records: headers, and sealed bodies that are not erased. */
  public long usedBytes() {
    return usedBytes;
  }

  /** Sets what its records take now that something was committed. Under the lock. */
  void setUsedBytes(long bytes) {
    usedBytes = bytes;
  }

  // ---- What never changes
  // ------------------------------------------------------------------------

  /** The capsule's name. */
  public Hash name() {
    return name;
  }

  /** The capsule's metadata. */
  public Metadata metadata() {
    return metadata;
  }

  /** The canonical bytes of the metadata. */
  public byte[] encodedMetadata() {
    return encodedMetadata;
  }

  /** The owner's signature under the creation. */
  public byte[] creationSignature() {
    return creationSignature;
  }

  int number() {
    return number;
  }

  CapsuleTable table() {
    return table;
  }

  RecordGraph graph() {
    return graph;
  }

  Contents contents() {
    return contents;
  }

  Erasures erasures() {
    return erasures;
  }

  /** The statement that closed the capsule; null while it is open. */
  public Statement.@Nullable Succession succession() {
    return succession;
  }

  /** The placement that holds: of the highest version known; null while there is none. */
  public Statement.@Nullable Placement placement() {
    return placement;
  }

  // ---- Reading
  // -----------------------------------------------------------------------------------

  /** Computes something from the graph, under the capsule's lock. */
  public <T> T withGraph(Function<RecordGraph, T> reading) {
    lock.lock();
    try {
      return reading.apply(graph);
    } finally {
      lock.unlock();
    }
  }

  /** The header of a record. */
  public RecordHeader headerOf(long arrival) {
    return contents.entry(arrival).header();
  }

  /** For reading many records that follow each other, by one thread. */
  public Scan scan() {
    return new Scan(contents);
  }

  @Override
  public byte[] header(long arrival) {
    return headerOf(arrival).unsafeBytes();
  }

  @Override
  public Statement.WriterSignature signature(long arrival) {
    try {
      Statement.WriterSignature found = signatureOf(arrival);
      if (found == null) {
        throw new HoldfastException(
            ErrorCode.DAMAGED, "the signature of record number " + arrival + " is not there");
      }
      return found;
    } catch (HoldfastException e) {
      throw contents.met(arrival, e);
    }
  }

  /** A signature of a record, by its own writer if there is one; null when it is not signed. */
  public Statement.@Nullable WriterSignature signatureOf(long arrival) {
    try {
      byte[] own =
          tables.db.get(
              tables.statements, Keys.signature(number, arrival, headerOf(arrival).writer()));
      if (own != null) {
        return (Statement.WriterSignature) Statement.decode(own);
      }
      for (byte[] any :
          Listing.statements(
                  tables,
                  Keys.signature(number, arrival, 0),
                  Keys.signature(number, arrival + 1, 0),
                  1)
              .statements()) {
        return (Statement.WriterSignature) Statement.decode(any);
      }
      return null;
    } catch (RocksDBException e) {
      throw Tables.failure("cannot read the signature of record number " + arrival, e);
    } catch (ProofException e) {
      throw new HoldfastException(
          ErrorCode.DAMAGED, "the signature of record number " + arrival + " is damaged", e);
    }
  }

  /** All signatures of a record. */
  public List<Statement.WriterSignature> signaturesOf(long arrival) {
    List<Statement.WriterSignature> signatures = new ArrayList<>();
    try {
      for (byte[] encoded :
          Listing.statements(
                  tables,
                  Keys.signature(number, arrival, 0),
                  Keys.signature(number, arrival + 1, 0),
                  Limits.WRITERS)
              .statements()) {
        signatures.add((Statement.WriterSignature) Statement.decode(encoded));
      }
    } catch (ProofException e) {
      throw contents.met(
          arrival,
          new HoldfastException(
              ErrorCode.DAMAGED, "a signature of record number " + arrival + " is damaged", e));
    } catch (HoldfastException e) {
      throw contents.met(arrival, e);
    }
    return signatures;
  }

  /** All statements of the owner. */
  public List<Statement> ownerStatements() {
    List<Statement> statements = new ArrayList<>();
    try {
      for (byte[] encoded :
          page(Keys.statement(number, 2, Hash.ZERO), Integer.MAX_VALUE).statements()) {
        statements.add(Statement.decode(encoded));
      }
    } catch (ProofException e) {
      throw new HoldfastException(
          ErrorCode.DAMAGED,
          "a statement of the owner of capsule " + name.brief() + " is damaged",
          e);
    }
    return statements;
  }

  /** What was kept of a peer under its key; null when nothing was. */
  public byte @Nullable [] peerState(byte[] peer) {
    try {
      return tables.db.get(tables.settings, Keys.peer(number, peer));
    } catch (RocksDBException e) {
      throw Tables.failure("cannot read what was kept of a peer", e);
    }
  }

  /** Keeps something about a peer. Not synced: what is lost of it is found out anew. */
  public void keepPeerState(byte[] peer, byte[] state) {
    try {
      tables.db.put(tables.settings, Keys.peer(number, peer), state);
    } catch (RocksDBException e) {
      throw Tables.failure("cannot keep what is known of a peer", e);
    }
  }

  /** A record with its body, as far as it is not erased. */
  public Record record(long arrival) {
    return contents.record(arrival);
  }

  /** Reads leaves for one request, so that neighbours share the chunk in which they lie. */
  public LeafReads leafReads() {
    return new LeafReads(contents);
  }

  /** Some leaves of a body in transport form, and the leaf that comes after them. */
  @SuppressWarnings("ArrayRecordComponent") // goes into one message
  public record Leaves(byte[] encoded, int next) {}

  /**
   * Leaves of a body from one on, whole chunks of them; null when the body is erased.
   *
   * @param from a leaf that exists
   * @param bytes after how many bytes no further chunk is read
   */
  public @Nullable Leaves leaves(long arrival, RecordHeader header, int from, int bytes) {
    return contents.leaves(arrival, header, from, bytes);
  }

  /** The nodes of a record's Merkle tree. */
  public LeafProof.Nodes nodes(long arrival, RecordHeader header) {
    return contents.nodes(arrival, header);
  }

  /** The statement that erases a record's body or one leaf; null when nothing does. */
  public @Nullable Statement erasureOf(RecordHeader header, int leaf) {
    Statement.Erasure whole = erasures.ofRecord(header);
    return whole != null ? whole : erasures.ofLeaves(header.name()).get(leaf);
  }

  /** Every statement that erases something of a record. */
  public List<Statement.Erasure> erasuresOf(RecordHeader header) {
    Statement.Erasure whole = erasures.ofRecord(header);
    return whole != null ? List.of(whole) : List.copyOf(erasures.ofLeaves(header.name()).values());
  }

  /** Up to {@code limit} record names that begin with the given hexadecimal digits. */
  public List<Hash> namesThatBegin(String hexPrefix, int limit) {
    return Listing.namesThatBegin(tables, number, hexPrefix, limit);
  }

  /** A page of encoded statements. */
  public static final class StatementPage {
    private final List<byte[]> statements;
    private final byte[] next;
    private final boolean end;

    StatementPage(List<byte[]> statements, byte[] next, boolean end) {
      this.statements = statements;
      this.next = next;
      this.end = end;
    }

    /** The statements, signatures of records first. */
    public List<byte[]> statements() {
      return statements;
    }

    /** Where the next page goes on. */
    public byte[] next() {
      return next;
    }

    /** Whether this is the last page. */
    public boolean end() {
      return end;
    }
  }

  /** A page of statements; {@code after} is empty at first, then what the page before gave. */
  public StatementPage statements(byte[] after, int limit, boolean ownerOnly) {
    byte[] first = ownerOnly ? Keys.statement(number, 2, Hash.ZERO) : Keys.signature(number, 0, 0);
    byte[] from =
        after.length == 0 ? first : Keys.within(number, Arrays.copyOf(after, after.length + 1), 0);
    return page(from, limit);
  }

  private StatementPage page(byte[] from, int limit) {
    return Listing.statements(
        tables, from, ByteBuffer.allocate(4).putInt(number + 1).array(), limit);
  }
}
