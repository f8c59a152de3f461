package holdfast.node;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.store.StoredCapsule;
import holdfast.wire.Page;
import holdfast.wire.Range;
import holdfast.wire.Reply;
import holdfast.wire.Watch;
import java.util.HashMap;
import java.util.Map;

/** The watches of a session: each has a cursor and sends pages as the client reads them. */
final class Watching {
  private static final int WATCHES = 16;
  private static final int PAGE_RECORDS = 256;

  private final Session session;
  private final Map<Long, Cursor> cursors = new HashMap<>();

  private static final class Cursor {
    final StoredCapsule capsule;
    final Watch watch;
    long next;

    Cursor(StoredCapsule capsule, Watch watch) {
      this.capsule = capsule;
      this.watch = watch;
      this.next = Math.max(0, watch.getFrom());
    }
  }

  Watching(Session session) {
    this.session = session;
  }

  void begin(long id, Watch watch) {
    synchronized (cursors) {
      if (cursors.size() == WATCHES) {
        throw new HoldfastException(
            ErrorCode.TOO_LARGE, "a session has at most " + WATCHES + " watches");
      }
      cursors.put(id, new Cursor(session.capsule(), watch));
      session.service.watch(session.capsule(), session);
    }
    pump();
  }

  void end(long id) {
    synchronized (cursors) {
      cursors.remove(id);
    }
  }

  void close() {
    synchronized (cursors) {
      cursors.values().forEach(c -> session.service.unwatch(c.capsule, session));
      cursors.clear();
    }
  }

  /** Sends what is new, as far as the client takes it. */
  void pump() {
    synchronized (cursors) {
      cursors.entrySet().removeIf(cursor -> !advanced(cursor.getKey(), cursor.getValue()));
    }
  }

  /** Sends what is new to one watch; a watch that meets damage ends, and its client is told. */
  private boolean advanced(long id, Cursor cursor) {
    try {
      advance(id, cursor);
      return true;
    } catch (HoldfastException e) {
      session.fail(id, e);
      return false;
    }
  }

  private void advance(long id, Cursor cursor) {
    while (session.ready() && cursor.next < cursor.capsule.withGraph(graph -> graph.size())) {
      Range range =
          Range.newBuilder()
              .setFrom(cursor.next)
              .setLimit(PAGE_RECORDS)
              .setContent(cursor.watch.getContent())
              .build();
      Page page = session.page(cursor.capsule, range);
      cursor.next = page.getNext();
      session.send(Reply.newBuilder().setId(id).setPage(page));
    }
  }
}
