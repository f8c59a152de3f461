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
import holdfast.wire.Error;
import holdfast.wire.Frame;
import io.grpc.stub.CallStreamObserver;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Drives one side of a round over one stream: brings it messages and the store's word, performs its
 * effects in order. What happens to the machine happens in one thread at a time.
 */
final class Meeting {
  private static final Logger LOG = LoggerFactory.getLogger(Meeting.class);
  private static final long BUSY_MILLIS = 20;

  /** Inputs that wait for the machine; more mean a peer that floods. */
  private static final int QUEUED = 4096;

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
  private final Frames frames = new Frames();
  private final ArrayDeque<Input> inputs = new ArrayDeque<>();
  private final ArrayDeque<Effect.Store> toStore = new ArrayDeque<>();
  private @Nullable ScheduledFuture<?> retry;
  private @Nullable CallStreamObserver<Frame> out;
  private @Nullable String leaving;
  private volatile long heardNanos = System.nanoTime();
  private boolean running;
  private boolean ended;

  Meeting(
      CapsuleStore store,
      StoredCapsule capsule,
      Round round,
      Executor executor,
      ScheduledExecutorService timer,
      Ending ending) {
    this.store = store;
    this.capsule = capsule;
    this.round = round;
    this.executor = executor;
    this.timer = timer;
    this.ending = ending;
  }

  void begin(CallStreamObserver<Frame> stream) {
    out = stream;
    input(new Input.Begin());
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
    try {
      byte[] message = frames.take(frame);
      if (message != null) {
        input(new Input.Received(message));
      }
    } catch (HoldfastException e) {
      refuse(e);
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

  /** The stream broke, or the peer will not meet. */
  void lost(String reason) {
    if (end()) {
      ending.failed(reason);
    }
  }

  /** Ends the meeting, telling the peer why. */
  void refuse(HoldfastException reason) {
    if (end()) {
      CallStreamObserver<Frame> stream = out;
      if (stream != null) {
        stream.onNext(error(reason));
        stream.onCompleted();
      }
      ending.failed(String.valueOf(reason.getMessage()));
    }
  }

  static Frame error(HoldfastException reason) {
    return Frame.newBuilder()
        .setError(
            Error.newBuilder()
                .setCode(reason.code().number())
                .setMessage(String.valueOf(reason.getMessage())))
        .build();
  }

  private synchronized boolean end() {
    boolean first = !ended;
    ended = true;
    inputs.clear();
    ScheduledFuture<?> waiting = retry;
    if (waiting != null) {
      waiting.cancel(false);
    }
    return first;
  }

  private void input(Input input) {
    boolean floods;
    synchronized (this) {
      if (ended) {
        return;
      }
      floods = inputs.size() >= QUEUED;
      if (!floods) {
        inputs.add(input);
        if (running) {
          return;
        }
        running = true;
      }
    }
    if (floods) {
      refuse(new HoldfastException(ErrorCode.TOO_LARGE, "the peer sends more than was asked for"));
    } else {
      executor.execute(this::run);
    }
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
    }
  }

  private synchronized @Nullable Input next() {
    Input input = ended ? null : inputs.poll();
    running = input != null;
    return input;
  }

  private void perform(Effect effect) {
    CallStreamObserver<Frame> stream = out;
    if (stream == null) {
      throw new AssertionError("a meeting begins before anything happens");
    }
    switch (effect) {
      case Effect.Send send -> Frames.split(send.message(), stream::onNext);
      case Effect.Store one -> {
        synchronized (toStore) {
          toStore.add(one);
        }
        submitAll();
      }
      case Effect.Finished finished -> {
        if (end()) {
          stream.onCompleted();
          ending.finished(finished.marker(), finished.progress());
        }
      }
      case Effect.Lied lied -> {
        if (end()) {
          stream.onCompleted();
          ending.lied(lied.evidence());
        }
      }
      case Effect.GaveUp gaveUp -> {
        if (end()) {
          stream.onCompleted();
          ending.failed(gaveUp.reason());
        }
      }
    }
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
          input(new Input.NotStored(first.ticket(), String.valueOf(e.getMessage())));
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
    private final int ticket;
    private final List<Record> records;

    Completion(Effect.Store stored) {
      this.ticket = stored.ticket();
      this.records = stored.records();
    }

    @Override
    public void received(List<Receipt.Entry> entries) {}

    @Override
    public void synced(List<Receipt.Entry> entries) {
      if (capsule.wantsCopies()) {
        executor.execute(this::mend);
      } else {
        input(new Input.Stored(ticket));
      }
    }

    /** Puts what came in the place of what is damaged here; signatures were stored anew before. */
    private void mend() {
      try {
        List<Record> wanted = records.stream().filter(Meeting.this::wanted).toList();
        if (wanted.isEmpty()) {
          input(new Input.Stored(ticket));
          return;
        }
        int intact = store.repair(capsule, wanted);
        LOG.info(
            "{} of {} damaged records of capsule {} are mended by copies of a peer",
            intact,
            wanted.size(),
            capsule.name().brief());
        store.whenSynced(() -> input(new Input.Stored(ticket)));
      } catch (HoldfastException | ProofException e) {
        input(new Input.NotStored(ticket, String.valueOf(e.getMessage())));
      }
    }

    @Override
    public void failed(HoldfastException reason) {
      input(new Input.NotStored(ticket, String.valueOf(reason.getMessage())));
    }
  }
}
