package holdfast.node.replication;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a server holds of what peers have sent and that is not stored yet, in bytes, of all rounds
 * together. When it is more than there is room for, rounds are ended until it is not: first the one
 * for which the product of what it holds and of the time since it last came nearer to its end is
 * greatest. A round that is alone goes on, so that a record of any size comes through; what one
 * round can hold is bounded by the round.
 */
final class HeldBytes {
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
    Holder worst = null;
    double most = -1;
    for (Map.Entry<Holder, Long> one : held.entrySet()) {
      double weight = (double) one.getValue() * Math.max(1, now - one.getKey().advancedNanos());
      if (weight > most) {
        most = weight;
        worst = one.getKey();
      }
    }
    if (worst != null) {
      Long freed = held.remove(worst);
      all -= freed == null ? 0 : freed;
    }
    return worst;
  }
}
