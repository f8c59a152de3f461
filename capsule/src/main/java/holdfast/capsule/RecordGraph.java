package holdfast.capsule;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongPredicate;
import org.jspecify.annotations.Nullable;

/**
 * What one replica knows about the records of one capsule: when they arrived, how they point at
 * each other, which are heads, which names are missing, and the best way to prove each. The same
 * class runs in the server over RocksDB and in simulation over memory.
 *
 * <p>Records are dense arrival numbers here. A pointer whose both ends are present is
 * <em>physical</em>; only those count for heads and roots (the paper's section 3.4 names this the
 * source of most bugs of earlier implementations).
 *
 * <p>Changes are staged: {@link #flush} writes them through the {@link OrderedMap}, {@link
 * #discard} forgets them together with everything cached. Witnesses are updated eagerly, by a
 * pruned breadth-first walk from whatever became provable: a record just signed, a record that
 * fills a hole below a proven one. Ranks only fall, so the walk ends.
 *
 * <p>Not safe for use by several threads.
 */
public final class RecordGraph {
  private static final byte NAMES = 'N';
  private static final byte BLOCKS = 'G';
  private static final byte TIPS = 'H';
  private static final byte PROVEN_HEADS = 'P';
  private static final byte ROOTS = 'R';
  private static final byte MISSING_NAMES = 'M';
  private static final byte STATE = 'S';
  private static final byte[] PRESENT = new byte[0];

  private final OrderedMap map;
  private final ProvenLog log;
  private final NameCache names = new NameCache();
  private final LinkedHashMap<Long, GraphBlock> cache;
  private final Map<Long, GraphBlock> dirty = new HashMap<>();
  private final Map<Hash, Long> stagedNames = new HashMap<>();
  private final Map<Long, Boolean> tips = new HashMap<>();
  private final Map<Long, Boolean> provenHeads = new HashMap<>();
  private final Map<Long, Boolean> roots = new HashMap<>();
  private final Map<Hash, List<Hole>> stagedHoles = new HashMap<>();
  private final List<byte[]> filledHoles = new ArrayList<>();

  private long next;
  private long holes;
  private long proven;
  private boolean closed;
  private boolean stateDirty;
  private long lastBlockIndex = -1;
  private @Nullable GraphBlock lastBlock;

  private record Hole(long child, int pointer) {}

  /**
   * Opens the graph kept in {@code map}, empty at first.
   *
   * @param cachedBlocks how many blocks of 256 records may stay decoded in memory
   */
  public RecordGraph(OrderedMap map, int cachedBlocks) {
    this.map = map;
    this.log = new ProvenLog(map);
    this.cache =
        new LinkedHashMap<>(16, 0.75f, true) {
          private static final long serialVersionUID = 1L;

          @Override
          protected boolean removeEldestEntry(Map.Entry<Long, GraphBlock> eldest) {
            return size() > cachedBlocks && !dirty.containsKey(eldest.getKey());
          }
        };
    loadState();
  }

  private void loadState() {
    byte[] state = map.get(new byte[] {STATE});
    if (state == null) {
      next = 0;
      holes = 0;
      proven = 0;
      closed = false;
      return;
    }
    ByteBuffer in = ByteBuffer.wrap(state);
    next = in.getLong();
    holes = in.getLong();
    proven = in.getLong();
    closed = in.get() != 0;
  }

  // ---- Reading -------------------------------------------------------------------------------

  /** Number of records present; also the next arrival number. */
  public long size() {
    return next;
  }

  /** Number of records in the proven set. */
  public long provenCount() {
    return proven;
  }

  /** The order in which records and signatures entered the proven set. */
  public ProvenLog log() {
    return log;
  }

  /** Number of pointers to records that are not here. */
  public long holeCount() {
    return holes;
  }

  /** The arrival number of a record, or -1 when it is not here. */
  public long arrivalOf(Hash name) {
    long staged = stagedArrival(name);
    if (staged >= 0) {
      return staged;
    }
    byte[] stored = map.get(nameKey(name));
    if (stored == null) {
      return -1;
    }
    long arrival = ByteBuffer.wrap(stored).getLong();
    names.put(name, arrival, next);
    return arrival;
  }

