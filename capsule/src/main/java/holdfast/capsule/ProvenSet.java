package holdfast.capsule;

import java.util.ArrayDeque;

/**
 * Which records of a {@link RecordGraph} are proven, and the best way known to prove each. Kept up
 * to date eagerly, by a breadth-first walk towards the ancestors of whatever became provable,
 * pruned where nothing improves. Ranks only fall, so the walk ends.
 */
final class ProvenSet {
  private final GraphBlocks blocks;
  private final ArrivalSet heads;
  private final ProvenLog log;
  private long count;

  ProvenSet(OrderedMap map, GraphBlocks blocks) {
    this.blocks = blocks;
    this.heads = new ArrivalSet(map, GraphTables.PROVEN_HEADS);
    this.log = new ProvenLog(map);
  }

  /** Number of records in the set. */
  long count() {
    return count;
  }

  /** Proven records at which no proven record points. */
  ArrivalSet heads() {
    return heads;
  }

  /** The order in which records and signatures entered the set. */
  ProvenLog log() {
    return log;
  }

  /** Gives a record a better witness, and its ancestors what follows from it. */
  void improve(long start, int startRank, long startHop) {
    ArrayDeque<Long> queue = new ArrayDeque<>();
    settle(start, startRank, startHop);
    queue.add(start);
    while (!queue.isEmpty()) {
      long child = queue.poll();
      GraphBlock block = blocks.of(child);
      int at = GraphBlocks.slot(child);
      int rank = block.rank[at];
      int writer = block.writer(at);
      for (int p = block.pointerStart[at]; p < block.pointerStart[at + 1]; p++) {
        long parent = block.pointers[p];
        if (parent == GraphBlock.MISSING) {
          continue;
        }
        GraphBlock parentBlock = blocks.of(parent);
        int parentAt = GraphBlocks.slot(parent);
        if (!parentBlock.has(parentAt, GraphBlock.HAS_PROVEN_CHILD)) {
          parentBlock = blocks.change(parent);
          parentBlock.flags[parentAt] |= GraphBlock.HAS_PROVEN_CHILD;
          if (parentBlock.rank[parentAt] != Witness.UNPROVEN) {
            heads.leave(parent);
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
    GraphBlock block = blocks.change(arrival);
    int at = GraphBlocks.slot(arrival);
    if (block.rank[at] == Witness.UNPROVEN) {
      count++;
      log.addRecord(arrival);
      if (!block.has(at, GraphBlock.HAS_PROVEN_CHILD)) {
        heads.join(arrival);
      }
    }
    block.rank[at] = rank;
    block.hop[at] = hop;
  }

  void flush() {
    heads.flush();
    log.flush();
  }

  /**
   * Begins with what the map holds.
   *
   * @param stored number of records there
   */
  void load(long stored) {
    count = stored;
  }

  void discard() {
    heads.discard();
    log.discard();
  }
}
