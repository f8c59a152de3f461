package holdfast.client;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Record;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Goes through a capsule in the order in which records arrived at the server, one by one, each
 * proven like any other read. Fetches ahead, so that one by one costs no round trip each.
 */
public final class Cursor {
  private static final int PAGE = 512;
  private static final int AHEAD = 3;

  private final CapsuleReader reader;
  private final ArrayDeque<PendingRead> ahead = new ArrayDeque<>();
  private List<ReadResult> current = List.of();
  private int at;
  private long next;
  private boolean end;

  Cursor(CapsuleReader reader, long from) {
    this.reader = reader;
    this.next = from;
  }

  /** The next record; null when there is none for now. */
  public @Nullable ReadResult next() throws ProofException {
    while (at == current.size()) {
      fetch();
      PendingRead first = ahead.poll();
      if (first == null) {
        return null;
      }
      current = first.await().records();
      at = 0;
    }
    return current.get(at++);
  }

  private void fetch() throws ProofException {
    while (ahead.size() < AHEAD && !end) {
      CapsuleReader.ArrivalPage page = reader.page(next, PAGE, false);
      List<Hash> names = new ArrayList<>(page.records().size());
      for (Record record : page.records()) {
        names.add(record.name());
      }
      next = page.next();
      end = page.end();
      if (!names.isEmpty()) {
        ahead.add(reader.beginRead(names));
      }
    }
  }

  /** The arrival number from which a later cursor goes on with what comes after all of this. */
  public long position() {
    return next;
  }
}
