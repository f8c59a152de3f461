package holdfast.device;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the entries of a queue's file mean, one after the other. The same code follows a file when
 * it is opened and when it is written. No I/O; docs/edge-format.md, section 3.
 *
 * <pre>
 *   … done │ pending batch │ waiting, lost │
 *          first           pending.last    next
 * </pre>
 */
final class QueueState {
  private final LiveIndex live = new LiveIndex();
  private final Losses losses = new Losses();
  private final AgeClock clock;
  private long first;
  private long next;
  private @Nullable SignedClaim pending;
  private long doubtedNext;
  private long collapsed;
  private long expired;
  private long dropped;
  private long rejected;

  /**
   * @param next the first sequence number that the file has not done with
   * @param maxAgeMillis the age that matters
   */
  QueueState(long next, long maxAgeMillis) {
    this.first = next;
    this.next = next;
    this.clock = new AgeClock(maxAgeMillis);
  }

  LiveIndex live() {
    return live;
  }

  /** The first number that is not done. */
  long first() {
    return first;
  }

  /** The number that the next operation gets. */
  long next() {
    return next;
  }

  /** The batch that was made and is not done. */
  @Nullable SignedClaim pending() {
    return pending;
  }

  /** Whether the edge must be asked what it took before anything is sent. */
  boolean doubtful() {
    return doubtedNext != 0;
  }

  /** {@link #next} when the doubt came up; 0 without doubt. */
  long doubtedNext() {
    return doubtedNext;
  }

  long collapsed() {
    return collapsed;
  }

  long expired() {
    return expired;
  }

  long dropped() {
    return dropped;
  }

  long rejected() {
    return rejected;
  }

  /** Whether there is anything that an edge should hear of. */
  boolean anythingToSend() {
    return next > first;
  }

  /** Whether an operation is in no batch yet. */
  boolean unbatched(int position) {
    return pending == null || live.sequence(position) > pending.claim().last();
  }

  /** The first position that is in no batch yet, or {@link LiveIndex#NONE}. */
  int firstUnbatched() {
    return pending == null ? live.first() : live.after(pending.claim().last());
  }

  /** Begins to count losses from here; what a file told when it was opened is history. */
  void countFromHere() {
    collapsed = 0;
    expired = 0;
    dropped = 0;
    rejected = 0;
  }

  /** Takes the time, and returns the seconds passed. */
  int observe(long millis) {
    return clock.observe(millis);
  }

  /**
   * Type 1: an operation with the number {@link #next}.
   *
   * @param earlier the latest operation of the same key, or {@link LiveIndex#NONE}
   */
  void accepted(long timeMillis, long offset, int size, int hash, int earlier) {
    boolean collapses = earlier != LiveIndex.NONE && unbatched(earlier);
    if (collapses) {
      live.remove(earlier);
      collapsed++;
    }
    live.append(
        next, offset, size, hash, clock.observe(timeMillis), collapses ? LiveIndex.NONE : earlier);
    next++;
  }

  /**
   * Type 2: a range that is lost. It lies below {@link #next} and in no batch, or begins there. One
   * that the edge rejected may lie in the pending batch, which is none any more then.
   *
   * @return what is against that, or null
   */
  @Nullable String lost(Range range) {
    boolean ends = range.reason() == Reason.REJECTED && liesInPending(range);
    long floor = pending == null || ends ? first : Math.max(first, pending.claim().last() + 1);
    if (range.first() < floor || (range.last() >= next && range.first() != next)) {
      return range + " does not lie in what waits, " + floor + " to " + next;
    }
    if (range.reason() != Reason.COLLAPSED && losses.overlaps(range)) {
      return range + " tells again of what is lost";
    }
    boolean made = range.first() == next;
    long gone = made ? range.count() : 0;
    if (made) {
      next = range.last() + 1;
    } else {
      for (int at = live.after(range.first() - 1);
          at != LiveIndex.NONE && live.sequence(at) <= range.last();
          at = live.next(at)) {
        live.remove(at);
        gone++;
      }
    }
    switch (range.reason()) {
      case COLLAPSED -> collapsed += gone;
      case EXPIRED -> {
        losses.add(range);
        expired += gone;
      }
      case DROPPED -> {
        losses.add(range);
        dropped += gone;
      }
      case REJECTED -> {
        losses.add(range);
        rejected += gone;
      }
    }
    if (ends) {
      dropPending();
    }
    return null;
  }

