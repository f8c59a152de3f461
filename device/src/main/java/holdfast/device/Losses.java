package holdfast.device;

import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Sequence numbers that expired, were dropped or rejected, in ranges that do not overlap. What is
 * neither here nor waiting was collapsed.
 *
 * <p>Beyond {@link #MOST} ranges the oldest are told as one that was dropped, the worst of the
 * reasons, so that a queue can be full for years in bounded memory.
 */
final class Losses {
  /** Most ranges that are kept apart. */
  static final int MOST = 32_768;

  private final TreeMap<Long, Range> ranges = new TreeMap<>();

  /** Whether some of the range is here already. */
  boolean overlaps(Range range) {
    Map.Entry<Long, Range> below = ranges.floorEntry(range.last());
    return below != null && below.getValue().last() >= range.first();
  }

  /** Adds a range that overlaps none. */
  void add(Range range) {
    join(range);
    if (ranges.size() > MOST) {
      long first = ranges.firstKey();
      long last = first;
      for (int i = 0; i < MOST / 2; i++) {
        last = ranges.pollFirstEntry().getValue().last();
      }
      join(new Range(Reason.DROPPED, first, last));
    }
  }

  private void join(Range range) {
    long first = range.first();
    long last = range.last();
    Map.Entry<Long, Range> before = ranges.lowerEntry(first);
    if (before != null
        && before.getValue().last() + 1 == first
        && before.getValue().reason() == range.reason()) {
      first = before.getKey();
    }
    Range behind = ranges.get(last + 1);
    if (behind != null && behind.reason() == range.reason()) {
      last = behind.last();
      ranges.remove(behind.first());
    }
    ranges.put(first, new Range(range.reason(), first, last));
  }

  /** Forgets everything up to {@code last}. */
  void done(long last) {
    while (!ranges.isEmpty() && ranges.firstKey() <= last) {
      Range range = ranges.pollFirstEntry().getValue();
      if (range.last() > last) {
        ranges.put(last + 1, new Range(range.reason(), last + 1, range.last()));
        return;
      }
    }
  }

  /** A walk over the ranges that only goes up. */
  Walk walk() {
    return new Walk();
  }

  /** Tells what became of numbers, in ascending order. */
  final class Walk {
    private final Iterator<Range> left = ranges.values().iterator();
    private @Nullable Range at = left.hasNext() ? left.next() : null;

    /**
     * Tells of the numbers from {@code first} to {@code last}, none of which waits; each call
     * continues above the one before.
     */
    void tell(long first, long last, Consumer<Range> told) {
      long next = first;
      while (next <= last) {
        while (at != null && at.last() < next) {
          at = left.hasNext() ? left.next() : null;
        }
        Range range = at;
        Reason reason = Reason.COLLAPSED;
        long end = last;
        if (range != null && range.first() <= next) {
          reason = range.reason();
          end = Math.min(last, range.last());
        } else if (range != null) {
          end = Math.min(last, range.first() - 1);
        }
        told.accept(new Range(reason, next, end));
        next = end + 1;
      }
    }
  }
}
