package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Record;
import holdfast.wire.Page;
import holdfast.wire.Read;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import holdfast.wire.Unwatch;
import holdfast.wire.Watch;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A watch over a capsule: records as they arrive at the server. Each is returned once it is proven;
 * those that are not yet are asked for again when more arrives.
 */
public final class Subscription implements AutoCloseable {
  private static final int ASKED_AT_ONCE = 512;

  private final CapsuleReader reader;
  private final CapsuleSession session;
  private final Hash capsule;
  private final BlockingQueue<Reply> pages = new LinkedBlockingQueue<>();
  private final long id;
  private List<Hash> unproven = new ArrayList<>();
  private long next;

  Subscription(CapsuleReader reader, CapsuleSession session, Hash capsule, long from)
      throws ProofException {
    this.reader = reader;
    this.session = session;
    this.capsule = capsule;
    this.next = from;
    this.id =
        session
            .session()
            .subscribe(
                Request.newBuilder()
                    .setWatch(Watch.newBuilder().setFrom(from).setContent(Read.Content.HEADERS)),
                pages::add);
  }

  /** The arrival number from which a later watch would go on. */
  public long next() {
    return next;
  }

  /** Names of records that have arrived and are not proven yet. */
  public List<Hash> unproven() {
    return List.copyOf(unproven);
  }

  /**
   * Waits for records.
   *
   * @return records that became proven; empty when the time is up
   */
  public List<ReadResult> poll(long timeoutMillis) throws ProofException {
    Reply reply;
    try {
      reply = pages.poll(timeoutMillis, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new HoldfastException(ErrorCode.UNREACHABLE, "interrupted while watching", e);
    }
    List<Hash> candidates = new ArrayList<>(unproven);
    for (; reply != null && candidates.size() < ASKED_AT_ONCE; reply = pages.poll()) {
      switch (reply.getResultCase()) {
        case PAGE -> {
          Page page = reply.getPage();
          for (Record record : CapsuleReader.ArrivalPage.of(capsule, page).records()) {
            candidates.add(record.name());
          }
          next = page.getNext();
        }
        case ERROR ->
            throw new HoldfastException(
                ErrorCode.of(reply.getError().getCode()), reply.getError().getMessage());
        default ->
            throw new HoldfastException(ErrorCode.UNREACHABLE, "the session ended while watching");
      }
    }
    List<ReadResult> arrived = new ArrayList<>();
    List<Hash> still = new ArrayList<>();
    for (int at = 0; at < candidates.size(); at += ASKED_AT_ONCE) {
      for (ReadResult result :
          reader.readAll(candidates.subList(at, Math.min(candidates.size(), at + ASKED_AT_ONCE)))) {
        if (result instanceof ReadResult.Unproven) {
          still.add(result.name());
        } else {
          arrived.add(result);
        }
      }
    }
    unproven = still;
    return arrived;
  }

  @Override
  public void close() throws ProofException {
    session.session().unsubscribe(id);
    if (!session.session().broken()) {
      session.session().post(Request.newBuilder().setUnwatch(Unwatch.newBuilder().setWatch(id)));
    }
  }
}