  /** The arrival number if it is known without asking the map; else -1. */
  private long stagedArrival(Hash name) {
    long cached = names.get(name);
    return cached >= 0 ? cached : stagedNames.getOrDefault(name, -1L);
  }

  /** The arrival numbers of many records at once; -1 for each that is not here. */
  public long[] arrivalsOf(List<Hash> wanted) {
    long[] arrivals = new long[wanted.size()];
    List<Integer> unknown = new ArrayList<>();
    for (int i = 0; i < arrivals.length; i++) {
      arrivals[i] = stagedArrival(wanted.get(i));
      if (arrivals[i] < 0) {
        unknown.add(i);
      }
    }
    if (!unknown.isEmpty()) {
      byte[][] keys = new byte[unknown.size()][];
      for (int i = 0; i < keys.length; i++) {
        keys[i] = nameKey(wanted.get(unknown.get(i)));
      }
      byte[] @Nullable [] values = map.getAll(keys);
      for (int i = 0; i < keys.length; i++) {
        byte[] value = values[i];
        if (value != null) {
          int at = unknown.get(i);
          arrivals[at] = ByteBuffer.wrap(value).getLong();
          names.put(wanted.get(at), arrivals[at], next);
        }
      }
    }
    return arrivals;
  }

  /** The witness of a present record. */
  public Witness witness(long arrival) {
    GraphBlock block = block(arrival);
    int at = slot(arrival);
    return new Witness(block.rank[at], block.hop[at]);
  }

  /** Whether a present record carries a signature itself, by whichever writer. */
  public boolean signed(long arrival) {
    return block(arrival).has(slot(arrival), GraphBlock.SIGNED);
  }

  /** The writer index that a present record claims. */
  public int writer(long arrival) {
    return block(arrival).writer(slot(arrival));
  }

  /** The arrival numbers of a record's backpointers; -1 for those that are missing. */
  public long[] pointers(long arrival) {
    GraphBlock block = block(arrival);
    int at = slot(arrival);
    return Arrays.copyOfRange(block.pointers, block.pointerStart[at], block.pointerStart[at + 1]);
  }

  /** What became of the record's body. */
  public Record.State bodyState(long arrival) {
    GraphBlock block = block(arrival);
    int at = slot(arrival);
    if (block.has(at, GraphBlock.ERASED)) {
      return Record.State.ERASED;
    }
    return block.has(at, GraphBlock.PARTLY_ERASED)
        ? Record.State.PARTLY_ERASED
        : Record.State.WHOLE;
  }

  /** Heads of the proven set: proven records at which no proven record points. */
  public long[] provenHeads(int limit) {
    return members(PROVEN_HEADS, provenHeads, limit);
  }

  /** Present records that are not proven and at which no present record points. */
  public long[] unprovenTips(int limit) {
    return members(TIPS, tips, limit, arrival -> !witness(arrival).proven());
  }

  /** Heads in the paper's sense: present records without incoming physical pointer. */
  public long[] heads(int limit) {
    return members(TIPS, tips, limit);
  }

  /** Roots: present records without outgoing physical pointer. */
  public long[] roots(int limit) {
    return members(ROOTS, roots, limit);
  }

  /**
   * Names that a present record points at and that are absent, each once, at most {@code limit}.
   */
  public List<Hash> missingNames(int limit) {
    List<Hash> missing = new ArrayList<>(stagedHoles.keySet());
    map.scan(
        new byte[] {MISSING_NAMES},
        new byte[] {MISSING_NAMES + 1},
        (key, value) -> {
          Hash name = Hash.read(key, 1);
          if ((missing.isEmpty() || !missing.getLast().equals(name))
              && !stagedHoles.containsKey(name)
              && arrivalOf(name) < 0) {
            missing.add(name);
          }
          return missing.size() < limit;
        });
    return missing.size() > limit ? missing.subList(0, limit) : missing;
  }

  /**
   * The first arrival from {@code from} on whose claimed time may lie in a range: passes over whole
   * blocks of 256 that do not overlap it. The caller looks at the header.
   *
   * @return the arrival number, or {@link #size} when there is none
   */
  public long mayLieWithin(long from, long leastMillis, long endMillis) {
    long arrival = from;
    while (arrival < next) {
      GraphBlock block = block(arrival);
      if (block.leastTime < endMillis && block.greatestTime >= leastMillis) {
        return arrival;
      }
      arrival = ((arrival >>> GraphBlock.SHIFT) + 1) << GraphBlock.SHIFT;
    }
    return next;
  }

