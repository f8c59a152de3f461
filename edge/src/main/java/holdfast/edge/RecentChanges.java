package holdfast.edge;

import holdfast.base.Hash;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The leaves of the last flushes, up to a number of bytes. The view keeps only the values that keys
 * have now; who follows changes with their values finds here those that were overtaken since. One
 * queue serves all who follow, so that one more, or a slow one, costs no memory.
 */
final class RecentChanges {
  /** What a leaf takes in memory beside its operation, about. */
  private static final int LEAF_BYTES = 200;

  private final long mostBytes;
  private final ArrayDeque<Kept> queue = new ArrayDeque<>();
  private final ConcurrentHashMap<Hash, List<EdgeLeaf>> records = new ConcurrentHashMap<>();
  private long bytes;

  private record Kept(Hash record, long bytes) {}

  RecentChanges(long mostBytes) {
    this.mostBytes = mostBytes;
  }

  /** Keeps the leaves of a record, and lets the oldest go; one thread at a time. */
  void add(Hash record, List<EdgeLeaf> leaves) {
    long size = 0;
    for (EdgeLeaf leaf : leaves) {
      size +=
          LEAF_BYTES
              + (leaf instanceof EdgeLeaf.Change change ? change.operation().encodedSize() : 0);
    }
    records.put(record, leaves);
    queue.add(new Kept(record, size));
    bytes += size;
    while (bytes > mostBytes) {
      Kept oldest = queue.remove();
      records.remove(oldest.record());
      bytes -= oldest.bytes();
    }
  }

  /** Lets all go: some of it was erased. */
  void clear() {
    queue.clear();
    records.clear();
    bytes = 0;
  }

  /** The change at a place; null when it is not kept any more. */
  EdgeLeaf.@Nullable Change change(Place place) {
    List<EdgeLeaf> leaves = records.get(place.record());
    return leaves != null
            && place.leaf() < leaves.size()
            && leaves.get(place.leaf()) instanceof EdgeLeaf.Change change
        ? change
        : null;
  }
}
