package holdfast.node.replication;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a server holds of what peers have sent and that is not stored yet, in bytes, of all rounds
 * together. When it is more than there is room for, rounds are ended until it is not: first the one
 * for which the product of what it holds and of the time since it last came nearer to its end is
 * greatest. If there is room for that one alone, and enough is held by others that have not come
 * nearer to their ends for longer, then these go first: a large record that is coming in would else
 * be ended for the sake of a few bytes, again and again, by whoever lets a round lie. A round that
 * is alone goes on, so that a record of any size comes through; what one round can hold is bounded
 * by the round.
 */
final class HeldBytes {
  /** What one round holds, and for how long it has not come nearer to its end. */
  private record Share(Holder by, long bytes, long idleNanos) {
    double weight() {
      return (double) bytes * idleNanos;
    }
  }

  private final long limit;
  private final Map<Holder, Long> held = new HashMap<>();
  private long all;

  /** A round that holds something. */
  interface Holder {
    /** Since when it has not come nearer to its end, as by {@link System#nanoTime}. */
    long advancedNanos();

    /** Ends it, since there is no room. */
    void giveWay();
  }

  /**
   * Nothing is held yet.
   *
   * @param limit bytes at most, but for a round that is alone
   */
  HeldBytes(long limit) {
    this.limit = limit;
  }

  /** Bytes held in all. */
  synchronized long all() {
    return all;
  }

  /** Notes what one round holds now, 0 when it is over, and makes room where there is none. */
  void set(Holder holder, long bytes) {
    for (Holder last = note(holder, bytes); last != null; last = crowdsOut()) {
      last.giveWay();
    }
  }

  private synchronized @Nullable Holder note(Holder holder, long bytes) {
    Long before = bytes == 0 ? held.remove(holder) : held.put(holder, bytes);
    all += bytes - (before == null ? 0 : before);
    return crowdsOut();
  }

  /** The round that has to end now, which counts no more; null when there is room. */
  private synchronized @Nullable Holder crowdsOut() {
    if (all <= limit || held.size() < 2) {
      return null;
    }
    long now = System.nanoTime();
    List<Share> shares = new ArrayList<>();
    held.forEach(
        (by, bytes) -> shares.add(new Share(by, bytes, Math.max(1, now - by.advancedNanos()))));
    Share worst = heaviest(shares);
    if (worst.bytes() <= limit) {
      long idleNanos = worst.idleNanos();
      List<Share> idler = shares.stream().filter(one -> one.idleNanos() > idleNanos).toList();
      if (all - idler.stream().mapToLong(Share::bytes).sum() <= limit) {
        worst = heaviest(idler);
      }
    }
    held.remove(worst.by());
    all -= worst.bytes();
    return worst.by();
  }

  private static Share heaviest(List<Share> shares) {
    return Collections.max(shares, Comparator.comparingDouble(Share::weight));
  }
}
