package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.capsule.Body;
import holdfast.capsule.ChainProof;
import holdfast.capsule.LeafProof;
import holdfast.capsule.Metadata;
import holdfast.capsule.Record;
import holdfast.capsule.RecordGraph;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
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
  private final Erasures erasures = new Erasures();
  private volatile Statement.@Nullable Succession succession;
  private volatile Statement.@Nullable Placement placement;

  /** Counts erasures published, so that a reader notices one that overtook it. */
  private final AtomicLong erasureCount = new AtomicLong();

  final ReentrantLock lock = new ReentrantLock();

  /** What it was last seen to hold in memory. */
  private volatile long memoryBytes;

  StoredCapsule(CapsuleStore store, int number, byte[] encodedMetadata, byte[] signature)
      throws ProofException {
    this.store = store;
    this.tables = store.tables();
    this.number = number;
    this.encodedMetadata = encodedMetadata;
    this.creationSignature = signature;
    this.metadata = Metadata.decode(encodedMetadata);
    this.name = metadata.name();
    this.table = new CapsuleTable(tables, number);
    this.graph = new RecordGraph(table, store.options().graphBlocks());
    loadStatements();
  }

  private void loadStatements() throws ProofException {
    byte[] after = Keys.statement(number, 2, Hash.ZERO);
    StatementPage page = page(after, Integer.MAX_VALUE);
    for (byte[] encoded : page.statements()) {
      remember(Statement.decode(encoded));
    }
  }

  /** Drops cached bodies that were just erased. Under the capsule's lock. */
  void forget(Iterable<Long> arrivals) {
    erasureCount.incrementAndGet();
    for (long arrival : arrivals) {
      store.cache().drop(number, arrival);
      Damage known = store.quarantine().find(number, arrival);
      if (known != null && known.part() == Damage.Part.BODY) {
        store.quarantine().lift(number, arrival);
      }
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

  private void refuseHeader(long arrival) {
    Damage known = store.quarantine().find(number, arrival);
    if (known != null && known.part() == Damage.Part.HEADER) {
      throw refused(known);
    }
  }

  private void refuseBody(long arrival) {
    Damage known = store.quarantine().find(number, arrival);
    if (known != null && known.part().hidesBody()) {
      throw refused(known);
    }
  }

  private static HoldfastException refused(Damage known) {
    return new HoldfastException(
        ErrorCode.DAMAGED, "record number " + known.arrival() + " is damaged: " + known.what());
  }

  /**
   * Looks closely at a record at which a read has met damage, and notes it if it is there: an
   * erasure that is being committed looks the same to whoever reads meanwhile, until the lock is
   * free.
   */
  private HoldfastException met(long arrival, HoldfastException e) {
    if (e.code() == ErrorCode.DAMAGED && store.quarantine().find(number, arrival) == null) {
      lock.lock();
      try {
        Damage damage = RecordCheck.inspect(store, this, arrival);
        if (damage != null) {
          store.quarantine().note(name, damage);
        }
      } catch (HoldfastException | AssertionError also) {
        e.addSuppressed(also);
      } finally {
        lock.unlock();
      }
    }
    return e;
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
      case Statement.WriterSignature signature -> {}
    }
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
    return entry(arrival).header();
  }

  /** The decoded record, without its body where that is kept in chunks. */
  private RecordCache.Entry entry(long arrival) {
    refuseHeader(arrival);
    RecordCache.Entry cached = store.cache().get(number, arrival);
    if (cached != null) {
      return cached;
    }
    long erasuresBefore = erasureCount.get();
    long first = arrival >>> RecordBlocks.SHIFT << RecordBlocks.SHIFT;
    try {
      List<RecordBlocks.Stored> block = store.blocks().read(number, arrival >>> RecordBlocks.SHIFT);
      keep(first, block, erasuresBefore);
      if (arrival - first >= block.size()) {
        throw new HoldfastException(
            ErrorCode.DAMAGED, "record number " + arrival + " is not in its block");
      }
      RecordBlocks.Stored stored = block.get((int) (arrival - first));
      return new RecordCache.Entry(number, arrival, stored.header(), stored.body());
    } catch (HoldfastException e) {
      throw met(arrival, e);
    }
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
      throw met(arrival, e);
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
      throw met(
          arrival,
          new HoldfastException(
              ErrorCode.DAMAGED, "a signature of record number " + arrival + " is damaged", e));
    } catch (HoldfastException e) {
      throw met(arrival, e);
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

  /** Caches what was read, unless an erasure was published since. */
  private void keep(long first, List<RecordBlocks.Stored> records, long erasuresBefore) {
    lock.lock();
    try {
      for (int i = 0; i < records.size() && erasuresBefore == erasureCount.get(); i++) {
        RecordHeader header = records.get(i).known();
        if (header != null) {
          store.cache().put(number, first + i, header, records.get(i).body());
        }
      }
    } finally {
      lock.unlock();
    }
  }

  /** A record with its body, as far as it is not erased. */
  public Record record(long arrival) {
    refuseBody(arrival);
    RecordCache.Entry entry = entry(arrival);
    RecordHeader header = entry.header();
    Body body = entry.body();
    while (body == null) {
      long erasuresBefore = erasureCount.get();
      Record.State state = withGraph(g -> g.bodyState(arrival));
      if (!state.hasBody()) {
        return new Record(header, state, null);
      }
      try {
        body = stored(arrival, header);
        keep(arrival, List.of(new RecordBlocks.Stored(header, body)), erasuresBefore);
      } catch (HoldfastException e) {
        HoldfastException damage = met(arrival, e);
        if (erasuresBefore == erasureCount.get()) {
          throw damage;
        }
      }
    }
    return new Record(header, body.whole() ? Record.State.WHOLE : Record.State.PARTLY_ERASED, body);
  }

  /** Reads a body from where it is kept; a small one was there when its block was read. */
  private Body stored(long arrival, RecordHeader header) {
    if (!RecordBlocks.inline(header)) {
      return store.bodies().read(number, arrival, header);
    }
    Body body = store.blocks().readOne(number, arrival).body();
    if (body == null) {
      throw new HoldfastException(
          ErrorCode.DAMAGED,
          "the body of record " + header.name().brief() + " is not beside its header");
    }
    return body;
  }

  /** Reads leaves for one request, so that neighbours share the chunk in which they lie. */
  public LeafReads leafReads() {
    return new LeafReads();
  }

  /** Leaves of this capsule, as one request reads them. Not safe for use by several threads. */
  public final class LeafReads {
    private static final long KEPT_BYTES = 4 << 20;

    private record Place(long arrival, int chunk) {}

    private final Map<Place, Body> chunks = new HashMap<>();
    private long keptBytes;

    private LeafReads() {}

    /** A sealed leaf; null when it is erased. The leaf must exist. */
    public byte @Nullable [] sealed(long arrival, RecordHeader header, int leaf) {
      refuseBody(arrival);
      Body known = entry(arrival).body();
      if (known != null) {
        return known.erased(leaf) ? null : known.leaf(leaf);
      }
      while (true) {
        long erasuresBefore = erasureCount.get();
        if (withGraph(g -> g.bodyState(arrival)) == Record.State.ERASED) {
          return null;
        }
        try {
          if (RecordBlocks.inline(header)) {
            Body body = stored(arrival, header);
            return body.erased(leaf) ? null : body.leaf(leaf);
          }
          Body chunk = chunk(arrival, header, leaf);
          int index = Bodies.withinChunk(header, leaf);
          return chunk.erased(index) ? null : chunk.leaf(index);
        } catch (HoldfastException e) {
          HoldfastException damage = met(arrival, e);
          if (erasuresBefore == erasureCount.get()) {
            throw damage;
          }
        }
      }
    }

    private Body chunk(long arrival, RecordHeader header, int leaf) {
      Place place = new Place(arrival, Bodies.chunkOf(header, leaf));
      Body chunk = chunks.get(place);
      if (chunk == null) {
        chunk = store.bodies().chunk(number, arrival, header, place.chunk());
        keptBytes += chunk.unsafeBytes().length;
        if (keptBytes > KEPT_BYTES) {
          chunks.clear();
          keptBytes = chunk.unsafeBytes().length;
        }
        chunks.put(place, chunk);
      }
      return chunk;
    }
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
    refuseBody(arrival);
    while (true) {
      long erasuresBefore = erasureCount.get();
      if (withGraph(g -> g.bodyState(arrival)) == Record.State.ERASED) {
        return null;
      }
      try {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int next = from;
        while (next < header.leafCount() && out.size() < bytes) {
          boolean inline = RecordBlocks.inline(header);
          Body chunk =
              inline
                  ? stored(arrival, header)
                  : store.bodies().chunk(number, arrival, header, Bodies.chunkOf(header, next));
          int within = inline ? next : Bodies.withinChunk(header, next);
          out.writeBytes(chunk.slice(within, chunk.leafCount()));
          next += chunk.leafCount() - within;
        }
        return new Leaves(out.toByteArray(), next);
      } catch (HoldfastException e) {
        HoldfastException damage = met(arrival, e);
        if (erasuresBefore == erasureCount.get()) {
          throw damage;
        }
      }
    }
  }

  /** The nodes of a record's Merkle tree. */
  public LeafProof.Nodes nodes(long arrival, RecordHeader header) {
    return store.bodies().nodes(number, arrival, header, entry(arrival).body());
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
