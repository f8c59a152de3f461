package holdfast.device;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;

/**
 * A durable, ordered queue of changes in one file, docs/edge-format.md section 3.
 *
 * <p>Whatever {@link #put} and {@link #delete} returned for survives the end of the process, and
 * loss of power as {@link Syncing} says. An operation of the same key that is in no batch yet
 * collapses into the later one. Values stay on disk; memory holds where they are.
 *
 * <p>Safe for several threads. Nothing here knows of a network: whoever sends asks for {@link
 * #batch}, brings it to the edge as often as it takes, and then says {@link #done}.
 */
public final class DeviceQueue implements AutoCloseable {
  private final QueueFolder folder;
  private final QueueFolder.Held held;
  private final DeviceKey key;
  private final QueueOptions options;
  private final LongSupplier clock;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition room = lock.newCondition();

  private final QueueStore store;
  private boolean closed;
  private long refused;

  /** Opens the queue of a folder, or begins one there. */
  public static DeviceQueue open(Path folder, DeviceKey key, QueueOptions options)
      throws IOException {
    return new DeviceQueue(new QueueFolder(folder), key, options, System::currentTimeMillis);
  }

  /**
   * The same with its own folder and clock.
   *
   * @param clock milliseconds since 1970, for the claimed times of operations and their age
   */
  DeviceQueue(QueueFolder folder, DeviceKey key, QueueOptions options, LongSupplier clock)
      throws IOException {
    this.folder = folder;
    this.key = key;
    this.options = options;
    this.clock = clock;
    this.held = folder.hold();
    boolean opened = false;
    try {
      store = new QueueStore(folder, key, options.maxAge().toMillis());
      store.state().observe(now());
      opened = true;
    } finally {
      if (!opened) {
        held.close();
      }
    }
  }

  // ---- what the device does

  /**
   * Puts a value; empty when the queue is full and its policy is to refuse. With {@link
   * Overflow#BLOCK} this waits for room.
   *
   * @return the sequence number
   */
  public OptionalLong put(String space, String name, String contentType, Octets value)
      throws IOException, InterruptedException {
    return append(sequence -> new Operation.Put(sequence, now(), space, name, contentType, value));
  }

  /** Deletes a key, in the manner of {@link #put}. */
  public OptionalLong delete(String space, String name) throws IOException, InterruptedException {
    return append(sequence -> new Operation.Delete(sequence, now(), space, name));
  }

  private long now() {
    return Math.max(0, clock.getAsLong());
  }

  /** Makes an operation that has a number. */
  @FunctionalInterface
  private interface Making {
    Operation of(long sequence);
  }

  private OptionalLong append(Making making) throws IOException, InterruptedException {
    lock.lockInterruptibly();
    try {
      while (true) {
        open();
        Operation operation = making.of(store.state().next());
        byte[] payload = operation.encode();
        byte[] name = KeyRegion.bytes(operation.space(), operation.key());
        int hash = KeyRegion.hash(name, 0, name.length);
        int earlier = store.find(name, hash);
        int size = payload.length + QueueFile.OVERHEAD;
        if (!fits(size, earlier)) {
          expireDue();
          if (options.overflow() == Overflow.DROP_OLDEST) {
            dropFor(size, name, hash);
          }
          earlier = store.find(name, hash);
        }
        if (fits(size, earlier)) {
          long offset = store.append(QueueFile.OPERATION, payload);
          store.state().accepted(operation.timeMillis(), offset, size, hash, earlier);
          if (options.syncing() == Syncing.EACH) {
            store.sync();
          }
          store.compactWhenWorthIt();
          return OptionalLong.of(operation.sequence());
        }
        if (options.overflow() != Overflow.BLOCK) {
          refused++;
          return OptionalLong.empty();
        }
        room.await();
      }
    } finally {
      lock.unlock();
    }
  }

  private void open() throws IOException {
    if (closed) {
      throw new IOException("the queue " + folder.path() + " is closed");
    }
  }

  private boolean fits(int size, int earlier) {
    boolean collapses = earlier != LiveIndex.NONE && store.state().unbatched(earlier);
    long bytes =
        store.state().live().bytes() + size - (collapses ? store.state().live().size(earlier) : 0);
    int count = store.state().live().count() + 1 - (collapses ? 1 : 0);
    return bytes <= options.maxBytes() && count <= options.maxOperations();
  }

