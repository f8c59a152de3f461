package holdfast.sync;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import java.util.ArrayList;
import java.util.List;

/**
 * ENDS: where Lu's algorithm begins. Each side names its proven heads and the names that are
 * missing below; a topmost record that one side has and the other lacks is a head of the one or a
 * missing name of the other.
 */
final class EndsExchange {
  private static final int ENDS = 4096;

  private final Replica replica;
  private final List<Long> starts = new ArrayList<>();
  private List<Hash> ownHeads = List.of();
  private boolean endsHeard;
  private boolean wantedHeard;

  EndsExchange(Replica replica) {
    this.replica = replica;
  }

  /** Names heads and missing names. */
  void begin(Outbox out) {
    starts.clear();
    endsHeard = false;
    wantedHeard = false;
    List<Hash> heads = new ArrayList<>();
    for (long head : replica.provenHeads(ENDS)) {
      if (replica.exchanged(head)) {
        heads.add(replica.nameOf(head));
      }
    }
    ownHeads = heads;
    out.send(new Message.Ends(heads, replica.missingNames(ENDS)));
  }

  /** Hears the peer's, and says which of its heads are wanted. */
  void hear(Message.Ends ends, Outbox out) throws ProofException {
    if (endsHeard) {
      throw Stage.ENDS.unexpected(ends);
    }
    endsHeard = true;
    byte[] wanted = new byte[ends.heads().size()];
    long[] arrivals = replica.arrivalsOf(ends.heads());
    for (int i = 0; i < wanted.length; i++) {
      wanted[i] = (byte) (arrivals[i] >= 0 && replica.proven(arrivals[i]) ? 0 : 1);
    }
    starts.addAll(present(ends.missing()));
    out.send(new Message.Wanted(wanted));
  }

  void hear(Message.Wanted wanted) throws ProofException {
    if (wantedHeard || wanted.wanted().length != ownHeads.size()) {
      throw Stage.ENDS.unexpected(wanted);
    }
    wantedHeard = true;
    List<Hash> names = new ArrayList<>();
    for (int i = 0; i < ownHeads.size(); i++) {
      if (wanted.wanted()[i] == 1) {
        names.add(ownHeads.get(i));
      }
    }
    starts.addAll(present(names));
  }

  /** Whether both sides have said everything. */
  boolean complete() {
    return endsHeard && wantedHeard;
  }

  /** Arrival numbers of the records to send with their ancestors; once it is complete. */
  List<Long> starts() {
    return starts;
  }

  /** Arrival numbers of those that are here to be sent. */
  private List<Long> present(List<Hash> names) {
    List<Long> found = new ArrayList<>();
    for (long arrival : replica.arrivalsOf(names)) {
      if (arrival >= 0 && replica.proven(arrival) && replica.exchanged(arrival)) {
        found.add(arrival);
      }
    }
    return found;
  }
}