  /** Whether a proven record points at this name, which is absent. */
  public boolean awaitedByProven(Hash name) {
    if (holes == 0) {
      return false;
    }
    for (Hole hole : holesAt(name)) {
      if (hole.child() >= 0 && witness(hole.child()).proven()) {
        return true;
      }
    }
    return false;
  }

  /** Whether a succession has closed the capsule. */
  public boolean closed() {
    return closed;
  }

  /** Whether a present record is a final head of a succession, or an ancestor of one. */
  public boolean isFinal(long arrival) {
    return block(arrival).has(slot(arrival), GraphBlock.FINAL);
  }

  /**
   * The record that leads from a final one towards a final head by pointing at it.
   *
   * @param arrival of a record that {@link #isFinal}
   * @return its arrival number; {@code arrival} itself for a final head
   */
  public long finalHop(long arrival) {
    return block(arrival).finalHop(slot(arrival));
  }

  /** Whether a closed capsule still takes this record: an ancestor of the final heads. */
  public boolean belongsToFinal(Hash name) {
    for (Hole hole : holesAt(name)) {
      if (hole.child() < 0 || block(hole.child()).has(slot(hole.child()), GraphBlock.FINAL)) {
        return true;
      }
    }
    return false;
  }

  // ---- Changing ------------------------------------------------------------------------------

  /**
   * Takes in a batch of records, parents and children in any order, cheapest with parents first;
   * those that are here already are passed over. Asks the map once for all names.
   *
   * @param whenFresh is told of each record that was not here, right after it was taken in
   * @return the arrival number of each
   */
  public long[] insertAll(List<RecordHeader> headers, FreshRecord whenFresh) {
    List<Hash> asked = new ArrayList<>(headers.size());
    for (RecordHeader header : headers) {
      asked.add(header.name());
    }
    long[] arrivals = arrivalsOf(asked);
    for (int i = 0; i < arrivals.length; i++) {
      RecordHeader header = headers.get(i);
      if (arrivals[i] < 0) {
        // A record may stand in a batch twice.
        arrivals[i] = stagedArrival(header.name());
      }
      if (arrivals[i] < 0) {
        long[] targets = new long[header.pointerCount()];
        for (int p = 0; p < targets.length; p++) {
          targets[p] = arrivalOf(header.pointer(p));
        }
        arrivals[i] = insert(header, targets);
        whenFresh.taken(i, arrivals[i]);
      }
    }
    return arrivals;
  }

  /** Hears of records taken in by {@link #insertAll}. */
  @FunctionalInterface
  public interface FreshRecord {
    /** The record at {@code position} of the batch got this arrival number. */
    void taken(int position, long arrival);
  }

  /**
   * Takes in a record that is not here yet.
   *
   * @param targets arrival numbers of the header's backpointers, -1 for those that are absent; see
   *     {@link #arrivalsOf}
   * @return its arrival number
   */
  public long insert(RecordHeader header, long[] targets) {
    Hash name = header.name();
    long arrival = next++;
    stateDirty = true;
    boolean physical = false;
    for (int i = 0; i < targets.length; i++) {
      if (targets[i] < 0) {
        stagedHoles
            .computeIfAbsent(header.pointer(i), absent -> new ArrayList<>())
            .add(new Hole(arrival, i));
        holes++;
      } else {
        physical = true;
        GraphBlock parent = change(targets[i]);
        int at = slot(targets[i]);
        if (!parent.has(at, GraphBlock.HAS_CHILD)) {
          parent.flags[at] |= GraphBlock.HAS_CHILD;
          leave(tips, targets[i]);
        }
      }
    }
    GraphBlock block = change(arrival);
    block.add(header.writer(), header.timeMillis(), targets);
    stagedNames.put(name, arrival);
    names.put(name, arrival, next);
    if (!physical) {
      roots.put(arrival, true);
    }
    boolean hasChild = holes > 0 && fill(name, arrival);
    if (!hasChild) {
      tips.put(arrival, true);
    }
    return arrival;
  }

