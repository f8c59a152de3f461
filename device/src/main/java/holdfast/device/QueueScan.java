package holdfast.device;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/**
 * Reads a queue's file from its head to its end, and tells a torn end from damage.
 *
 * <p>An entry that would go on behind the end, or that is not whole with nothing whole after it: it
 * was being written when the power went. Something whole after it: bytes were altered, and what
 * they held is lost and said to be.
 *
 * <p>Values come from others, and one may hold what looks like entries. What is torn is therefore
 * never searched; what is searched is compared with sums that nobody can make who does not know the
 * file's salt.
 */
final class QueueScan {
  private static final int WINDOW = QueueFile.MAX_PAYLOAD + (64 << 10);
  private static final int CHUNK = 128 << 10;

  private final DiskFile disk;
  private final QueueFile file;
  private final long size;
  private final byte[] window = new byte[WINDOW];
  private long windowStart;
  private int windowSize;

  private QueueFile.@Nullable Header header;
  private @Nullable QueueState state;
  private boolean damaged;
  private @Nullable Octets incarnation;
  private long wholeEnd;
  private long unreadable;

  QueueScan(DiskFile disk, QueueFile file) throws IOException {
    this.disk = disk;
    this.file = file;
    this.size = disk.size();
  }

  /** What the head says; null when it cannot be read. */
  QueueFile.@Nullable Header header() {
    return header;
  }

  /** The incarnation that the head or, failing that, a batch names. */
  @Nullable Octets incarnation() {
    return incarnation;
  }

  /** Whether bytes were altered, other than a torn end. */
  boolean damaged() {
    return damaged;
  }

  /** How many operations could not be read. */
  long unreadable() {
    return unreadable;
  }

  /** Where the last whole entry ends. */
  long wholeEnd() {
    return wholeEnd;
  }

  /** Reads everything; {@code empty} makes a state that begins with a number. */
  QueueState run(LongFunction<QueueState> empty) throws IOException {
    if (size >= QueueFile.HEADER_SIZE) {
      try {
        header = QueueFile.Header.decode(file.read(0, QueueFile.HEADER_SIZE));
        incarnation = header.incarnation();
      } catch (MalformedException e) {
        damaged = true;
      }
    } else {
      damaged = true;
    }
    long at = QueueFile.HEADER_SIZE;
    QueueState made = header == null ? null : empty.apply(header.next());
    state = made;
    wholeEnd = Math.min(size, at);
    while (at < size) {
      int entry = entryAt(at, false);
      if (entry > 0 && made == null) {
        made = empty.apply(firstNumber());
        state = made;
      }
      if (entry > 0 && apply(at, entry)) {
        at += entry;
        wholeEnd = at;
        continue;
      }
      if (goesOnBehindTheEnd(at)) {
        break;
      }
      long found = nextWhole(at + 1);
      if (found < 0) {
        break;
      }
      damaged = true;
      at = found;
    }
    return made == null ? empty.apply(1) : made;
  }

  /** The number that the first entry after an unreadable head speaks of. */
  private long firstNumber() {
    int payload = offset() + 5;
    int length = ByteBuffer.wrap(window).getInt(offset());
    try {
      return switch (window[offset() + 4]) {
        case QueueFile.OPERATION -> ByteBuffer.wrap(window).getLong(payload);
        case QueueFile.LOST -> Range.read(new Input(window, payload, length, "a range")).first();
        case QueueFile.BATCH -> SignedClaim.decode(window, payload, length).claim().first();
        case QueueFile.DONE -> ByteBuffer.wrap(window).getLong(payload) + 1;
        default -> 1;
      };
    } catch (MalformedException e) {
      return 1;
    }
  }

  private long at;

  private int offset() {
    return (int) (at - windowStart);
  }

  /** Brings the bytes from {@code from} on into the window; how many there are, at most needed. */
  private int load(long from, int needed) throws IOException {
    at = from;
    if (from < windowStart || from + needed > windowStart + windowSize) {
      windowStart = from;
      windowSize = 0;
      int got = CHUNK;
      while (windowSize < WINDOW && got == CHUNK) {
        // In pieces, since the JDK copies a large read through memory outside of the heap.
        got =
            disk.read(from + windowSize, window, windowSize, Math.min(CHUNK, WINDOW - windowSize));
        windowSize += got;
      }
    }
    return (int) Math.min(needed, windowStart + windowSize - from);
  }

