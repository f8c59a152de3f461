package holdfast.store;

import holdfast.capsule.Body;
import holdfast.capsule.RecordHeader;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Decoded records by arrival number, in a direct-mapped table: a collision replaces. Holds what
 * never changes, except that erasure and quarantine {@link #drop} an entry.
 */
final class RecordCache {
  private static final int EXPECTED_ENTRY_BYTES = 768;
  private static final int LARGEST_BODY = 16 << 10;

  /** A decoded record; the body is null where it has not been read or is too large to keep. */
  record Entry(int capsule, long arrival, RecordHeader header, @Nullable Body body) {
    int bytes() {
      Body present = body;
      return 200 + header.size() + (present == null ? 0 : 64 + present.unsafeBytes().length);
    }
  }

  private final AtomicReferenceArray<@Nullable Entry> table;
  private final LongAdder bytes = new LongAdder();
  private final long budget;
  private final int mask;

  RecordCache(long budget) {
    this.budget = budget;
    long slots = Math.max(1024, Long.highestOneBit(budget / EXPECTED_ENTRY_BYTES));
    this.table = new AtomicReferenceArray<>((int) Math.min(1 << 22, slots));
    this.mask = table.length() - 1;
  }

  private int slot(int capsule, long arrival) {
    return (int) (arrival + capsule * 0x9E3779B9L) & mask;
  }

  @Nullable Entry get(int capsule, long arrival) {
    Entry entry = table.get(slot(capsule, arrival));
    return entry != null && entry.arrival() == arrival && entry.capsule() == capsule ? entry : null;
  }

  void put(int capsule, long arrival, RecordHeader header, @Nullable Body body) {
    Body kept = body != null && body.unsafeBytes().length <= LARGEST_BODY ? body : null;
    Entry entry = new Entry(capsule, arrival, header, kept);
    int slot = slot(capsule, arrival);
    Entry old = table.get(slot);
    int growth = entry.bytes() - (old == null ? 0 : old.bytes());
    if (growth > 0 && bytes.sum() + growth > budget) {
      return;
    }
    Entry replaced = table.getAndSet(slot, entry);
    bytes.add(entry.bytes() - (replaced == null ? 0 : replaced.bytes()));
  }

  void drop(int capsule, long arrival) {
    int slot = slot(capsule, arrival);
    Entry old = table.get(slot);
    if (old != null && old.arrival() == arrival && old.capsule() == capsule) {
      Entry dropped = table.getAndSet(slot, null);
      bytes.add(dropped == null ? 0 : -dropped.bytes());
    }
  }
}
