package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.crypto.SigningKey;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Writes records to one capsule. Records are sealed and linked at once and get their names; they
 * are sent in batches, several of which may be under way; receipts are verified as they come.
 *
 * <pre>
 *   append ──▶ RecordMaker ──▶ Batch ──▶ Delivery                  to one server
 *              seals, links,         └─▶ ReplicatedDelivery ──▶    to all that a placement names,
 *              signs, gathers                 a Delivery each      until enough have signed for it
 * </pre>
 *
 * <p>When a connection breaks, a new session is opened and every batch is sent again that has no
 * receipt, the same bytes. For use by one thread; a timer may sign and send between its calls.
 */
public final class CapsuleWriter implements AutoCloseable {
  private final Metadata metadata;
  private final WriterOptions options;
  private final RecordMaker maker;
  private final Outlet outlet;
  private final List<WriteResult> results = new ArrayList<>();
  private @Nullable Consumer<WriteResult> listener;
  private long sentBatches;
  private long settledBatches;
  private boolean closed;
  private @Nullable Exception timerFailure;

  CapsuleWriter(Metadata metadata, WriterOptions options, RecordMaker maker, Outlet outlet) {
    this.metadata = metadata;
    this.options = options;
    this.maker = maker;
    this.outlet = outlet;
  }

  /** Opens a writer to one server. */
  static CapsuleWriter open(
      Server server, Hash capsule, SigningKey key, ContentKey contentKey, WriterOptions options)
      throws ProofException {
    Delivery delivery = new Delivery(server, capsule, key, options, null, null);
    try {
      List<Hash> heads = delivery.headsToFollow();
      return started(
          new CapsuleWriter(
              delivery.metadata(),
              options,
              new RecordMaker(capsule, delivery.writer(), key, contentKey, heads, options),
              delivery));
    } catch (ProofException | RuntimeException e) {
      delivery.close();
      throw e;
    }
  }

  /** Starts the timer of a writer that needs one. */
  static CapsuleWriter started(CapsuleWriter writer) {
    if (writer.options.signing() instanceof SigningPolicy.EveryT) {
      SigningTimer.start(writer);
    }
    if (writer.outlet instanceof ReplicatedDelivery replicated) {
      replicated.onMove(() -> Thread.ofVirtual().start(writer::signForMove));
    }
    return writer;
  }

  // ---- The timer --------------------------------------------------------------------------------

  synchronized boolean closed() {
    return closed;
  }

  /**
   * Milliseconds until the newest record is to be signed; as many as there are if there is none.
   */
  synchronized long untilDueMillis() {
    return maker.untilDueMillis();
  }

  synchronized void signAndSend() throws ProofException {
    sign();
    send();
  }

  /** The capsule moves: what was acknowledged and not signed yet can move only once it is. */
  private synchronized void signForMove() {
    if (!closed) {
      try {
        send();
      } catch (ProofException | RuntimeException e) {
        failed(e);
      }
    }
  }

  /** What the timer met is told to whoever calls next. */
  synchronized void failed(Exception e) {
    timerFailure = e;
  }

  private void requireTimer() throws ProofException {
    Exception failure = timerFailure;
    timerFailure = null;
    switch (failure) {
      case null -> {}
      case ProofException proof -> throw proof;
      case RuntimeException other -> throw other;
      default -> throw new AssertionError("a timer fails in no other way", failure);
    }
  }

  // ---- Writing ----------------------------------------------------------------------------------

  /**
   * Names who hears of every batch when its fate is known; {@link #commit} then returns nothing, so
   * that a long stream keeps no results.
   */
  public void onResult(Consumer<WriteResult> consumer) {
    listener = consumer;
  }

  /**
   * Names who hears of every receipt of every server, also of those that come when the fate of a
   * batch is known already. Called on threads of the writer; must be quick. Of a writer to one
   * server nothing is heard here.
   */
  public void onAcknowledged(Consumer<WriteResult.Stored> consumer) {
    if (outlet instanceof ReplicatedDelivery replicated) {
      replicated.onAcknowledged(consumer);
    }
  }

