package holdfast.sync;

import holdfast.base.Hash;
import holdfast.base.Machine;
import holdfast.base.ProofException;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One side of a pairing: brings this replica and the peer's to the same proven set.
 *
 * <pre>
 *   HELLO ─▶ STATEMENTS ─▶ SINCE ──equal──────────────────▶ LATE ─▶ VERDICT ──equal──▶ over
 *                            │                               ▲         │
 *                            └─▶ DIFFERENCE ─▶ PUSH ─────────┤         └─▶ ENDS ─▶ PUSH ─▶ LATE
 *                                                            └── too much came meanwhile ─▶ SINCE
 * </pre>
 *
 * Both sides go through the same stages and decide alike, since they decide by what both have said.
 * Each stage ends when this side has said and heard everything that belongs to it; what the peer
 * says of the next stage meanwhile waits.
 *
 * <p>What a stage says and hears is in a class of its own: {@link Greeting}, {@link
 * StatementExchange}, a {@link Reconciler} for DIFFERENCE, {@link Transfer} for PUSH, {@link
 * Settlement} for LATE and VERDICT, {@link EndsExchange}. Here is which stage follows which. What
 * the round is about, its {@link Scope}, is fixed when SINCE begins.
 */
public final class Round implements Machine<Input, Effect> {
  /** Bytes at most of messages that came before their stage, in all. */
  public static final long EARLY_BYTES = 64L << 20;

  /** Messages at most that came before their stage. */
  private static final int EARLY = 1024;

  /** How often the set is fixed anew because too much came meanwhile. */
  private static final int PASSES = 16;

  /** How often Lu's algorithm is begun anew while it still brings something. */
  private static final int WALKS = 256;

  /** Bytes of a comparison, of either side, that count as an advance. */
  private static final int COMPARED_BYTES = 1 << 16;

  private final Replica replica;
  private final boolean initiator;
  private final Greeting greeting;
  private final StatementExchange statements;
  private final Scope scope;
  private final Transfer transfer;
  private final Settlement settlement;
  private final EndsExchange ends;
  private final ArrayDeque<Early> early = new ArrayDeque<>();
  private final Outbox.Traffic sent = new Outbox.Traffic();
  private long earlyBytes;
  private long bytesReceived;

  private Stage stage = Stage.HELLO;
  private Terms terms;
  private Message.@Nullable Since peerSince;
  private @Nullable Reconciler reconciler;

  // What tells that the round advances.
  private long stages;
  private long comparedBytes;

  // What decides after a verdict.
  private int passes;
  private int walks;
  private boolean exact;

  /** Whether the sets are too large to be compared name by name. */
  private boolean unnamed;

  private long movedAtAgreement;
  private long movedBefore = -1;

  /** A message of a later stage, and its size. */
  private record Early(Message message, int bytes) {}

  /**
   * One side of a round.
   *
   * @param initiator whether this side opened the round
   * @param markers what was kept of the last complete rounds with this peer, newest first; none at
   *     all compares everything
   * @param salt fresh random bytes; this side's share of the round's salt
   */
  public Round(
      Replica replica, boolean initiator, RoundOptions options, List<Marker> markers, Hash salt) {
    this.replica = replica;
    this.initiator = initiator;
    this.greeting =
        new Greeting(replica.metadata().name(), initiator, options.strategy(), markers, salt);
    this.terms = new Terms(options.strategy(), Hash.ZERO, Marker.NONE);
    this.statements = new StatementExchange(replica, options);
    this.scope = new Scope(replica);
    this.transfer = new Transfer(replica, scope, options);
    this.settlement = new Settlement(replica, scope, options);
    this.ends = new EndsExchange(replica);
  }

  /** Whether the round has ended, well or not. */
  public boolean over() {
    return stage == Stage.OVER;
  }

  /** How far the round is. */
  public Progress progress() {
    return new Progress(
        sent.messages,
        sent.bytes,
        bytesReceived,
        transfer.recordBytesSent(),
        transfer.recordsSent(),
        transfer.recordsReceived(),
        transfer.entriesToSend());
  }

  /**
   * Grows whenever the round has come nearer to its end: by a stage, by something durable that was
   * lacking here, by something of ours that the peer has taken, by a good part of a comparison. A
   * peer that sends messages and makes this grow no more is only keeping the round from ending.
   */
  public long advanced() {
    return stages
        + statements.taken()
        + transfer.moved()
        + transfer.answered()
        + comparedBytes / COMPARED_BYTES;
  }

  /**
   * Bytes held for the peer: messages that came early, names that it told, and what nothing proves
   * yet. What this side holds of its own to compare is as large as its own set, and is not in it.
   */
  public long heldBytes() {
    return earlyBytes + statements.heldBytes() + transfer.heldBytes();
  }

