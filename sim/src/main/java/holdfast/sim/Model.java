package holdfast.sim;

import holdfast.base.Hash;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.sync.Entry;
import holdfast.sync.MemoryReplica;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What a replica's state should be, worked out anew from all that it holds, without any graph. */
final class Model {
  final Map<Hash, RecordHeader> present = new HashMap<>();
  final Map<Hash, Set<Integer>> signed = new HashMap<>();
  final Set<Hash> damaged = new HashSet<>();
  final Map<Hash, Statement> statements = new HashMap<>();

  /** Records that a signature reaches. */
  final Set<Hash> proven = new HashSet<>();

  /** Proven records at which no proven record points. */
  final Set<Hash> heads = new HashSet<>();

  /** Names that a present record points at and that are absent. */
  final Set<Hash> missing = new HashSet<>();

  /** In a closed capsule, what lies at or below the final heads. */
  final Set<Hash> finals = new HashSet<>();

  boolean closed;

  private Model() {}

  /** What one replica holds. */
  static Model of(MemoryReplica replica, Map<Hash, Record> written) {
    Model model = new Model();
    model.add(replica, written);
    model.work();
    return model;
  }

  /** What several replicas would hold together. */
  static Model union(List<Server> servers, Map<Hash, Record> written) {
    Model model = new Model();
    servers.forEach(server -> model.add(server.replica(), written));
    model.work();
    return model;
  }

  private void add(MemoryReplica replica, Map<Hash, Record> written) {
    for (long arrival = 0; arrival < replica.graph().size(); arrival++) {
      Hash name = replica.nameOf(arrival);
      Record record = written.get(name);
      if (record == null) {
        throw SimulationFailure.wrong("a record is held that no writer wrote: " + name.brief());
      }
      present.put(name, record.header());
      if (replica.record(arrival) == null) {
        damaged.add(name);
      }
      for (Statement.WriterSignature signature : replica.signaturesOf(arrival)) {
        signed.computeIfAbsent(name, none -> new HashSet<>()).add(signature.signer());
      }
    }
    replica.ownerStatements().forEach(statement -> statements.put(statement.name(), statement));
  }

  private void work() {
    reach(signed.keySet(), proven);
    for (Statement statement : statements.values()) {
      if (statement instanceof Statement.Succession closing) {
        closed = true;
        reach(closing.finalHeads(), finals);
      }
    }
    Set<Hash> pointedAt = new HashSet<>();
    present.forEach((name, header) -> {
      for (Hash parent : header.pointers()) {
        if (!present.containsKey(parent)) {
          missing.add(parent);
        }
        if (proven.contains(name)) {
          pointedAt.add(parent);
        }
      }
    });
    if (closed) {
      for (Statement statement : statements.values()) {
        if (statement instanceof Statement.Succession closing) {
          closing.finalHeads().stream()
              .filter(head -> !present.containsKey(head))
              .forEach(missing::add);
        }
      }
    }
    heads.addAll(proven);
    heads.removeAll(pointedAt);
  }

  private void reach(Iterable<Hash> from, Set<Hash> reached) {
    ArrayDeque<Hash> queue = new ArrayDeque<>();
    for (Hash name : from) {
      if (present.containsKey(name) && reached.add(name)) {
        queue.add(name);
      }
    }
    for (Hash name = queue.poll(); name != null; name = queue.poll()) {
      RecordHeader header = present.get(name);
      for (int i = 0; header != null && i < header.pointerCount(); i++) {
        Hash parent = header.pointer(i);
        if (present.containsKey(parent) && reached.add(parent)) {
          queue.add(parent);
        }
      }
    }
  }

  /** Whether a record is part of what replicas exchange. */
  boolean exchanged(Hash name) {
    return !closed || finals.contains(name);
  }

  /** Proven records that replicas exchange. */
  Set<Hash> exchangedRecords() {
    Set<Hash> names = new HashSet<>(proven);
    names.removeIf(name -> !exchanged(name));
    return names;
  }

  /** All entries of the proven set. */
  Set<Item> entries(boolean exchangedOnly) {
    Set<Item> entries = new HashSet<>();
    for (Hash name : proven) {
      if (!exchangedOnly || exchanged(name)) {
        entries.add(Item.record(name));
        for (int signer : signed.getOrDefault(name, Set.of())) {
          entries.add(Item.signature(name, signer));
        }
      }
    }
    return entries;
  }

  /** Whether something is held, proven or not. */
  boolean has(Item item) {
    return item.signer() == Entry.RECORD
        ? present.containsKey(item.name())
        : statements.containsKey(item.name())
            || signed.getOrDefault(item.name(), Set.of()).contains(item.signer());
  }

  /** Whether the proven set holds an entry. */
  boolean holds(Entry entry) {
    return proven.contains(entry.record())
        && (entry.signer() == Entry.RECORD
            || signed.getOrDefault(entry.record(), Set.of()).contains(entry.signer()));
  }
}
