package holdfast.capsule;

import holdfast.base.Hash;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
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
 * #discard} forgets them together with everything cached. Entries of records are in {@link
 * GraphBlocks}, names in {@link NameIndex}, holes in {@link MissingNames}, witnesses in {@link
 * ProvenSet}, which hears of whatever becomes provable: a record just signed, a record that fills a
 * hole below a proven one.
 *
 * <p>Not safe for use by several threads.
 */
public final class RecordGraph {
  private static final int STATE_BYTES = 25;

  private final OrderedMap map;
  private final GraphBlocks blocks;
  private final NameIndex names;
  private final MissingNames missing;
  private final ArrivalSet tips;
  private final ArrivalSet roots;
  private final ProvenSet proven;
  private boolean closed;

  /** What {@link #state} was when it was last written or read. */
  private byte[] stored = new byte[0];

  /**
   * Opens the graph kept in {@code map}, empty at first.
   *
   * @param cachedBlocks how many blocks of 256 records may stay decoded in memory
   */
  public RecordGraph(OrderedMap map, int cachedBlocks) {
    this.map = map;
    this.blocks = new GraphBlocks(map, cachedBlocks);
    this.names = new NameIndex(map, blocks::size);
    this.missing = new MissingNames(map, blocks);
    this.tips = new ArrivalSet(map, GraphTables.TIPS);
    this.roots = new ArrivalSet(map, GraphTables.ROOTS);
    this.proven = new ProvenSet(map, blocks);
    load();
  }

  /** Begins with what the map holds. */
  private void load() {
    byte[] found = map.get(new byte[] {GraphTables.STATE});
    stored = found == null ? new byte[STATE_BYTES] : found;
    ByteBuffer in = ByteBuffer.wrap(stored);
    blocks.load(in.getLong());
    missing.load(in.getLong());
    proven.load(in.getLong());
    closed = in.get() != 0;
  }

  private byte[] state() {
    return ByteBuffer.allocate(STATE_BYTES)
        .putLong(blocks.size())
        .putLong(missing.count())
        .putLong(proven.count())
        .put((byte) (closed ? 1 : 0))
        .array();
  }

  // ---- Reading -------------------------------------------------------------------------------

  /** Number of records present; also the next arrival number. */
  public long size() {
    return blocks.size();
  }

  /** Number of records in the proven set. */
  public long provenCount() {
    return proven.count();
  }

  /** The order in which records and signatures entered the proven set. */
  public ProvenLog log() {
    return proven.log();
  }

  /** Number of pointers to records that are not here. */
  public long holeCount() {
    return missing.count();
  }

  /** The arrival number of a record, or -1 when it is not here. */
  public long arrivalOf(Hash name) {
    return names.arrivalOf(name);
  }

  /** The arrival numbers of many records at once; -1 for each that is not here. */
  public long[] arrivalsOf(List<Hash> wanted) {
    return names.arrivalsOf(wanted);
  }

  /** The witness of a present record. */
  public Witness witness(long arrival) {
    GraphBlock block = blocks.of(arrival);
    int at = GraphBlocks.slot(arrival);
    return new Witness(block.rank[at], block.hop[at]);
  }

  /** Whether a present record carries a signature itself, by whichever writer. */
  public boolean signed(long arrival) {
    return blocks.of(arrival).has(GraphBlocks.slot(arrival), GraphBlock.SIGNED);
  }

  /** The writer index that a present record claims. */
  public int writer(long arrival) {
    return blocks.of(arrival).writer(GraphBlocks.slot(arrival));
  }

  /** The arrival numbers of a record's backpointers; -1 for those that are missing. */
  public long[] pointers(long arrival) {
    GraphBlock block = blocks.of(arrival);
    int at = GraphBlocks.slot(arrival);
    return Arrays.copyOfRange(block.pointers, block.pointerStart[at], block.pointerStart[at + 1]);
  }