  /** Connects the children that were waiting for this record; true when there were any. */
  private boolean fill(Hash name, long arrival) {
    List<Hole> waiting = holesAt(name);
    boolean hasChild = false;
    long towardsFinal = -1;
    int best = Witness.UNPROVEN;
    long hop = 0;
    boolean provenChild = false;
    for (Hole hole : waiting) {
      holes--;
      if (hole.child() < 0) {
        towardsFinal = arrival;
        continue;
      }
      hasChild = true;
      GraphBlock child = change(hole.child());
      int at = slot(hole.child());
      child.pointers[child.pointerStart[at] + hole.pointer()] = arrival;
      leave(roots, hole.child());
      if (towardsFinal < 0 && child.has(at, GraphBlock.FINAL)) {
        towardsFinal = hole.child();
      }
      provenChild |= child.rank[at] != Witness.UNPROVEN;
      int candidate = Witness.through(child.rank[at], child.writer(at) == writer(arrival));
      if (Witness.better(candidate, best)) {
        best = candidate;
        hop = hole.child();
      }
    }
    forget(name);
    GraphBlock block = change(arrival);
    int at = slot(arrival);
    if (hasChild) {
      block.flags[at] |= GraphBlock.HAS_CHILD;
    }
    if (provenChild) {
      block.flags[at] |= GraphBlock.HAS_PROVEN_CHILD;
    }
    if (towardsFinal >= 0) {
      makeFinal(arrival, towardsFinal);
      markFinalBelow(List.of(arrival));
    }
    if (best != Witness.UNPROVEN) {
      improve(arrival, best, hop);
    }
    return hasChild;
  }

  private List<Hole> holesAt(Hash name) {
    List<Hole> found = new ArrayList<>(stagedHoles.getOrDefault(name, List.of()));
    byte[] prefix = ByteBuffer.allocate(33).put(MISSING_NAMES).put(name.toBytes()).array();
    map.scan(
        prefix,
        after(prefix),
        (key, value) -> {
          ByteBuffer in = ByteBuffer.wrap(key, 33, 10);
          long child = in.getLong();
          int pointer = in.getShort() & 0xFFFF;
          // A hole filled earlier in this batch is still in the map, not in the graph.
          if (child < 0 || pointers(child)[pointer] == GraphBlock.MISSING) {
            found.add(new Hole(child, pointer));
          }
          return true;
        });
    return found;
  }

  private void forget(Hash name) {
    stagedHoles.remove(name);
    byte[] prefix = ByteBuffer.allocate(33).put(MISSING_NAMES).put(name.toBytes()).array();
    map.scan(
        prefix,
        after(prefix),
        (key, value) -> {
          filledHoles.add(key);
          return true;
        });
  }

  /**
   * Tells that a record now carries a valid signature that was not here before.
   *
   * @return whether that improved any witness
   */
  public boolean sign(long arrival, int signer) {
    if (!log.holdsStaged(arrival, signer)) {
      log.addSignature(arrival, signer);
    }
    if (!signed(arrival)) {
      change(arrival).flags[slot(arrival)] |= GraphBlock.SIGNED;
    }
    int rank = signer == writer(arrival) ? 0 : Witness.VOUCHED;
    if (!Witness.better(rank, witness(arrival).rank())) {
      return false;
    }
    improve(arrival, rank, arrival);
    return true;
  }

  /**
   * The eager update: a breadth-first walk towards the ancestors, pruned where nothing improves.
   */
  private void improve(long start, int startRank, long startHop) {
    ArrayDeque<Long> queue = new ArrayDeque<>();
    settle(start, startRank, startHop);
    queue.add(start);
    while (!queue.isEmpty()) {
      long child = queue.poll();
      GraphBlock block = block(child);
      int at = slot(child);
      int rank = block.rank[at];
      int writer = block.writer(at);
      for (int p = block.pointerStart[at]; p < block.pointerStart[at + 1]; p++) {
        long parent = block.pointers[p];
        if (parent == GraphBlock.MISSING) {
          continue;
        }
        GraphBlock parentBlock = block(parent);
        int parentAt = slot(parent);
        if (!parentBlock.has(parentAt, GraphBlock.HAS_PROVEN_CHILD)) {
          parentBlock = change(parent);
          parentBlock.flags[parentAt] |= GraphBlock.HAS_PROVEN_CHILD;
          if (parentBlock.rank[parentAt] != Witness.UNPROVEN) {
            leave(provenHeads, parent);
          }
        }
        int candidate = Witness.through(rank, parentBlock.writer(parentAt) == writer);
        if (Witness.better(candidate, parentBlock.rank[parentAt])) {
          settle(parent, candidate, child);
          queue.add(parent);
        }
      }
    }
  }

