package holdfast.node;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The parts of one large record, as they come in to a session. All sessions share the room for
 * them.
 *
 * <p>A session may be ended on another thread while a part comes in. What comes after the end is
 * refused: nobody would give its room back.
 */
final class Parts {
  private final AtomicLong held;
  private final List<byte[]> parts = new ArrayList<>();
  private long bytes;
  private boolean closed;

  /** Why the record whose parts are coming in is refused. */
  private @Nullable HoldfastException refusal;

  /**
   * No parts yet.
   *
   * @param held bytes of parts of all sessions
   */
  Parts(AtomicLong held) {
    this.held = held;
  }

  /** Whether the next part is the first of a record. */
  synchronized boolean none() {
    return parts.isEmpty();
  }

  /**
   * Takes a part. When it is refused so are those that are under way behind it: they belong to the
   * same record.
   *
   * @param last whether it is the last of its record
   * @param room bytes that all sessions may hold with it
   * @throws HoldfastException TOO_LARGE or BUSY; no part is held then
   */
  synchronized void add(byte[] part, boolean last, long room) {
    try {
      reserve(part.length, room);
      parts.add(part);
    } catch (HoldfastException e) {
      drop();
      refusal = last ? null : e;
      throw e;
    }
  }

  private void reserve(int more, long room) {
    requireOpen();
    HoldfastException refused = refusal;
    if (refused != null) {
      throw refused;
    }
    if (bytes + more > Limits.BODY_BYTES + 4L * Limits.LEAVES) {
      throw new HoldfastException(
          ErrorCode.TOO_LARGE, "a record's body has at most " + Limits.BODY_BYTES + " bytes");
    }
    if (held.addAndGet(more) > room) {
      held.addAndGet(-more);
      throw new HoldfastException(
          ErrorCode.BUSY, "too many large records are being sent at once", 200);
    }
    bytes += more;
  }

  private void requireOpen() {
    if (closed) {
      throw new HoldfastException(ErrorCode.BUSY, "the session is over", 200);
    }
  }

  /** All parts, one after the other; none is held any more. */
  synchronized byte[] take() {
    requireOpen();
    byte[] all = new byte[(int) bytes];
    int size = 0;
    for (byte[] one : parts) {
      System.arraycopy(one, 0, all, size, one.length);
      size += one.length;
    }
    drop();
    return all;
  }

  /** Forgets the record that is coming in. */
  synchronized void drop() {
    held.addAndGet(-bytes);
    bytes = 0;
    parts.clear();
    refusal = null;
  }

  /** The session has ended. */
  synchronized void close() {
    closed = true;
    drop();
  }
}
