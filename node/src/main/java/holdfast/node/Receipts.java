package holdfast.node;

import holdfast.base.Hash;
import holdfast.capsule.Receipt;
import holdfast.wire.Reply;
import java.util.ArrayList;
import java.util.List;

/**
 * Signs receipts for a session. Batches that become durable together, and wait here together, share
 * one receipt and one signature.
 */
final class Receipts {
  private static final int ENTRIES = 1 << 14;

  private final Session session;
  private final CapsuleService service;
  private final List<Waiting> waiting = new ArrayList<>();
  private boolean scheduled;

  private record Waiting(long id, Hash capsule, Receipt.Level level, List<Receipt.Entry> entries) {}

  Receipts(Session session) {
    this.session = session;
    this.service = session.service;
  }

  /** Takes a batch that has reached its level. */
  void add(long id, Hash capsule, Receipt.Level level, List<Receipt.Entry> entries) {
    synchronized (waiting) {
      waiting.add(new Waiting(id, capsule, level, entries));
      if (scheduled) {
        return;
      }
      scheduled = true;
    }
    service.workers.execute(this::sign);
  }

  private void sign() {
    List<Waiting> batch;
    synchronized (waiting) {
      batch = new ArrayList<>(waiting);
      waiting.clear();
      scheduled = false;
    }
    int from = 0;
    while (from < batch.size()) {
      int to = from;
      int entries = 0;
      Waiting first = batch.get(from);
      while (to < batch.size()
          && batch.get(to).capsule().equals(first.capsule())
          && batch.get(to).level() == first.level()
          && (to == from || entries + batch.get(to).entries().size() <= ENTRIES)) {
        entries += batch.get(to).entries().size();
        to++;
      }
      send(first, batch.subList(from, to));
      from = to;
    }
    batch.forEach(done -> session.batchEnds());
  }

  private void send(Waiting first, List<Waiting> batch) {
    List<Receipt.Entry> entries = new ArrayList<>();
    var reply = holdfast.wire.Receipt.newBuilder();
    for (Waiting one : batch) {
      entries.addAll(one.entries());
      reply.addIds(one.id());
    }
    byte[] outcomes = new byte[entries.size()];
    int records = 0;
    int signatures = 0;
    int statements = 0;
    for (int i = 0; i < outcomes.length; i++) {
      outcomes[i] = (byte) entries.get(i).outcome().number();
      switch (entries.get(i).kind()) {
        case WRITE -> records++;
        case SIGN -> signatures++;
        case STATEMENT -> statements++;
        case CREATE -> {}
      }
    }
    Receipt receipt =
        Receipt.sign(
            service.identity, first.capsule(), first.level(), System.currentTimeMillis(), entries);
    service.metrics.receipts.increment();
    service.metrics.recordsWritten.increment(records);
    service.metrics.signatures.increment(signatures);
    service.metrics.statements.increment(statements);
    session.send(
        Reply.newBuilder()
            .setId(first.id())
            .setReceipt(
                reply
                    .setReceipt(Session.bytes(receipt.encode()))
                    .setOutcomes(Session.bytes(outcomes))));
  }
}