  /** What became of the record's body. */
  public Record.State bodyState(long arrival) {
    GraphBlock block = blocks.of(arrival);
    int at = GraphBlocks.slot(arrival);
    if (block.has(at, GraphBlock.ERASED)) {
      return Record.State.ERASED;
    }
    return block.has(at, GraphBlock.PARTLY_ERASED)
        ? Record.State.PARTLY_ERASED
        : Record.State.WHOLE;
  }

  /** Heads of the proven set: proven records at which no proven record points. */
  public long[] provenHeads(int limit) {
    return proven.heads().members(limit);
  }

  /** Present records that are not proven and at which no present record points. */
  public long[] unprovenTips(int limit) {
    return tips.members(limit, arrival -> !witness(arrival).proven());
  }

  /** Heads in the paper's sense: present records without incoming physical pointer. */
  public long[] heads(int limit) {
    return tips.members(limit);
  }

  /** Roots: present records without outgoing physical pointer. */
  public long[] roots(int limit) {
    return roots.members(limit);
  }

  /**
   * Names that a present record points at and that are absent, each once, at most {@code limit}.
   */
  public List<Hash> missingNames(int limit) {
    return missing.names(limit, name -> arrivalOf(name) < 0);
  }

  /**
   * The first arrival from {@code from} on whose claimed time may lie in a range: passes over whole
   * blocks of 256 that do not overlap it. The caller looks at the header.
   *
   * @return the arrival number, or {@link #size} when there is none
   */
  public long mayLieWithin(long from, long leastMillis, long endMillis) {
    long arrival = from;
    while (arrival < size()) {
      GraphBlock block = blocks.of(arrival);
      if (block.leastTime < endMillis && block.greatestTime >= leastMillis) {
        return arrival;
      }
      arrival = ((arrival >>> GraphBlock.SHIFT) + 1) << GraphBlock.SHIFT;
    }
    return size();
  }

  /** Whether a proven record points at this name, which is absent. */
  public boolean awaitedByProven(Hash name) {
    return missing.count() > 0
        && missing.at(name).stream()
            .anyMatch(hole -> !hole.ofSuccession() && witness(hole.child()).proven());
  }

  /** Whether a succession has closed the capsule. */
  public boolean closed() {
    return closed;
  }

  /** Whether a present record is a final head of a succession, or an ancestor of one. */
  public boolean isFinal(long arrival) {
    return blocks.of(arrival).has(GraphBlocks.slot(arrival), GraphBlock.FINAL);
  }

  /**
   * The record that leads from a final one towards a final head by pointing at it.
   *
   * @param arrival of a record that {@link #isFinal}
   * @return its arrival number; {@code arrival} itself for a final head
   */
  public long finalHop(long arrival) {
    return blocks.of(arrival).finalHop(GraphBlocks.slot(arrival));
  }

  /** Whether a closed capsule still takes this record: an ancestor of the final heads. */
  public boolean belongsToFinal(Hash name) {
    return missing.at(name).stream().anyMatch(hole -> hole.ofSuccession() || isFinal(hole.child()));
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
        arrivals[i] = names.known(header.name());
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
    long arrival = blocks.size();
    boolean physical = false;
    for (int i = 0; i < targets.length; i++) {
      if (targets[i] < 0) {
        missing.add(header.pointer(i), new MissingNames.Hole(arrival, i));
      } else {
        physical = true;
        GraphBlock parent = blocks.change(targets[i]);
        int at = GraphBlocks.slot(targets[i]);
        if (!parent.has(at, GraphBlock.HAS_CHILD)) {
          parent.flags[at] |= GraphBlock.HAS_CHILD;
          tips.leave(targets[i]);
        }
      }
    }
    blocks.append(header.writer(), header.timeMillis(), targets);
    names.put(header.name(), arrival);
    if (!physical) {
      roots.join(arrival);
    }
    boolean hasChild = missing.count() > 0 && fill(header.name(), arrival);
    if (!hasChild) {
      tips.join(arrival);
    }
    return arrival;
  }

