package holdfast.node.replication;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.net.Connection;
import holdfast.net.Inbound;
import holdfast.net.PeerIdentity;
import holdfast.node.heartbeat.Acquaintances;
import holdfast.store.CapsuleStore;
import holdfast.store.StoredCapsule;
import holdfast.sync.Marker;
import holdfast.sync.Progress;
import holdfast.sync.Round;
import holdfast.wire.Frame;
import holdfast.wire.PeerStatus;
import holdfast.wire.PeersGrpc;
import io.grpc.stub.CallStreamObserver;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Meets the other servers that keep a capsule: now and then, soon after something new is here, and
 * whenever one of them asks. With one peer about one capsule there is one meeting at a time.
 */
public final class Replication extends PeersGrpc.PeersImplBase
    implements Acquaintances, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Replication.class);
  private static final long TICK_MILLIS = 20;
  private static final long NEWS_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
  private static final long SILENCE_NANOS = TimeUnit.SECONDS.toNanos(60);
  private static final int MOST_FAILURES = 6;

  private final MeetingOptions options;
  private final CapsuleStore store;
  private final Directory directory;
  private final Executor workers;
  private final Liars liars;
  private final SecureRandom random = new SecureRandom();
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("holdfast-meet").daemon(true).factory());
  private final Links links;
  private final PeerConnections connections;
  private final Slots opened;
  private final Slots answered;
  private final HeldBytes heldBytes;
  private volatile @Nullable ScheduledFuture<?> ticking;
  private volatile @Nullable Consumer<String> onFailure;
  private volatile boolean closed;

  /**
   * Replication of a node.
   *
   * @param liars where it is kept what peers do that is false
   * @param workers runs the machines
   */
  public Replication(
      MeetingOptions options,
      SigningKey identity,
      CapsuleStore store,
      Directory directory,
      Liars liars,
      Executor workers) {
    this.options = options;
    this.store = store;
    this.directory = directory;
    this.liars = liars;
    this.workers = workers;
    this.links = new Links(identity.verifyKey(), directory, liars);
    this.connections = new PeerConnections(directory, identity);
    this.opened = new Slots(options.meetings());
    this.answered = new Slots(options.meetings());
    this.heldBytes = new HeldBytes(options.heldBytes());
  }

  /** Tells of an error after which the process is not to be relied on. */
  public void onFailure(Consumer<String> listener) {
    onFailure = listener;
  }

  /** Looks up all capsules and begins to meet. */
  public void start() {
    for (Hash name : store.capsulesThatBegin("", Integer.MAX_VALUE)) {
      StoredCapsule capsule = store.capsule(name);
      if (capsule != null) {
        refresh(capsule);
      }
    }
    store.onChange(this::news);
    store.onDamage(this::hurry);
    ticking =
        timer.scheduleWithFixedDelay(this::tick, TICK_MILLIS, TICK_MILLIS, TimeUnit.MILLISECONDS);
  }

  /** Brings the links of a capsule in line with its placement. */
  public void refresh(StoredCapsule capsule) {
    if (links.refresh(capsule)) {
      connections.keepOnly(links.peers()).forEach(unused -> workers.execute(unused::close));
    }
  }

  /** Connections to peers. */
  int connections() {
    return connections.count();
  }

  private void news(StoredCapsule capsule, List<Statement> statements) {
    // Also placements that are older than the newest: they may hold jointly with it.
    if (statements.stream()
        .anyMatch(one -> one instanceof Statement.Placement || one instanceof Release)) {
      // Not on the store's thread, which tells the news.
      workers.execute(() -> refresh(capsule));
    }
    hurry(capsule.name());
  }

  private void hurry(Hash capsule) {
    long soon = System.nanoTime() + NEWS_NANOS;
    links.of(capsule).values().forEach(link -> link.hurry(soon));
  }

  /** What is known of the peers of a capsule. */
  public List<PeerStatus.Builder> peers(Hash capsule) {
    List<PeerStatus.Builder> peers = new ArrayList<>();
    StoredCapsule stored = store.capsule(capsule);
    if (stored != null) {
      links
          .of(capsule)
          .forEach((peer, link) -> {
            PeerStatus.Builder status = link.status(stored);
            liars.of(capsule, peer).forEach(lie -> status.addLies(lie.toStatus()));
            peers.add(status);
          });
    }
    return peers;
  }

  /** Bytes of what peers have sent and that is not stored yet. */
  public long heldBytes() {
    return heldBytes.all();
  }

  /** What peers did that was false, of all capsules. */
  public List<Liars.Lie> lies() {
    return liars.all();
  }

  /**
   * What is not known to be on so many of the peers that keep a capsule.
   *
   * @param copies how many of the peers are to hold each record
   */
  public Backlog backlog(Hash capsule, int copies) {
    StoredCapsule stored = store.capsule(capsule);
    if (stored == null) {
      return Backlog.NONE;
    }
    return Backlog.toReach(
        copies,
        links.of(capsule).values().stream()
            .filter(link -> link.stays)
            .map(link -> link.backlog(stored))
            .toList());
  }

  /** Capsules that are kept here by a placement, in the order of their names. */
  public List<Hash> kept(Hash after, int limit) {
    return links.capsules().stream()
        .filter(name -> name.compareTo(after) > 0)
        .sorted()
        .limit(limit)
        .toList();
  }

  @Override
  public Map<VerifyKey, Hash> all() {
    Map<VerifyKey, Hash> peers = new HashMap<>();
    links.forEach(link -> {
      if (link.stays) {
        peers.put(link.member.identity(), link.capsule);
      }
    });
    return peers;
  }

  @Override
  public boolean share(Hash capsule, VerifyKey peer) {
    return links.to(peer, capsule) != null;
  }

  @Override
  public Connection connection(VerifyKey peer, Hash capsule) {
    Link link = links.to(peer, capsule);
    if (link == null) {
      throw new HoldfastException(ErrorCode.NOT_FOUND, "no placement names both servers");
    }
    return connections.to(link.member);
  }

  private void tick() {
    try {
      long now = System.nanoTime();
      links.forEach(link -> look(link, now));
    } catch (RuntimeException | Error e) {
      broken("looking for peers to meet failed", e);
    }
  }

  /** What is wrong with one link keeps no other from being met. */
  private void look(Link link, long now) {
    try {
      link.dropIfSilent(now - SILENCE_NANOS);
      link.dropIfStalled(now - TimeUnit.MILLISECONDS.toNanos(options.patienceMillis()));
      if (link.due(now)) {
        meet(link);
      }
    } catch (RuntimeException | Error e) {
      broken("looking after a peer failed", e);
    }
  }

  /**
   * Notes what should not happen, and goes on: a timer that lets an error out never ticks again. An
   * impossible state is a matter of one capsule, as in a session; after any other error the process
   * is not to be relied on.
   */
  private void broken(String what, Throwable e) {
    LOG.error(what, e);
    Consumer<String> listener = onFailure;
    if (e instanceof Error && !(e instanceof AssertionError) && listener != null) {
      listener.accept(what + ": " + e);
    }
  }

  private long next() {
    long period = TimeUnit.MILLISECONDS.toNanos(options.periodMillis());
    return System.nanoTime() + period / 2 + (long) (random.nextDouble() * period);
  }

  private Hash salt() {
    byte[] bytes = new byte[Hash.SIZE];
    random.nextBytes(bytes);
    return Hash.of(bytes);
  }

  // ---- Meetings that this side opens
  // ---------------------------------------------------------------

  private void meet(Link link) {
    StoredCapsule capsule = store.capsule(link.capsule);
    if (capsule == null) {
      return;
    }
    VerifyKey peer = link.member.identity();
    VerifyKey owner = capsule.metadata().owner();
    if (!opened.take(peer, owner)) {
      return;
    }
    Meeting meeting = null;
    try {
      meeting = meeting(link, capsule, true);
      if (!link.take(meeting)) {
        opened.free(peer, owner);
        return;
      }
      Connection connection = connections.to(link.member);
      ClientCallStreamObserver<Frame> out = connection.openRound(new Opened(meeting, connection));
      out.onNext(Frame.newBuilder().setMeeting(directory.introduce(capsule, peer)).build());
      meeting.begin(out);
    } catch (RuntimeException | Error e) {
      if (meeting == null) {
        opened.free(peer, owner);
      } else {
        meeting.lost("it could not be opened: " + e.getMessage());
      }
      broken("a round could not be opened", e);
    }
  }

  private Meeting meeting(Link link, StoredCapsule capsule, boolean initiator) {
    boolean forCopies = link.asksForCopies(capsule.wantsCopies());
    boolean everything = forCopies || (initiator && link.comparesEverything(options.fullEvery()));
    List<Marker> markers = everything ? List.of() : link.markers();
    Round round =
        new Round(new StoredReplica(capsule), initiator, options.round(), markers, salt());
    Slots slots = initiator ? opened : answered;
    return new Meeting(
        store, capsule, round, workers, timer, heldBytes, new Ended(link, capsule, slots));
  }

  private final class Ended implements Meeting.Ending {
    private final Link link;
    private final StoredCapsule capsule;
    private final Slots slots;

    Ended(Link link, StoredCapsule capsule, Slots slots) {
      this.link = link;
      this.capsule = capsule;
      this.slots = slots;
    }

    @Override
    public void finished(Marker marker, Progress progress) {
      slots.free(link.member.identity(), capsule.metadata().owner());
      link.finished(marker, progress, next(), state -> capsule.keepPeerState(link.peer, state));
    }

    @Override
    public void lied(ProofException evidence) {
      slots.free(link.member.identity(), capsule.metadata().owner());
      VerifyKey peer = link.member.identity();
      LOG.error(
          "peer {} sent what is false about capsule {}: {}",
          peer,
          link.capsule.brief(),
          evidence.getMessage());
      String what = evidence.violation() + ": " + evidence.getMessage();
      liars.note(System.currentTimeMillis(), link.capsule, peer, what);
      link.lied(what);
    }

    @Override
    public void failed(String reason) {
      slots.free(link.member.identity(), capsule.metadata().owner());
      int failures = Math.min(MOST_FAILURES, link.failed(reason));
      LOG.debug("no round with {}: {}", link.member.identity(), reason);
      long period = TimeUnit.MILLISECONDS.toNanos(options.retryMillis()) << failures;
      link.postpone(System.nanoTime() + (long) (random.nextDouble() * period));
    }
  }

  // ---- Meetings that a peer opens
  // ------------------------------------------------------------------

  @Override
  public StreamObserver<Frame> round(StreamObserver<Frame> frames) {
    ServerCallStreamObserver<Frame> out = (ServerCallStreamObserver<Frame>) frames;
    return new Answering(PeerIdentity.current(), Inbound.current(), out);
  }

  private final class Answering implements StreamObserver<Frame> {
    private final @Nullable VerifyKey peer;
    private final Inbound inbound;
    private final CallStreamObserver<Frame> out;
    private volatile @Nullable Meeting meeting;
    private volatile boolean refused;

    Answering(@Nullable VerifyKey peer, Inbound inbound, ServerCallStreamObserver<Frame> out) {
      this.peer = peer;
      this.inbound = inbound;
      this.out = out;
      inbound.onOverflow(() -> workers.execute(this::overflow));
      out.setOnCancelHandler(() -> lost("the peer went away"));
      // The meeting asks for each frame when it has room for it; the first is asked for here.
      out.disableAutoRequest();
      out.request(1);
    }

    @Override
    public void onNext(Frame frame) {
      try {
        take(frame);
      } finally {
        inbound.handled();
      }
    }

    private void take(Frame frame) {
      Meeting current = meeting;
      if (current != null) {
        current.frame(frame);
      } else if (!refused) {
        try {
          open(frame);
        } catch (HoldfastException e) {
          refuse(e);
        } catch (ProofException e) {
          refuse(new HoldfastException(ErrorCode.DENIED, String.valueOf(e.getMessage()), e));
        }
      }
    }

    private void overflow() {
      HoldfastException reason =
          new HoldfastException(
              ErrorCode.BUSY, "more large messages are coming in than this server takes on", 200);
      Meeting current = meeting;
      if (current != null) {
        current.refuse(reason);
      } else {
        refuse(reason);
      }
    }

    private synchronized void refuse(HoldfastException reason) {
      if (!refused) {
        refused = true;
        out.onNext(Frames.error(reason));
        out.onCompleted();
      }
    }

    private void open(Frame frame) throws ProofException {
      VerifyKey who = peer;
      if (who == null || !frame.hasMeeting()) {
        throw new HoldfastException(
            ErrorCode.DENIED, "rounds are held with servers that show their identity");
      }
      if (closed) {
        throw stopping();
      }
      Hash name = Hash.of(frame.getMeeting().getCapsule().toByteArray());
      StoredCapsule capsule = store.capsule(name);
      Link link = links.to(who, name);
      if (link == null) {
        capsule = directory.admit(frame.getMeeting(), who);
        if (capsule != null) {
          refresh(capsule);
          link = links.to(who, name);
        }
      }
      if (capsule == null || link == null) {
        throw new HoldfastException(
            ErrorCode.DENIED, "no placement here says that both servers keep this capsule");
      }
      link.refuseAvoided(System.nanoTime());
      Meeting made = meeting(link, capsule, false);
      if (!answered.take(who, capsule.metadata().owner())) {
        throw new HoldfastException(
            ErrorCode.BUSY,
            "this server holds enough rounds with this peer, or of this owner, now",
            200);
      }
      if (!link.take(made)) {
        answered.free(who, capsule.metadata().owner());
        throw new HoldfastException(ErrorCode.BUSY, "a round with this peer is under way", 50);
      }
      meeting = made;
      made.begin(out);
    }

    private void lost(String reason) {
      Meeting current = meeting;
      if (current != null) {
        current.lost(reason);
      }
    }

    @Override
    public void onError(Throwable failure) {
      lost("the stream broke: " + failure.getMessage());
    }

    @Override
    public void onCompleted() {
      Meeting current = meeting;
      if (current != null) {
        current.leaves("the peer ended the round");
      }
    }
  }

  @Override
  public void close() {
    closed = true;
    ScheduledFuture<?> ticks = ticking;
    if (ticks != null) {
      ticks.cancel(false);
    }
    timer.shutdownNow();
    try {
      // It reads the store, which is closed next.
      if (!timer.awaitTermination(5, TimeUnit.SECONDS)) {
        LOG.warn("rounds are still being opened after 5 s");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    // Rounds that peers have opened would be waited for.
    links.forEach(link -> link.interrupt(stopping()));
    connections.keepOnly(Set.of()).forEach(Connection::close);
  }

  private static HoldfastException stopping() {
    return new HoldfastException(ErrorCode.BUSY, "this server is stopping", 200);
  }
}