  private void dropFor(int size, byte[] name, int hash) throws IOException {
    while (!fits(size, store.find(name, hash))) {
      int oldest = store.state().firstUnbatched();
      if (oldest == LiveIndex.NONE) {
        return;
      }
      store.lose(Reason.DROPPED, store.state().live().sequence(oldest));
    }
  }

  /** Expires what has become too old. Called now and then by whoever drives the queue. */
  public void expire() throws IOException {
    lock.lock();
    try {
      open();
      expireDue();
      store.compactWhenWorthIt();
    } finally {
      lock.unlock();
    }
  }

  private void expireDue() throws IOException {
    if (options.maxAge().isZero()) {
      return;
    }
    int passed = store.state().observe(now());
    boolean any = false;
    for (int at = store.state().firstUnbatched();
        at != LiveIndex.NONE
            && passed - store.state().live().age(at) > options.maxAge().toSeconds();
        at = store.state().firstUnbatched()) {
      // One by one, since numbers between two that expire may have been collapsed.
      store.lose(Reason.EXPIRED, store.state().live().sequence(at));
      any = true;
    }
    if (any) {
      room.signalAll();
    }
  }

  /** The latest operation of a key that waits here. */
  public Optional<Operation> latest(String space, String name) throws IOException {
    Text.checkSpace(space);
    Text.checkKey(name);
    lock.lock();
    try {
      open();
      byte[] region = KeyRegion.bytes(space, name);
      int found = store.find(region, KeyRegion.hash(region, 0, region.length));
      return found == LiveIndex.NONE
          ? Optional.empty()
          : Optional.of(
              Operation.decode(
                  store
                      .file()
                      .payload(
                          store.state().live().offset(found), store.state().live().size(found))));
    } catch (MalformedException e) {
      throw new IOException("the queue is damaged; it is mended when it is opened again", e);
    } finally {
      lock.unlock();
    }
  }

  // ---- what the sender does

  /** Whether what waits fills a batch. */
  public boolean fillsBatch() {
    lock.lock();
    try {
      return store.state().live().count() >= options.batchOperations()
          || store.state().live().bytes() >= options.batchBytes();
    } finally {
      lock.unlock();
    }
  }

  /** Whether there is anything that the edge should hear of. */
  public boolean anythingToSend() {
    lock.lock();
    try {
      return store.state().anythingToSend();
    } finally {
      lock.unlock();
    }
  }

  /**
   * The batch to send: the same bytes until {@link #done}, and durable. Empty when there is nothing
   * to send.
   *
   * @throws IllegalStateException while the queue is {@linkplain #doubtful() doubtful}
   */
  public Optional<Batch> batch() throws IOException {
    lock.lock();
    try {
      open();
      for (int attempt = 0; attempt < 2; attempt++) {
        if (store.state().doubtful()) {
          throw new IllegalStateException("the edge must be asked first what it has taken");
        }
        if (store.state().pending() == null && !makeBatch()) {
          return Optional.empty();
        }
        Batch batch = store.pendingBatch();
        if (batch != null) {
          return Optional.of(batch);
        }
        // What was written was altered since; treat it as opening the queue does.
        store.close();
        store.recover();
        if (store.state().doubtful()) {
          throw new IOException("the queue was damaged and mended; the edge will be asked first");
        }
      }
      throw new IOException("the queue cannot be read back as it was written");
    } finally {
      lock.unlock();
    }
  }

  private boolean makeBatch() throws IOException {
    expireDue();
    while (store.state().anythingToSend()) {
      QueueState.Draft draft = store.state().draft(options.batchOperations(), options.batchBytes());
      List<byte[]> payloads = new ArrayList<>();
      long unusable = 0;
      for (int position : draft.positions()) {
        try {
          byte[] payload =
              store
                  .file()
                  .payload(
                      store.state().live().offset(position), store.state().live().size(position));
          Operation.decode(payload);
          payloads.add(payload);
        } catch (MalformedException e) {
          unusable = store.state().live().sequence(position);
          break;
        }
      }
      if (unusable != 0) {
        store.lose(Reason.DROPPED, unusable);
        continue;
      }
      Claim claim =
          new Claim(
              key.publicKey(),
              store.incarnation(),
              draft.first(),
              draft.last(),
              draft.ranges(),
              payloads.size(),
              Tree.root(payloads),
              draft.first() == 1 ? store.origin() : null);
      SignedClaim signed = SignedClaim.sign(key, claim);
      store.append(QueueFile.BATCH, signed.encode());
      String problem = store.state().batched(signed);
      if (problem != null) {
        throw new IllegalStateException(problem);
      }
      return true;
    }
    return false;
  }

