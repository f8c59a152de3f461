package holdfast.device;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Writes what a queue stands for into a new file: what waits, in its order, the ranges between, the
 * pending batch in its place, and the doubt if there is one.
 */
final class QueueCopy {
  private static final int CHUNK = 1 << 20;

  private final QueueFile made;
  private final long shift;
  private long[] offsets = {};
  private final ByteArrayOutputStream waiting = new ByteArrayOutputStream();

  /**
   * @param made the new file, with its head
   * @param shift subtracted from every sequence number; not 0 only in a new incarnation, which has
   *     no batch yet
   */
  QueueCopy(QueueFile made, long shift) {
    this.made = made;
    this.shift = shift;
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
    long covered = state.first() - 1;
    int index = 0;
    for (int at = live.first(); ; at = live.next(at)) {
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

  /** Tells of the numbers up to {@code last} that do not wait, and of what stands between them. */
  private long gap(QueueState state, Losses.Walk walk, long covered, long last) throws IOException {
    long done = covered;
    if (done == state.first() - 1) {
      marks(state, done);
    }
    while (done < last) {
      long end = last;
      SignedClaim pending = state.pending();
      if (pending != null && done < pending.claim().last()) {
        end = Math.min(end, pending.claim().last());
      }
      if (done < state.doubtedNext() - 1) {
        end = Math.min(end, state.doubtedNext() - 1);
      }
      List<Range> ranges = new ArrayList<>();
      walk.tell(done + 1, end, ranges::add);
      for (Range range : ranges) {
        byte[] payload = new byte[Range.SIZE];
        new Range(range.reason(), range.first() - shift, range.last() - shift)
            .encode(ByteBuffer.wrap(payload));
        add(made.entry(QueueFile.LOST, payload));
      }
      done = end;
      marks(state, done);
    }
    return done;
  }

  private void marks(QueueState state, long covered) throws IOException {
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