  private void settle(long arrival, int rank, long hop) {
    GraphBlock block = change(arrival);
    int at = slot(arrival);
    if (block.rank[at] == Witness.UNPROVEN) {
      proven++;
      log.addRecord(arrival);
      stateDirty = true;
      if (!block.has(at, GraphBlock.HAS_PROVEN_CHILD)) {
        provenHeads.put(arrival, true);
      }
    }
    block.rank[at] = rank;
    block.hop[at] = hop;
  }

  /** Records that a body, or some leaves of it, are erased. */
  public void markErased(long arrival, boolean wholly) {
    GraphBlock block = change(arrival);
    int at = slot(arrival);
    block.flags[at] =
        (byte) (block.flags[at] | (wholly ? GraphBlock.ERASED : GraphBlock.PARTLY_ERASED));
  }

  /** Closes the capsule: from now on only ancestors of the final heads are taken. */
  public void close(List<Hash> finalHeads) {
    closed = true;
    stateDirty = true;
    List<Long> present = new ArrayList<>();
    for (Hash head : finalHeads) {
      long arrival = arrivalOf(head);
      if (arrival >= 0) {
        makeFinal(arrival, arrival);
        present.add(arrival);
      } else if (holesAt(head).stream().noneMatch(hole -> hole.child() < 0)) {
        // An absent final head is awaited like a missing name, by no child.
        stagedHoles.computeIfAbsent(head, absent -> new ArrayList<>()).add(new Hole(-1, 0));
        holes++;
      }
    }
    markFinalBelow(present);
  }

  private void makeFinal(long arrival, long towards) {
    change(arrival).makeFinal(slot(arrival), towards);
  }

  /** Marks all ancestors, breadth first, so that the ways to the final heads are the shortest. */
  private void markFinalBelow(List<Long> starts) {
    ArrayDeque<Long> queue = new ArrayDeque<>(starts);
    while (!queue.isEmpty()) {
      long child = queue.poll();
      for (long parent : pointers(child)) {
        if (parent != GraphBlock.MISSING && !isFinal(parent)) {
          makeFinal(parent, child);
          queue.add(parent);
        }
      }
    }
  }

  /** Takes a member out of a set; one that only joined since the last flush leaves no trace. */
  private static void leave(Map<Long, Boolean> changes, long arrival) {
    if (!changes.remove(arrival, true)) {
      changes.put(arrival, false);
    }
  }

  // ---- Staging -------------------------------------------------------------------------------

  /** Writes everything staged through the map, in one go. The host makes it atomic. */
  public void flush() {
    // In order, because neighbouring inserts are cheaper for a store that sorts.
    Hash[] sorted = stagedNames.keySet().toArray(new Hash[0]);
    Arrays.sort(sorted);
    for (Hash name : sorted) {
      map.put(
          nameKey(name),
          ByteBuffer.allocate(8).putLong(stagedNames.getOrDefault(name, -1L)).array());
    }
    stagedNames.clear();
    for (Map.Entry<Long, GraphBlock> entry : dirty.entrySet()) {
      long index = entry.getKey();
      map.put(key(BLOCKS, index), entry.getValue().encode(index << GraphBlock.SHIFT));
      entry.getValue().dirty = false;
    }
    dirty.clear();
    flushSet(TIPS, tips);
    flushSet(PROVEN_HEADS, provenHeads);
    flushSet(ROOTS, roots);
    for (byte[] filled : filledHoles) {
      map.remove(filled);
    }
    filledHoles.clear();
    for (Map.Entry<Hash, List<Hole>> entry : stagedHoles.entrySet()) {
      for (Hole hole : entry.getValue()) {
        byte[] key =
            ByteBuffer.allocate(43)
                .put(MISSING_NAMES)
                .put(entry.getKey().toBytes())
                .putLong(hole.child())
                .putShort((short) hole.pointer())
                .array();
        map.put(key, PRESENT);
      }
    }
    stagedHoles.clear();
    if (stateDirty) {
      ByteBuffer state = ByteBuffer.allocate(25);
      state.putLong(next).putLong(holes).putLong(proven).put((byte) (closed ? 1 : 0));
      map.put(new byte[] {STATE}, state.array());
      stateDirty = false;
    }
    log.flush();
  }

