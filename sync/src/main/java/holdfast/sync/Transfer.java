package holdfast.sync;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * PUSH: each side sends what the other lacks, and answers what it is sent once that is durable.
 * Ends when both have said that they have sent everything.
 */
final class Transfer {
  /** What a push counts for at least, when it is of no use. */
  private static final int FUTILE_BYTES = 1024;

  /** Pushes of the peer at most that are not answered yet. */
  private static final int UNANSWERED = 4096;

  private final Replica replica;
  private final Scope scope;
  private final Intake intake;
  private final Pusher pusher;
  private final long stagingBytes;
  private final TreeMap<Integer, Taking> taking = new TreeMap<>();
  private final Set<Integer> durable = new HashSet<>();
  private int nextPush;
  private boolean endSaid;
  private boolean endHeard;
  private long moved;
  private long answered;
  private long futileBytes;
  private long recordsReceived;

  /**
   * A push of the peer that is not answered yet.
   *
   * @param bytes of what it carries
   */
  private record Taking(
      List<Hash> records,
      List<Statement.WriterSignature> signatures,
      boolean asksHave,
      long bytes) {}

  Transfer(Replica replica, Scope scope, RoundOptions options) {
    this.replica = replica;
    this.scope = scope;
    this.stagingBytes = options.stagingBytes();
    this.intake = new Intake(replica, options);
    this.pusher = new Pusher(replica, options);
  }

  /** What is erased is neither taken nor sent from here on. */
  void respect(StatementExchange.Erased erased) {
    intake.erasures(erased.here());
    pusher.erasures(erased.atPeer());
  }

  /** Plans to send exactly these. */
  void plan(RoundSet.Bits lacked) {
    pusher.plan(lacked);
  }

  /** Plans to send these and their ancestors, until told "have" (Lu's algorithm). */
  void walk(List<Long> starts) {
    pusher.walk(starts);
  }

  /** The stage begins. */
  void begin() {
    endSaid = false;
    endHeard = false;
  }

  /** Sends as much as the peer's answers allow. */
  void send(Outbox out) {
    pusher.pump(out::send);
    if (!endSaid && pusher.idle() && !pusher.stale()) {
      endSaid = true;
      out.send(new Message.PushEnd());
    }
  }

  /** Whether something is to be sent that was erased by a statement that the peer lacks. */
  boolean stale() {
    return pusher.stale();
  }

  /** Whether both sides have sent everything, and all of it is stored and answered. */
  boolean complete() {
    return endSaid && endHeard && taking.isEmpty();
  }

  // ---- What the peer sends
  // -----------------------------------------------------------------------------------

  void hear(Message.Push push, Outbox out) throws ProofException {
    if (endHeard || push.number() != nextPush || taking.size() >= UNANSWERED) {
      throw Stage.PUSH.unexpected(push);
    }
    if (push.records().length == 0 && push.signatures().isEmpty()) {
      throw new ProofException(Violation.MALFORMED, "the peer pushed nothing");
    }
    nextPush++;
    List<Record> records = Message.records(push);
    List<Statement.WriterSignature> signatures =
        Message.signatures(push, replica.metadata().name());
    recordsReceived += records.size();
    Intake.Accepted accepted = intake.take(records, signatures);
    List<Hash> names = new ArrayList<>(records.size());
    records.forEach(record -> names.add(record.name()));
    accepted.records().subList(0, accepted.waited()).forEach(record -> names.add(record.name()));
    long bytes = push.records().length;
    for (byte[] signature : push.signatures()) {
      bytes += signature.length;
    }
    taking.put(push.number(), new Taking(names, signatures, push.asksHave(), bytes));
    if (accepted.isEmpty()) {
      answer(push.number(), out);
    } else {
      out.ask(new Effect.Store(push.number(), accepted.records(), accepted.signatures()));
    }
  }

  void hear(Message.Taken taken) throws ProofException {
    pusher.taken(taken);
    answered++;
  }

  void hear(Message.PushEnd end) throws ProofException {
    if (endHeard) {
      throw Stage.PUSH.unexpected(end);
    }
    endHeard = true;
  }

