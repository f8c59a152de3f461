package holdfast.node;

import com.google.protobuf.ByteString;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Body;
import holdfast.capsule.Metadata;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.capsule.RecordGraph;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.store.StoreBatch;
import holdfast.store.StoredCapsule;
import holdfast.wire.CommitPart;
import holdfast.wire.Create;
import holdfast.wire.Declare;
import holdfast.wire.Done;
import holdfast.wire.Level;
import holdfast.wire.Reply;
import holdfast.wire.Write;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/** The writing half of a session: checks what comes in, hands it to the store, sends receipts. */
final class Writing {
  private static final int STATEMENTS_PER_BATCH = 1024;

  private final Session session;
  private final CapsuleService service;
  private final Receipts receipts;
  private final Parts parts;
  private final AtomicLong pendingBytes = new AtomicLong();

  Writing(Session session) {
    this.session = session;
    this.service = session.service;
    this.receipts = new Receipts(session);
    this.parts = new Parts(service.stagedBytes);
  }

  /** Bytes of this session's batches that are not durable yet. */
  long pendingBytes() {
    return pendingBytes.get();
  }

  void create(long id, Create create) throws ProofException {
    Metadata metadata = Metadata.decode(create.getMetadata().toByteArray());
    StoredCapsule made =
        service.ownership.create(metadata, create.getOwnerSignature().toByteArray());
    List<Receipt.Entry> entries =
        List.of(new Receipt.Entry(Receipt.Kind.CREATE, made.name(), Receipt.Outcome.PROVEN));
    session.whenSynced(id, () -> receipts.add(id, made.name(), Receipt.Level.SYNCED, entries));
  }

  void write(long id, Write write, long goesBy) throws ProofException {
    byte[] encoded = write.getRecords().toByteArray();
    List<Record> records = Record.readAll(encoded, Limits.RECORDS_PER_BATCH);
    List<Statement> signatures = signatures(write.getSignaturesList(), Limits.RECORDS_PER_BATCH);
    submit(id, records, signatures, write.getLevel(), encoded.length, goesBy);
  }

  private List<Statement> signatures(List<ByteString> encoded, int limit) throws ProofException {
    if (encoded.size() > limit) {
      throw new HoldfastException(
          ErrorCode.TOO_LARGE, "at most " + limit + " statements are taken at once");
    }
    StoredCapsule capsule = session.capsule();
    List<Statement> statements = new ArrayList<>(encoded.size());
    for (ByteString one : encoded) {
      Statement statement = Statement.decode(one.toByteArray());
      if (!statement.capsule().equals(capsule.name())) {
        throw new ProofException(
            Violation.WRONG_CAPSULE,
            "a statement is about capsule "
                + statement.capsule().brief()
                + ", the session about "
                + capsule.name().brief());
      }
      statement.verify(capsule.metadata());
      statements.add(statement);
    }
    return statements;
  }

  private void submit(
      long id,
      List<Record> records,
      List<Statement> statements,
      Level level,
      long bytes,
      long goesBy)
      throws ProofException {
    StoredCapsule capsule = session.capsule();
    if (records.isEmpty() && statements.isEmpty()) {
      throw new HoldfastException(ErrorCode.INVALID, "the batch is empty");
    }
    for (Record record : records) {
      check(capsule, record);
    }
    refuseSuperseded(capsule, statements);
    PlacementDirectory.refuseTooMany(capsule, statements);
    if (!session.isWriter() && !records.isEmpty()) {
      requireProven(capsule, records, statements);
    }
    session.batchBegins();
    long weight = bytes + 512L * (records.size() + statements.size());
    pendingBytes.addAndGet(weight);
    try {
      service.store.submit(
          new StoreBatch(
              capsule,
              records,
              statements,
              weight,
              session.isWriter() ? goesBy : StoreBatch.ANY_PLACEMENT,
              new Completion(id, capsule, level, weight)));
    } catch (HoldfastException e) {
      pendingBytes.addAndGet(-weight);
      session.batchEnds();
      throw e;
    }
  }

  /**
   * Placements of a client must be news, or be known: whoever places by an outdated version has to
   * hear of it. Older ones beside a newer are history and are kept. Two that race past this check
   * are as two that came one after the other, since the store keeps both and the order decides.
   */
  private static void refuseSuperseded(StoredCapsule capsule, List<Statement> statements) {
    Statement.Placement known = capsule.placement();
    Statement.Placement newest = Statement.Placement.current(statements);
    if (known != null && newest != null && Statement.Placement.ORDER.compare(newest, known) < 0) {
      throw new HoldfastException(
          ErrorCode.SUPERSEDED,
          "version "
              + newest.version()
              + " of the placement is not taken: "
              + (newest.version() == known.version()
                  ? "another placement of that version holds"
                  : "version " + known.version() + " holds"));
    }
  }

  private static void check(StoredCapsule capsule, Record record) throws ProofException {
    RecordHeader header = record.header();
    if (!header.isOf(capsule.name())) {
      throw new ProofException(
          Violation.WRONG_CAPSULE,
          "a record belongs to capsule "
              + header.capsule().brief()
              + ", the session to "
              + capsule.name().brief());
    }
    capsule.metadata().writerKey(header.writer());
    // Hashed here, on the session's thread, and not on the one that commits for all.
    header.name();
    Body body = record.body();
    if (body != null) {
      body.expect(header);
    }
    if (record.state() != Record.State.WHOLE) {
      record.expectErased(capsule.erasuresOf(header));
    }
  }

