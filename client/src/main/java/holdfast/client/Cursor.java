package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
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
  private final ArrayDeque<Fetched> ahead = new ArrayDeque<>();
  private List<ReadResult> current = List.of();
  private List<Long> damaged = List.of();
  private int at;
  private long next;
  private boolean end;

  /** A page that is asked for, and what of it the server holds damaged. */
  private record Fetched(PendingRead read, List<Long> damaged) {}

  Cursor(CapsuleReader reader, long from) {
    this.reader = reader;
    this.next = from;
  }

  /**
   * The next record; null when there is none for now.
   *
   * @throws HoldfastException {@link ErrorCode#DAMAGED} once behind each page with records that the
   *     server holds damaged; the next call goes on behind it
   */
  public @Nullable ReadResult next() throws ProofException {
    while (at == current.size()) {
      if (!damaged.isEmpty()) {
        List<Long> told = damaged;
        damaged = List.of();
        throw ArrivalPage.damage(told);
      }
      fetch();
      Fetched first = ahead.poll();
      if (first == null) {
        return null;
      }
      current = first.read().await().records();
      damaged = first.damaged();
      at = 0;
    }
    return current.get(at++);
  }

  private void fetch() throws ProofException {
    while (ahead.size() < AHEAD && !end) {
      ArrivalPage page = reader.pageWithDamage(next, PAGE, false);
      List<Hash> names = new ArrayList<>(page.records().size());
      for (Record record : page.records()) {
        names.add(record.name());
      }
      next = page.next();
      end = page.end();
      if (!names.isEmpty() || !page.damaged().isEmpty()) {
        ahead.add(new Fetched(reader.beginRead(names), page.damaged()));
      }
    }
  }

  /** The arrival number from which a later cursor goes on with what comes after all of this. */
  public long position() {
    return next;
  }
}