  @Override
  public void step(Input input, Consumer<? super Effect> effects) {
    if (stage == Stage.OVER) {
      return;
    }
    Outbox out = new Outbox(sent, effects);
    try {
      switch (input) {
        case Input.Begin begin -> {
          if (initiator) {
            greeting.say(statements.digest(), out);
          }
        }
        case Input.Received received -> receive(received.message(), out);
        case Input.Stored stored -> {
          if (stored.ticket() < 0) {
            statements.stored();
          } else {
            transfer.stored(stored.ticket(), out);
          }
        }
        case Input.NotStored failed -> giveUp("it could not be stored: " + failed.reason(), out);
      }
      advance(out);
    } catch (ProofException e) {
      stage = Stage.OVER;
      out.send(new Message.Stop("the protocol is broken"));
      out.ask(new Effect.Lied(e));
    }
  }

  private void giveUp(String reason, Outbox out) {
    stage = Stage.OVER;
    out.send(new Message.Stop(reason));
    out.ask(new Effect.GaveUp(reason));
  }

  // ---- Hearing
  // --------------------------------------------------------------------------------------------

  private void receive(byte[] bytes, Outbox out) throws ProofException {
    bytesReceived += bytes.length;
    Message message = Message.decode(bytes);
    if (message instanceof Message.Stop stop) {
      stage = Stage.OVER;
      out.ask(new Effect.GaveUp("the peer gave up: " + stop.reason()));
    } else if (stage.takes(message)) {
      hear(message, out);
    } else if (earlyBytes + bytes.length > EARLY_BYTES) {
      giveUp("the peer is further ahead than there is room for", out);
    } else if (early.size() < EARLY) {
      early.add(new Early(message, bytes.length));
      earlyBytes += bytes.length;
    } else {
      throw stage.unexpected(message);
    }
  }

  /** Hears what came early, as far as its stage has begun; returns whether anything was heard. */
  private boolean hearEarly(Outbox out) throws ProofException {
    boolean heard = false;
    for (int left = early.size(); left > 0 && stage != Stage.OVER; left--) {
      Early next = early.remove();
      if (stage.takes(next.message())) {
        earlyBytes -= next.bytes();
        hear(next.message(), out);
        heard = true;
      } else {
        early.add(next);
      }
    }
    return heard;
  }

  private void hear(Message message, Outbox out) throws ProofException {
    switch (message) {
      case Message.Hello hello -> meet(hello, out);
      case Message.StatementNames names -> statements.hear(names, out);
      case Message.Statements page -> statements.hear(page, out);
      case Message.Ready ready -> statements.hear(ready);
      case Message.Since since -> {
        if (peerSince != null) {
          throw stage.unexpected(since);
        }
        peerSince = since;
      }
      case Message.Difference difference -> {
        Reconciler current = reconciler;
        if (current == null) {
          throw stage.unexpected(difference);
        }
        comparedBytes += difference.bytes().length;
        current.receive(difference.bytes(), bytes -> sayDifference(bytes, out));
      }
      case Message.Push push -> transfer.hear(push, out);
      case Message.Taken taken -> transfer.hear(taken);
      case Message.PushEnd end -> transfer.hear(end);
      case Message.Late late -> settlement.hear(late);
      case Message.Verdict verdict -> conclude(verdict, out);
      case Message.Ends named -> ends.hear(named, out);
      case Message.Wanted wanted -> ends.hear(wanted);
      case Message.Stop stop -> throw stage.unexpected(stop);
    }
  }

  // ---- From stage to stage
  // ---------------------------------------------------------------------------------

  /** Goes on from stage to stage as far as what was said and heard allows. */
  private void advance(Outbox out) throws ProofException {
    for (boolean moving = true; moving && stage != Stage.OVER; ) {
      Stage before = stage;
      switch (stage) {
        case STATEMENTS -> {
          if (statements.complete(out)) {
            transfer.respect(statements.erased());
            enter(Stage.SINCE, out);
          }
        }
        case SINCE -> {
          Message.Since peers = peerSince;
          if (peers != null) {
            compare(peers, out);
          }
        }
        case DIFFERENCE -> {
          Reconciler current = reconciler;
          if (current != null && current.done()) {
            transfer.plan(scope.set().pick(replica, new HashSet<>(current.lackedByPeer())));
            reconciler = null;
            enter(Stage.PUSH, out);
          }
        }
        case PUSH -> {
          transfer.send(out);
          if (transfer.stale()) {
            giveUp("the owner has had something erased since this round began", out);
          } else if (transfer.futile()) {
            giveUp("the peer sends and sends, and nothing of it is of use", out);
          } else if (transfer.complete()) {
            enter(Stage.LATE, out);
          }
        }
        case LATE -> {
          if (settlement.told()) {
            settle(out);
          }
        }
        case ENDS -> {
          if (ends.complete()) {
            transfer.walk(ends.starts());
            enter(Stage.PUSH, out);
          }
        }
        // These end with what is heard.
        case HELLO, VERDICT, OVER -> {}
      }
      moving = stage != before;
      moving |= hearEarly(out);
    }
  }

