package holdfast.node;

import holdfast.base.Encoder;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.store.StoredCapsule;
import holdfast.wire.Page;
import holdfast.wire.Range;
import holdfast.wire.Reply;
import holdfast.wire.StatementPage;
import holdfast.wire.Statements;
import java.util.ArrayList;
import java.util.List;

/** Pages of a session: records in the order of their arrival, and statements. */
final class Paging {
  private static final int PAGE_BYTES = 1 << 20;

  /** A body that is larger does not travel in a page. */
  private static final int PAGED_BODY_BYTES = 4 << 20;

  private final Session session;
  private final Reading reading;

  Paging(Session session, Reading reading) {
    this.session = session;
    this.reading = reading;
  }

  void range(long id, Range range) {
    session.send(Reply.newBuilder().setId(id).setPage(page(session.capsule(), range)));
  }

  Page page(StoredCapsule capsule, Range range) {
    int limit = Math.min(range.getLimit() <= 0 ? 1000 : range.getLimit(), Limits.RECORDS_PER_BATCH);
    boolean timed = range.getToMillis() != 0;
    long size = capsule.withGraph(graph -> graph.size());
    Encoder records = new Encoder(4096);
    Encoder proven = new Encoder();
    List<Long> damaged = new ArrayList<>();
    long at = Math.max(0, range.getFrom());
    for (int count = 0; at < size && count < limit && records.size() < PAGE_BYTES; at++) {
      long arrival = at;
      if (timed) {
        long found =
            capsule.withGraph(
                graph -> graph.mayLieWithin(arrival, range.getFromMillis(), range.getToMillis()));
        at = Math.min(found, size);
        if (at == size) {
          break;
        }
      }
      try {
        if (paged(capsule, range, at, records, proven)) {
          count++;
        }
      } catch (HoldfastException e) {
        reading.damaged(e);
        damaged.add(at);
        count++;
      }
    }
    return Page.newBuilder()
        .setRecords(Session.bytes(records.toBytes()))
        .setProven(Session.bytes(proven.toBytes()))
        .setNext(at)
        .setEnd(at >= size)
        .addAllDamaged(damaged)
        .build();
  }

  /** Adds a record to a page if it is wanted there. */
  private static boolean paged(
      StoredCapsule capsule, Range range, long arrival, Encoder records, Encoder proven) {
    RecordHeader header = capsule.headerOf(arrival);
    if (range.getToMillis() != 0
        && (header.timeMillis() < range.getFromMillis()
            || header.timeMillis() >= range.getToMillis())) {
      return false;
    }
    boolean isProven = capsule.withGraph(graph -> graph.witness(arrival).proven());
    if (range.getProvenOnly() && !isProven) {
      return false;
    }
    Record record =
        switch (range.getContent()) {
          case RECORDS -> Reading.record(capsule, arrival, PAGED_BODY_BYTES);
          case HEADERS, NOTHING, UNRECOGNIZED -> new Record(header, Record.State.HEADER_ONLY, null);
        };
    record.encode(records);
    proven.u8(isProven ? 1 : 0);
    return true;
  }

  void statements(long id, Statements ask) {
    int limit = Math.min(ask.getLimit() <= 0 ? 1000 : ask.getLimit(), Limits.RECORDS_PER_BATCH);
    StoredCapsule.StatementPage page =
        session.capsule().statements(ask.getAfter().toByteArray(), limit, ask.getOwnerOnly());
    StatementPage.Builder reply =
        StatementPage.newBuilder().setNext(Session.bytes(page.next())).setEnd(page.end());
    page.statements().forEach(statement -> reply.addStatements(Session.bytes(statement)));
    session.send(Reply.newBuilder().setId(id).setStatements(reply));
  }
}
