package holdfast.sync;

import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.Machine;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
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
 * <p>The set that a round is about is fixed when SINCE begins: all that entered this side's proven
 * set and that the peer is not known to hold, and whatever the peer names during the round. What
 * enters meanwhile by other ways is named in LATE, so that steady writing neither hinders the
 * comparison nor is taken for granted by the next round's marker.
 */
public final class Round implements Machine<Input, Effect> {
  /** The versions of this protocol that are spoken here. */
  static final int LEAST_VERSION = 1;

  static final int GREATEST_VERSION = 1;

  /** Bytes at most of messages that came before their stage, in all. */
  public static final long EARLY_BYTES = 64L << 20;

  private static final int PAGE = 4096;
  private static final int ENDS = 4096;
  private static final int PASSES = 16;

  /** Entries of both sides whose names are shorter than the first message of a sketch. */
  private static final int NAMED = 256;

  private static final int WALKS = 256;
  private static final int QUEUED = 1024;

  private enum Stage {
    HELLO,
    STATEMENTS,
    SINCE,
    DIFFERENCE,
    PUSH,
    LATE,
    VERDICT,
    ENDS,
    OVER
  }

  private final Replica replica;
  private final boolean initiator;
  private final RoundOptions options;
  private final List<Marker> markers;
  private final Hash salt;
  private final Intake intake;
  private final Pusher pusher;
  private final TreeMap<Integer, Taking> taking = new TreeMap<>();
  private final Set<Integer> durable = new HashSet<>();
  private final ArrayDeque<Early> early = new ArrayDeque<>();
  private long earlyBytes;

  private Stage stage = Stage.HELLO;
  private Strategy strategy;
  private Hash jointSalt = Hash.ZERO;
  private Marker marker = Marker.NONE;
  private boolean spoken;

  // STATEMENTS
  private final Set<Hash> peerStatements = new HashSet<>();
  private boolean namesHeard;
  private boolean statementsHeard;
  private int statementsToStore;
  private boolean readySaid;
  private boolean readyHeard;
  private Hash peerStatementDigest = Hash.ZERO;
  private List<Hash> statementsSaid = List.of();

  /** Owner's statements that the peer has for certain. */
  private final Set<Hash> agreed = new HashSet<>();

  // SINCE
  private long snapshot;
  private RoundSet set = new RoundSet(Hash.ZERO);
  private int passes;
  private @Nullable Reconciler reconciler;
  private Message.@Nullable Since peerSince;

  // PUSH
  private boolean pushEndSaid;
  private boolean pushEndHeard;
  private int nextPush;
  private boolean exact;

  // LATE, VERDICT
  private List<Entry> late = List.of();
  private boolean lateTooMany;
  private long lateEnd;
  private Message.@Nullable Late peerLate;
  private Hash ownDigest = Hash.ZERO;
  private boolean lateAtPeer;
  private long movedAtAgreement;
  private long moved;
  private long movedBefore = -1;
  private int walks;

  // ENDS
  private List<Hash> ownHeads = List.of();
  private final List<Long> starts = new ArrayList<>();
  private boolean endsHeard;
  private boolean wantedHeard;

  private long messages;
  private long bytesSent;
  private long bytesReceived;
  private long recordsReceived;

  /** A message of a later stage, and its size. */
  private record Early(Message message, int bytes) {}

