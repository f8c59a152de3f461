package holdfast.sync;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * LATE and VERDICT: each side names what entered its set while the round went on, and says which of
 * the peer's it has too; then both compare digests of what they held when the round began. So
 * steady writing neither hinders the comparison nor is taken for granted by the next marker.
 */
final class Settlement {
  private final Replica replica;
  private final Scope scope;
  private final RoundOptions options;
  private List<Entry> late = List.of();
  private boolean tooMany;
  private long end;
  private Message.@Nullable Late peers;
  private Hash digest = Hash.ZERO;
  private boolean lateAtPeer;

  Settlement(Replica replica, Scope scope, RoundOptions options) {
    this.replica = replica;
    this.scope = scope;
    this.options = options;
  }

  // ---- LATE
  // ---------------------------------------------------------------------------------------------

  /** Names what came meanwhile. */
  void sayLate(Outbox out) {
    peers = null;
    end = replica.entries();
    List<Entry> found = scope.meanwhile(end);
    tooMany = found.size() > options.lateEntries();
    late = tooMany ? List.of() : found;
    out.send(
        new Message.Late(
            tooMany,
            late.stream().map(e -> new Message.LateEntry(e.record(), e.signer())).toList()));
  }

  void hear(Message.Late told) throws ProofException {
    if (peers != null || told.entries().size() > options.lateEntries()) {
      throw Stage.LATE.unexpected(told);
    }
    peers = told;
  }

  /** Whether both sides have told. */
  boolean told() {
    return peers != null;
  }

  /** Whether so much came on either side that the round has to begin anew. */
  boolean tooMuch() {
    return tooMany || peersLate().again();
  }

  private Message.Late peersLate() {
    Message.Late told = peers;
    if (told == null) {
      throw new AssertionError("a verdict is given after the peer has told what was late");
    }
    return told;
  }

  // ---- VERDICT
  // ------------------------------------------------------------------------------------------

  /**
   * Says what of the peer's late entries is here, and the digest of all the rest of the set.
   *
   * @param moved entries that this side has taken in the round
   */
  void sayVerdict(Hash salt, long moved, Outbox out) {
    Message.Late told = peersLate();
    RoundSet set = scope.set();
    List<Hash> records = told.entries().stream().map(Message.LateEntry::record).toList();
    long[] arrivals = replica.arrivalsOf(records);
    byte[] known = new byte[arrivals.length];
    SetDigest rest = new SetDigest(salt).plus(set.digest());
    for (int i = 0; i < known.length; i++) {
      int signer = told.entries().get(i).signer();
      if (arrivals[i] >= 0 && set.contains(arrivals[i], signer)) {
        known[i] = 1;
        rest.subtract(Entry.nameOf(records.get(i), signer));
      }
    }
    digest = rest.sum();
    lateAtPeer = !allOnes(known);
    out.send(new Message.Verdict(known, digest, moved));
  }

  /** Whether the peer's verdict is about what it was told, and its set is equal to this one. */
  boolean equal(Message.Verdict verdict) throws ProofException {
    if (verdict.known().length != late.size()) {
      throw new ProofException(
          Violation.MALFORMED, "the peer judges other late entries than it was told of");
    }
    return verdict.digest().equals(digest);
  }

  /** Whether either side has something late that the other lacks. */
  boolean lateLacked(Message.Verdict verdict) {
    return lateAtPeer || !allOnes(verdict.known());
  }

  /** What is kept of the round when the sets are equal. */
  Marker marker(Message.Verdict verdict) {
    return scope.markerAfter(end, late, verdict.known());
  }

  private static boolean allOnes(byte[] flags) {
    for (byte flag : flags) {
      if (flag != 1) {
        return false;
      }
    }
    return true;
  }
}