  /** How far each member of the placement has come; empty for a writer to one server. */
  public List<ReplicaState> replicas() {
    return outlet instanceof ReplicatedDelivery replicated ? replicated.states() : List.of();
  }

  /** The capsule's metadata, verified. */
  public Metadata metadata() {
    return metadata;
  }

  /** The writer's index in the capsule. */
  public int index() {
    return maker.writer();
  }

  /** Appends a record with a single leaf. */
  public Hash append(byte[] content) throws ProofException {
    return append(List.of(content));
  }

  /**
   * Appends a record. It is sent when its batch is full, or with {@link #commit}.
   *
   * @param leaves the subrecords, at least one
   * @return the record's name
   */
  public Hash append(List<byte[]> leaves) throws ProofException {
    return append(leaves, System.currentTimeMillis());
  }

  /** Appends a record with a given claimed time. */
  public synchronized Hash append(List<byte[]> leaves, long timeMillis) throws ProofException {
    requireTimer();
    Record record = maker.seal(leaves, timeMillis);
    if (record.encodedSize() > BodyParts.PART_BYTES) {
      send();
    }
    maker.add(record);
    notifyAll();
    if (maker.full()) {
      send();
    }
    return record.name();
  }

  /** Signs the newest record, which proves all records before it; sent with the next batch. */
  public synchronized void sign() {
    maker.sign();
  }

  /**
   * Sends what has been appended, without waiting for receipts.
   *
   * @return the number of batches sent so far; see {@link #await}
   */
  public synchronized long send() throws ProofException {
    if (outlet.moving()) {
      // What nothing proves would stay on the servers that the capsule leaves.
      maker.sign();
    }
    Batch batch = maker.take();
    if (batch != null) {
      sentBatches++;
      while (outlet.underWay() >= options.inFlight()) {
        settle();
      }
      outlet.send(batch);
    }
    return sentBatches;
  }

  /** Waits until the fate of the first {@code batches} batches is known. */
  public synchronized void await(long batches) throws ProofException {
    while (settledBatches < batches) {
      settle();
    }
  }

  /**
   * Sends what is left and waits until the fate of everything appended is known.
   *
   * @return what became of the batches since the last call, in order
   */
  public synchronized List<WriteResult> commit() throws ProofException {
    requireTimer();
    send();
    while (outlet.underWay() > 0) {
      settle();
    }
    List<WriteResult> done = List.copyOf(results);
    results.clear();
    return done;
  }

  /**
   * Like {@link #commit}; anything but stored is an exception.
   *
   * @return what servers have signed: for each batch one acknowledgement, or as many as were waited
   *     for when several servers are written to
   */
  public List<WriteResult.Stored> commitOrThrow() throws ProofException {
    List<WriteResult.Stored> stored = new ArrayList<>();
    for (WriteResult result : commit()) {
      switch (result) {
        case WriteResult.Stored one -> stored.add(one);
        case WriteResult.Replicated many -> stored.addAll(many.acknowledgements());
        case WriteResult.Refused refused -> throw refused.reason();
        case WriteResult.Unknown unknown -> throw unknown.reason();
      }
    }
    stored.forEach(CapsuleWriter::requireKept);
    return stored;
  }

  private static void requireKept(WriteResult.Stored stored) {
    for (Receipt.Entry entry : stored.entries()) {
      if (entry.outcome() == Receipt.Outcome.ERASED) {
        throw new HoldfastException(
            ErrorCode.DENIED,
            "record "
                + entry.name().brief()
                + " falls under an erasure of the owner, so the server did not keep its body; a clock"
                + " that is wrong may be the reason");
      }
    }
  }

  /** Waits for the oldest batch under way. */
  private void settle() throws ProofException {
    WriteResult result = outlet.settle();
    settledBatches++;
    Consumer<WriteResult> hearing = listener;
    if (hearing != null) {
      hearing.accept(result);
    } else {
      results.add(result);
    }
  }

  /** Signs what is unsigned, commits, and ends the session. */
  @Override
  public synchronized void close() throws ProofException {
    closed = true;
    notifyAll();
    try {
      sign();
      commit();
    } finally {
      outlet.close();
    }
  }
}