  /** Begins a stage with what this side says in it. */
  private void enter(Stage next, Outbox out) {
    stage = next;
    stages++;
    switch (next) {
      case SINCE -> {
        peerSince = null;
        scope.fix(terms);
        RoundSet set = scope.set();
        out.send(new Message.Since(set.count(), set.digest().sum()));
      }
      case PUSH -> transfer.begin();
      case LATE -> settlement.sayLate(out);
      case VERDICT -> settlement.sayVerdict(terms.salt(), transfer.moved(), out);
      case ENDS -> ends.begin(out);
      // These begin with more than the stage: see meet and reconcile.
      case HELLO, STATEMENTS, DIFFERENCE, OVER -> {}
    }
  }

  /** HELLO: both sides agree on terms, or part. */
  private void meet(Message.Hello hello, Outbox out) throws ProofException {
    if (greeting.owed()) {
      greeting.say(statements.digest(), out);
    }
    String obstacle = Greeting.obstacle(hello);
    if (obstacle != null) {
      giveUp(obstacle, out);
      return;
    }
    terms = greeting.agree(hello);
    enter(Stage.STATEMENTS, out);
    statements.begin(hello.statements(), out);
  }

  /** SINCE: the quick check, and how to go on when it finds a difference. */
  private void compare(Message.Since peers, Outbox out) {
    peerSince = null;
    RoundSet set = scope.set();
    if (peers.count() == set.count() && peers.digest().equals(set.digest().sum())) {
      enter(Stage.LATE, out);
    } else if (terms.strategy() == Strategy.LU || tooMany(peers.count(), set.count())) {
      enter(Stage.ENDS, out);
    } else if (peers.count() == 0 || set.count() == 0) {
      // One side has nothing new: the other sends everything, and nothing has to be found out.
      transfer.plan(set.bits());
      enter(Stage.PUSH, out);
    } else {
      reconcile(terms.strategy().fitting(peers.count(), set.count()), out);
    }
  }

  /** Whether there are more than can be compared name by name: then Lu's algorithm has to do. */
  private boolean tooMany(long one, long other) {
    unnamed = one != 0 && other != 0 && Math.max(one, other) > SetLimits.NAMES;
    return unnamed;
  }

  private void reconcile(Strategy how, Outbox out) {
    Reconciler made = how.reconciler(initiator, terms.salt(), scope.set().names(replica));
    reconciler = made;
    enter(Stage.DIFFERENCE, out);
    made.begin(bytes -> sayDifference(bytes, out));
  }

  private void sayDifference(byte[] bytes, Outbox out) {
    comparedBytes += bytes.length;
    out.send(new Message.Difference(bytes));
  }

  /** LATE: whether what came meanwhile is little enough to be told one by one. */
  private void settle(Outbox out) {
    if (!settlement.tooMuch()) {
      enter(Stage.VERDICT, out);
    } else if (++passes < PASSES) {
      enter(Stage.SINCE, out);
    } else {
      giveUp("more was written meanwhile than " + PASSES + " passes could follow", out);
    }
  }

  /** VERDICT: the sets are equal, or what has not been found yet is looked for in another way. */
  private void conclude(Message.Verdict peers, Outbox out) throws ProofException {
    long moved = transfer.moved() + peers.moved();
    if (settlement.equal(peers)) {
      boolean brought = moved != movedAtAgreement;
      movedAtAgreement = moved;
      if (settlement.lateLacked(peers) && brought && ++passes < PASSES) {
        // What came meanwhile is what this round itself has made provable, as far as anybody knows.
        enter(Stage.SINCE, out);
        return;
      }
      stage = Stage.OVER;
      out.ask(new Effect.Finished(settlement.marker(peers), progress()));
      return;
    }
    boolean brought = moved != movedBefore;
    movedBefore = moved;
    if (brought && walks++ < WALKS && (terms.strategy().walks() || unnamed) && !exact) {
      enter(Stage.ENDS, out);
    } else if (unnamed) {
      giveUp("Lu's algorithm does not find what differs, and there are too many to name", out);
    } else if (!exact || (brought && ++passes < PASSES)) {
      // What an exact pass brings may prove more of what is here, which the peer lacks then.
      exact = true;
      reconcile(Strategy.SKETCH, out);
    } else {
      giveUp("the sets still differ, and no strategy finds out where", out);
    }
  }
}
