package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.rocksdb.ColumnFamilyHandle;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Puts in order what rotten tables leave behind once they are gone. What can be derived is derived:
 * names from headers, the record graph from headers and statements. What the owner has erased and
 * older values show again is erased again. What is lost is noted as damaged, so that it is not
 * served and comes back from copies.
 */
final class Aftermath {
  private static final Logger LOG = LoggerFactory.getLogger(Aftermath.class);
  private static final byte[] NOTHING = new byte[0];

  /** Of one gap at most as many are looked at before the store is served; more are scrubbed. */
  private static final long LOOKED_AT = 1 << 16;

  private final Tables tables;
  private final TreeMap<Integer, Hash> capsules = new TreeMap<>();

  Aftermath(Tables tables) throws RocksDBException {
    this.tables = tables;
    CapsuleEntry.visit(tables, entry -> capsules.put(entry.number(), entry.name()));
  }

  /** Arrival numbers of one capsule, both ends among them. */
  private record Range(int capsule, long first, long last) {}

  // ---- At rest ----------------------------------------------------------------------------------

  /** Derives anew what can be, and erases again what shows again. In a database at rest. */
  void restore(List<RotNotes.Note> notes) throws RocksDBException {
    List<RotNotes.Salvaged> gone = salvaged(notes);
    if (gone.stream().anyMatch(table -> table.family().equals(Tables.SETTINGS))) {
      settings();
    }
    for (RotNotes.Salvaged table : gone) {
      if (table.family().equals(Tables.NAMES)) {
        names(table);
      }
    }
    for (RotNotes.Note note : notes) {
      if (note instanceof RotNotes.Graph graph && capsules.containsKey(graph.capsule())) {
        graph(graph.capsule());
      }
    }
    for (RotNotes.Salvaged table : gone) {
      if (table.family().equals(Tables.HEADERS) || table.family().equals(Tables.BODIES)) {
        boolean all = table.deletes();
        for (Range range : all ? ranges(table.smallest(), table.largest(), table) : gaps(table)) {
          eraseAgain(range);
        }
      }
    }
  }

  private void eraseAgain(Range range) throws RocksDBException {
    try {
      new ErasingAgain(tables, range.capsule()).erase(range.first(), range.last());
    } catch (HoldfastException | AssertionError e) {
      if (e instanceof HoldfastException failure) {
        requireDamaged(failure);
      }
      // Neither its statements nor its graph can be read: then it cannot be served at all.
      LOG.error(
          "of capsule number {} what is erased is not known: {}", range.capsule(), e.getMessage());
    }
  }

  private static List<RotNotes.Salvaged> salvaged(List<RotNotes.Note> notes) {
    List<RotNotes.Salvaged> found = new ArrayList<>();
    for (RotNotes.Note note : notes) {
      if (note instanceof RotNotes.Salvaged table) {
        found.add(table);
      }
    }
    return found;
  }

  private void settings() throws RocksDBException {
    int greatest = capsules.isEmpty() ? 0 : capsules.lastKey();
    SortedMap<Integer, Optional<Hash>> lost = withoutEntry();
    for (Map.Entry<Integer, Optional<Hash>> one : lost.entrySet()) {
      greatest = Math.max(greatest, one.getKey());
      lost(one.getKey(), one.getValue().orElse(null));
    }
    byte[] counter = tables.db.get(tables.settings, CapsuleStore.NEXT_CAPSULE);
    int next = counter == null ? 1 : ByteBuffer.wrap(counter).getInt();
    if (next <= greatest) {
      // A number is never given twice: what bears it would become part of the new capsule.
      tables.db.put(
          tables.settings,
          CapsuleStore.NEXT_CAPSULE,
          ByteBuffer.allocate(4).putInt(greatest + 1).array());
    }
    Opening.keepFormat(tables);
  }

  /** The numbers of all capsules of which anything is stored beside their entries. */
  private SortedSet<Integer> numbers() throws RocksDBException {
    SortedSet<Integer> found = new TreeSet<>();
    for (ColumnFamilyHandle family :
        List.of(tables.names, tables.graph, tables.headers, tables.bodies, tables.statements)) {
      try (RocksIterator keys = tables.db.newIterator(family, tables.passing)) {
        keys.seekToFirst();
        while (keys.isValid()) {
          int number = RottenTables.capsuleOf(keys.key());
          found.add(number);
          keys.seek(Keys.within(number + 1, NOTHING, 0));
        }
        keys.status();
      }
    }
    return found;
  }

