package holdfast.node.replication;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.store.CapsuleStore;
import holdfast.store.StoreBatch;
import holdfast.store.StoredCapsule;
import holdfast.sync.Effect;
import holdfast.sync.Input;
import holdfast.sync.Marker;
import holdfast.sync.Progress;
import holdfast.sync.Round;
import holdfast.wire.Frame;
import io.grpc.stub.CallStreamObserver;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Drives one side of a round over one stream: brings it messages and the store's word, performs its
 * effects in order. What happens to the machine happens in one thread at a time.
 */
final class Meeting implements HeldBytes.Holder {
  private static final Logger LOG = LoggerFactory.getLogger(Meeting.class);
  private static final long BUSY_MILLIS = 20;

  /** Bytes, and inputs, that wait for the machine while more is asked for from the peer. */
  private static final int AHEAD_BYTES = 1 << 20;

  private static final int AHEAD = 64;

  /** Bytes that wait to be durable while more is asked for from the peer. */
  private static final long STORING_BYTES = 16 << 20;

  /** Hears how a meeting ended; exactly one of these is called, once. */
  interface Ending {
    void finished(Marker marker, Progress progress);

    void lied(ProofException evidence);

    void failed(String reason);
  }

  private final CapsuleStore store;
  private final StoredCapsule capsule;
  private final Round round;
  private final Executor executor;
  private final ScheduledExecutorService timer;
  private final Ending ending;
  private final HeldBytes heldBytes;
  private final Frames frames = new Frames();
  private final ArrayDeque<Input> inputs = new ArrayDeque<>();
  private final ArrayDeque<Effect.Store> toStore = new ArrayDeque<>();
  private @Nullable ScheduledFuture<?> retry;
  private volatile @Nullable Line out;
  private @Nullable String leaving;
  private volatile long heardNanos = System.nanoTime();
  private volatile long advancedNanos = System.nanoTime();
  private long advanced;
  private boolean running;
  private boolean ended;

  // What is held of what the peer has sent.
  private int gatheredBytes;
  private long queuedBytes;
  private long roundBytes;
  private long storingBytes;
  private int storing;

  /** Whether the peer may not send its next frame yet. */
  private boolean heldBack;

  /** Whether it is about to end, since there is no room for it. */
  private boolean givesWay;

  Meeting(
      CapsuleStore store,
      StoredCapsule capsule,
      Round round,
      Executor executor,
      ScheduledExecutorService timer,
      HeldBytes heldBytes,
      Ending ending) {
    this.store = store;
    this.capsule = capsule;
    this.round = round;
    this.executor = executor;
    this.timer = timer;
    this.heldBytes = heldBytes;
    this.ending = ending;
  }

  /** Begins; frames of the peer come only from here on, one for each that was asked for. */
  void begin(CallStreamObserver<Frame> stream) {
    Line line = new Line(stream, timer);
    boolean over;
    synchronized (this) {
      out = line;
      over = ended;
    }
    if (over) {
      // Its link went while the stream was being opened.
      line.completeIfAnswering();
      line.hangUp();
    } else {
      input(new Input.Begin());
      line.request();
    }
  }

  Progress progress() {
    return round.progress();
  }

  /** Takes a frame of the peer. */
  void frame(Frame frame) {
    if (frame.hasError()) {
      lost(frame.getError().getMessage());
      return;
    }
    boolean over;
    synchronized (this) {
      heldBack = true;
      over = ended;
    }
    if (over) {
      account();
      return;
    }
    try {
      heardNanos = System.nanoTime();
      byte[] message = frames.take(frame);
      synchronized (this) {
        gatheredBytes = frames.gatheredBytes();
      }
      if (message != null) {
        input(new Input.Received(message));
      }
      account();
    } catch (HoldfastException e) {
      refuse(e);
    }
  }

