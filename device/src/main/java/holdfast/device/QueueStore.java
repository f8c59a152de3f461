package holdfast.device;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A queue's file as it is opened, mended, appended to and made anew, with the state that it stands
 * for. For one thread at a time; {@link DeviceQueue} decides what is written.
 */
final class QueueStore {
  private static final String FILE = "queue";
  private static final String NEW_FILE = "queue.new";
  private static final String DAMAGED = "queue.damaged-";
  private static final long SLACK = 1 << 20;

  private final QueueFolder folder;
  private final DeviceKey key;
  private final long maxAgeMillis;
  private Octets incarnation;
  private Origin origin;
  private QueueFile file;
  private QueueState state;
  private QueueStatus.Recovery recovery;
  private boolean dirty;
  private long compactAgainAt;

  /** Opens the queue of a folder that is held, or begins one there. */
  @SuppressWarnings("NullAway.Init") // recover() sets what is open
  QueueStore(QueueFolder folder, DeviceKey key, long maxAgeMillis) throws IOException {
    this.folder = folder;
    this.key = key;
    this.maxAgeMillis = maxAgeMillis;
    folder.delete(NEW_FILE);
    if (!folder.exists(FILE)) {
      begin();
    }
    recover();
  }

  Octets incarnation() {
    return incarnation;
  }

  /** What this incarnation goes on from. */
  Origin origin() {
    return origin;
  }

  QueueFile file() {
    return file;
  }

  QueueState state() {
    return state;
  }

  QueueStatus.Recovery recovery() {
    return recovery;
  }

  /** Appends an entry, which the caller then applies to the state; returns where it stands. */
  long append(int type, byte[] payload) throws IOException {
    long offset = file.append(type, payload);
    dirty = true;
    return offset;
  }

  /** Whether an operation is in the queue still. */
  boolean holds(long sequence) {
    int at = state.live().after(sequence - 1);
    return at != LiveIndex.NONE && state.live().sequence(at) == sequence;
  }

  /** Gives an operation up that waits, or that the pending batch holds and the edge rejects. */
  void lose(Reason reason, long sequence) throws IOException {
    Range range = new Range(reason, sequence, sequence);
    byte[] payload = new byte[Range.SIZE];
    range.encode(ByteBuffer.wrap(payload));
    append(QueueFile.LOST, payload);
    String problem = state.lost(range);
    if (problem != null) {
      throw new IllegalStateException(problem);
    }
  }

  /** The latest operation of a key, by its region and the hash of that; or NONE. */
  int find(byte[] name, int hash) throws IOException {
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

  private static Octets freshIncarnation() {
    byte[] bytes = new byte[Claim.INCARNATION_SIZE];
    new SecureRandom().nextBytes(bytes);
    return Octets.wrap(bytes);
  }

  private QueueState stateFrom(long next) {
    return new QueueState(next, maxAgeMillis);
  }

  private void begin() throws IOException {
    try (QueueFile made =
        QueueFile.create(
            folder.create(NEW_FILE),
            QueueFile.Header.fresh(freshIncarnation(), key.publicKey(), Origin.FIRST, 1))) {
      made.sync();
    }
    folder.rename(NEW_FILE, FILE);
  }

  /** Reads the file, and mends it: a torn end is cut off, a damaged file is made anew. */
  void recover() throws IOException {
    // A process that was killed may have given the file its name, and not made that durable.
    folder.sync();
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
      origin = header == null ? originOf(read.pending()) : header.origin();
      dirty = true;
      if (scan.damaged()) {
        recovery = carryOver(known == null, scan.unreadable());
      } else {
        long cut = found.end() - scan.wholeEnd();
        if (cut > 0) {
          doubtInPlaceOf(disk, scan.wholeEnd(), cut);
        }
        recovery = new QueueStatus.Recovery(cut, 0, null, false);
      }
      state.countFromHere();
      recovered = true;
    } finally {
      if (!recovered) {
        disk.close();
      }
    }
  }

  /** What the head said, if the batch that waits says it too. */
  private static Origin originOf(@Nullable SignedClaim pending) {
    Origin said = pending == null ? null : pending.claim().origin();
    return said == null ? Origin.UNKNOWN : said;
  }

  /**
   * The edge may have taken what was torn off: ask before anything is sent. Until the doubt is
   * whole in its place the end stays torn, so that whoever opens the file next comes here again.
   */
  private void doubtInPlaceOf(DiskFile disk, long end, long torn) throws IOException {
    // Fewer bytes than an entry's head are torn, whatever they are.
    disk.truncate(end + Math.min(torn, 4));
    byte[] doubt = file.entry(QueueFile.DOUBT, new byte[0]);
    disk.write(end, doubt, 0, doubt.length);
    file = QueueFile.of(disk);
    state.doubted();
  }

