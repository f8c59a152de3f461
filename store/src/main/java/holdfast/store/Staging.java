package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Body;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.capsule.RecordGraph;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.rocksdb.RocksDBException;
import org.rocksdb.WriteBatch;

/**
 * Turns batches into changes: of the record graph, and of one write batch. Runs under the locks of
 * the capsules concerned.
 */
final class Staging {
  private final Tables tables;
  private final RecordBlocks blocks;
  private final RecordBlocks.Filling filling = new RecordBlocks.Filling();
  private final Bodies bodies;
  private final RecordCache cache;
  private final Freeing freeing;
  private final WriteBatch out;
  private final Usage usage;

  /** Bytes of records that this group brings or takes away. */
  private final Map<StoredCapsule, Long> used = new HashMap<>();

  /** Bodies that this group takes away (none) or replaces, by arrival. */
  private final Map<StoredCapsule, Map<Long, Optional<Body>>> erased = new HashMap<>();

  private final List<RecordCache.Entry> fresh = new ArrayList<>();
  private final Map<StoredCapsule, List<Statement>> kept = new HashMap<>();

  /** What a batch that also erases brings, by arrival: the database does not show that yet. */
  private final Map<Long, Record> within = new HashMap<>();

  Staging(CapsuleStore store, WriteBatch out) {
    this.tables = store.tables();
    this.blocks = store.blocks();
    this.bodies = store.bodies();
    this.cache = store.cache();
    this.freeing = store.freeing();
    this.out = out;
    this.usage = store.usage();
  }

  /** Notes what this group erases, so that its bytes are freed. */
  void noteErased() throws RocksDBException {
    for (Map.Entry<StoredCapsule, Map<Long, Optional<Body>>> entry : erased.entrySet()) {
      Set<Long> arrivals = entry.getValue().keySet();
      freeing.note(
          out, entry.getKey().number(), Collections.min(arrivals), Collections.max(arrivals));
    }
  }

  /** Applies a batch; an exception means that nothing of it was changed. */
  List<Receipt.Entry> apply(StoreBatch batch) throws RocksDBException {
    StoredCapsule capsule = batch.capsule();
    RecordGraph graph = capsule.graph();
    refuse(batch, graph);

    List<RecordHeader> headers = new ArrayList<>(batch.records().size());
    for (Record record : batch.records()) {
      headers.add(record.header());
    }
    boolean erases = batch.erases();
    long before = graph.size();
    within.clear();
    boolean erasing = !capsule.erasures().isEmpty();
    boolean caches = batch.worthCaching();
    List<RocksDBException> failures = new ArrayList<>();
    long[] arrivals =
        graph.insertAll(
            headers,
            (position, arrival) -> {
              try {
                Record record = batch.records().get(position);
                RecordCache.Entry stored = store(capsule, arrival, record, erasing);
                if (caches) {
                  fresh.add(stored);
                }
                if (erases) {
                  within.put(arrival, record);
                }
              } catch (RocksDBException e) {
                failures.add(e);
              }
            });
    if (!failures.isEmpty()) {
      throw failures.getFirst();
    }
    for (Statement statement : batch.statements()) {
      declare(capsule, statement, before);
    }
    return entries(batch, graph, arrivals);
  }

  /** Everything that can be refused is refused here, before anything changes. */
  private void refuse(StoreBatch batch, RecordGraph graph) {
    refuseOutrun(batch);
    batch.records().forEach(record -> refuseUnlessErased(batch.capsule(), record));
    Statement.Succession before = succession(batch.capsule());
    for (Statement statement : batch.statements()) {
      if (statement instanceof Statement.WriterSignature signature
          && !within(batch, signature.record())
          && graph.arrivalOf(signature.record()) < 0) {
        throw new HoldfastException(
            ErrorCode.NOT_FOUND,
            "record " + signature.record().brief() + " is to be signed and is not here");
      }
      if (graph.closed() && statement instanceof Statement.WriterSignature signature) {
        long arrival = graph.arrivalOf(signature.record());
        if (arrival >= 0 && !graph.isFinal(arrival)) {
          throw new HoldfastException(
              ErrorCode.SUCCEEDED,
              "the capsule is closed, and record "
                  + signature.record().brief()
                  + " lies outside its final heads");
        }
      }
      if (statement instanceof Statement.Succession closing) {
        if (before != null && !before.name().equals(closing.name())) {
          throw new HoldfastException(
              ErrorCode.SUCCEEDED,
              "the capsule was closed before, in favour of " + before.successor().brief());
        }
        before = closing;
      }
    }
    if (graph.closed()) {
      refuseOutsiders(batch, graph);
    }
    usage.refuseBeyondLimit(batch, used);
  }