  /**
   * Whether the edge must be asked what it took, since the file lost something; see {@link
   * #settle}.
   */
  public boolean doubtful() {
    lock.lock();
    try {
      return store.state().doubtful();
    } finally {
      lock.unlock();
    }
  }

  /** The name of this queue, under which the edge counts. */
  public Octets incarnation() {
    lock.lock();
    try {
      return store.incarnation();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Ends the doubt: says what the edge has taken of this incarnation, 0 for nothing. When it took
   * numbers that are not in the file any more, what was accepted since goes on in a new
   * incarnation. When this fails, the doubt is still there.
   */
  public void settle(long lastTaken) throws IOException {
    lock.lock();
    try {
      open();
      long doubted = store.state().doubtedNext();
      if (doubted == 0) {
        return;
      }
      if (lastTaken < doubted) {
        finish(Math.max(lastTaken, store.state().first() - 1));
        return;
      }
      store.renew(doubted - 1, lastTaken);
      room.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Goes on in a new incarnation with everything that waits, a batch on its way included. For a
   * conflict: the edge took numbers of this queue with other contents, because a copy of it was
   * used, or because its folder was put back to an earlier state. What the edge may have taken
   * already is sent again.
   */
  public void renew() throws IOException {
    lock.lock();
    try {
      open();
      store.renew(store.state().first() - 1, 0);
    } finally {
      lock.unlock();
    }
  }

  /** The edge has everything up to {@code last}, which ends the pending batch. */
  public void done(long last) throws IOException {
    lock.lock();
    try {
      open();
      finish(last);
      store.compactWhenWorthIt();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Gives up operations of the pending batch that the edge will never take, and keeps them in the
   * file {@code rejected}. What else the batch held waits again, in its order, for the next one.
   *
   * @param operations of the batch, ascending; at least one
   * @param why what the edge said
   */
  public void reject(List<Operation> operations, String why) throws IOException {
    lock.lock();
    try {
      open();
      RejectedChanges.keep(folder, operations, why);
      for (Operation operation : operations) {
        // The first ends the batch, in which one with a later operation of its key collapses.
        if (store.holds(operation.sequence())) {
          store.lose(Reason.REJECTED, operation.sequence());
        }
      }
      room.signalAll();
      store.compactWhenWorthIt();
    } finally {
      lock.unlock();
    }
  }

  private void finish(long last) throws IOException {
    byte[] payload = new byte[8];
    ByteBuffer.wrap(payload).putLong(last);
    if (last >= store.state().next() || last < store.state().first() - 1) {
      throw new IllegalArgumentException(
          "done up to "
              + last
              + ", while "
              + store.state().first()
              + " to "
              + store.state().next()
              + " are here");
    }
    store.append(QueueFile.DONE, payload);
    String problem = store.state().done(last);
    if (problem != null) {
      throw new IllegalStateException(problem);
    }
    room.signalAll();
  }

  /** Makes everything accepted until now safe from loss of power. */
  public void sync() throws IOException {
    lock.lock();
    try {
      if (!closed) {
        store.sync();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Figures of the queue. */
  public QueueStatus status() {
    lock.lock();
    try {
      return new QueueStatus(
          store.incarnation(),
          store.state().live().count(),
          store.state().live().bytes(),
          store.state().collapsed(),
          store.state().expired(),
          store.state().dropped(),
          store.state().rejected(),
          refused,
          store.file().end(),
          store.state().first(),
          store.state().next(),
          store.state().pending() != null,
          store.state().doubtful(),
          store.recovery());
    } finally {
      lock.unlock();
    }
  }

  /** Syncs, and gives the folder up. Whoever waits for room is told that the queue is closed. */
  @Override
  public void close() throws IOException {
    lock.lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      room.signalAll();
      try {
        store.sync();
      } finally {
        try {
          store.close();
        } finally {
          held.close();
        }
      }
    } finally {
      lock.unlock();
    }
  }
}