  private QueueStatus.Recovery carryOver(boolean renew, long unreadable) throws IOException {
    if (state.pending() != null && pendingBatch() == null) {
      state.dropPending();
    }
    int number = 1;
    while (folder.exists(DAMAGED + number)) {
      number++;
    }
    Made made;
    if (renew) {
      made = anew(freshIncarnation(), Origin.UNKNOWN, state.first() - 1);
    } else {
      state.doubted();
      made = same();
    }
    // The damaged file gets its second name first, so that there is a queue at every moment.
    try {
      folder.keep(FILE, DAMAGED + number);
    } catch (IOException e) {
      giveUp(made.file().disk(), e);
      throw e;
    }
    give(made);
    return new QueueStatus.Recovery(0, unreadable, folder.file(DAMAGED + number), renew);
  }

  /** The pending batch, synced; null when its operations are not what it says. */
  @Nullable Batch pendingBatch() throws IOException {
    SignedClaim signed = Objects.requireNonNull(state.pending());
    sync();
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
   * Goes on in a new incarnation with everything that waits.
   *
   * @param done the number up to which the edge has everything that this incarnation counted
   * @param taken what the edge has taken of this one, beyond the numbers that are known here; 0 for
   *     nothing
   */
  void renew(long done, long taken) throws IOException {
    Origin from = origin;
    if (taken > done) {
      from = new Origin(Origin.Kind.CONTINUES_AT_LEAST, incarnation, taken);
    } else if (done > 0) {
      from = new Origin(Origin.Kind.CONTINUES, incarnation, done);
    }
    // An incarnation of which nothing is done leaves nothing behind but what it goes on from.
    give(anew(freshIncarnation(), from, done));
  }

  /** Makes everything appended until now safe from loss of power. */
  void sync() throws IOException {
    if (dirty) {
      file.sync();
      dirty = false;
    }
  }

  /** Makes the file anew when most of it is done with. */
  void compactWhenWorthIt() throws IOException {
    if (file.end() <= 2 * state.live().bytes() + SLACK || file.end() < compactAgainAt) {
      return;
    }
    Made made;
    try {
      made = same();
    } catch (IOException e) {
      // No room for a copy: the old file is whole, and goes on until there is more to win.
      compactAgainAt = file.end() + SLACK;
      return;
    }
    give(made);
    compactAgainAt = 0;
  }

  /**
   * A new file that is whole, synced, and has not its name yet. Until it has, everything is as
   * before, in memory too: numbers, batch, doubt.
   *
   * @param adopt makes what is in memory that of the new file
   */
  private record Made(QueueFile file, Runnable adopt) {}

  /** A file with the same numbers. */
  private Made same() throws IOException {
    QueueCopy copy = rewrite(incarnation, origin, state.first() - 1, false);
    return new Made(
        copy.made(),
        () -> {
          int index = 0;
          for (int at = state.live().first(); at != LiveIndex.NONE; at = state.live().next(at)) {
            state.live().moved(at, copy.offset(index++));
          }
        });
  }

  /** A file that begins an incarnation, in which what comes after {@code done} has the numbers. */
  private Made anew(Octets next, Origin from, long done) throws IOException {
    QueueFile made = rewrite(next, from, done, true).made();
    QueueState begun;
    try {
      begun = new QueueScan(made.disk(), made).run(this::stateFrom);
    } catch (IOException e) {
      giveUp(made.disk(), e);
      throw e;
    }
    begun.countFromHere();
    return new Made(
        made,
        () -> {
          incarnation = next;
          origin = from;
          state = begun;
        });
  }

  /** Gives a new file the name of the old one, which is closed. */
  private void give(Made made) throws IOException {
    IOException failed = null;
    try {
      folder.rename(NEW_FILE, FILE);
    } catch (IOException e) {
      if (folder.exists(NEW_FILE)) {
        giveUp(made.file().disk(), e);
        throw e;
      }
      // It was reported as failed, and done.
      failed = e;
    }
    // From here on the old file has no name: nothing may be written to it, whatever happens.
    QueueFile old = file;
    file = made.file();
    dirty = false;
    made.adopt().run();
    try {
      old.close();
      folder.sync();
    } catch (IOException e) {
      failed = e;
    }
    if (failed != null) {
      file.distrust();
      throw failed;
    }
  }

  /** Takes away a new file that does not get its name; the old one goes on. */
  private void giveUp(DiskFile disk, Exception cause) {
    try {
      disk.close();
      folder.delete(NEW_FILE);
    } catch (IOException e) {
      cause.addSuppressed(e);
    }
  }

  private QueueCopy rewrite(Octets of, Origin from, long done, boolean anew) throws IOException {
    DiskFile disk = folder.create(NEW_FILE);
    try {
      QueueFile.Header head =
          QueueFile.Header.fresh(of, key.publicKey(), from, anew ? 1 : done + 1);
      QueueCopy copy = new QueueCopy(QueueFile.create(disk, head), done, anew);
      copy.of(state, file);
      copy.made().sync();
      return copy;
    } catch (IOException | RuntimeException e) {
      giveUp(disk, e);
      throw e;
    }
  }

  void close() throws IOException {
    file.close();
  }
}
