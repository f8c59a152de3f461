package holdfast.device;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Writes what a queue stands for into a new file: what waits, in its order, the ranges between, the
 * pending batch in its place, and the doubt if there is one.
 *
 * <p>For a new incarnation the numbers begin with 1, and there is neither batch nor doubt: what the
 * batch held waits again, collapsed as if it had never been in one. The state that is copied stays
 * as it is, since it holds until the new file has its name.
 */
final class QueueCopy {
  private static final int CHUNK = 1 << 20;

  private final QueueFile made;
  private final long done;
  private final boolean anew;
  private final long shift;
  private long[] offsets = {};
  private final ByteArrayOutputStream waiting = new ByteArrayOutputStream();

  /**
   * A copy into a file.
   *
   * @param made the new file, with its head
   * @param done numbers up to this one are left out
   * @param anew whether the file begins a new incarnation
   */
  QueueCopy(QueueFile made, long done, boolean anew) {
    this.made = made;
    this.done = done;
    this.anew = anew;
    this.shift = anew ? done : 0;
  }

  QueueFile made() {
    return made;
  }

  /** Where the operation with this place in the order stands in the new file. */
  long offset(int index) {
    return offsets[index];
  }

  /** Copies everything. */
  void of(QueueState state, QueueFile from) throws IOException {
    LiveIndex live = state.live();
    offsets = new long[live.count()];
    Losses.Walk walk = state.losses().walk();
    long covered = done;
    int index = 0;
    for (int at = live.after(done); ; at = live.next(at)) {
      if (at != LiveIndex.NONE && collapses(state, at)) {
        continue;
      }
      long next = at == LiveIndex.NONE ? state.next() : live.sequence(at);
      covered = gap(state, walk, covered, next - 1);
      if (at == LiveIndex.NONE) {
        flush();
        return;
      }
      byte[] entry = from.read(live.offset(at), live.size(at));
      made.adopt(entry, from, shift);
      offsets[index++] = made.end() + waiting.size();
      add(entry);
      covered = next;
      marks(state, covered);
    }
  }

  /** Whether an operation of the batch that is given up has a later one of its key. */
  private boolean collapses(QueueState state, int at) {
    return anew && !state.unbatched(at) && !state.live().latest(at);
  }

  /** Tells of the numbers up to {@code last} that do not wait, and of what stands between them. */
  private long gap(QueueState state, Losses.Walk walk, long covered, long last) throws IOException {
    long told = covered;
    if (told == done) {
      marks(state, told);
    }
    while (told < last) {
      long end = last;
      SignedClaim pending = state.pending();
      if (!anew && pending != null && told < pending.claim().last()) {
        end = Math.min(end, pending.claim().last());
      }
      if (!anew && told < state.doubtedNext() - 1) {
        end = Math.min(end, state.doubtedNext() - 1);
      }
      List<Range> ranges = new ArrayList<>();
      walk.tell(told + 1, end, ranges::add);
      for (Range range : ranges) {
        byte[] payload = new byte[Range.SIZE];
        new Range(range.reason(), range.first() - shift, range.last() - shift)
            .encode(ByteBuffer.wrap(payload));
        add(made.entry(QueueFile.LOST, payload));
      }
      told = end;
      marks(state, told);
    }
    return told;
  }

  private void marks(QueueState state, long covered) throws IOException {
    if (anew) {
      return;
    }
    SignedClaim pending = state.pending();
    if (pending != null && pending.claim().last() == covered) {
      add(made.entry(QueueFile.BATCH, pending.encode()));
    }
    if (state.doubtedNext() == covered + 1) {
      add(made.entry(QueueFile.DOUBT, new byte[0]));
    }
  }

  private void add(byte[] entry) throws IOException {
    waiting.writeBytes(entry);
    if (waiting.size() >= CHUNK) {
      flush();
    }
  }

  private void flush() throws IOException {
    made.appendRaw(waiting.toByteArray());
    waiting.reset();
  }
}
