package holdfast.node;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.capsule.Statement;
import holdfast.store.StoredCapsule;
import holdfast.wire.Page;
import holdfast.wire.Range;
import holdfast.wire.Reply;
import holdfast.wire.Watch;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The watches of a session: each has a cursor and sends pages as the client reads them. */
final class Watching {
  private static final int WATCHES = 16;
  private static final int PAGE_RECORDS = 256;
  private static final int PAGE_BYTES = 1 << 20;

  private final Session session;

  /** Changed and worked through under its own lock; {@link #note} reads it without. */
  private final Map<Long, Cursor> cursors = new ConcurrentHashMap<>();

  private static final class Cursor {
    final StoredCapsule capsule;
    final Watch watch;
    final News news = new News();
    News.Batch unsent = News.Batch.NOTHING;
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

  /** Keeps statements that came for the watches of a capsule. Never waits. */
  void note(StoredCapsule capsule, List<Statement> statements) {
    if (statements.isEmpty()) {
      return;
    }
    for (Cursor cursor : cursors.values()) {
      if (cursor.capsule.equals(capsule)) {
        cursor.news.add(statements);
      }
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

  /** Statements are sent behind all records that were there when they were taken up. */
  private void advance(long id, Cursor cursor) {
    do {
      if (cursor.unsent.empty()) {
        cursor.unsent = cursor.news.take();
      }
      records(id, cursor);
      statements(id, cursor);
    } while (session.ready() && !cursor.news.empty());
  }

  private void statements(long id, Cursor cursor) {
    while (session.ready() && !cursor.unsent.empty()) {
      Page.Builder page =
          Page.newBuilder()
              .setNext(cursor.next)
              .setEnd(true)
              .setStatementsSkipped(cursor.unsent.skipped());
      int bytes = 0;
      int sent = 0;
      for (Statement statement : cursor.unsent.statements()) {
        byte[] encoded = statement.encode();
        if (sent > 0 && bytes + encoded.length > PAGE_BYTES) {
          break;
        }
        page.addStatements(Session.bytes(encoded));
        bytes += encoded.length;
        sent++;
      }
      cursor.unsent = cursor.unsent.without(sent);
      session.send(Reply.newBuilder().setId(id).setPage(page));
    }
  }

  private void records(long id, Cursor cursor) {
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