  /** The size of the whole entry that stands here, or 0; a strict look asks for sense as well. */
  private int entryAt(long from, boolean strict) throws IOException {
    if (load(from, 5) < 5) {
      return 0;
    }
    int length = ByteBuffer.wrap(window).getInt(offset());
    int type = window[offset() + 4];
    if (!plausible(length, type) || from + QueueFile.OVERHEAD + length > size) {
      return 0;
    }
    int entry = QueueFile.OVERHEAD + length;
    if (load(from, entry) < entry) {
      return 0;
    }
    // Sense is cheaper to see than a sum, so that a search does not sum up megabytes at each byte.
    if ((strict && !sensible(type, offset() + 5, length))
        || ByteBuffer.wrap(window).getInt(offset() + entry - 4)
            != file.crc(window, offset(), entry - 4)) {
      return 0;
    }
    return entry;
  }

  private static boolean plausible(int length, int type) {
    return length >= 0
        && length <= QueueFile.MAX_PAYLOAD
        && type >= QueueFile.OPERATION
        && type <= QueueFile.DOUBT;
  }

  /** Whether an entry begins here whose end was never written. */
  private boolean goesOnBehindTheEnd(long from) throws IOException {
    if (load(from, 5) < 5) {
      return true;
    }
    int length = ByteBuffer.wrap(window).getInt(offset());
    return plausible(length, window[offset() + 4]) && from + QueueFile.OVERHEAD + length > size;
  }

  private boolean sensible(int type, int payload, int length) {
    return switch (type) {
      case QueueFile.OPERATION -> {
        KeyRegion region = KeyRegion.of(window, payload, length);
        long next = state == null ? 1 : state.next();
        yield region != null
            && region.sequence() >= next
            && (state == null || region.sequence() - next <= size);
      }
      case QueueFile.LOST -> length == Range.SIZE;
      case QueueFile.DONE -> length == 8;
      case QueueFile.DOUBT -> length == 0;
      default -> {
        try {
          SignedClaim.decode(window, payload, length);
          yield true;
        } catch (MalformedException e) {
          yield false;
        }
      }
    };
  }

  private long nextWhole(long from) throws IOException {
    for (long next = from; next + QueueFile.OVERHEAD <= size; next++) {
      if (entryAt(next, true) > 0) {
        return next;
      }
    }
    return -1;
  }

  /** Follows one whole entry; false when it makes no sense here. */
  private boolean apply(long from, int entry) throws IOException {
    QueueState state = this.state;
    if (state == null) {
      return false;
    }
    int length = entry - QueueFile.OVERHEAD;
    int payload = offset() + 5;
    Input in = new Input(window, payload, length, "the entry");
    try {
      switch (window[offset() + 4]) {
        case QueueFile.OPERATION -> {
          return operation(state, from, entry, payload, length);
        }
        case QueueFile.LOST -> {
          Range range = Range.read(in);
          in.end();
          missing(state, range.first());
          return state.lost(range) == null;
        }
        case QueueFile.BATCH -> {
          SignedClaim signed = SignedClaim.read(in);
          in.end();
          if (incarnation == null) {
            incarnation = signed.claim().incarnation();
          }
          missing(state, signed.claim().last() + 1);
          return signed.claim().incarnation().equals(incarnation) && state.batched(signed) == null;
        }
        case QueueFile.DONE -> {
          long last = in.u64();
          in.end();
          missing(state, last + 1);
          return state.done(last) == null;
        }
        default -> {
          in.end();
          state.doubted();
          return true;
        }
      }
    } catch (MalformedException e) {
      return false;
    }
  }

  private boolean operation(QueueState state, long from, int entry, int payload, int length)
      throws IOException {
    KeyRegion region = KeyRegion.of(window, payload, length);
    if (region == null) {
      return false;
    }
    missing(state, region.sequence());
    if (region.sequence() != state.next()) {
      return false;
    }
    IOException[] failed = new IOException[1];
    int earlier =
        state
            .live()
            .find(
                region.hash(),
                position -> {
                  try {
                    return file.holds(
                        state.live().offset(position) + 5 + KeyRegion.START,
                        window,
                        payload + KeyRegion.START,
                        region.length());
                  } catch (IOException e) {
                    failed[0] = e;
                    return false;
                  }
                });
    if (failed[0] != null) {
      throw failed[0];
    }
    state.accepted(region.timeMillis(), from, entry, region.hash(), earlier);
    return true;
  }

  /** Once bytes were altered, numbers that are passed over are those that could not be read. */
  private void missing(QueueState state, long upTo) {
    if (damaged && upTo > state.next()) {
      long from = state.next();
      String problem = state.lost(new Range(Reason.DROPPED, from, upTo - 1));
      if (problem != null) {
        throw new IllegalStateException(problem);
      }
      unreadable += upTo - from;
    }
  }
}
