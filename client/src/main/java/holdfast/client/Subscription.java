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
import holdfast.wire.Watch;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A watch over a capsule: records as they arrive at the server. Each is returned once, when it is
 * proven; those that are not yet are asked for again.
 *
 * <p>A watch has a session of its own and takes only a few pages in ahead of its user: the server
 * is held back by the stream, which the reader's own questions do not share. When the session
 * breaks, the next poll opens another and goes on where this one was.
 *
 * <p>Not safe for use by several threads, nor beside other use of the reader.
 */
public final class Subscription implements AutoCloseable {
  /** Pages that may have come and wait for {@link #poll}. */
  private static final int AHEAD = 4;

  private static final int ASKED_AT_ONCE = 512;

  private final CapsuleReader reader;
  private final Hash capsule;

  /** Has room for the end of the session behind the pages. */
  private BlockingQueue<Reply> pages = new ArrayBlockingQueue<>(AHEAD + 1);

  private @Nullable CapsuleSession session;
  private final List<Long> damaged = new ArrayList<>();
  private List<Hash> unproven = new ArrayList<>();
  private long next;

  Subscription(CapsuleReader reader, Hash capsule, long from) throws ProofException {
    this.reader = reader;
    this.capsule = capsule;
    this.next = from;
    this.session = open();
  }

  private CapsuleSession open() throws ProofException {
    CapsuleSession made = reader.openAside(AHEAD);
    try {
      // A server that lost unsynced records in a power cut gives their numbers to others.
      next = Math.min(next, made.records());
      BlockingQueue<Reply> fresh = new ArrayBlockingQueue<>(AHEAD + 1);
      pages = fresh;
      made.session()
          .subscribe(
              Request.newBuilder()
                  .setWatch(Watch.newBuilder().setFrom(next).setContent(Read.Content.HEADERS)),
              fresh::add);
      return made;
    } catch (ProofException | RuntimeException e) {
      made.session().abandon();
      throw e;
    }
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
   * Waits for records. After a failure the same subscription may be polled again: nothing is lost
   * by it, and nothing comes twice.
   *
   * @return records that became proven; empty when the time is up
   * @throws HoldfastException {@link ErrorCode#UNREACHABLE} when the session broke and no other can
   *     be opened now
   * @throws HoldfastException {@link ErrorCode#DAMAGED} once for records that the server holds
   *     damaged, after those that arrived with them; the next call goes on behind them
   */
  public List<ReadResult> poll(long timeoutMillis) throws ProofException {
    CapsuleSession current = session;
    if (current == null) {
      session = open();
    }
    if (!damaged.isEmpty()) {
      List<Long> told = List.copyOf(damaged);
      damaged.clear();
      throw ArrivalPage.damage(told);
    }
    Reply reply;
    try {
      reply = pages.poll(timeoutMillis, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new HoldfastException(ErrorCode.UNREACHABLE, "interrupted while watching", e);
    }
    while (reply != null) {
      take(reply);
      reply = unproven.size() < ASKED_AT_ONCE ? pages.poll() : null;
    }
    return proven();
  }

  private void take(Reply reply) throws ProofException {
    switch (reply.getResultCase()) {
      case PAGE -> {
        Page page = reply.getPage();
        ArrivalPage arrivals = ArrivalPage.of(capsule, page);
        for (Record record : arrivals.records()) {
          unproven.add(record.name());
        }
        damaged.addAll(arrivals.damaged());
        next = page.getNext();
        CapsuleSession from = session;
        if (from != null) {
          from.session().more();
        }
      }
      case ERROR ->
          throw new HoldfastException(
              ErrorCode.of(reply.getError().getCode()), reply.getError().getMessage());
      default -> abandon();
    }
  }

  /** Asks for all that is not proven yet; what cannot be asked now stays for the next time. */
  private List<ReadResult> proven() throws ProofException {
    List<ReadResult> arrived = new ArrayList<>();
    List<Hash> still = new ArrayList<>();
    for (int at = 0; at < unproven.size(); at += ASKED_AT_ONCE) {
      List<Hash> asked = unproven.subList(at, Math.min(unproven.size(), at + ASKED_AT_ONCE));
      for (ReadResult result : reader.readAll(asked)) {
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

  private void abandon() {
    CapsuleSession ended = session;
    session = null;
    if (ended != null) {
      ended.session().abandon();
    }
  }

  @Override
  public void close() {
    abandon();
  }
}