  /**
   * Whoever is no writer may bring records that are proven: signed in this batch, or pointed at by
   * a record that is. So copies of a capsule can be carried by anybody.
   */
  private static void requireProven(
      StoredCapsule capsule, List<Record> records, List<Statement> statements)
      throws ProofException {
    Map<Hash, Record> waiting = new LinkedHashMap<>();
    records.forEach(record -> waiting.put(record.name(), record));
    ArrayDeque<Hash> proven = new ArrayDeque<>();
    for (Statement statement : statements) {
      if (statement instanceof Statement.WriterSignature signature) {
        proven.add(signature.record());
      }
    }
    proven.addAll(
        capsule.withGraph(
            graph -> waiting.keySet().stream().filter(name -> known(graph, name)).toList()));
    for (Hash name = proven.poll(); name != null; name = proven.poll()) {
      Record record = waiting.remove(name);
      if (record != null) {
        proven.addAll(record.header().pointers());
      }
    }
    if (!waiting.isEmpty()) {
      throw new HoldfastException(
          ErrorCode.DENIED,
          "record "
              + waiting.keySet().iterator().next().brief()
              + " is not proven, and this session has not shown that it"
              + " holds a writer's key");
    }
  }

  private static boolean known(RecordGraph graph, Hash name) {
    long arrival = graph.arrivalOf(name);
    return arrival >= 0 ? graph.witness(arrival).proven() : graph.awaitedByProven(name);
  }

  void commit(long id, CommitPart part, long goesBy) throws ProofException {
    if (part.getAbort()) {
      abort();
      session.send(Reply.newBuilder().setId(id).setDone(Done.getDefaultInstance()));
      return;
    }
    session.capsule();
    if (!session.isWriter() && parts.none()) {
      requireAnnounced(part);
    }
    boolean last = !part.getHeader().isEmpty();
    if (!last && part.getLeaves().isEmpty()) {
      throw new HoldfastException(ErrorCode.INVALID, "a part of a record holds something");
    }
    // Strangers get half of the room, so that they leave some to writers.
    long room = service.options.stagedBytes() / (session.isWriter() ? 1 : 2);
    parts.add(part.getLeaves().toByteArray(), last, room);
    if (!last) {
      session.send(Reply.newBuilder().setId(id).setDone(Done.getDefaultInstance()));
      return;
    }
    byte[] all = parts.take();
    RecordHeader header = RecordHeader.decode(part.getHeader().toByteArray());
    Body body = Body.decode(all, header.leafCount());
    Record.State state = body.whole() ? Record.State.WHOLE : Record.State.PARTLY_ERASED;
    submit(
        id,
        List.of(new Record(header, state, body)),
        signatures(part.getSignaturesList(), Limits.WRITERS),
        part.getLevel(),
        all.length,
        goesBy);
  }

  /** Parts of a record take memory before it is known, so strangers must first prove its header. */
  private void requireAnnounced(CommitPart part) throws ProofException {
    if (part.getAnnounced().isEmpty()) {
      throw new HoldfastException(
          ErrorCode.DENIED,
          "leaves are taken only from a session that has shown a writer's key, or of a record that"
              + " is announced and proven");
    }
    RecordHeader header = RecordHeader.decode(part.getAnnounced().toByteArray());
    Record record = new Record(header, Record.State.HEADER_ONLY, null);
    StoredCapsule capsule = session.capsule();
    record.expect(capsule.name(), header.name());
    requireProven(capsule, List.of(record), signatures(part.getSignaturesList(), Limits.WRITERS));
  }

  void abort() {
    parts.drop();
  }

  void declare(long id, Declare declare) throws ProofException {
    List<Statement> statements = signatures(declare.getStatementsList(), STATEMENTS_PER_BATCH);
    submit(
        id,
        List.of(),
        statements,
        Level.SYNCED,
        declare.getSerializedSize(),
        StoreBatch.ANY_PLACEMENT);
  }

  void close() {
    parts.close();
  }

  /** Brings the store's word to the client. */
  private final class Completion implements StoreBatch.Completion {
    private final long id;
    private final StoredCapsule capsule;
    private final Level level;
    private final long weight;

    Completion(long id, StoredCapsule capsule, Level level, long weight) {
      this.id = id;
      this.capsule = capsule;
      this.level = level;
      this.weight = weight;
    }

    @Override
    public void received(List<Receipt.Entry> entries) {
      if (level == Level.RECEIVED) {
        receipts.add(id, capsule.name(), Receipt.Level.RECEIVED, entries);
      }
    }

    @Override
    public void synced(List<Receipt.Entry> entries) {
      pendingBytes.addAndGet(-weight);
      session.roomMade();
      if (level != Level.RECEIVED) {
        receipts.add(id, capsule.name(), Receipt.Level.SYNCED, entries);
      }
    }

    @Override
    public void failed(HoldfastException reason) {
      pendingBytes.addAndGet(-weight);
      session.fail(id, reason);
      session.batchEnds();
    }
  }
}
