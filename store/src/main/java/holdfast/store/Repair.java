package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Body;
import holdfast.capsule.Record;
import holdfast.capsule.RecordGraph;
import holdfast.capsule.RecordHeader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.rocksdb.RocksDBException;
import org.rocksdb.WriteBatch;
import org.rocksdb.WriteOptions;

/**
 * Replaces the damaged bytes of records by intact copies. Under the capsule's lock, so that nothing
 * is staged meanwhile; in one write batch; and checked again afterwards, from the database, before
 * the quarantine is lifted.
 *
 * <p>A block of 16 that cannot be read comes back with the records that copies were brought of; the
 * others keep their places, empty, until they are repaired too.
 */
final class Repair {
  private final CapsuleStore store;
  private final StoredCapsule capsule;

  private record Replacement(long arrival, Record copy) {}

  Repair(CapsuleStore store, StoredCapsule capsule) {
    this.store = store;
    this.capsule = capsule;
  }

  int repair(List<Record> copies) throws ProofException {
    for (Record copy : copies) {
      copy.expect(capsule.name(), copy.name());
    }
    if (!store.writable()) {
      throw new HoldfastException(ErrorCode.STOPPING, "the server is stopping");
    }
    capsule.lock.lock();
    try (WriteBatch out = new WriteBatch();
        WriteOptions unsynced = new WriteOptions()) {
      List<Replacement> replaced = new ArrayList<>();
      Map<Long, List<RecordBlocks.Stored>> blocks = new TreeMap<>();
      Map<Hash, Long> damaged = damaged();
      for (Record copy : copies) {
        long arrival = arrivalOf(copy.name(), damaged);
        if (RecordCheck.inspect(store, capsule, arrival) == null) {
          store.quarantine().lift(capsule.number(), arrival);
        } else {
          replaced.add(new Replacement(arrival, copy));
          replace(out, blocks, arrival, copy);
        }
      }
      for (Map.Entry<Long, List<RecordBlocks.Stored>> block : blocks.entrySet()) {
        out.put(
            store.tables().headers,
            Keys.record(capsule.number(), block.getKey()),
            RecordBlocks.encode(block.getValue()));
      }
      store.tables().db.write(unsynced, out);
      return lift(replaced);
    } catch (RocksDBException e) {
      throw Tables.failure("cannot repair capsule " + capsule.name().brief(), e);
    } finally {
      capsule.lock.unlock();
    }
  }

  private int lift(List<Replacement> replaced) {
    int intact = 0;
    for (Replacement one : replaced) {
      store.cache().drop(capsule.number(), one.arrival());
      store.bodies().forget(capsule.number(), one.arrival());
      Damage left = RecordCheck.inspect(store, capsule, one.arrival());
      store.quarantine().lift(capsule.number(), one.arrival());
      if (left == null) {
        intact++;
      } else {
        store.quarantine().note(capsule.name(), left);
      }
    }
    return intact;
  }

  List<Hash> mendable() {
    Map<Hash, Long> damaged = damaged();
    damaged.values().removeIf(arrival -> !capsule.wantsCopy(arrival));
    return List.copyOf(damaged.keySet());
  }

  /** The arrival numbers of records that are damaged, by name. */
  private Map<Hash, Long> damaged() {
    Map<Hash, Long> arrivals = new HashMap<>();
    for (Damage damage : capsule.damaged(Integer.MAX_VALUE)) {
      Hash name = damage.name() == null ? nameOf(damage) : damage.name();
      if (name != null) {
        arrivals.put(name, damage.arrival());
      }
    }
    return arrivals;
  }

  /** The name of a record by its header, when that is there and only the name is lost. */
  private @Nullable Hash nameOf(Damage damage) {
    if (damage.arrival() == Damage.WHOLE_CAPSULE) {
      return null;
    }
    try {
      return store.blocks().readOne(capsule.number(), damage.arrival()).header().name();
    } catch (HoldfastException e) {
      if (e.code() != ErrorCode.DAMAGED) {
        throw e;
      }
      return null;
    }
  }

  /** Where a record belongs; its entry among the names may be what is damaged. */
  private long arrivalOf(Hash name, Map<Hash, Long> damaged) {
    Long known = damaged.get(name);
    long arrival = known != null ? known : capsule.withGraph(graph -> graph.arrivalOf(name));
    if (arrival < 0) {
      throw new HoldfastException(
          ErrorCode.NOT_FOUND, "record " + name.brief() + " was never here; it is to be written");
    }
    return arrival;
  }

  private void replace(
      WriteBatch out, Map<Long, List<RecordBlocks.Stored>> blocks, long arrival, Record copy)
      throws RocksDBException {
    RecordHeader header = copy.header();
    Body body = kept(arrival, copy);
    boolean inline = RecordBlocks.inline(header);
    blocks
        .computeIfAbsent(arrival >>> RecordBlocks.SHIFT, this::block)
        .set(RecordBlocks.slot(arrival), new RecordBlocks.Stored(header, inline ? body : null));
    if (!inline) {
      store.bodies().delete(out, capsule.number(), arrival);
      if (body != null) {
        store.bodies().put(out, capsule.number(), arrival, header, body);
      }
    }
    out.put(
        store.tables().names,
        Keys.within(capsule.number(), header.name().toBytes(), 0),
        java.nio.ByteBuffer.allocate(8).putLong(arrival).array());
  }

  /** The block as far as it can be read, with a place for each of its records. */
  private List<RecordBlocks.Stored> block(long index) {
    long first = index << RecordBlocks.SHIFT;
    long size = capsule.withGraph(RecordGraph::size);
    int count = (int) Math.min(1 << RecordBlocks.SHIFT, size - first);
    List<RecordBlocks.Stored> block = new ArrayList<>(count);
    try {
      block.addAll(store.blocks().read(capsule.number(), index));
    } catch (HoldfastException e) {
      if (e.code() != ErrorCode.DAMAGED) {
        throw e;
      }
    }
    while (block.size() < count) {
      block.add(RecordBlocks.Stored.LOST);
    }
    return block;
  }

  /** What of a copy's body is stored: all but what the owner has had erased. */
  private @Nullable Body kept(long arrival, Record copy) {
    RecordHeader header = copy.header();
    Record.State state = capsule.withGraph(graph -> graph.bodyState(arrival));
    if (state == Record.State.ERASED || capsule.erasures().ofRecord(header) != null) {
      return null;
    }
    var leaves = capsule.erasures().ofLeaves(header.name());
    Body body = copy.body();
    if (body == null) {
      throw lacking(copy);
    }
    for (int leaf = 0; leaf < header.leafCount(); leaf++) {
      if (body.erased(leaf) && !leaves.containsKey(leaf)) {
        throw lacking(copy);
      }
    }
    return leaves.isEmpty() ? body : body.erase(leaves::containsKey);
  }

  private static HoldfastException lacking(Record copy) {
    return new HoldfastException(
        ErrorCode.INVALID,
        "the copy of record " + copy.name().brief() + " lacks leaves that nobody has erased");
  }
}