  /**
   * Takes in a record of which only the place is known, and perhaps the name: where it points is
   * lost. Serves while a graph is derived anew, until the header is there again.
   *
   * @return its arrival number
   */
  public long insertLost(@Nullable Hash name) {
    long arrival = blocks.size();
    blocks.append(0, 0, new long[0]);
    roots.join(arrival);
    boolean hasChild = false;
    if (name != null) {
      names.put(name, arrival);
      hasChild = missing.count() > 0 && fill(name, arrival);
    }
    if (!hasChild) {
      tips.join(arrival);
    }
    return arrival;
  }

  /** Connects the children that were waiting for this record; true when there were any. */
  private boolean fill(Hash name, long arrival) {
    boolean hasChild = false;
    long towardsFinal = -1;
    int best = Witness.UNPROVEN;
    long hop = 0;
    boolean provenChild = false;
    for (MissingNames.Hole hole : missing.fill(name)) {
      if (hole.ofSuccession()) {
        towardsFinal = arrival;
        continue;
      }
      hasChild = true;
      GraphBlock child = blocks.change(hole.child());
      int at = GraphBlocks.slot(hole.child());
      child.pointers[child.pointerStart[at] + hole.pointer()] = arrival;
      roots.leave(hole.child());
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
    GraphBlock block = blocks.change(arrival);
    int at = GraphBlocks.slot(arrival);
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
      proven.improve(arrival, best, hop);
    }
    return hasChild;
  }

  /**
   * Tells that a record now carries a valid signature that was not here before.
   *
   * @return whether that improved any witness
   */
  public boolean sign(long arrival, int signer) {
    if (!proven.log().holdsStaged(arrival, signer)) {
      proven.log().addSignature(arrival, signer);
    }
    if (!signed(arrival)) {
      blocks.change(arrival).flags[GraphBlocks.slot(arrival)] |= GraphBlock.SIGNED;
    }
    int rank = signer == writer(arrival) ? 0 : Witness.VOUCHED;
    if (!Witness.better(rank, witness(arrival).rank())) {
      return false;
    }
    proven.improve(arrival, rank, arrival);
    return true;
  }

  /** Records that a body, or some leaves of it, are erased. */
  public void markErased(long arrival, boolean wholly) {
    GraphBlock block = blocks.change(arrival);
    int at = GraphBlocks.slot(arrival);
    block.flags[at] =
        (byte) (block.flags[at] | (wholly ? GraphBlock.ERASED : GraphBlock.PARTLY_ERASED));
  }

  /** Closes the capsule: from now on only ancestors of the final heads are taken. */
  public void close(List<Hash> finalHeads) {
    closed = true;
    List<Long> present = new ArrayList<>();
    for (Hash head : finalHeads) {
      long arrival = arrivalOf(head);
      if (arrival >= 0) {
        makeFinal(arrival, arrival);
        present.add(arrival);
      } else {
        // It is awaited like a missing name, by no child.
        missing.addFinalHead(head);
      }
    }
    markFinalBelow(present);
  }

  private void makeFinal(long arrival, long towards) {
    blocks.change(arrival).makeFinal(GraphBlocks.slot(arrival), towards);
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

  // ---- Staging -------------------------------------------------------------------------------

  /** Writes everything staged through the map, in one go. The host makes it atomic. */
  public void flush() {
    names.flush();
    blocks.flush();
    tips.flush();
    roots.flush();
    missing.flush();
    proven.flush();
    byte[] now = state();
    if (!Arrays.equals(now, stored)) {
      map.put(new byte[] {GraphTables.STATE}, now);
      stored = now;
    }
  }

  /** Forgets everything staged and cached, after a write that failed. */
  public void discard() {
    names.discard();
    tips.discard();
    roots.discard();
    proven.discard();
    load();
  }

  /** About how many bytes of memory are held by what can be read again from the map. */
  public long memoryBytes() {
    return blocks.memoryBytes() + names.memoryBytes();
  }

  /** Drops what can be read again from the map. What is staged stays. */
  public void forgetDecoded() {
    blocks.forgetDecoded();
    names.forgetDecoded();
  }
}