  /** Forgets everything staged and cached, after a write that failed. */
  public void discard() {
    stagedNames.clear();
    dirty.clear();
    cache.clear();
    tips.clear();
    provenHeads.clear();
    roots.clear();
    stagedHoles.clear();
    filledHoles.clear();
    names.clear();
    stateDirty = false;
    lastBlockIndex = -1;
    lastBlock = null;
    loadState();
    log.discard();
  }

  /** About how many bytes of memory are held by what can be read again from the map. */
  public long memoryBytes() {
    return cache.size() * GraphBlock.MEMORY_BYTES + names.memoryBytes();
  }

  /** Drops what can be read again from the map. What is staged stays. */
  public void forgetDecoded() {
    cache.clear();
    names.clear();
    lastBlockIndex = -1;
    lastBlock = null;
  }

  private void flushSet(byte table, Map<Long, Boolean> changes) {
    for (Map.Entry<Long, Boolean> change : changes.entrySet()) {
      byte[] key = key(table, change.getKey());
      if (change.getValue()) {
        map.put(key, PRESENT);
      } else {
        map.remove(key);
      }
    }
    changes.clear();
  }

  private long[] members(byte table, Map<Long, Boolean> changes, int limit) {
    return members(table, changes, limit, arrival -> true);
  }

  private long[] members(byte table, Map<Long, Boolean> changes, int limit, LongPredicate wanted) {
    List<Long> found = new ArrayList<>();
    map.scan(
        new byte[] {table},
        new byte[] {(byte) (table + 1)},
        (key, value) -> {
          long arrival = ByteBuffer.wrap(key, 1, 8).getLong();
          if (changes.getOrDefault(arrival, true) && wanted.test(arrival)) {
            found.add(arrival);
          }
          return found.size() < limit;
        });
    for (Map.Entry<Long, Boolean> change : changes.entrySet()) {
      if (change.getValue() && !found.contains(change.getKey()) && wanted.test(change.getKey())) {
        found.add(change.getKey());
      }
    }
    return found.stream().mapToLong(Long::longValue).sorted().limit(limit).toArray();
  }

  private GraphBlock block(long arrival) {
    long index = arrival >>> GraphBlock.SHIFT;
    if (index == lastBlockIndex && lastBlock != null) {
      return lastBlock;
    }
    if (arrival < 0 || arrival >= next) {
      throw new AssertionError("there is no record " + arrival + " among " + next);
    }
    GraphBlock block = dirty.get(index);
    if (block == null) {
      block = cache.get(index);
    }
    if (block == null) {
      byte[] stored = map.get(key(BLOCKS, index));
      try {
        block =
            stored == null
                ? new GraphBlock()
                : GraphBlock.decode(stored, index << GraphBlock.SHIFT);
      } catch (ProofException e) {
        throw new AssertionError("graph block " + index + " is damaged: " + e.getMessage(), e);
      }
      cache.put(index, block);
    }
    lastBlockIndex = index;
    lastBlock = block;
    return block;
  }

  private GraphBlock change(long arrival) {
    GraphBlock block = block(arrival);
    if (!block.dirty) {
      block.dirty = true;
      dirty.put(arrival >>> GraphBlock.SHIFT, block);
    }
    return block;
  }

  private static int slot(long arrival) {
    return (int) (arrival & (GraphBlock.SIZE - 1));
  }

  private static byte[] nameKey(Hash name) {
    byte[] key = new byte[1 + Hash.SIZE];
    key[0] = NAMES;
    name.write(key, 1);
    return key;
  }

  private static byte[] key(byte table, long number) {
    return ByteBuffer.allocate(9).put(table).putLong(number).array();
  }

  private static byte[] after(byte[] prefix) {
    byte[] end = prefix.clone();
    for (int i = end.length - 1; i >= 0; i--) {
      if (++end[i] != 0) {
        return end;
      }
    }
    throw new AssertionError("a table byte is never 0xFF");
  }
}