  /** The numbers of capsules that are not listed, with the names that their records bear. */
  SortedMap<Integer, Optional<Hash>> withoutEntry() throws RocksDBException {
    SortedMap<Integer, Optional<Hash>> found = new TreeMap<>();
    for (int number : numbers()) {
      if (!capsules.containsKey(number)) {
        found.put(number, Optional.ofNullable(nameOf(number)));
      }
    }
    return found;
  }

  private @Nullable Hash nameOf(int number) throws RocksDBException {
    RecordBlocks blocks = new RecordBlocks(tables, tables.passing);
    for (long index : GraphRebuild.blocksOf(tables, number)) {
      try {
        for (RecordBlocks.Stored one : blocks.read(number, index)) {
          if (one.known() != null) {
            return one.header().capsule();
          }
        }
      } catch (HoldfastException e) {
        requireDamaged(e);
      }
    }
    return null;
  }

  /** Notes that the entry of a capsule is lost, under the name that its records bear. */
  private void lost(int number, @Nullable Hash name) throws RocksDBException {
    if (name == null) {
      LOG.error("the entry of capsule number {} is lost, and nothing tells its name", number);
      return;
    }
    tables.db.put(tables.settings, Keys.lost(name), ByteBuffer.allocate(4).putInt(number).array());
    LOG.error(
        "the entry of capsule {} is lost: it is not served until it is created or imported again,"
            + " which brings its records back",
        name);
  }

  /** Derives the names that a gap may have held from the headers of its capsules. */
  private void names(RotNotes.Salvaged table) throws RocksDBException {
    for (TableFile.Gap gap : table.gaps()) {
      int first = RottenTables.capsuleOf(gap.from());
      int last = RottenTables.capsuleOf(gap.to());
      for (int capsule : capsules.subMap(first, true, last, true).keySet()) {
        long restored = names(capsule, gap);
        LOG.warn("{} names of capsule number {} are noted again", restored, capsule);
      }
    }
  }

  private long names(int capsule, TableFile.Gap gap) throws RocksDBException {
    RecordBlocks blocks = new RecordBlocks(tables, tables.passing);
    long restored = 0;
    for (long index : GraphRebuild.blocksOf(tables, capsule)) {
      List<RecordBlocks.Stored> block;
      try {
        block = blocks.read(capsule, index);
      } catch (HoldfastException e) {
        requireDamaged(e);
        continue;
      }
      for (int slot = 0; slot < block.size(); slot++) {
        if (block.get(slot).known() == null) {
          continue;
        }
        byte[] key = Keys.within(capsule, block.get(slot).header().name().toBytes(), 0);
        if (Arrays.compareUnsigned(key, gap.from()) >= 0
            && Arrays.compareUnsigned(key, gap.to()) < 0
            && tables.db.get(tables.names, key) == null) {
          long arrival = (index << RecordBlocks.SHIFT) + slot;
          tables.db.put(tables.names, key, ByteBuffer.allocate(8).putLong(arrival).array());
          restored++;
        }
      }
    }
    return restored;
  }

  /**
   * Puts a capsule in order whose lost entry is about to return: as long as it was not listed it
   * was passed over. To be called before it is listed, so that what is broken off begins anew.
   */
  static void beforeReturn(Tables tables, int capsule) throws RocksDBException, ProofException {
    Aftermath all = new Aftermath(tables);
    byte[] from = Keys.within(capsule, NOTHING, 0);
    all.names(capsule, new TableFile.Gap(from, Keys.within(capsule + 1, NOTHING, 0)));
    long records = new GraphRebuild(tables, capsule).rebuild();
    new ErasingAgain(tables, capsule).erase(0, Long.MAX_VALUE - 1);
    LOG.warn("capsule number {} returns with {} records", capsule, records);
  }

  private static void requireDamaged(HoldfastException e) {
    if (e.code() != ErrorCode.DAMAGED) {
      throw e;
    }
  }