  /**
   * Refuses a writer who has not heard of the newest placement. Decided here, in the order in which
   * batches are applied: whatever was taken before a placement is seen by whoever counts what is
   * held under it.
   */
  private void refuseOutrun(StoreBatch batch) {
    if (batch.ownersAlone()) {
      return;
    }
    long known = version(batch.capsule().placement());
    for (Statement statement : kept.getOrDefault(batch.capsule(), List.of())) {
      if (statement instanceof Statement.Placement placement) {
        known = Math.max(known, placement.version());
      }
    }
    if (batch.goesBy() < known) {
      throw new HoldfastException(
          ErrorCode.SUPERSEDED,
          "version "
              + known
              + " of the placement is known here, and the writer goes by "
              + (batch.goesBy() == 0 ? "none" : "version " + batch.goesBy())
              + "; it has to ask for the owner's statements and to send this again to all servers"
              + " that they name");
    }
  }

  private static long version(Statement.@Nullable Placement placement) {
    return placement == null ? 0 : placement.version();
  }

  /** The statement that closed the capsule, also one that this group brings. */
  private Statement.@Nullable Succession succession(StoredCapsule capsule) {
    for (Statement statement : kept.getOrDefault(capsule, List.of())) {
      if (statement instanceof Statement.Succession closing) {
        return closing;
      }
    }
    return capsule.succession();
  }

  /** What a record lacks of its body must have been erased by the owner. */
  private static void refuseUnlessErased(StoredCapsule capsule, Record record) {
    if (record.state() == Record.State.WHOLE) {
      return;
    }
    try {
      record.expectErased(capsule.erasures());
    } catch (ProofException e) {
      throw new HoldfastException(ErrorCode.INVALID, String.valueOf(e.getMessage()), e);
    }
  }

  /** Whether a batch holds a record; signed is mostly the last. */
  private static boolean within(StoreBatch batch, Hash name) {
    for (Record record : batch.records().reversed()) {
      if (record.name().equals(name)) {
        return true;
      }
    }
    return false;
  }

  /** A closed capsule takes ancestors of its final heads, from the heads downwards. */
  private void refuseOutsiders(StoreBatch batch, RecordGraph graph) {
    Map<Hash, Record> waiting = new HashMap<>();
    ArrayDeque<Hash> allowed = new ArrayDeque<>();
    for (Record record : batch.records()) {
      long arrival = graph.arrivalOf(record.name());
      // What is here already is not taken again, final or not.
      if (arrival < 0) {
        waiting.put(record.name(), record);
        if (graph.belongsToFinal(record.name())) {
          allowed.add(record.name());
        }
      } else if (graph.isFinal(arrival)) {
        allowed.addAll(record.header().pointers());
      }
    }
    for (Hash name = allowed.poll(); name != null; name = allowed.poll()) {
      Record record = waiting.remove(name);
      if (record != null) {
        allowed.addAll(record.header().pointers());
      }
    }
    if (!waiting.isEmpty()) {
      Statement.Succession closing = succession(batch.capsule());
      throw new HoldfastException(
          ErrorCode.SUCCEEDED,
          "the capsule is closed; it goes on as "
              + (closing == null ? "another" : closing.successor().toString()));
    }
  }

  private RecordCache.Entry store(
      StoredCapsule capsule, long arrival, Record record, boolean erasing) throws RocksDBException {
    RecordHeader header = record.header();
    Body body = record.body();
    if (erasing) {
      body = withoutErased(capsule, arrival, header, body);
    } else if (body == null) {
      capsule.graph().markErased(arrival, true);
    } else if (!body.whole()) {
      capsule.graph().markErased(arrival, false);
    }
    used.merge(capsule, Usage.of(header, body == null), Long::sum);
    boolean inline = RecordBlocks.inline(header);
    blocks.add(filling, capsule, arrival, header, inline ? body : null);
    if (body != null && !inline) {
      bodies.put(out, capsule.number(), arrival, header, body);
    }
    return new RecordCache.Entry(capsule.number(), arrival, header, body);
  }