  /** A push of the peer that is not answered yet. */
  private record Taking(
      List<Hash> records, List<Statement.WriterSignature> signatures, boolean asksHave) {}

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
    this.options = options;
    this.markers = List.copyOf(markers);
    this.salt = salt;
    this.strategy = options.strategy();
    this.intake = new Intake(replica, options);
    this.pusher = new Pusher(replica, options);
  }

  /** Whether the round has ended, well or not. */
  public boolean over() {
    return stage == Stage.OVER;
  }

  /** How far the round is. */
  public Progress progress() {
    return new Progress(
        messages,
        bytesSent,
        bytesReceived,
        pusher.recordBytes(),
        pusher.recordsSent(),
        recordsReceived,
        pusher.left());
  }

  /** Bytes held for the peer: messages that came early, and what nothing proves yet. */
  public long heldBytes() {
    return earlyBytes + intake.heldBytes();
  }

  @Override
  public void step(Input input, Consumer<? super Effect> out) {
    if (stage == Stage.OVER) {
      return;
    }
    try {
      switch (input) {
        case Input.Begin begin -> {
          if (initiator) {
            sayHello(out);
          }
        }
        case Input.Received received -> receive(received.message(), out);
        case Input.Stored stored -> stored(stored.ticket(), out);
        case Input.NotStored failed -> giveUp("it could not be stored: " + failed.reason(), out);
      }
      advance(out);
    } catch (ProofException e) {
      stage = Stage.OVER;
      send(new Message.Stop("the protocol is broken"), out);
      out.accept(new Effect.Lied(e));
    }
  }

  private void send(Message message, Consumer<? super Effect> out) {
    byte[] bytes = message.encode();
    messages++;
    bytesSent += bytes.length;
    out.accept(new Effect.Send(bytes));
  }

  private void giveUp(String reason, Consumer<? super Effect> out) {
    stage = Stage.OVER;
    send(new Message.Stop(reason), out);
    out.accept(new Effect.GaveUp(reason));
  }

  // ---- Hearing
  // --------------------------------------------------------------------------------------------

  private void receive(byte[] bytes, Consumer<? super Effect> out) throws ProofException {
    bytesReceived += bytes.length;
    Message message = Message.decode(bytes);
    if (message instanceof Message.Stop stop) {
      stage = Stage.OVER;
      out.accept(new Effect.GaveUp("the peer gave up: " + stop.reason()));
    } else if (belongs(message)) {
      hear(message, out);
    } else if (earlyBytes + bytes.length > EARLY_BYTES) {
      giveUp("the peer is further ahead than there is room for", out);
    } else if (early.size() < QUEUED) {
      early.add(new Early(message, bytes.length));
      earlyBytes += bytes.length;
    } else {
      throw unexpected(message);
    }
  }

  private boolean belongs(Message message) {
    return switch (message) {
      case Message.Hello hello -> stage == Stage.HELLO;
      case Message.StatementNames names -> stage == Stage.STATEMENTS;
      case Message.Statements statements -> stage == Stage.STATEMENTS;
      case Message.Ready ready -> stage == Stage.STATEMENTS;
      case Message.Since since -> stage == Stage.SINCE;
      case Message.Difference difference -> stage == Stage.DIFFERENCE;
      case Message.Push push -> stage == Stage.PUSH;
      case Message.Taken taken -> stage == Stage.PUSH;
      case Message.PushEnd end -> stage == Stage.PUSH;
      case Message.Late late -> stage == Stage.LATE;
      case Message.Verdict verdict -> stage == Stage.VERDICT;
      case Message.Ends ends -> stage == Stage.ENDS;
      case Message.Wanted wanted -> stage == Stage.ENDS;
      case Message.Stop stop -> true;
    };
  }

  private ProofException unexpected(Message message) {
    return new ProofException(
        Violation.MALFORMED,
        "the peer sent " + message.getClass().getSimpleName() + " in the stage " + stage);
  }

  private void hear(Message message, Consumer<? super Effect> out) throws ProofException {
    switch (message) {
      case Message.Hello hello -> hearHello(hello, out);
      case Message.StatementNames names -> hearStatementNames(names, out);
      case Message.Statements statements -> hearStatements(statements, out);
      case Message.Ready ready -> readyHeard = true;
      case Message.Since since -> peerSince = since;
      case Message.Difference difference -> {
        Reconciler current = reconciler;
        if (current == null) {
          throw unexpected(difference);
        }
        current.receive(difference.bytes(), bytes -> send(new Message.Difference(bytes), out));
      }
      case Message.Push push -> hearPush(push, out);
      case Message.Taken taken -> pusher.taken(taken);
      case Message.PushEnd end -> pushEndHeard = true;
      case Message.Late peers -> {
        if (peers.entries().size() > options.lateEntries()) {
          throw unexpected(peers);
        }
        peerLate = peers;
      }
      case Message.Verdict verdict -> hearVerdict(verdict, out);
      case Message.Ends ends -> hearEnds(ends, out);
      case Message.Wanted wanted -> hearWanted(wanted);
      case Message.Stop stop -> throw unexpected(stop);
    }
  }

  /** Goes on from stage to stage as far as what was said and heard allows. */
  private void advance(Consumer<? super Effect> out) throws ProofException {
    for (boolean moving = true; moving && stage != Stage.OVER; ) {
      Stage before = stage;
      switch (stage) {
        case HELLO, OVER -> {}
        case STATEMENTS -> advanceStatements(out);
        case SINCE -> {
          Message.Since peers = peerSince;
          if (peers != null) {
            compare(peers, out);
          }
        }
        case DIFFERENCE -> {
          Reconciler current = reconciler;
          if (current != null && current.done()) {
            pusher.plan(set.pick(replica, new HashSet<>(current.lackedByPeer())));
            reconciler = null;
            enter(Stage.PUSH, out);
          }
        }
        case PUSH -> advancePush(out);
        case LATE -> {
          Message.Late peers = peerLate;
          if (peers != null) {
            settleLate(peers, out);
          }
        }
        case VERDICT -> {}
        case ENDS -> {
          if (endsHeard && wantedHeard) {
            pusher.walk(starts);
            enter(Stage.PUSH, out);
          }
        }
      }
      moving = stage != before;
      for (int left = early.size(); left > 0 && stage != Stage.OVER; left--) {
        Early next = early.remove();
        if (belongs(next.message())) {
          earlyBytes -= next.bytes();
          hear(next.message(), out);
          moving = true;
        } else {
          early.add(next);
        }
      }
    }
  }

  private void enter(Stage next, Consumer<? super Effect> out) {
    stage = next;
    switch (next) {
      case HELLO, DIFFERENCE, OVER -> {}
      case STATEMENTS -> sayStatementNames(out);
      case SINCE -> saySince(out);
      case PUSH -> {
        pushEndSaid = false;
        pushEndHeard = false;
      }
      case LATE -> sayLate(out);
      case VERDICT -> sayVerdict(out);
      case ENDS -> sayEnds(out);
    }
  }

  // ---- HELLO
  // ----------------------------------------------------------------------------------------------

  private void sayHello(Consumer<? super Effect> out) {
    spoken = true;
    statementsSaid = statementNames();
    send(
        new Message.Hello(
            LEAST_VERSION,
            GREATEST_VERSION,
            replica.metadata().name(),
            salt,
            strategy.number(),
            markers.stream().map(Marker::round).limit(255).toList(),
            digest(statementsSaid)),
        out);
  }

  private void hearHello(Message.Hello hello, Consumer<? super Effect> out) throws ProofException {
    if (!initiator && !spoken) {
      sayHello(out);
    }
    if (hello.least() > GREATEST_VERSION || hello.greatest() < LEAST_VERSION) {
      giveUp(
          "the peer speaks versions "
              + hello.least()
              + " to "
              + hello.greatest()
              + " of the protocol of rounds, this side "
              + LEAST_VERSION
              + " to "
              + GREATEST_VERSION,
          out);
      return;
    }
    if (!hello.capsule().equals(replica.metadata().name())) {
      throw new ProofException(
          Violation.WRONG_CAPSULE, "the peer began a round about another capsule");
    }
    if (!initiator) {
      Strategy asked = Strategy.of(hello.strategy());
      if (asked == null) {
        throw new ProofException(Violation.MALFORMED, "the peer asks for an unknown strategy");
      }
      strategy = asked;
    }
    Encoder joint = new Encoder(64);
    joint.hash(initiator ? salt : hello.salt()).hash(initiator ? hello.salt() : salt);
    jointSalt = Sha256.get().hash(Domain.ROUND_SALT, joint.toBytes());
    marker = common(hello.rounds());
    peerStatementDigest = hello.statements();
    enter(Stage.STATEMENTS, out);
  }

  /** The newest round that both sides completed, by the initiator's order. */
  private Marker common(List<Hash> peers) {
    List<Hash> own = markers.stream().map(Marker::round).toList();
    List<Hash> first = initiator ? own : peers;
    List<Hash> second = initiator ? peers : own;
    for (Hash round : first) {
      if (!round.equals(Hash.ZERO) && second.contains(round)) {
        return markers.get(own.indexOf(round));
      }
    }
    return Marker.NONE;
  }

  // ---- STATEMENTS
  // -----------------------------------------------------------------------------------------

  private List<Hash> statementNames() {
    return replica.ownerStatements().stream().map(Statement::name).sorted().toList();
  }

  private static Hash digest(List<Hash> names) {
    Encoder out = new Encoder();
    names.forEach(out::hash);
    return Sha256.get().hash(Domain.ROUND_SALT, out.toBytes());
  }

  private void sayStatementNames(Consumer<? super Effect> out) {
    // By what was said, not by what is here by now: the peer decides by the same.
    if (peerStatementDigest.equals(digest(statementsSaid))) {
      agreed.addAll(statementsSaid);
      readyHeard = true;
      readySaid = true;
      return;
    }
    List<Hash> names = statementNames();
    int from = 0;
    do {
      int to = Math.min(names.size(), from + Message.NAMES);
      send(new Message.StatementNames(names.subList(from, to), to == names.size()), out);
      from = to;
    } while (from < names.size());
  }

  private void hearStatementNames(Message.StatementNames names, Consumer<? super Effect> out)
      throws ProofException {
    if (namesHeard) {
      throw unexpected(names);
    }
    peerStatements.addAll(names.names());
    if (peerStatements.size() > 16 * Message.NAMES) {
      throw unexpected(names);
    }
    if (!names.last()) {
      return;
    }
    namesHeard = true;
    agreed.addAll(peerStatements);
    List<byte[]> page = new ArrayList<>();
    int bytes = 0;
    for (Statement statement : replica.ownerStatements()) {
      if (!peerStatements.contains(statement.name())) {
        byte[] encoded = statement.encode();
        agreed.add(statement.name());
        page.add(encoded);
        bytes += encoded.length;
        if (page.size() == Message.STATEMENTS || bytes > options.batchBytes()) {
          send(new Message.Statements(page, false), out);
          page = new ArrayList<>();
          bytes = 0;
        }
      }
    }
    send(new Message.Statements(page, true), out);
    peerStatements.clear();
  }

  private void hearStatements(Message.Statements page, Consumer<? super Effect> out)
      throws ProofException {
    if (statementsHeard) {
      throw unexpected(page);
    }
    List<Statement> statements = new ArrayList<>();
    for (byte[] encoded : page.statements()) {
      Statement statement = Statement.decode(encoded);
      if (statement instanceof Statement.WriterSignature
          || !statement.capsule().equals(replica.metadata().name())) {
        throw new ProofException(
            Violation.WRONG_CAPSULE,
            "the peer sent a statement that is not of this capsule's owner");
      }
      statement.verify(replica.metadata());
      statements.add(statement);
    }
    if (!statements.isEmpty()) {
      statementsToStore++;
      // Tickets below zero are statements; those from zero on are pushes.
      out.accept(new Effect.Store(-statementsToStore, List.of(), statements));
    }
    statementsHeard = page.last();
  }

  private void advanceStatements(Consumer<? super Effect> out) {
    if (!readySaid && statementsHeard && namesHeard && statementsToStore == 0) {
      readySaid = true;
      send(new Message.Ready(), out);
    }
    if (readySaid && readyHeard) {
      statementsComplete();
      enter(Stage.SINCE, out);
    }
  }

  private void statementsComplete() {
    List<Statement.Erasure> here = new ArrayList<>();
    List<Statement.Erasure> atPeer = new ArrayList<>();
    for (Statement statement : replica.ownerStatements()) {
      if (statement instanceof Statement.Erasure erasure) {
        here.add(erasure);
        if (agreed.contains(erasure.name())) {
          atPeer.add(erasure);
        }
      }
    }
    intake.erasures(here);
    pusher.erasures(atPeer);
    agreed.clear();
  }

  // ---- SINCE, DIFFERENCE
  // ----------------------------------------------------------------------------------

  private void saySince(Consumer<? super Effect> out) {
    peerSince = null;
    snapshot = replica.entries();
    set = new RoundSet(jointSalt);
    for (long from = marker.position(); from < snapshot; from += PAGE) {
      for (Entry entry : replica.entries(from, Math.min(snapshot, from + PAGE))) {
        if (!marker.covers(entry.position()) && replica.exchanged(entry.arrival())) {
          set.add(entry.arrival(), entry.record(), entry.signer());
        }
      }
    }
    send(new Message.Since(set.count(), set.digest().sum()), out);
  }

  private void compare(Message.Since peers, Consumer<? super Effect> out) {
    peerSince = null;
    if (peers.count() == set.count() && peers.digest().equals(set.digest().sum())) {
      enter(Stage.LATE, out);
    } else if (strategy == Strategy.LU) {
      enter(Stage.ENDS, out);
    } else if (peers.count() == 0 || set.count() == 0) {
      // One side has nothing new: the other sends everything, and nothing has to be found out.
      pusher.plan(set.bits());
      enter(Stage.PUSH, out);
    } else {
      reconcile(
          strategy == Strategy.ADAPTIVE ? fitting(peers.count(), set.count()) : strategy, out);
    }
  }

  /** What finds the difference of sets of these sizes with the fewest turns and bytes. */
  private static Strategy fitting(long one, long other) {
    long all = one + other;
    if (all <= NAMED) {
      return Strategy.NAIVE;
    }
    return Math.abs(one - other) > all / 10 ? Strategy.TREE : Strategy.SKETCH;
  }

  private void reconcile(Strategy how, Consumer<? super Effect> out) {
    List<Hash> names = set.names(replica);
    Reconciler made =
        switch (how) {
          case STAGED -> new BloomReconciler(initiator, jointSalt, names);
          case NAIVE -> new NaiveReconciler(initiator, names);
          case TREE -> new TreeReconciler(initiator, jointSalt, names);
          case SKETCH, LU, ADAPTIVE -> new SketchReconciler(initiator, jointSalt, names);
        };
    reconciler = made;
    enter(Stage.DIFFERENCE, out);
    made.begin(bytes -> send(new Message.Difference(bytes), out));
  }

  // ---- PUSH
  // -----------------------------------------------------------------------------------------------

  private void advancePush(Consumer<? super Effect> out) {
    pusher.pump(push -> send(push, out));
    if (pusher.stale()) {
      giveUp("the owner has had something erased since this round began", out);
      return;
    }
    if (!pushEndSaid && pusher.idle()) {
      pushEndSaid = true;
      send(new Message.PushEnd(), out);
    }
    if (pushEndSaid && pushEndHeard && taking.isEmpty()) {
      enter(Stage.LATE, out);
    }
  }

  private void hearPush(Message.Push push, Consumer<? super Effect> out) throws ProofException {
    if (pushEndHeard || push.number() != nextPush || taking.size() >= 4 * QUEUED) {
      throw unexpected(push);
    }
    nextPush++;
    List<Record> records = Message.records(push);
    List<Statement.WriterSignature> signatures =
        Message.signatures(push, replica.metadata().name());
    recordsReceived += records.size();
    Intake.Accepted accepted = intake.take(records, signatures);
    List<Hash> names = new ArrayList<>(records.size());
    records.forEach(record -> names.add(record.name()));
    accepted.records().forEach(record -> names.add(record.name()));
    taking.put(push.number(), new Taking(names, signatures, push.asksHave()));
    if (accepted.isEmpty()) {
      answer(push.number(), out);
    } else {
      out.accept(new Effect.Store(push.number(), accepted.records(), accepted.signatures()));
    }
  }

  private void stored(int ticket, Consumer<? super Effect> out) {
    if (ticket < 0) {
      statementsToStore--;
      return;
    }
    if (!taking.containsKey(ticket)) {
      throw new AssertionError("nothing was to be stored under " + ticket);
    }
    answer(ticket, out);
  }

  /** Answers pushes in the order in which they came, whichever is durable first. */
  private void answer(int ticket, Consumer<? super Effect> out) {
    durable.add(ticket);
    while (!taking.isEmpty() && durable.remove(taking.firstKey())) {
      Map.Entry<Integer, Taking> oldest = taking.pollFirstEntry();
      take(oldest.getKey(), oldest.getValue(), out);
    }
  }

  /** What the peer named and is here belongs to the round's set, whenever it came. */
  private void take(int number, Taking push, Consumer<? super Effect> out) {
    long[] arrivals = replica.arrivalsOf(push.records());
    for (int i = 0; i < arrivals.length; i++) {
      if (arrivals[i] >= 0
          && replica.proven(arrivals[i])
          && replica.exchanged(arrivals[i])
          && set.add(arrivals[i], push.records().get(i), Entry.RECORD)) {
        moved++;
      }
    }
    List<Hash> signed = push.signatures().stream().map(Statement.WriterSignature::record).toList();
    long[] signedAt = replica.arrivalsOf(signed);
    for (int i = 0; i < signedAt.length; i++) {
      int signer = push.signatures().get(i).signer();
      if (signedAt[i] >= 0
          && replica.exchanged(signedAt[i])
          && set.add(signedAt[i], signed.get(i), signer)) {
        moved++;
      }
    }
    send(new Message.Taken(number, push.asksHave() ? have(arrivals) : List.of()), out);
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

  // ---- LATE, VERDICT
  // --------------------------------------------------------------------------------------

  private void sayLate(Consumer<? super Effect> out) {
    peerLate = null;
    lateEnd = replica.entries();
    List<Entry> found = new ArrayList<>();
    for (long from = snapshot; from < lateEnd; from += PAGE) {
      for (Entry entry : replica.entries(from, Math.min(lateEnd, from + PAGE))) {
        if (replica.exchanged(entry.arrival()) && !set.contains(entry.arrival(), entry.signer())) {
          found.add(entry);
        }
      }
    }
    lateTooMany = found.size() > options.lateEntries();
    late = lateTooMany ? List.of() : found;
    send(
        new Message.Late(
            lateTooMany,
            late.stream().map(e -> new Message.LateEntry(e.record(), e.signer())).toList()),
        out);
  }

  private void settleLate(Message.Late peers, Consumer<? super Effect> out) {
    if (!peers.again() && !lateTooMany) {
      enter(Stage.VERDICT, out);
    } else if (++passes < PASSES) {
      enter(Stage.SINCE, out);
    } else {
      giveUp("more was written meanwhile than " + PASSES + " passes could follow", out);
    }
  }

  private void sayVerdict(Consumer<? super Effect> out) {
    Message.Late peers = peerLate;
    if (peers == null) {
      throw new AssertionError("a verdict is given after the peer has told what was late");
    }
    List<Hash> records = peers.entries().stream().map(Message.LateEntry::record).toList();
    long[] arrivals = replica.arrivalsOf(records);
    byte[] known = new byte[arrivals.length];
    SetDigest digest = new SetDigest(jointSalt).plus(set.digest());
    for (int i = 0; i < known.length; i++) {
      int signer = peers.entries().get(i).signer();
      if (arrivals[i] >= 0 && set.contains(arrivals[i], signer)) {
        known[i] = 1;
        digest.subtract(Entry.nameOf(records.get(i), signer));
      }
    }
    ownDigest = digest.sum();
    lateAtPeer = !allOnes(known);
    send(new Message.Verdict(known, ownDigest, moved), out);
  }

  private void hearVerdict(Message.Verdict peers, Consumer<? super Effect> out)
      throws ProofException {
    if (peers.known().length != late.size()) {
      throw new ProofException(
          Violation.MALFORMED, "the peer judges other late entries than it was told of");
    }
    if (peers.digest().equals(ownDigest)) {
      long sofar = moved + peers.moved();
      boolean brought = sofar != movedAtAgreement;
      movedAtAgreement = sofar;
      if ((lateAtPeer || !allOnes(peers.known())) && brought && ++passes < PASSES) {
        // What came meanwhile is what this round itself has made provable, as far as anybody knows.
        enter(Stage.SINCE, out);
        return;
      }
      stage = Stage.OVER;
      out.accept(new Effect.Finished(after(peers.known()), progress()));
      return;
    }
    long movedNow = moved + peers.moved();
    boolean progress = movedNow != movedBefore;
    movedBefore = movedNow;
    if (progress && walks++ < WALKS && walking() && !exact) {
      enter(Stage.ENDS, out);
    } else if (!exact) {
      exact = true;
      reconcile(Strategy.SKETCH, out);
    } else {
      giveUp("the sets still differ, and no strategy finds out where", out);
    }
  }

  /** Whether this strategy finds out the rest by Lu's algorithm. */
  private boolean walking() {
    return strategy == Strategy.STAGED || strategy == Strategy.LU;
  }

  private static boolean allOnes(byte[] flags) {
    for (byte flag : flags) {
      if (flag != 1) {
        return false;
      }
    }
    return true;
  }

  private Marker after(byte[] knownToPeer) {
    long began = firstNotCompared();
    long[] positions = new long[Math.toIntExact(lateEnd - began)];
    int count = 0;
    int at = 0;
    for (long from = began; from < lateEnd; from += PAGE) {
      for (Entry entry : replica.entries(from, Math.min(lateEnd, from + PAGE))) {
        boolean isLate = at < late.size() && late.get(at).position() == entry.position();
        boolean held = isLate ? knownToPeer[at] == 1 : compared(entry);
        if (isLate) {
          at++;
        }
        if (held) {
          positions[count++] = entry.position();
        }
      }
    }
    return Marker.after(jointSalt, began, java.util.Arrays.copyOf(positions, count));
  }

  /** What was damaged here, or not known to belong, was left out and may be told of later. */
  private long firstNotCompared() {
    for (long from = marker.position(); from < snapshot; from += PAGE) {
      for (Entry entry : replica.entries(from, Math.min(snapshot, from + PAGE))) {
        if (!compared(entry)) {
          return entry.position();
        }
      }
    }
    return snapshot;
  }

  private boolean compared(Entry entry) {
    return marker.covers(entry.position()) || set.contains(entry.arrival(), entry.signer());
  }

  // ---- ENDS
  // -----------------------------------------------------------------------------------------------

  private void sayEnds(Consumer<? super Effect> out) {
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
    send(new Message.Ends(heads, replica.missingNames(ENDS)), out);
  }

  private void hearEnds(Message.Ends ends, Consumer<? super Effect> out) throws ProofException {
    if (endsHeard) {
      throw unexpected(ends);
    }
    endsHeard = true;
    byte[] wanted = new byte[ends.heads().size()];
    long[] arrivals = replica.arrivalsOf(ends.heads());
    for (int i = 0; i < wanted.length; i++) {
      wanted[i] = (byte) (arrivals[i] >= 0 && replica.proven(arrivals[i]) ? 0 : 1);
    }
    starts.addAll(Pusher.present(replica, ends.missing()));
    send(new Message.Wanted(wanted), out);
  }

  private void hearWanted(Message.Wanted wanted) throws ProofException {
    if (wantedHeard || wanted.wanted().length != ownHeads.size()) {
      throw unexpected(wanted);
    }
    wantedHeard = true;
    List<Hash> names = new ArrayList<>();
    for (int i = 0; i < ownHeads.size(); i++) {
      if (wanted.wanted()[i] == 1) {
        names.add(ownHeads.get(i));
      }
    }
    starts.addAll(Pusher.present(replica, names));
  }
}