  /**
   * Type 3: a batch was made. Whatever came before it is done, for there is one at a time.
   *
   * @return what is against it, or null
   */
  @Nullable String batched(SignedClaim signed) {
    Claim claim = signed.claim();
    if (claim.first() < first || claim.last() >= next) {
      return "a batch of "
          + claim.first()
          + " to "
          + claim.last()
          + " in a queue of "
          + first
          + " to "
          + (next - 1);
    }
    if (claim.first() > first) {
      forget(claim.first() - 1);
    }
    pending = signed;
    return null;
  }

  /**
   * Type 4: the edge has everything up to {@code last}.
   *
   * @return what is against it, or null
   */
  @Nullable String done(long last) {
    if (last >= next) {
      return "done up to " + last + " in a queue that ends with " + (next - 1);
    }
    forget(last);
    doubtedNext = 0;
    return null;
  }

  /** Type 5: nothing is sent before the edge has been asked. */
  void doubted() {
    if (doubtedNext == 0) {
      doubtedNext = next;
    }
  }

  private boolean liesInPending(Range range) {
    SignedClaim batch = pending;
    return batch != null
        && range.first() >= batch.claim().first()
        && range.last() <= batch.claim().last();
  }

  /**
   * Gives the pending batch up: its operations are in none again, and collapse as if they had never
   * been in one. Whoever reads a file that was made anew cannot know that they were.
   */
  void dropPending() {
    SignedClaim batch = pending;
    pending = null;
    for (int at = live.first();
        batch != null && at != LiveIndex.NONE && live.sequence(at) <= batch.claim().last();
        at = live.next(at)) {
      if (!live.latest(at)) {
        live.remove(at);
        collapsed++;
      }
    }
  }

  /** Nothing is in doubt any more. */
  void settled() {
    doubtedNext = 0;
  }

  private void forget(long last) {
    for (int at = live.first();
        at != LiveIndex.NONE && live.sequence(at) <= last;
        at = live.next(at)) {
      live.remove(at);
    }
    losses.done(last);
    first = Math.max(first, last + 1);
    if (pending != null && pending.claim().first() <= last) {
      dropPending();
    }
  }

  /** What a batch would cover. */
  record Draft(long first, long last, List<Range> ranges, List<Integer> positions) {}

  /**
   * The batch that comes next: everything from {@link #first} on, as far as the limits reach.
   *
   * @param maxOperations most operations
   * @param maxBytes most bytes of operations, unless a single one is larger
   */
  Draft draft(int maxOperations, int maxBytes) {
    List<Range> ranges = new ArrayList<>();
    List<Integer> positions = new ArrayList<>();
    Losses.Walk walk = losses.walk();
    long covered = first - 1;
    long bytes = 0;
    for (int at = live.first(); ; at = live.next(at)) {
      long end = at == LiveIndex.NONE ? next : live.sequence(at);
      List<Range> gap = new ArrayList<>();
      walk.tell(covered + 1, end - 1, gap::add);
      for (Range range : gap) {
        if (ranges.size() == Claim.MAX_ITEMS) {
          return new Draft(first, covered, ranges, positions);
        }
        ranges.add(range);
        covered = range.last();
      }
      if (at == LiveIndex.NONE
          || positions.size() == maxOperations
          || (!positions.isEmpty() && bytes + live.size(at) > maxBytes)) {
        return new Draft(first, covered, ranges, positions);
      }
      positions.add(at);
      bytes += live.size(at);
      covered = end;
    }
  }

  /** What expired, was dropped or rejected. */
  Losses losses() {
    return losses;
  }
}