  /** Notes what is held, and asks for the next frame if there is room for it. */
  private void account() {
    Line ready = null;
    synchronized (heldBytes) {
      long all;
      synchronized (this) {
        all = ended || givesWay ? 0 : gatheredBytes + queuedBytes + roundBytes + storingBytes;
      }
      heldBytes.set(this, all);
    }
    synchronized (this) {
      // What still comes when it is over is thrown away: unread, it would take up the connection.
      if (heldBack && (ended || hasRoom())) {
        heldBack = false;
        ready = out;
      }
    }
    if (ready != null) {
      ready.request();
    }
  }

  /** The peer says nothing more; what it said before still counts. */
  void leaves(String reason) {
    synchronized (this) {
      if (ended || running || !inputs.isEmpty()) {
        leaving = reason;
        return;
      }
    }
    lost(reason);
  }

  /** Since when nothing happened. */
  long heardNanos() {
    return heardNanos;
  }

  private boolean hasRoom() {
    return !givesWay
        && queuedBytes <= AHEAD_BYTES
        && inputs.size() <= AHEAD
        && storingBytes <= STORING_BYTES;
  }

  @Override
  public long advancedNanos() {
    return advancedNanos;
  }

  @Override
  public void giveWay() {
    synchronized (this) {
      givesWay = true;
    }
    // Not on the thread of another round, and under no lock of its.
    executor.execute(() ->
        refuse(
            new HoldfastException(
                ErrorCode.BUSY, "peers have sent more than this server has room for", 200)));
  }

  /** Whether something of the peer's is being stored: that takes as long as it takes. */
  synchronized boolean storing() {
    return storing > 0;
  }

  /** The stream broke, or the peer will not meet. */
  void lost(String reason) {
    end(() -> ending.failed(reason), Line::completeIfAnswering);
  }

  /** The peer has ended the stream, or it broke: nothing has to be done for that any more. */
  void streamEnded() {
    Line line = out;
    if (line != null) {
      line.ended();
    }
  }

  /** Ends the meeting, telling the peer why. */
  void refuse(HoldfastException reason) {
    end(() -> ending.failed(String.valueOf(reason.getMessage())), line -> line.refuse(reason));
  }

  /**
   * Ends the meeting, once. First what this means here, so that a peer that calls again at once
   * finds it so; whatever comes of that, the peer does not wait for more.
   */
  private void end(Runnable here, Consumer<Line> toPeer) {
    if (end()) {
      try {
        here.run();
      } finally {
        Line line = out;
        if (line != null) {
          toPeer.accept(line);
        }
      }
    }
  }

  private boolean end() {
    boolean first;
    synchronized (this) {
      first = !ended;
      ended = true;
      inputs.clear();
      ScheduledFuture<?> waiting = retry;
      if (waiting != null) {
        waiting.cancel(false);
      }
    }
    account();
    Line line = out;
    if (first && line != null) {
      line.hangUp();
    }
    return first;
  }

  private void input(Input input) {
    synchronized (this) {
      if (ended) {
        return;
      }
      inputs.add(input);
      queuedBytes += bytes(input);
      if (running) {
        return;
      }
      running = true;
    }
    executor.execute(this::run);
  }

  private static long bytes(Input input) {
    return input instanceof Input.Received received ? received.message().length : 0;
  }

  private void run() {
    step();
    String reason;
    synchronized (this) {
      reason = running || ended ? null : leaving;
    }
    if (reason != null) {
      lost(reason);
    }
  }

  private void step() {
    for (Input input = next(); input != null; input = next()) {
      heardNanos = System.nanoTime();
      try {
        round.step(input, this::perform);
      } catch (HoldfastException e) {
        refuse(e);
      } catch (RuntimeException | java.lang.Error e) {
        LOG.error("a round about capsule {} failed", capsule.name().brief(), e);
        refuse(new HoldfastException(ErrorCode.INTERNAL, "the round failed here", e));
      }
      stepped(input);
    }
  }

