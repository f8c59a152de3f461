package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.RecordGraph;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.rocksdb.ReadOptions;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.rocksdb.Slice;
import org.rocksdb.WriteBatch;
import org.rocksdb.WriteOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Derives the record graph of a capsule anew, by the code that made it: records in the order of
 * their arrival, each signature behind its record, then what is erased and how the capsule was
 * closed. A record whose header is lost keeps its place, and the graph is to be derived once more
 * when it has been mended.
 *
 * <p>The order in which records were proven may come out otherwise than it was, so what was kept of
 * peers, which is told by that order, is forgotten, and the next round compares everything. In a
 * database at rest; one that is broken off is begun anew.
 */
final class GraphRebuild {
  private static final Logger LOG = LoggerFactory.getLogger(GraphRebuild.class);

  /** Records, with their signatures, that are written at once. */
  private static final int GROUP = 1 << 12;

  private static final byte[] NOTHING = new byte[0];

  private final Tables tables;
  private final int capsule;
  private final RecordBlocks blocks;
  private final Set<Long> lost = new HashSet<>();
  private final Map<Long, Hash> lostNames = new HashMap<>();

  GraphRebuild(Tables tables, int capsule) {
    this.tables = tables;
    this.capsule = capsule;
    this.blocks = new RecordBlocks(tables, tables.passing);
  }

  /** The numbers of the blocks of headers that a capsule has, ascending. */
  static long[] blocksOf(Tables tables, int capsule) throws RocksDBException {
    LongStream.Builder found = LongStream.builder();
    try (Slice end = new Slice(Keys.within(capsule + 1, NOTHING, 0));
        ReadOptions bounded = new ReadOptions(tables.passing).setIterateUpperBound(end);
        RocksIterator entries = tables.db.newIterator(tables.headers, bounded)) {
      for (entries.seek(Keys.within(capsule, NOTHING, 0)); entries.isValid(); entries.next()) {
        found.add(ByteBuffer.wrap(entries.key()).getLong(4));
      }
      entries.status();
    }
    return found.build().toArray();
  }

  /**
   * Derives the graph.
   *
   * @return of how many records
   */
  long rebuild() throws RocksDBException, ProofException {
    long size = size();
    findLost(size);
    Erasures erasures = Erasures.stored(tables, capsule);
    begin();
    CapsuleTable table = new CapsuleTable(tables, capsule);
    RecordGraph graph = new RecordGraph(table, 1024);
    for (long first = 0; first < size; first += GROUP) {
      long from = first;
      long end = Math.min(size, first + GROUP);
      write(
          table,
          graph,
          () -> {
            insert(graph, erasures, from, end);
            sign(graph, from, end);
          });
    }
    Statement.Succession closing = closing();
    if (closing != null) {
      write(table, graph, () -> graph.close(closing.finalHeads()));
    }
    return size;
  }

  private interface Change {
    void run() throws RocksDBException;
  }

  private void write(CapsuleTable table, RecordGraph graph, Change change) throws RocksDBException {
    try (WriteBatch out = new WriteBatch();
        WriteOptions unsynced = new WriteOptions()) {
      table.lend(out);
      change.run();
      graph.flush();
      tables.db.write(unsynced, out);
    } finally {
      table.lend(null);
    }
  }

  private interface NamedRecord {
    void named(Hash name, long arrival);
  }

  private void names(NamedRecord visitor) throws RocksDBException {
    try (Slice end = new Slice(Keys.within(capsule + 1, NOTHING, 0));
        ReadOptions bounded = new ReadOptions(tables.passing).setIterateUpperBound(end);
        RocksIterator names = tables.db.newIterator(tables.names, bounded)) {
      for (names.seek(Keys.within(capsule, NOTHING, 0)); names.isValid(); names.next()) {
        visitor.named(Hash.read(names.key(), 4), ByteBuffer.wrap(names.value()).getLong());
      }
      names.status();
    }
  }

  /** How many records there are, by their names and by the blocks of their headers. */
  private long size() throws RocksDBException {
    long[] size = {0};
    for (long index : blocksOf(tables, capsule)) {
      size[0] = Math.max(size[0], (index << RecordBlocks.SHIFT) + block(index).size());
    }
    names((name, arrival) -> size[0] = Math.max(size[0], arrival + 1));
    return size[0];
  }

  /** A block of headers; of one that cannot be read none are known. */
  private List<RecordBlocks.Stored> block(long index) {
    try {
      return blocks.read(capsule, index);
    } catch (HoldfastException e) {
      if (e.code() != ErrorCode.DAMAGED) {
        throw e;
      }
      return List.of();
    }
  }