  /** What a push brought is durable. */
  void stored(int push, Outbox out) {
    if (!taking.containsKey(push)) {
      throw new AssertionError("nothing was to be stored under " + push);
    }
    answer(push, out);
  }

  /** Answers pushes in the order in which they came, whichever is durable first. */
  private void answer(int push, Outbox out) {
    durable.add(push);
    while (!taking.isEmpty() && durable.remove(taking.firstKey())) {
      Map.Entry<Integer, Taking> oldest = taking.pollFirstEntry();
      take(oldest.getKey(), oldest.getValue(), out);
    }
  }

  /** What the peer named and is here belongs to the round's set, whenever it came. */
  private void take(int number, Taking push, Outbox out) {
    intake.stored(push.records());
    long before = moved;
    RoundSet set = scope.set();
    long[] arrivals = replica.provenOf(push.records(), true);
    for (int i = 0; i < arrivals.length; i++) {
      if (arrivals[i] >= 0 && set.add(arrivals[i], push.records().get(i), Entry.RECORD)) {
        moved++;
      }
    }
    Map<Hash, Long> signedAt = signedAt(push, arrivals);
    for (Statement.WriterSignature signature : push.signatures()) {
      Long arrival = signedAt.get(signature.record());
      if (arrival != null && set.add(arrival, signature.record(), signature.signer())) {
        moved++;
      }
    }
    futileBytes = moved > before ? 0 : futileBytes + Math.max(FUTILE_BYTES, push.bytes());
    out.send(new Message.Taken(number, push.asksHave() ? have(arrivals) : List.of()));
  }

  /**
   * Where the signed records are that belong to what is exchanged. Most were pushed along, so that
   * nothing has to be asked about them.
   *
   * @param arrivals of the pushed records
   */
  private Map<Hash, Long> signedAt(Taking push, long[] arrivals) {
    Set<Hash> signed = new HashSet<>();
    push.signatures().forEach(signature -> signed.add(signature.record()));
    Map<Hash, Long> places = new HashMap<>();
    for (int i = 0; i < arrivals.length && !signed.isEmpty(); i++) {
      Hash name = push.records().get(i);
      if (arrivals[i] >= 0 && signed.remove(name)) {
        places.put(name, arrivals[i]);
      }
    }
    if (!signed.isEmpty()) {
      List<Hash> others = List.copyOf(signed);
      long[] found = replica.arrivalsOf(others);
      for (int i = 0; i < found.length; i++) {
        if (found[i] >= 0 && replica.exchanged(found[i])) {
          places.put(others.get(i), found[i]);
        }
      }
    }
    return places;
  }

  /** Names below the pushed records that are proven here: the peer need not go on there. */
  private List<Hash> have(long[] arrivals) {
    Set<Long> parents = new HashSet<>();
    for (long arrival : arrivals) {
      if (arrival >= 0) {
        for (long parent : replica.pointers(arrival)) {
          if (parent >= 0 && replica.proven(parent)) {
            parents.add(parent);
          }
        }
      }
    }
    for (long arrival : arrivals) {
      parents.remove(arrival);
    }
    return parents.stream().limit(Message.NAMES).map(replica::nameOf).sorted().toList();
  }

  // ---- How far it is
  // -----------------------------------------------------------------------------------------

  /** Entries that pushes of the peer have added to what the round is about. */
  long moved() {
    return moved;
  }

  /**
   * Pushes that the peer has answered. They are as many as this side makes, so that a peer cannot
   * add to them.
   */
  long answered() {
    return answered;
  }

  /** Whether more than ever waits to be proven has come since something was last of use. */
  boolean futile() {
    return futileBytes > stagingBytes + Message.PUSH_BYTES;
  }

  /** Bytes of what the peer sent and nothing proves yet. */
  long heldBytes() {
    return intake.heldBytes();
  }

  long recordsReceived() {
    return recordsReceived;
  }

  long recordsSent() {
    return pusher.recordsSent();
  }

  long recordBytesSent() {
    return pusher.recordBytes();
  }

  long entriesToSend() {
    return pusher.left();
  }
}
