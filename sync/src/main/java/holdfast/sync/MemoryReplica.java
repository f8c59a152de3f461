package holdfast.sync;

import holdfast.base.Hash;
import holdfast.capsule.Body;
import holdfast.capsule.InMemoryOrderedMap;
import holdfast.capsule.Metadata;
import holdfast.capsule.ProvenLog;
import holdfast.capsule.Record;
import holdfast.capsule.RecordGraph;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongPredicate;
import org.jspecify.annotations.Nullable;

/**
 * A replica held in memory, over the same record graph as a server's: what the simulator and tests
 * drive rounds on.
 */
public final class MemoryReplica implements Replica {
  private final Metadata metadata;
  private final RecordGraph graph;
  private final List<Record> records = new ArrayList<>();
  private final Map<Long, Map<Integer, Statement.WriterSignature>> signatures = new HashMap<>();
  private final Map<Hash, Statement> statements = new LinkedHashMap<>();
  private final Set<Long> damaged = new HashSet<>();

  /** Those of the damaged of which not even the header can be read. */
  private final Set<Long> unreadable = new HashSet<>();

  /** An empty replica of a capsule. */
  public MemoryReplica(Metadata metadata) {
    this.metadata = metadata;
    this.graph = new RecordGraph(new InMemoryOrderedMap(), 1 << 10);
  }

  /** The record graph. */
  public RecordGraph graph() {
    return graph;
  }

  /**
   * Stores records and statements that have been verified; what is here already is passed over, and
   * so is what the capsule, being closed, does not take.
   */
  public void store(List<Record> fresh, List<? extends Statement> declared) {
    for (Statement statement : declared) {
      if (!(statement instanceof Statement.WriterSignature)) {
        keep(statement);
      }
    }
    List<Record> taken = graph.closed() ? allowed(fresh) : fresh;
    graph.insertAll(
        taken.stream().map(Record::header).toList(),
        (position, arrival) -> {
          Record record = unlessErased(taken.get(position));
          records.add(record);
          if (record.state() != Record.State.WHOLE) {
            graph.markErased(arrival, record.state() == Record.State.ERASED);
          }
        });
    for (Record record : taken) {
      long arrival = graph.arrivalOf(record.name());
      if (damaged.remove(arrival)) {
        unreadable.remove(arrival);
        records.set((int) arrival, unlessErased(record));
      }
    }
    for (Statement statement : declared) {
      if (statement instanceof Statement.WriterSignature signature) {
        long arrival = graph.arrivalOf(signature.record());
        if (arrival >= 0
            && signatures
                    .computeIfAbsent(arrival, none -> new LinkedHashMap<>())
                    .putIfAbsent(signature.signer(), signature)
                == null) {
          graph.sign(arrival, signature.signer());
        }
      }
    }
    graph.flush();
  }

  private List<Record> allowed(List<Record> fresh) {
    Map<Hash, Record> waiting = new LinkedHashMap<>();
    fresh.forEach(record -> waiting.put(record.name(), record));
    Set<Hash> wanted = new HashSet<>();
    for (boolean progress = true; progress; ) {
      progress = false;
      for (Record record : List.copyOf(waiting.values())) {
        if (wanted.contains(record.name())
            || graph.arrivalOf(record.name()) >= 0
            || graph.belongsToFinal(record.name())) {
          waiting.remove(record.name());
          wanted.add(record.name());
          wanted.addAll(record.header().pointers());
          progress = true;
        }
      }
    }
    return fresh.stream().filter(record -> !waiting.containsKey(record.name())).toList();
  }

  private void keep(Statement statement) {
    if (statements.putIfAbsent(statement.name(), statement) != null) {
      return;
    }
    if (statement instanceof Statement.Succession closing && !graph.closed()) {
      graph.close(closing.finalHeads());
    }
    if (statement instanceof Statement.Erasure) {
      for (int arrival = 0; arrival < records.size(); arrival++) {
        Record kept = unlessErased(records.get(arrival));
        if (kept.state() != records.get(arrival).state()) {
          graph.markErased(arrival, kept.state() == Record.State.ERASED);
        }
        records.set(arrival, kept);
      }
    }
  }

  private Record unlessErased(Record record) {
    RecordHeader header = record.header();
    Body body = record.body();
    for (Statement statement : statements.values()) {
      if (statement instanceof Statement.Erasure erasure && body != null) {
        body =
            erasure.coversAll(header)
                ? null
                : erasure.touches(header) ? body.erase(leaf -> erasure.covers(header, leaf)) : body;
      }
    }
    return body == null
        ? new Record(header, Record.State.ERASED, null)
        : new Record(header, body.whole() ? Record.State.WHOLE : Record.State.PARTLY_ERASED, body);
  }

  /** Makes the body of a record unreadable, as rot does. */
  public void damage(long arrival) {
    damaged.add(arrival);
  }

  /** Makes a record unreadable, header and all. */
  public void damageHeader(long arrival) {
    damaged.add(arrival);
    unreadable.add(arrival);
  }

  /** Arrival numbers of the records that are damaged. */
  public Set<Long> damaged() {
    return Set.copyOf(damaged);
  }

  @Override
  public Metadata metadata() {
    return metadata;
  }

  @Override
  public List<Statement> ownerStatements() {
    return List.copyOf(statements.values());
  }

  @Override
  public long entries() {
    return graph.log().size();
  }

  @Override
  public List<Entry> entries(long from, long to) {
    return range(from, to, arrival -> !unreadable.contains(arrival));
  }

  /** All that has entered the proven set, also what cannot be read any more. */
  public List<Entry> entered() {
    return range(0, entries(), arrival -> true);
  }

  private List<Entry> range(long from, long to, LongPredicate wanted) {
    List<Entry> found = new ArrayList<>();
    eachPlace(
        from,
        to,
        (position, arrival, signer) -> {
          if (wanted.test(arrival)) {
            found.add(new Entry(position, nameOf(arrival), arrival, signer));
          }
        });
    return found;
  }

  @Override
  public void eachPlace(long from, long to, ProvenLog.Visitor visitor) {
    graph.log().visit(from, to, visitor);
  }

  @Override
  public long[] arrivalsOf(List<Hash> names) {
    return graph.arrivalsOf(names);
  }

  @Override
  public boolean proven(long arrival) {
    return graph.witness(arrival).proven() && !damaged.contains(arrival);
  }

  @Override
  public Hash nameOf(long arrival) {
    return records.get((int) arrival).name();
  }

  @Override
  public @Nullable Record record(long arrival) {
    return damaged.contains(arrival) ? null : records.get((int) arrival);
  }

  @Override
  public List<Statement.WriterSignature> signaturesOf(long arrival) {
    return List.copyOf(signatures.getOrDefault(arrival, Map.of()).values());
  }

  @Override
  public long[] pointers(long arrival) {
    return graph.pointers(arrival);
  }

  @Override
  public long[] provenHeads(int limit) {
    return graph.provenHeads(limit);
  }

  @Override
  public List<Hash> missingNames(int limit) {
    return graph.missingNames(limit);
  }

  @Override
  public boolean awaitedByProven(Hash name) {
    long arrival = graph.arrivalOf(name);
    return arrival < 0
        ? graph.awaitedByProven(name)
        : damaged.contains(arrival) && graph.witness(arrival).proven();
  }

  @Override
  public boolean exchanged(long arrival) {
    return !damaged.contains(arrival) && (!graph.closed() || graph.isFinal(arrival));
  }
}