  /** Finds the records whose headers are lost, and their names as far as those are there. */
  private void findLost(long size) throws RocksDBException {
    for (long first = 0; first < size; first += 1 << RecordBlocks.SHIFT) {
      List<RecordBlocks.Stored> block = block(first >>> RecordBlocks.SHIFT);
      for (int slot = 0; slot < 1 << RecordBlocks.SHIFT && first + slot < size; slot++) {
        if (slot >= block.size() || block.get(slot).known() == null) {
          lost.add(first + slot);
        }
      }
    }
    if (!lost.isEmpty()) {
      names((name, arrival) -> {
        if (lost.contains(arrival)) {
          lostNames.put(arrival, name);
        }
      });
    }
  }

  private void begin() throws RocksDBException {
    try (WriteBatch out = new WriteBatch();
        WriteOptions unsynced = new WriteOptions();
        RocksIterator peers = tables.db.newIterator(tables.settings)) {
      out.deleteRange(
          tables.graph, Keys.within(capsule, NOTHING, 0), Keys.within(capsule + 1, NOTHING, 0));
      for (peers.seek(Keys.peer(capsule, NOTHING)); peers.isValid(); peers.next()) {
        byte[] key = peers.key();
        if (key.length < 5 || key[0] != 'p' || ByteBuffer.wrap(key).getInt(1) != capsule) {
          break;
        }
        out.delete(tables.settings, key);
      }
      peers.status();
      tables.db.write(unsynced, out);
    }
  }

  private void insert(RecordGraph graph, Erasures erasures, long from, long end)
      throws RocksDBException {
    List<RecordBlocks.Stored> block = List.of();
    for (long arrival = from; arrival < end; arrival++) {
      if (arrival == from || RecordBlocks.slot(arrival) == 0) {
        block = block(arrival >>> RecordBlocks.SHIFT);
      }
      if (lost.contains(arrival)) {
        graph.insertLost(lostNames.get(arrival));
        continue;
      }
      RecordBlocks.Stored stored = block.get(RecordBlocks.slot(arrival));
      RecordHeader header = stored.header();
      long[] targets = new long[header.pointerCount()];
      for (int i = 0; i < targets.length; i++) {
        // All names are known here; what came later was a hole when this record came.
        long target = RecordCheck.arrivalOf(tables, capsule, header.pointer(i));
        targets[i] = target < arrival ? target : -1;
      }
      graph.insert(header, targets);
      erased(graph, erasures, arrival, stored);
    }
  }

  private void erased(
      RecordGraph graph, Erasures erasures, long arrival, RecordBlocks.Stored stored)
      throws RocksDBException {
    RecordHeader header = stored.header();
    if (erasures.ofRecord(header) != null) {
      graph.markErased(arrival, true);
      return;
    }
    int leaves = erasures.ofLeaves(header.name()).size();
    if (leaves > 0) {
      boolean gone =
          leaves >= header.leafCount()
              && stored.body() == null
              && tables.db.get(tables.bodies, Keys.chunk(capsule, arrival, 0)) == null;
      graph.markErased(arrival, gone);
    }
  }

  private void sign(RecordGraph graph, long from, long end) throws RocksDBException {
    try (Slice bound = new Slice(Keys.signature(capsule, end, 0));
        ReadOptions bounded = new ReadOptions(tables.passing).setIterateUpperBound(bound);
        RocksIterator entries = tables.db.newIterator(tables.statements, bounded)) {
      for (entries.seek(Keys.signature(capsule, from, 0)); entries.isValid(); entries.next()) {
        Statement statement;
        try {
          statement = Statement.decode(entries.value());
        } catch (ProofException e) {
          // One that cannot be read counts as not there, until it is brought again.
          LOG.error("a signature in capsule number {} is damaged: {}", capsule, e.getMessage());
          continue;
        }
        if (statement instanceof Statement.WriterSignature signature) {
          graph.sign(ByteBuffer.wrap(entries.key()).getLong(5), signature.signer());
        }
      }
      entries.status();
    }
  }

  private Statement.@Nullable Succession closing() throws ProofException {
    byte[] from = Keys.statement(capsule, 2, Hash.ZERO);
    byte[] to = Keys.within(capsule + 1, NOTHING, 0);
    List<byte[]> all =
        new ArrayList<>(Listing.statements(tables, from, to, Integer.MAX_VALUE).statements());
    for (byte[] encoded : all) {
      if (Statement.decode(encoded) instanceof Statement.Succession closing) {
        return closing;
      }
    }
    return null;
  }
}