  private void graph(int capsule) throws RocksDBException {
    Hash name = Objects.requireNonNull(capsules.get(capsule));
    try {
      long records = new GraphRebuild(tables, capsule).rebuild();
      new Quarantine(tables).lift(capsule, Damage.WHOLE_CAPSULE);
      LOG.warn("the record graph of capsule {} is derived anew: {} records", name.brief(), records);
    } catch (HoldfastException | ProofException | AssertionError e) {
      if (e instanceof HoldfastException failure) {
        requireDamaged(failure);
      }
      LOG.error(
          "the record graph of capsule {} cannot be derived anew: {}",
          name.brief(),
          e.getMessage());
      Damage damage =
          new Damage(
              capsule,
              Damage.WHOLE_CAPSULE,
              null,
              Damage.Part.GRAPH,
              "its record graph is rotten and cannot be derived anew: " + e.getMessage(),
              System.currentTimeMillis());
      new Quarantine(tables).note(name, damage);
    }
  }

  // ---- In the served store ----------------------------------------------------------------------

  /** Looks at all records of which something may be lost, and notes what is damaged. */
  static void lookAt(CapsuleStore store, List<RotNotes.Note> notes) throws RocksDBException {
    Aftermath aftermath = new Aftermath(store.tables());
    Scrubber scrubber = new Scrubber(store);
    for (RotNotes.Note note : notes) {
      switch (note) {
        case RotNotes.Salvaged table -> {
          if (table.family().equals(Tables.NAMES) || table.family().equals(Tables.GRAPH)) {
            continue;
          }
          for (Range range : aftermath.gaps(table)) {
            aftermath.look(store, scrubber, range);
          }
        }
        case RotNotes.Graph graph -> {
          Hash name = aftermath.capsules.get(graph.capsule());
          if (name != null) {
            scrubber.lookAgain(store.require(name));
          }
        }
        case RotNotes.Rotten rotten -> {}
      }
    }
  }

  private void look(CapsuleStore store, Scrubber scrubber, Range range) {
    Hash name = Objects.requireNonNull(capsules.get(range.capsule()));
    try {
      scrubber.look(store.require(name), range.first(), range.last());
    } catch (HoldfastException | AssertionError e) {
      if (e instanceof HoldfastException failure) {
        requireDamaged(failure);
      }
      LOG.error("capsule {} cannot be looked at: {}", name.brief(), e.getMessage());
    }
  }

  private List<Range> gaps(RotNotes.Salvaged table) {
    List<Range> found = new ArrayList<>();
    for (TableFile.Gap gap : table.gaps()) {
      found.addAll(ranges(gap.from(), gap.to(), table));
    }
    return found;
  }

  /** The records to which keys of a table may belong, from one up to another. */
  private List<Range> ranges(byte[] from, byte[] to, RotNotes.Salvaged table) {
    List<Range> found = new ArrayList<>();
    if (table.family().equals(Tables.SETTINGS)) {
      return found;
    }
    int first = RottenTables.capsuleOf(from);
    int last = RottenTables.capsuleOf(to);
    for (int capsule : capsules.subMap(first, true, last, true).keySet()) {
      long least = capsule == first ? arrivalOf(from, table, false) : 0;
      long greatest = capsule == last ? arrivalOf(to, table, true) : Long.MAX_VALUE - 1;
      found.add(new Range(capsule, least, greatest));
    }
    return found;
  }

  /** The arrival number in a key of a table; of a block of headers that of its first or last. */
  private static long arrivalOf(byte[] key, RotNotes.Salvaged table, boolean last) {
    byte[] padded = Arrays.copyOf(key, 13);
    boolean statement = table.family().equals(Tables.STATEMENTS);
    if (statement && padded[4] != 1) {
      return padded[4] < 1 ? 0 : Long.MAX_VALUE - 1;
    }
    long number = ByteBuffer.wrap(padded).getLong(statement ? 5 : 4);
    if (number < 0 || number > Long.MAX_VALUE >>> RecordBlocks.SHIFT) {
      return Long.MAX_VALUE - 1;
    }
    if (!table.family().equals(Tables.HEADERS)) {
      return number;
    }
    return last ? ((number + 1) << RecordBlocks.SHIFT) - 1 : number << RecordBlocks.SHIFT;
  }

  static long bound(long first, long last, long size) {
    return Math.min(Math.min(last, size - 1), first + LOOKED_AT - 1);
  }
}
