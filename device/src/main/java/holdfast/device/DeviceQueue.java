package holdfast.device;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

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
  private static final String FILE = "queue";
  private static final String NEW_FILE = "queue.new";
  private static final String DAMAGED = "queue.damaged-";
  private static final long SLACK = 1 << 20;

  private final QueueFolder folder;
  private final QueueFolder.Held held;
  private final DeviceKey key;
  private final QueueOptions options;
  private final LongSupplier clock;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition room = lock.newCondition();

  private Octets incarnation;
  private QueueFile file;
  private QueueState state;
  private QueueStatus.Recovery recovery;
  private boolean dirty;
  private boolean closed;
  private long refused;
  private long compactAgainAt;

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
  @SuppressWarnings("NullAway.Init") // recover() sets what is open
  DeviceQueue(QueueFolder folder, DeviceKey key, QueueOptions options, LongSupplier clock)
      throws IOException {
    this.folder = folder;
    this.key = key;
    this.options = options;
    this.clock = clock;
    this.held = folder.hold();
    boolean opened = false;
    try {
      folder.delete(NEW_FILE);
      if (!folder.exists(FILE)) {
        begin();
      }
      recover();
      opened = true;
    } finally {
      if (!opened) {
        held.close();
      }
    }
  }

  private static Octets freshIncarnation() {
    byte[] bytes = new byte[Claim.INCARNATION_SIZE];
    new SecureRandom().nextBytes(bytes);
    return Octets.wrap(bytes);
  }

  private QueueState stateFrom(long next) {
    return new QueueState(next, options.maxAge().toMillis());
  }

  private void begin() throws IOException {
    try (QueueFile made =
        QueueFile.create(
            folder.create(NEW_FILE),
            new QueueFile.Header(freshIncarnation(), key.publicKey(), 1))) {
      made.sync();
    }
    folder.rename(NEW_FILE, FILE);
    folder.sync();
  }

  /** Reads the file, and mends it: a torn end is cut off, a damaged file is made anew. */
  private void recover() throws IOException {
    DiskFile disk = folder.open(FILE);
    boolean recovered = false;
    try {
      QueueFile found = QueueFile.of(disk);
      QueueScan scan = new QueueScan(disk, found);
      QueueState read = scan.run(this::stateFrom);
      QueueFile.Header header = scan.header();
      if (header != null && !header.device().equals(key.publicKey())) {
        throw new IOException(
            "the queue "
                + folder.path()
                + " belongs to the device key "
                + header.device()
                + ", not to "
                + key.publicKey());
      }
      file = found;
      state = read;
      Octets known = scan.incarnation();
      incarnation = known == null ? freshIncarnation() : known;
      dirty = true;
      if (scan.damaged()) {
        recovery = carryOver(known == null, scan.unreadable());
      } else {
        long cut = found.end() - scan.wholeEnd();
        if (cut > 0) {
          disk.truncate(scan.wholeEnd());
          file = QueueFile.of(disk);
          doubt();
        }
        recovery = new QueueStatus.Recovery(cut, 0, null, false);
      }
      state.countFromHere();
      state.observe(Math.max(0, clock.getAsLong()));
      recovered = true;
    } finally {
      if (!recovered) {
        disk.close();
      }
    }
  }

  /** The edge may have taken what is not in the file any more: ask before anything is sent. */
  private void doubt() throws IOException {
    file.append(QueueFile.DOUBT, new byte[0]);
    state.doubted();
  }

  private QueueStatus.Recovery carryOver(boolean renew, long unreadable) throws IOException {
    if (state.pending() != null && pendingBytes() == null) {
      state.dropPending();
    }
    long shift = 0;
    if (renew) {
      state.dropPending();
      shift = state.first() - 1;
    } else {
      state.doubted();
    }
    int number = 1;
    while (folder.exists(DAMAGED + number)) {
      number++;
    }
    QueueCopy made = rewrite(shift);
    // The damaged file gets its second name first, so that there is a queue at every moment.
    folder.keep(FILE, DAMAGED + number);
    install(made);
    if (shift != 0) {
      reopen();
    }
    return new QueueStatus.Recovery(0, unreadable, folder.file(DAMAGED + number), renew);
  }

  /** Reads the file again after its numbers were changed. */
  private void reopen() throws IOException {
    file.close();
    DiskFile disk = folder.open(FILE);
    file = QueueFile.of(disk);
    state = new QueueScan(disk, file).run(this::stateFrom);
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
        Operation operation = making.of(state.next());
        byte[] payload = operation.encode();
        byte[] name = KeyRegion.bytes(operation.space(), operation.key());
        int hash = KeyRegion.hash(name, 0, name.length);
        int earlier = find(name, hash);
        int size = payload.length + QueueFile.OVERHEAD;
        if (!fits(size, earlier)) {
          expireDue();
          if (options.overflow() == Overflow.DROP_OLDEST) {
            dropFor(size, name, hash);
          }
          earlier = find(name, hash);
        }
        if (fits(size, earlier)) {
          long offset = file.append(QueueFile.OPERATION, payload);
          dirty = true;
          state.accepted(operation.timeMillis(), offset, size, hash, earlier);
          if (options.syncing() == Syncing.EACH) {
            syncNow();
          }
          compactWhenWorthIt();
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

  private int find(byte[] name, int hash) throws IOException {
    IOException[] failed = new IOException[1];
    int found =
        state
            .live()
            .find(
                hash,
                position -> {
                  try {
                    return file.holds(
                        state.live().offset(position) + 5 + KeyRegion.START, name, 0, name.length);
                  } catch (IOException e) {
                    failed[0] = e;
                    return false;
                  }
                });
    if (failed[0] != null) {
      throw failed[0];
    }
    return found;
  }

  private boolean fits(int size, int earlier) {
    boolean collapses = earlier != LiveIndex.NONE && state.unbatched(earlier);
    long bytes = state.live().bytes() + size - (collapses ? state.live().size(earlier) : 0);
    int count = state.live().count() + 1 - (collapses ? 1 : 0);
    return bytes <= options.maxBytes() && count <= options.maxOperations();
  }

  private void dropFor(int size, byte[] name, int hash) throws IOException {
    while (!fits(size, find(name, hash))) {
      int oldest = state.firstUnbatched();
      if (oldest == LiveIndex.NONE) {
        return;
      }
      lose(Reason.DROPPED, state.live().sequence(oldest), state.live().sequence(oldest));
    }
  }

  private void lose(Reason reason, long first, long last) throws IOException {
    Range range = new Range(reason, first, last);
    byte[] payload = new byte[Range.SIZE];
    range.encode(ByteBuffer.wrap(payload));
    file.append(QueueFile.LOST, payload);
    dirty = true;
    String problem = state.lost(range);
    if (problem != null) {
      throw new IllegalStateException(problem);
    }
  }

  /** Expires what has become too old. Called now and then by whoever drives the queue. */
  public void expire() throws IOException {
    lock.lock();
    try {
      open();
      expireDue();
      compactWhenWorthIt();
    } finally {
      lock.unlock();
    }
  }

  private void expireDue() throws IOException {
    if (options.maxAge().isZero()) {
      return;
    }
    int passed = state.observe(now());
    boolean any = false;
    for (int at = state.firstUnbatched();
        at != LiveIndex.NONE && passed - state.live().age(at) > options.maxAge().toSeconds();
        at = state.firstUnbatched()) {
      // One by one, since numbers between two that expire may have been collapsed.
      lose(Reason.EXPIRED, state.live().sequence(at), state.live().sequence(at));
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
      int found = find(region, KeyRegion.hash(region, 0, region.length));
      return found == LiveIndex.NONE
          ? Optional.empty()
          : Optional.of(
              Operation.decode(file.payload(state.live().offset(found), state.live().size(found))));
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
      return state.live().count() >= options.batchOperations()
          || state.live().bytes() >= options.batchBytes();
    } finally {
      lock.unlock();
    }
  }

  /** Whether there is anything that the edge should hear of. */
  public boolean anythingToSend() {
    lock.lock();
    try {
      return state.anythingToSend();
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
        if (state.doubtful()) {
          throw new IllegalStateException("the edge must be asked first what it has taken");
        }
        if (state.pending() == null && !makeBatch()) {
          return Optional.empty();
        }
        Batch batch = pendingBytes();
        if (batch != null) {
          return Optional.of(batch);
        }
        // What was written was altered since; treat it as opening the queue does.
        file.close();
        recover();
        if (state.doubtful()) {
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
    while (state.anythingToSend()) {
      QueueState.Draft draft = state.draft(options.batchOperations(), options.batchBytes());
      List<byte[]> payloads = new ArrayList<>();
      long unusable = 0;
      for (int position : draft.positions()) {
        try {
          byte[] payload = file.payload(state.live().offset(position), state.live().size(position));
          Operation.decode(payload);
          payloads.add(payload);
        } catch (MalformedException e) {
          unusable = state.live().sequence(position);
          break;
        }
      }
      if (unusable != 0) {
        lose(Reason.DROPPED, unusable, unusable);
        continue;
      }
      Claim claim =
          new Claim(
              key.publicKey(),
              incarnation,
              draft.first(),
              draft.last(),
              draft.ranges(),
              payloads.size(),
              Tree.root(payloads));
      SignedClaim signed = SignedClaim.sign(key, claim);
      file.append(QueueFile.BATCH, signed.encode());
      dirty = true;
      String problem = state.batched(signed);
      if (problem != null) {
        throw new IllegalStateException(problem);
      }
      return true;
    }
    return false;
  }

  /** The pending batch, synced; null when its operations are not what it says. */
  private @Nullable Batch pendingBytes() throws IOException {
    SignedClaim signed = Objects.requireNonNull(state.pending());
    syncNow();
    List<Operation> operations = new ArrayList<>();
    try {
      for (int at = state.live().first();
          at != LiveIndex.NONE && !state.unbatched(at);
          at = state.live().next(at)) {
        operations.add(
            Operation.decode(file.payload(state.live().offset(at), state.live().size(at))));
      }
      return new Batch(signed, operations);
    } catch (MalformedException | IllegalArgumentException e) {
      return null;
    }
  }

  /**
   * Whether the edge must be asked what it took, since the file lost something; see {@link
   * #settle}.
   */
  public boolean doubtful() {
    lock.lock();
    try {
      return state.doubtful();
    } finally {
      lock.unlock();
    }
  }

  /** The name of this queue, under which the edge counts. */
  public Octets incarnation() {
    lock.lock();
    try {
      return incarnation;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Ends the doubt: says what the edge has taken of this incarnation, 0 for nothing. When it took
   * numbers that are not in the file any more, what was accepted since goes on in a new
   * incarnation.
   */
  public void settle(long lastTaken) throws IOException {
    lock.lock();
    try {
      open();
      long doubted = state.doubtedNext();
      if (doubted == 0) {
        return;
      }
      if (lastTaken < doubted) {
        finish(Math.max(lastTaken, state.first() - 1));
        return;
      }
      finish(doubted - 1);
      renewNow();
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
      renewNow();
    } finally {
      lock.unlock();
    }
  }

  private void renewNow() throws IOException {
    state.dropPending();
    state.settled();
    incarnation = freshIncarnation();
    install(rewrite(state.first() - 1));
    reopen();
    state.countFromHere();
  }

  /** The edge has everything up to {@code last}, which ends the pending batch. */
  public void done(long last) throws IOException {
    lock.lock();
    try {
      open();
      finish(last);
      compactWhenWorthIt();
    } finally {
      lock.unlock();
    }
  }

  private void finish(long last) throws IOException {
    byte[] payload = new byte[8];
    ByteBuffer.wrap(payload).putLong(last);
    if (last >= state.next() || last < state.first() - 1) {
      throw new IllegalArgumentException(
          "done up to " + last + ", while " + state.first() + " to " + state.next() + " are here");
    }
    file.append(QueueFile.DONE, payload);
    dirty = true;
    String problem = state.done(last);
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
        syncNow();
      }
    } finally {
      lock.unlock();
    }
  }

  private void syncNow() throws IOException {
    if (dirty) {
      file.sync();
      dirty = false;
    }
  }

  // ---- making the file anew

  private void compactWhenWorthIt() throws IOException {
    if (file.end() <= 2 * state.live().bytes() + SLACK || file.end() < compactAgainAt) {
      return;
    }
    QueueCopy made;
    try {
      made = rewrite(0);
    } catch (IOException e) {
      // No room for a copy: the old file is whole, and goes on until there is more to win.
      compactAgainAt = file.end() + SLACK;
      folder.delete(NEW_FILE);
      return;
    }
    install(made);
    compactAgainAt = 0;
  }

  /** Puts the new file in the place of the old one, which is closed. */
  private void install(QueueCopy made) throws IOException {
    folder.rename(NEW_FILE, FILE);
    // From here on the old file has no name: nothing may be written to it, whatever happens.
    QueueFile old = file;
    file = made.made();
    dirty = false;
    int index = 0;
    for (int at = state.live().first(); at != LiveIndex.NONE; at = state.live().next(at)) {
      state.live().moved(at, made.offset(index++));
    }
    old.close();
    try {
      folder.sync();
    } catch (IOException e) {
      file.distrust();
      throw e;
    }
  }

  private QueueCopy rewrite(long shift) throws IOException {
    DiskFile disk = folder.create(NEW_FILE);
    boolean written = false;
    try {
      QueueCopy copy =
          new QueueCopy(
              QueueFile.create(
                  disk, new QueueFile.Header(incarnation, key.publicKey(), state.first() - shift)),
              shift);
      copy.of(state, file);
      copy.made().sync();
      written = true;
      return copy;
    } finally {
      if (!written) {
        disk.close();
      }
    }
  }

  /** Figures of the queue. */
  public QueueStatus status() {
    lock.lock();
    try {
      return new QueueStatus(
          incarnation,
          state.live().count(),
          state.live().bytes(),
          state.collapsed(),
          state.expired(),
          state.dropped(),
          refused,
          file.end(),
          state.first(),
          state.next(),
          state.pending() != null,
          state.doubtful(),
          recovery);
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
        syncNow();
      } finally {
        try {
          file.close();
        } finally {
          held.close();
        }
      }
    } finally {
      lock.unlock();
    }
  }
}
