package holdfast.node.heartbeat;

import com.google.protobuf.UnsafeByteOperations;
import holdfast.base.Hash;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.net.Connection;
import holdfast.net.PeerIdentity;
import holdfast.wire.EdgeReport;
import holdfast.wire.Heartbeat;
import holdfast.wire.HeartbeatsGrpc;
import io.grpc.Status;
import io.grpc.stub.CallStreamObserver;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says to all acquaintances that this server is there, answers theirs, and tells who is lost and
 * who is back: in the log, to a listener, and to whoever asks.
 */
public final class Heartbeats extends HeartbeatsGrpc.HeartbeatsImplBase implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Heartbeats.class);

  /** Peers that are kept in mind at most. */
  private static final int PEERS = 1 << 16;

  /** No peer is waited for longer than this, whatever it promises. */
  private static final long LONGEST_INTERVAL_MILLIS = 3_600_000;

  private static final long LONGEST_TICK_MILLIS = 100;

  /** How long the end waits for a heartbeat that is being made. */
  private static final long LAST_WORD_MILLIS = 2000;

  private static final int VERSION_CHARACTERS = 64;

  /** Bytes of a heartbeat at most; the fields that are known have a few hundred. */
  private static final int BEAT_BYTES = 4096;

  private final long intervalMillis;
  private final Acquaintances acquaintances;
  private final Voice voice;
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("holdfast-heartbeat").daemon(true).factory());

  private final Vigil vigil = new Vigil(PEERS);
  private final Map<VerifyKey, Heartbeat> said = new HashMap<>();
  private final Map<VerifyKey, Outgoing> outgoing = new HashMap<>();
  private final Map<VerifyKey, Hearing> incoming = new HashMap<>();
  private Runnable lostListener = () -> {};
  private volatile @Nullable Edge edge;
  private volatile @Nullable ScheduledFuture<?> ticking;
  private boolean full;
  private volatile boolean closed;

  /** What this server says of itself, beside what is added here. */
  @FunctionalInterface
  public interface Voice {
    /** Version, whether it takes writes, and the records it holds of a capsule. */
    Heartbeat.Builder speak(Hash capsule);
  }

  /**
   * Heartbeats of a node.
   *
   * @param intervalMillis how often this server means to be heard
   */
  public Heartbeats(long intervalMillis, Acquaintances acquaintances, Voice voice) {
    if (intervalMillis < 10 || intervalMillis > LONGEST_INTERVAL_MILLIS) {
      throw new IllegalArgumentException(
          "heartbeats come every 10 ms to every hour, not every " + intervalMillis + " ms");
    }
    this.intervalMillis = intervalMillis;
    this.acquaintances = acquaintances;
    this.voice = voice;
  }

  /**
   * What an edge says of itself, and how.
   *
   * @param identity of this server
   * @param writer the key that writes the edge's capsule
   */
  private record Edge(Supplier<EdgeState> state, VerifyKey identity, SigningKey writer) {}

  /**
   * Says from now on that this server is an edge.
   *
   * @param identity of this server
   * @param writer the key that writes the edge's capsule, and signs what is said
   */
  public void speakFor(Supplier<EdgeState> state, VerifyKey identity, SigningKey writer) {
    edge = new Edge(state, identity, writer);
  }

  /** Calls somebody whenever a peer is lost. */
  public synchronized void onLost(Runnable listener) {
    lostListener = listener;
  }

  /** Begins. */
  public void start() {
    long tick = Math.max(1, Math.min(LONGEST_TICK_MILLIS, intervalMillis / 8));
    ticking = timer.scheduleWithFixedDelay(this::tick, tick, tick, TimeUnit.MILLISECONDS);
  }

  /** How a peer is; null when it is neither expected nor was heard of. */
  public synchronized @Nullable PeerHealth health(VerifyKey peer) {
    Vigil.State state = vigil.state(peer, System.nanoTime());
    return state == null
        ? null
        : new PeerHealth(state.silentNanos() / 1_000_000, state.lost(), said.get(peer));
  }

  /** How many peers are lost now. */
  public synchronized int lost() {
    return vigil.lost();
  }

  /** How many peers are waited for, or were heard of. */
  public synchronized int known() {
    return vigil.size();
  }

  private void tick() {
    try {
      Map<VerifyKey, Hash> known = acquaintances.all();
      synchronized (this) {
        long now = System.nanoTime();
        known.keySet().forEach(who -> expect(who, now));
        said.keySet().stream()
            .filter(who -> !known.containsKey(who))
            .toList()
            .forEach(this::forget);
        outgoing.keySet().stream()
            .filter(who -> !known.containsKey(who))
            .toList()
            .forEach(this::forget);
        vigil.step(new Vigil.Input.Tick(now), this::tell);
      }
      known.forEach(this::beat);
    } catch (RuntimeException | Error e) {
      // A timer that lets an error out never ticks again.
      LOG.error("heartbeats failed", e);
    }
  }

  private void expect(VerifyKey who, long nowNanos) {
    vigil.step(
        new Vigil.Input.Expect(who, nowNanos, TimeUnit.MILLISECONDS.toNanos(intervalMillis)),
        this::tell);
  }

  private synchronized void forget(VerifyKey who) {
    vigil.step(new Vigil.Input.Forget(who), this::tell);
    said.remove(who);
    incoming.remove(who);
    Outgoing way = outgoing.remove(who);
    if (way != null) {
      way.drop();
    }
  }

  private void tell(Vigil.Effect effect) {
    String name = nameOf(effect.who());
    switch (effect) {
      case Vigil.Effect.Lost lost -> {
        LOG.warn("lost {}: silent for {} ms", name, lost.silentNanos() / 1_000_000);
        Outgoing way = outgoing.get(lost.who());
        if (way != null) {
          // The stream may be one of which nobody will ever say that it is broken.
          way.drop();
        }
        lostListener.run();
      }
      case Vigil.Effect.Back back ->
          LOG.info("{} is back after {} ms", name, back.silentNanos() / 1_000_000);
      case Vigil.Effect.Refused refused -> {
        if (!full) {
          LOG.warn("{}, and who else comes, is not watched: {} peers are", name, PEERS);
        }
        full = true;
      }
    }
  }

  private String nameOf(VerifyKey who) {
    Heartbeat last = said.get(who);
    return last != null && last.hasEdge()
        ? "peer " + who + ", which calls itself edge " + last.getEdge().getName()
        : "peer " + who;
  }

  // ---- Saying -----------------------------------------------------------------------------------

  private Heartbeat speak(long number, Hash capsule, VerifyKey to) {
    Heartbeat.Builder beat =
        voice
            .speak(capsule)
            .setNumber(number)
            .setIntervalMillis((int) intervalMillis)
            .setCapsule(UnsafeByteOperations.unsafeWrap(capsule.toBytes()));
    Edge said = edge;
    if (said != null) {
      long now = System.currentTimeMillis();
      beat.setEdge(said.state().get().toWire(now, said.identity(), to, said.writer()));
    }
    return beat.build();
  }

  private void beat(VerifyKey who, Hash capsule) {
    Outgoing way;
    synchronized (this) {
      way = closed ? null : outgoing.computeIfAbsent(who, Outgoing::new);
    }
    if (way != null) {
      try {
        way.beat(capsule);
      } catch (RuntimeException | Error e) {
        // What is wrong with one peer keeps no other from being told.
        LOG.error("no heartbeat to {}", who, e);
      }
    }
  }

  /** The way to a peer: a stream, and another when that is over. */
  private final class Outgoing {
    private final VerifyKey who;
    private volatile @Nullable Asking stream;

    // For the timer's thread alone.
    private long number;
    private long dueNanos = System.nanoTime();

    Outgoing(VerifyKey who) {
      this.who = who;
    }

    /**
     * Says that this server is there, if it is time. Holds no lock while it asks what to say: that
     * takes those of whoever is asked, and they may be waiting for this object's.
     */
    void beat(Hash capsule) {
      long now = System.nanoTime();
      if (now - dueNanos < 0) {
        return;
      }
      dueNanos = now + TimeUnit.MILLISECONDS.toNanos(intervalMillis);
      Asking out = stream;
      if (out == null || out.over()) {
        out = new Asking(who, acquaintances.connection(who, capsule));
        out.open();
        stream = out;
        if (closed) {
          out.drop();
        }
      } else if (!out.ready()) {
        // What was said before has not left yet; more of it helps nobody.
        return;
      }
      out.say(speak(++number, capsule, who));
    }

    void drop() {
      Asking out = stream;
      if (out != null) {
        out.drop();
      }
    }
  }

  /**
   * A stream of heartbeats to a peer, and its answers. Its lock is held for its own calls alone.
   */
  private final class Asking implements StreamObserver<Heartbeat> {
    private final VerifyKey who;
    private final Connection connection;
    private @Nullable CallStreamObserver<Heartbeat> out;
    private boolean over;

    Asking(VerifyKey who, Connection connection) {
      this.who = who;
      this.connection = connection;
    }

    synchronized void open() {
      out = connection.openHeartbeats(this);
    }

    synchronized boolean over() {
      return over;
    }

    synchronized boolean ready() {
      CallStreamObserver<Heartbeat> to = out;
      return !over && to != null && to.isReady();
    }

    synchronized void say(Heartbeat beat) {
      CallStreamObserver<Heartbeat> to = out;
      if (!over && to != null) {
        to.onNext(beat);
      }
    }

    synchronized void drop() {
      CallStreamObserver<Heartbeat> to = out;
      if (!over && to != null) {
        to.onError(Status.CANCELLED.withDescription("nothing comes back").asRuntimeException());
      }
      over = true;
    }

    private synchronized void end() {
      over = true;
    }

    @Override
    public void onNext(Heartbeat answer) {
      if (sound(answer)) {
        // The connection is pinned to this identity.
        heard(who, answer);
      } else {
        LOG.debug("peer {} answers a heartbeat with what is none", who);
        drop();
      }
    }

    @Override
    public void onError(Throwable failure) {
      LOG.debug("no heartbeat to {}: {}", who, connection.explain(failure).getMessage());
      end();
    }

    @Override
    public void onCompleted() {
      end();
    }
  }

  // ---- Hearing ----------------------------------------------------------------------------------

  private synchronized void heard(VerifyKey who, Heartbeat beat) {
    if (closed) {
      return;
    }
    // Answers come no more often than this server asks.
    long promised =
        Math.clamp(
            Integer.toUnsignedLong(beat.getIntervalMillis()),
            intervalMillis,
            LONGEST_INTERVAL_MILLIS);
    vigil.step(
        new Vigil.Input.Heard(who, System.nanoTime(), TimeUnit.MILLISECONDS.toNanos(promised)),
        effect -> {
          said.put(who, beat);
          tell(effect);
        });
    if (vigil.state(who, System.nanoTime()) != null) {
      said.put(who, beat);
    }
  }

  /**
   * Whether what a peer says can be kept, be it asked or not: short as a whole, with what is not
   * known here, and of capsules by their names.
   */
  private static boolean sound(Heartbeat beat) {
    EdgeReport report = beat.getEdge();
    return beat.getSerializedSize() <= BEAT_BYTES
        && beat.getVersion().length() <= VERSION_CHARACTERS
        && beat.getCapsule().size() == Hash.SIZE
        && (!beat.hasEdge()
            || (!report.getName().isBlank()
                && report.getName().length() <= EdgeState.NAME_CHARACTERS
                && report.getCapsule().size() == Hash.SIZE));
  }

  @Override
  public StreamObserver<Heartbeat> exchange(StreamObserver<Heartbeat> answers) {
    return new Hearing(PeerIdentity.current(), (ServerCallStreamObserver<Heartbeat>) answers);
  }

  private final class Hearing implements StreamObserver<Heartbeat> {
    private final @Nullable VerifyKey who;
    private final ServerCallStreamObserver<Heartbeat> out;
    private boolean over;

    Hearing(@Nullable VerifyKey who, ServerCallStreamObserver<Heartbeat> out) {
      this.who = who;
      this.out = out;
      out.setOnCancelHandler(this::gone);
    }

    @Override
    public void onNext(Heartbeat beat) {
      Hearing older = hear(beat);
      if (older != null) {
        // Not under this one's lock: the older one may be doing the same to this one just now.
        older.end(Status.ABORTED.withDescription("there is a newer stream"));
      }
    }

    /** Hears a beat and answers it; the older stream of the peer, if there is one. */
    private synchronized @Nullable Hearing hear(Heartbeat beat) {
      if (over) {
        return null;
      }
      VerifyKey peer = who;
      if (peer == null || !sound(beat)) {
        end(
            Status.PERMISSION_DENIED.withDescription(
                "heartbeats are exchanged with servers that show their identity"));
        return null;
      }
      Hash capsule = Hash.of(beat.getCapsule().toByteArray());
      if (!acquaintances.share(capsule, peer)) {
        end(
            Status.PERMISSION_DENIED.withDescription(
                "no placement here says that both servers keep this capsule"));
        return null;
      }
      Hearing older = replaced(peer);
      heard(peer, beat);
      if (out.isReady()) {
        out.onNext(speak(beat.getNumber(), capsule, peer));
      }
      return older;
    }

    /** A peer has one stream: an older one is of a connection that it has given up. */
    private @Nullable Hearing replaced(VerifyKey peer) {
      synchronized (Heartbeats.this) {
        Hearing older = incoming.put(peer, this);
        return this.equals(older) ? null : older;
      }
    }

    private synchronized void end(Status status) {
      if (!over) {
        over = true;
        out.onError(status.asRuntimeException());
        gone();
      }
    }

    private void gone() {
      VerifyKey peer = who;
      if (peer != null) {
        synchronized (Heartbeats.this) {
          incoming.remove(peer, this);
        }
      }
    }

    @Override
    public void onError(Throwable failure) {
      gone();
    }

    @Override
    public synchronized void onCompleted() {
      if (!over) {
        over = true;
        out.onCompleted();
        gone();
      }
    }
  }

  @Override
  public void close() {
    ScheduledFuture<?> ticks = ticking;
    if (ticks != null) {
      ticks.cancel(false);
    }
    timer.shutdownNow();
    List<Hearing> heard;
    synchronized (this) {
      closed = true;
      outgoing.values().forEach(Outgoing::drop);
      outgoing.clear();
      heard = List.copyOf(incoming.values());
    }
    // Under no lock, as each takes its own first; they would be waited for.
    heard.forEach(one -> one.end(Status.UNAVAILABLE.withDescription("this server is stopping")));
    try {
      // What it is about to say it asks of a store that may be closed next.
      if (!timer.awaitTermination(LAST_WORD_MILLIS, TimeUnit.MILLISECONDS)) {
        LOG.warn("a heartbeat is still being made after {} ms", LAST_WORD_MILLIS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