  /** Stages what was held back until the whole group was known. */
  void finish() throws RocksDBException {
    for (Map.Entry<StoredCapsule, Map<Long, Optional<Body>>> entry : erased.entrySet()) {
      for (Map.Entry<Long, Optional<Body>> rewritten : entry.getValue().entrySet()) {
        rewrite(entry.getKey(), rewritten.getKey(), rewritten.getValue().orElse(null));
      }
    }
    blocks.finish(out, filling);
    usage.stage(out, used);
  }

  private void rewrite(StoredCapsule capsule, long arrival, @Nullable Body body)
      throws RocksDBException {
    RecordHeader header = headerOf(capsule, arrival);
    if (body == null) {
      used.merge(capsule, Usage.of(header, true) - Usage.of(header, false), Long::sum);
    }
    if (RecordBlocks.inline(header)) {
      blocks.rewrite(filling, capsule, arrival, body);
    } else if (body != null) {
      bodies.put(out, capsule.number(), arrival, header, body);
    } else {
      bodies.delete(out, capsule.number(), arrival);
    }
  }

  private RecordHeader headerOf(StoredCapsule capsule, long arrival) {
    Record brought = within.get(arrival);
    return brought != null ? brought.header() : capsule.headerOf(arrival);
  }

  /** Makes what was staged known to readers, once it is committed. */
  void publish() {
    for (RecordCache.Entry entry : fresh) {
      cache.put(entry.capsule(), entry.arrival(), entry.header(), entry.body());
    }
    kept.forEach((capsule, statements) -> statements.forEach(capsule::remember));
    erased.forEach((capsule, rewritten) -> capsule.contents().forget(rewritten.keySet()));
    usage.publish(used);
  }

  private static @Nullable Body withoutErased(
      StoredCapsule capsule, long arrival, RecordHeader header, @Nullable Body body) {
    if (body == null || capsule.erasures().ofRecord(header) != null) {
      capsule.graph().markErased(arrival, true);
      return null;
    }
    Map<Integer, Statement.Erasure> leaves = capsule.erasures().ofLeaves(header.name());
    Body kept = leaves.isEmpty() ? body : body.erase(leaves::containsKey);
    if (!kept.whole()) {
      capsule.graph().markErased(arrival, false);
    }
    return kept;
  }

  private void declare(StoredCapsule capsule, Statement statement, long before)
      throws RocksDBException {
    RecordGraph graph = capsule.graph();
    switch (statement) {
      case Statement.WriterSignature signature -> {
        long arrival = graph.arrivalOf(signature.record());
        byte[] key = Keys.signature(capsule.number(), arrival, signature.signer());
        // One signature by each writer is enough; the first stays, and only it is news for peers.
        boolean rotten = capsule.signatureDamaged(arrival);
        boolean known = arrival < before && holds(key, rotten);
        if (!known || rotten) {
          out.put(tables.statements, key, signature.encode());
        }
        if (!known) {
          graph.sign(arrival, signature.signer());
        }
      }
      case Statement.Erasure erasure -> {
        keep(capsule, erasure);
        erase(capsule, erasure);
      }
      case Statement.Grant grant -> keep(capsule, grant);
      case Statement.Placement placement -> keep(capsule, placement);
      case Release release -> keep(capsule, release);
      case Statement.Succession closing -> {
        keep(capsule, closing);
        if (!graph.closed()) {
          graph.close(closing.finalHeads());
        }
      }
    }
  }

  /** Whether a signature is stored; where signatures are known to be rotten, also one that is. */
  private boolean holds(byte[] key, boolean rotten) throws RocksDBException {
    try {
      return tables.db.get(tables.statements, key) != null;
    } catch (RocksDBException e) {
      if (rotten && Tables.failure("", e).code() == ErrorCode.DAMAGED) {
        return true;
      }
      throw e;
    }
  }

  private void keep(StoredCapsule capsule, Statement statement) throws RocksDBException {
    out.put(
        tables.statements,
        Keys.statement(capsule.number(), statement.kind(), statement.name()),
        statement.encode());
    kept.computeIfAbsent(capsule, none -> new ArrayList<>()).add(statement);
  }

