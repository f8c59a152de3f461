package holdfast.sync;

import holdfast.base.Hash;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;

/**
 * What a round is about, on this side: all that has entered the proven set and that the peer is not
 * known to hold, fixed when SINCE begins; and whatever the peer names during the round.
 */
final class Scope {
  private final Replica replica;
  private Marker marker = Marker.NONE;
  private Hash salt = Hash.ZERO;
  private RoundSet set = new RoundSet(Hash.ZERO);

  /** Position at which the set was fixed: what entered from there on came meanwhile. */
  private long fixed;

  /** The first position before {@link #fixed} of which the peer may not know. */
  private long leftOut;

  /** While the set is fixed: the position that comes next. */
  private long seen;

  Scope(Replica replica) {
    this.replica = replica;
  }

  /** Fixes the set anew, by what is here now. */
  void fix(Terms terms) {
    marker = terms.marker();
    salt = terms.salt();
    set = new RoundSet(salt);
    fixed = replica.entries();
    leftOut = fixed;
    seen = marker.position();
    replica.eachEntry(
        marker.position(),
        fixed,
        entry -> {
          leaveOutUntil(entry.position());
          seen = entry.position() + 1;
          if (marker.covers(entry.position())) {
            return;
          }
          if (replica.exchanged(entry.arrival())) {
            set.add(entry.arrival(), entry.record(), entry.signer());
          } else {
            // Damaged here, or not known to belong: it may be told of later.
            leftOut = Math.min(leftOut, entry.position());
          }
        });
    leaveOutUntil(fixed);
  }

  /** Positions that were passed over are of records too damaged to be named: told of later, too. */
  private void leaveOutUntil(long position) {
    for (; seen < Math.min(position, leftOut); seen++) {
      if (!marker.covers(seen)) {
        leftOut = seen;
      }
    }
  }

  /** The entries, as far as they are in the set by now. */
  RoundSet set() {
    return set;
  }

  /** What entered since the set was fixed, up to a position, and is not in it. */
  List<Entry> meanwhile(long end) {
    List<Entry> found = new ArrayList<>();
    // Mostly all of it came from the peer, and not one record has to be read to see that.
    long[] begins = {-1};
    replica.eachPlace(
        fixed,
        end,
        (position, arrival, signer) -> {
          if (set.contains(arrival, signer)) {
            collect(begins[0], position, found);
            begins[0] = -1;
          } else if (begins[0] < 0) {
            begins[0] = position;
          }
        });
    collect(begins[0], end, found);
    return found;
  }

  private void collect(long from, long to, List<Entry> found) {
    if (from >= 0) {
      replica.eachEntry(
          from,
          to,
          entry -> {
            if (replica.exchanged(entry.arrival())) {
              found.add(entry);
            }
          });
    }
  }

  /**
   * The marker after the round: the peer holds all of the set.
   *
   * @param end what entered from this position on is not part of the round
   * @param late what entered meanwhile and was told of
   * @param knownToPeer for each of these, 1 if the peer has it too
   */
  Marker markerAfter(long end, List<Entry> late, byte[] knownToPeer) {
    Map<Long, Boolean> told = new HashMap<>();
    for (int i = 0; i < knownToPeer.length; i++) {
      told.put(late.get(i).position(), knownToPeer[i] == 1);
    }
    LongStream.Builder held = LongStream.builder();
    replica.eachPlace(
        leftOut,
        end,
        (position, arrival, signer) -> {
          Boolean known = told.get(position);
          if (known == null
              ? marker.covers(position) || set.contains(arrival, signer)
              : (boolean) known) {
            held.add(position);
          }
        });
    return Marker.after(salt, leftOut, held.build().toArray());
  }
}
