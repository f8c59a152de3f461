package holdfast.capsule;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The order in which records and signatures entered the proven set of a replica: what "since the
 * last synchronisation" is told by. Each has a position, dense and ascending. A record that arrived
 * long before it was proven stands where it was proven, so that a peer hears of it.
 *
 * <p>Kept in chunks of 1024 positions, as runs of neighbouring arrivals; a signed batch is one run
 * and one signature. Not safe for use by several threads.
 */
public final class ProvenLog {
  private static final byte CHUNKS = 'L';
  private static final byte SIZE = 'l';
  private static final int SHIFT = 10;
  private static final int RUN_BYTES = 14;

  /** A run of records, or one signature. */
  private record Run(long arrival, int count, int signer) {
    static final int RECORDS = -1;

    Run skip(int entries) {
      return new Run(arrival + entries, count - entries, signer);
    }

    Run first(int entries) {
      return new Run(arrival, entries, signer);
    }
  }

  private final OrderedMap map;
  private final List<Long> records = new ArrayList<>();
  private final Set<Run> signatures = new LinkedHashSet<>();
  private long size;
  private @Nullable List<Run> last;

  ProvenLog(OrderedMap map) {
    this.map = map;
    load();
  }

  private void load() {
    byte[] stored = map.get(new byte[] {SIZE});
    size = stored == null ? 0 : ByteBuffer.wrap(stored).getLong();
    last = null;
  }

  /** Entries flushed so far; also the next position. */
  public long size() {
    return size;
  }

  /** Hears of the entries of a range, in order. */
  @FunctionalInterface
  public interface Visitor {
    /**
     * Takes an entry.
     *
     * @param signer -1 for a record, else the writer whose signature of the record this is
     */
    void visit(long position, long arrival, int signer);
  }

  /** Visits the entries at positions {@code from} to {@code to - 1}. */
  public void visit(long from, long to, Visitor visitor) {
    if (from < 0 || to > size) {
      throw new AssertionError("positions " + from + " to " + to + " of " + size);
    }
    for (long chunk = from >>> SHIFT; chunk << SHIFT < to; chunk++) {
      long at = chunk << SHIFT;
      for (Run run : chunk(chunk)) {
        for (int i = 0; i < run.count(); i++, at++) {
          if (at >= from && at < to) {
            visitor.visit(at, run.arrival() + i, run.signer());
          }
        }
      }
    }
  }

  void addRecord(long arrival) {
    records.add(arrival);
  }

  void addSignature(long arrival, int signer) {
    signatures.add(new Run(arrival, 1, signer));
  }

  boolean holdsStaged(long arrival, int signer) {
    return signatures.contains(new Run(arrival, 1, signer));
  }

  void discard() {
    records.clear();
    signatures.clear();
    load();
  }

  void flush() {
    if (records.isEmpty() && signatures.isEmpty()) {
      return;
    }
    List<Run> runs = runs();
    runs.addAll(signatures);
    records.clear();
    signatures.clear();
    List<Run> chunk = tail();
    for (Run run : runs) {
      Run left = run;
      while (left.count() > 0) {
        int room = (1 << SHIFT) - (int) (size & ((1 << SHIFT) - 1));
        int taken = Math.min(room, left.count());
        chunk.add(left.first(taken));
        left = left.skip(taken);
        size += taken;
        if (taken == room) {
          write((size - 1) >>> SHIFT, chunk);
          chunk = new ArrayList<>();
        }
      }
    }
    if (!chunk.isEmpty()) {
      write(size >>> SHIFT, chunk);
    }
    last = chunk;
    map.put(new byte[] {SIZE}, ByteBuffer.allocate(8).putLong(size).array());
  }

  private List<Run> runs() {
    Collections.sort(records);
    List<Run> runs = new ArrayList<>();
    for (int from = 0; from < records.size(); ) {
      int to = from + 1;
      while (to < records.size() && records.get(to) == records.get(from) + (to - from)) {
        to++;
      }
      runs.add(new Run(records.get(from), to - from, Run.RECORDS));
      from = to;
    }
    return runs;
  }

  /** The chunk that is not full yet; the map shows it only once it is committed. */
  private List<Run> tail() {
    List<Run> known = last;
    if (known == null) {
      known = (size & ((1 << SHIFT) - 1)) == 0 ? new ArrayList<>() : chunk(size >>> SHIFT);
    }
    return known;
  }

  private void write(long chunk, List<Run> runs) {
    ByteBuffer out = ByteBuffer.allocate(runs.size() * RUN_BYTES);
    for (Run run : runs) {
      out.putLong(run.arrival()).putInt(run.count()).putShort((short) run.signer());
    }
    map.put(key(chunk), out.array());
  }

  private List<Run> chunk(long chunk) {
    List<Run> known = last;
    if (known != null && chunk == size >>> SHIFT) {
      return known;
    }
    byte[] stored = map.get(key(chunk));
    if (stored == null) {
      throw new AssertionError("chunk " + chunk + " of the order of proving is not there");
    }
    List<Run> runs = new ArrayList<>();
    for (ByteBuffer in = ByteBuffer.wrap(stored); in.hasRemaining(); ) {
      runs.add(new Run(in.getLong(), in.getInt(), in.getShort()));
    }
    return runs;
  }

  private static byte[] key(long chunk) {
    return ByteBuffer.allocate(9).put(CHUNKS).putLong(chunk).array();
  }
}
