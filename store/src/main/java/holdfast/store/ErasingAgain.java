package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.capsule.Body;
import holdfast.capsule.Record;
import holdfast.capsule.RecordGraph;
import holdfast.capsule.RecordHeader;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.rocksdb.WriteBatch;
import org.rocksdb.WriteOptions;

/**
 * Erases in a database at rest what is erased already and shows all the same, because the table is
 * gone that covered it. The bytes are noted to be freed, as at the first time.
 */
final class ErasingAgain {
  private final Tables tables;
  private final int capsule;
  private final RecordBlocks blocks;
  private final Bodies bodies;
  private final Erasures erasures;
  private final RecordGraph graph;

  ErasingAgain(Tables tables, int capsule) {
    this.tables = tables;
    this.capsule = capsule;
    this.blocks = new RecordBlocks(tables, tables.passing);
    this.bodies = new Bodies(tables, tables.passing);
    this.erasures = Erasures.stored(tables, capsule);
    this.graph = new RecordGraph(new CapsuleTable(tables, capsule), 16);
  }

  /** Looks at the records from one arrival number to another, both among them. */
  void erase(long first, long last) throws RocksDBException {
    if (erasures.isEmpty()) {
      return;
    }
    Map<Long, List<RecordBlocks.Stored>> rewritten = new TreeMap<>();
    long least = Long.MAX_VALUE;
    long greatest = -1;
    try (WriteBatch out = new WriteBatch();
        WriteOptions unsynced = new WriteOptions()) {
      for (long arrival = first; arrival <= Math.min(last, graph.size() - 1); arrival++) {
        if (erase(out, rewritten, arrival)) {
          least = Math.min(least, arrival);
          greatest = arrival;
        }
      }
      for (Map.Entry<Long, List<RecordBlocks.Stored>> block : rewritten.entrySet()) {
        out.put(
            tables.headers,
            Keys.record(capsule, block.getKey()),
            RecordBlocks.encode(block.getValue()));
      }
      if (greatest >= 0) {
        Freeing.noteAtRest(tables, out, capsule, least, greatest);
        tables.db.write(unsynced, out);
      }
    }
  }

  private boolean erase(
      WriteBatch out, Map<Long, List<RecordBlocks.Stored>> rewritten, long arrival)
      throws RocksDBException {
    RecordBlocks.Stored stored = stored(rewritten, arrival);
    RecordHeader header = stored == null ? null : stored.known();
    if (graph.bodyState(arrival) == Record.State.ERASED
        || (header != null && erasures.ofRecord(header) != null)) {
      boolean chunks = hasChunks(arrival);
      if (chunks) {
        bodies.delete(out, capsule, arrival);
      }
      if (stored != null && stored.body() != null) {
        replace(rewritten, arrival, new RecordBlocks.Stored(header, null));
        return true;
      }
      return chunks;
    }
    if (stored == null || header == null) {
      return false;
    }
    var leaves = erasures.ofLeaves(header.name()).keySet();
    Body body = leaves.isEmpty() ? null : body(arrival, header, stored);
    if (body == null || leaves.stream().allMatch(leaf -> outside(leaf, header, body))) {
      return false;
    }
    Body left = body.erase(leaves::contains);
    if (RecordBlocks.inline(header)) {
      replace(rewritten, arrival, new RecordBlocks.Stored(header, left));
    } else {
      bodies.put(out, capsule, arrival, header, left);
    }
    return true;
  }

  private static boolean outside(int leaf, RecordHeader header, Body body) {
    return leaf >= header.leafCount() || body.erased(leaf);
  }

  private RecordBlocks.@Nullable Stored stored(
      Map<Long, List<RecordBlocks.Stored>> rewritten, long arrival) {
    List<RecordBlocks.Stored> block = rewritten.get(arrival >>> RecordBlocks.SHIFT);
    try {
      return block != null
          ? block.get(RecordBlocks.slot(arrival))
          : blocks.readOne(capsule, arrival);
    } catch (HoldfastException e) {
      requireDamaged(e);
      return null;
    }
  }

  private void replace(
      Map<Long, List<RecordBlocks.Stored>> rewritten, long arrival, RecordBlocks.Stored by) {
    rewritten
        .computeIfAbsent(
            arrival >>> RecordBlocks.SHIFT, index -> new ArrayList<>(blocks.read(capsule, index)))
        .set(RecordBlocks.slot(arrival), by);
  }

  private @Nullable Body body(long arrival, RecordHeader header, RecordBlocks.Stored stored) {
    try {
      return RecordBlocks.inline(header) ? stored.body() : bodies.read(capsule, arrival, header);
    } catch (HoldfastException e) {
      requireDamaged(e);
      return null;
    }
  }

  /** What is lost holds nothing that could be erased; it is found damaged, and refused. */
  private static void requireDamaged(HoldfastException e) {
    if (e.code() != ErrorCode.DAMAGED) {
      throw e;
    }
  }

  /** Whether any piece of a body shows; the first may be gone and a later one not. */
  private boolean hasChunks(long arrival) throws RocksDBException {
    try (RocksIterator chunks = tables.db.newIterator(tables.bodies, tables.passing)) {
      chunks.seek(Keys.chunk(capsule, arrival, 0));
      if (!chunks.isValid()) {
        chunks.status();
        return false;
      }
      return java.util.Arrays.compareUnsigned(chunks.key(), Keys.chunk(capsule, arrival + 1, 0))
          < 0;
    }
  }
}