  private void erase(StoredCapsule capsule, Statement.Erasure erasure) {
    RecordGraph graph = capsule.graph();
    switch (erasure.erased()) {
      case Statement.Erased.OfRecord(Hash record) -> {
        long arrival = graph.arrivalOf(record);
        if (arrival >= 0) {
          eraseBody(capsule, arrival);
        }
      }
      case Statement.Erased.OfLeaf(Hash record, int leaf) -> {
        long arrival = graph.arrivalOf(record);
        if (arrival >= 0) {
          eraseLeaf(capsule, arrival, leaf);
        }
      }
      case Statement.Erased.OfTimes(long from, long to) -> {
        for (long arrival = graph.mayLieWithin(0, from, to);
            arrival < graph.size();
            arrival = graph.mayLieWithin(arrival + 1, from, to)) {
          long time = headerOf(capsule, arrival).timeMillis();
          if (time >= from && time < to) {
            eraseBody(capsule, arrival);
          }
        }
      }
    }
  }

  private void eraseBody(StoredCapsule capsule, long arrival) {
    if (capsule.graph().bodyState(arrival) != Record.State.ERASED) {
      capsule.graph().markErased(arrival, true);
      rewritten(capsule).put(arrival, Optional.empty());
    }
  }

  private void eraseLeaf(StoredCapsule capsule, long arrival, int leaf) {
    RecordHeader header = headerOf(capsule, arrival);
    if (leaf >= header.leafCount() || capsule.graph().bodyState(arrival) == Record.State.ERASED) {
      return;
    }
    Optional<Body> known = rewritten(capsule).get(arrival);
    Body body = known == null ? bodyOf(capsule, arrival) : known.orElseThrow();
    if (body == null) {
      throw new AssertionError("a body that is not erased is there");
    }
    capsule.graph().markErased(arrival, false);
    rewritten(capsule).put(arrival, Optional.of(body.erase(index -> index == leaf)));
  }

  private @Nullable Body bodyOf(StoredCapsule capsule, long arrival) {
    Record brought = within.get(arrival);
    return brought != null ? brought.body() : capsule.record(arrival).body();
  }

  private Map<Long, Optional<Body>> rewritten(StoredCapsule capsule) {
    return erased.computeIfAbsent(capsule, none -> new HashMap<>());
  }

  private static List<Receipt.Entry> entries(StoreBatch batch, RecordGraph graph, long[] arrivals) {
    List<Receipt.Entry> entries = new ArrayList<>(arrivals.length + batch.statements().size());
    for (int i = 0; i < arrivals.length; i++) {
      Receipt.Outcome outcome =
          graph.bodyState(arrivals[i]) == Record.State.ERASED
              ? Receipt.Outcome.ERASED
              : graph.witness(arrivals[i]).proven()
                  ? Receipt.Outcome.PROVEN
                  : Receipt.Outcome.UNPROVEN;
      entries.add(new Receipt.Entry(Receipt.Kind.WRITE, batch.records().get(i).name(), outcome));
    }
    for (Statement statement : batch.statements()) {
      entries.add(
          switch (statement) {
            case Statement.WriterSignature signature ->
                new Receipt.Entry(Receipt.Kind.SIGN, signature.record(), Receipt.Outcome.PROVEN);
            case Statement.Erasure erasure ->
                new Receipt.Entry(Receipt.Kind.STATEMENT, erasure.name(), Receipt.Outcome.ERASED);
            case Statement.Grant grant ->
                new Receipt.Entry(Receipt.Kind.STATEMENT, grant.name(), Receipt.Outcome.PROVEN);
            case Statement.Succession closing ->
                new Receipt.Entry(Receipt.Kind.STATEMENT, closing.name(), Receipt.Outcome.PROVEN);
            case Statement.Placement placed ->
                new Receipt.Entry(Receipt.Kind.STATEMENT, placed.name(), Receipt.Outcome.PROVEN);
            case Release release ->
                new Receipt.Entry(Receipt.Kind.STATEMENT, release.name(), Receipt.Outcome.PROVEN);
          });
    }
    return entries;
  }
}