  private void stepped(Input input) {
    long now = round.advanced();
    if (now != advanced) {
      advanced = now;
      advancedNanos = System.nanoTime();
    }
    synchronized (this) {
      queuedBytes -= bytes(input);
      roundBytes = round.heldBytes();
    }
    account();
  }

  private synchronized @Nullable Input next() {
    Input input = ended ? null : inputs.poll();
    running = input != null;
    return input;
  }

  private void perform(Effect effect) {
    Line line = out;
    if (line == null) {
      throw new AssertionError("a meeting begins before anything happens");
    }
    switch (effect) {
      case Effect.Send send -> line.send(send.message());
      case Effect.Store one -> {
        synchronized (this) {
          storing++;
          storingBytes += bytes(one);
        }
        synchronized (toStore) {
          toStore.add(one);
        }
        submitAll();
      }
      case Effect.Finished finished ->
          end(() -> ending.finished(finished.marker(), finished.progress()), Line::complete);
      case Effect.Lied lied -> end(() -> ending.lied(lied.evidence()), Line::complete);
      case Effect.GaveUp gaveUp -> end(() -> ending.failed(gaveUp.reason()), Line::complete);
    }
  }

  /** What became of something that was to be stored; it is held no more. */
  private void stored(Effect.Store one, Input outcome) {
    advancedNanos = System.nanoTime();
    synchronized (this) {
      storing--;
      storingBytes -= bytes(one);
    }
    input(outcome);
    account();
  }

  /** Hands over what is to be stored, in order; waits while the store is busy. */
  private void submitAll() {
    synchronized (toStore) {
      for (Effect.Store first = toStore.peek(); first != null; first = toStore.peek()) {
        try {
          store.submit(
              new StoreBatch(
                  capsule,
                  first.records(),
                  first.statements(),
                  bytes(first),
                  new Completion(first)));
        } catch (HoldfastException e) {
          if (e.code() == ErrorCode.BUSY) {
            retry =
                timer.schedule(
                    () -> executor.execute(this::submitAll), BUSY_MILLIS, TimeUnit.MILLISECONDS);
            return;
          }
          stored(first, new Input.NotStored(first.ticket(), String.valueOf(e.getMessage())));
        }
        toStore.remove();
      }
    }
  }

  private boolean wanted(Record record) {
    long arrival = capsule.withGraph(graph -> graph.arrivalOf(record.name()));
    return arrival >= 0 && capsule.wantsCopy(arrival);
  }

  private static long bytes(Effect.Store toStore) {
    long bytes = 512L * (toStore.records().size() + toStore.statements().size());
    for (Record record : toStore.records()) {
      bytes += record.encodedSize();
    }
    return bytes;
  }

  private final class Completion implements StoreBatch.Completion {
    private final Effect.Store one;

    Completion(Effect.Store one) {
      this.one = one;
    }

    @Override
    public void received(List<Receipt.Entry> entries) {}

    @Override
    public void synced(List<Receipt.Entry> entries) {
      if (capsule.wantsCopies()) {
        executor.execute(this::mend);
      } else {
        stored(one, new Input.Stored(one.ticket()));
      }
    }

    /** Puts what came in the place of what is damaged here; signatures were stored anew before. */
    private void mend() {
      try {
        List<Record> wanted = one.records().stream().filter(Meeting.this::wanted).toList();
        if (wanted.isEmpty()) {
          stored(one, new Input.Stored(one.ticket()));
          return;
        }
        int intact = store.repair(capsule, wanted);
        LOG.info(
            "{} of {} damaged records of capsule {} are mended by copies of a peer",
            intact,
            wanted.size(),
            capsule.name().brief());
        store.whenSynced(() -> stored(one, new Input.Stored(one.ticket())), this::failed);
      } catch (HoldfastException | ProofException e) {
        stored(one, new Input.NotStored(one.ticket(), String.valueOf(e.getMessage())));
      }
    }

    @Override
    public void failed(HoldfastException reason) {
      stored(one, new Input.NotStored(one.ticket(), String.valueOf(reason.getMessage())));
    }
  }
}
