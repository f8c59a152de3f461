package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Freshness;
import holdfast.capsule.Metadata;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.crypto.SigningKey;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Sends batches to one server and settles them by its receipts, in order. When the session breaks
 * it opens a new one and sends every batch again that has no receipt, the same bytes. For use by
 * one thread at a time.
 *
 * <p>With each batch it states the newest placement that is gone by, and the server refuses it when
 * it knows a newer one: or it would acknowledge, for a placement that is over, what nobody takes
 * elsewhere any more. Where the batch goes to several servers, they all go by what this one shows
 * of the owner's word, which verifies, and the batch is sent again. A writer to this server alone
 * goes by what the server says it knows, since its receipts count for nothing but this server.
 */
final class Delivery implements Outlet {
  private static final long FIRST_BACKOFF_MILLIS = 20;
  private static final long MOST_BACKOFF_MILLIS = 1000;

  private final Server server;
  private final Hash capsule;
  private final SigningKey key;
  private final WriterOptions options;
  private final @Nullable ReplicatedDelivery whole;
  private final @Nullable Runnable woken;
  private final int writer;
  private final ArrayDeque<Sent> sent = new ArrayDeque<>();

  /** Batches that a receipt of this session may still cover, by request id. */
  private final Map<Long, Sent> underWay = new HashMap<>();

  private CapsuleSession session;

  /** A receipt that was verified, and where a batch begins in it. */
  private record Share(ReceiptCheck.Checked whole, int from) {}

  /** A batch under way. */
  private static final class Sent {
    final Batch batch;

    /** The version of the placement that was stated when it was sent last. */
    long goneBy;

    ServerSession.@Nullable Pending pending;
    @Nullable Share share;
    long firstFailureNanos;

    /** Whether the server was sent, apart, the record that the batch signs. */
    boolean helped;

    /** Since when its receipt is waited for. */
    long sinceNanos;

    Sent(Batch batch) {
      this.batch = batch;
    }
  }

  /**
   * Opens a session as a writer.
   *
   * @param whole what it is a part of; null when this server alone is written to
   * @param woken is run on an I/O thread when something comes that may settle a batch; null when
   *     nobody waits for that
   */
  Delivery(
      Server server,
      Hash capsule,
      SigningKey key,
      WriterOptions options,
      @Nullable ReplicatedDelivery whole,
      @Nullable Runnable woken)
      throws ProofException {
    this.server = server;
    this.capsule = capsule;
    this.key = key;
    this.options = options;
    this.whole = whole;
    this.woken = woken;
    this.session = CapsuleSession.open(server, capsule, 0, List.of(), options.timeoutMillis());
    try {
      requireOpen(session.closing());
      this.writer = session.possess(key);
      wakeWith(session);
    } catch (ProofException | RuntimeException e) {
      session.close();
      throw e;
    }
  }

  private static void requireOpen(CapsuleSession.@Nullable Closing closing) {
    if (closing != null) {
      throw new HoldfastException(
          ErrorCode.SUCCEEDED,
          "the capsule is closed; it goes on in capsule " + closing.finalHeads().successor());
    }
  }

  private void wakeWith(CapsuleSession made) {
    Runnable waking = woken;
    if (waking != null) {
      made.session().onReply(waking);
    }
  }

  /** The capsule's metadata, verified. */
  Metadata metadata() {
    return session.metadata();
  }

  /** The index of the key among the capsule's writers. */
  int writer() {
    return writer;
  }

  /**
   * The heads at which a run may begin: proven, and for the writer to point at. Unproven tips are
   * claims of the server; only what is proven is worth a pointer.
   */
  List<Hash> headsToFollow() throws ProofException {
    Freshness fresh = session.fresh();
    if (fresh.heads().isEmpty()) {
      return List.of();
    }
    List<Hash> heads =
        fresh.heads().size() <= Limits.BACKPOINTERS
            ? fresh.heads()
            : fresh.heads().subList(0, Limits.BACKPOINTERS);
    try (CapsuleReader reader =
        new CapsuleReader(server, capsule, List.of(), ReaderOptions.withoutCache())) {
      List<Hash> followed = new ArrayList<>();
      for (ReadResult head : reader.readHeaders(heads)) {
        if (!(head instanceof ReadResult.Proven one)) {
          throw new ProofException(
              Violation.NOT_FRESH,
              "the server names record " + head.name().brief() + " as a head and cannot prove it");
        }
        // To point at a record that names this writer is to claim it: a signature above would make
        // it authored. So one that only another writer vouches for stays a branch of its own.
        boolean claimsMe = one.record().header().writer() == writer;
        if (!claimsMe || (one.voucher().authored() && one.voucher().signer() == writer)) {
          followed.add(one.name());
        }
      }
      return followed;
    }
  }

  // ---- Sending ----------------------------------------------------------------------------------

  @Override
  public void send(Batch batch) throws ProofException {
    Sent one = new Sent(batch);
    sent.add(one);
    try {
      transmit(one);
    } catch (HoldfastException e) {
      // Settling finds the batch without a receipt and sends it again.
      one.pending = null;
    }
  }

  @Override
  public int underWay() {
    return sent.size();
  }

  /** The version of the newest placement that is gone by. */
  private long goesBy() {
    ReplicatedDelivery all = whole;
    return all == null ? session.placement() : all.version();
  }

  private void transmit(Sent one) throws ProofException {
    one.goneBy = goesBy();
    for (Request request : one.batch.requests()) {
      one.pending = session.session().send(request.toBuilder().setPlacement(one.goneBy));
    }
    one.sinceNanos = System.nanoTime();
    ServerSession.Pending last = one.pending;
    if (last != null) {
      underWay.put(last.id(), one);
    }
  }

  // ---- Settling ---------------------------------------------------------------------------------

  /** Nanoseconds until the fate of the oldest batch can be told without waiting for the server. */
  long untilSettledNanos() {
    Sent oldest = sent.peek();
    if (oldest == null) {
      return Long.MAX_VALUE;
    }
    ServerSession.Pending pending = oldest.pending;
    return oldest.share != null || pending == null || pending.done() ? 0 : patienceNanos(oldest);
  }

  private long patienceNanos(Sent one) {
    long spent = System.nanoTime() - one.sinceNanos;
    return Math.max(0, TimeUnit.MILLISECONDS.toNanos(options.timeoutMillis()) - spent);
  }

  @Override
  public WriteResult settle() throws ProofException {
    Sent oldest = sent.element();
    WriteResult result = null;
    while (result == null) {
      try {
        result = stored(oldest, share(oldest));
      } catch (HoldfastException e) {
        if (!again(oldest, e)) {
          result =
              passing(e)
                  ? new WriteResult.Unknown(oldest.batch.names(), e)
                  : new WriteResult.Refused(oldest.batch.names(), e);
        }
      }
    }
    sent.remove();
    Sent next = sent.peek();
    if (next != null) {
      next.sinceNanos = System.nanoTime();
    }
    return result;
  }

  private static boolean passing(HoldfastException e) {
    return switch (e.code()) {
      case UNREACHABLE, STOPPING, BUSY, SUPERSEDED -> true;
      default -> false;
    };
  }

  /** Sends a batch again if its failure may pass and there is time left. */
  private boolean again(Sent oldest, HoldfastException e) throws ProofException {
    boolean lacks =
        e.code() == ErrorCode.NOT_FOUND && oldest.batch.signedLater() != null && !oldest.helped;
    if (!passing(e) && !lacks) {
      return false;
    }
    long now = System.nanoTime();
    if (oldest.firstFailureNanos == 0) {
      oldest.firstFailureNanos = now;
    }
    if (e.code() == ErrorCode.SUPERSEDED && caughtUp(oldest)) {
      return true;
    }
    long spentMillis = (now - oldest.firstFailureNanos) / 1_000_000;
    if (spentMillis >= options.retryMillis()) {
      return false;
    }
    if (lacks && help(oldest)) {
      return true;
    }
    long backoff = Math.clamp(spentMillis, FIRST_BACKOFF_MILLIS, MOST_BACKOFF_MILLIS);
    long wait = Math.max(e.retryAfterMillis(), backoff / 2 + Server.RANDOM.nextLong(backoff));
    // The hint is a stranger's: it may not make the writer wait beyond its own patience.
    pause(Math.min(wait, options.retryMillis() - spentMillis));
    try {
      // A writer to this server alone hears at the opening what the server knows by now.
      boolean here =
          e.code() == ErrorCode.BUSY || (e.code() == ErrorCode.SUPERSEDED && whole != null);
      if (here && !session.session().broken()) {
        transmit(oldest);
      } else {
        reconnect();
      }
    } catch (HoldfastException still) {
      oldest.pending = null;
    }
    return true;
  }

  /**
   * Sends the record that a batch signs to a server that lacks it, and then the batch. A server
   * that the capsule has just been placed on never had it, and one that was too busy for it was
   * overtaken by its signature. False when that failed for now.
   */
  private boolean help(Sent one) throws ProofException {
    Record record = Objects.requireNonNull(one.batch.signedLater());
    Sent first = new Sent(Batch.of(List.of(record), List.of(), options.level(), null));
    try {
      transmit(first);
      stored(first, share(first));
      one.helped = true;
      transmit(one);
      return true;
    } catch (HoldfastException e) {
      one.helped = !passing(e);
      return false;
    }
  }

  /**
   * Goes by what the owner has said since, and sends a batch again. False when nothing newer has
   * come out than what was stated with it: the server may say so falsely, and waits then for as
   * long as a busy one.
   */
  private boolean caughtUp(Sent one) throws ProofException {
    ReplicatedDelivery all = whole;
    if (all == null) {
      return false;
    }
    try {
      if (all.version() <= one.goneBy) {
        all.adopt(session.statements(true));
      }
      boolean newer = all.version() > one.goneBy;
      if (newer) {
        transmit(one);
      }
      return newer;
    } catch (HoldfastException e) {
      // It is tried as after any failure that may pass.
      return false;
    }
  }

  private static void pause(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new HoldfastException(
          ErrorCode.UNREACHABLE, "interrupted while waiting to try again", e);
    }
  }

  private void reconnect() throws ProofException {
    session.session().abandon();
    underWay.clear();
    session = CapsuleSession.open(server, capsule, 0, List.of(), options.timeoutMillis());
    session.possess(key);
    wakeWith(session);
    for (Sent one : sent) {
      if (one.share == null) {
        transmit(one);
      }
    }
  }

  /** A batch's share of a receipt, which may have come with that of a batch before it. */
  private Share share(Sent one) throws ProofException {
    Share share = one.share;
    if (share != null) {
      return share;
    }
    ServerSession.Pending pending = one.pending;
    if (pending == null) {
      throw new HoldfastException(ErrorCode.UNREACHABLE, "the batch could not be sent");
    }
    Reply reply;
    try {
      reply = pending.await(patienceNanos(one), options.timeoutMillis());
    } catch (HoldfastException e) {
      if (pending.done()) {
        underWay.remove(pending.id());
      }
      throw e;
    }
    check(reply);
    share = one.share;
    if (share == null) {
      throw new ProofException(
          Violation.BAD_RECEIPT, "the receipt does not cover the request it answers");
    }
    return share;
  }

  // ---- Receipts ---------------------------------------------------------------------------------

  /** Checks a receipt and gives every batch it covers its share. */
  private void check(Reply reply) throws ProofException {
    List<Sent> covered = new ArrayList<>();
    List<ReceiptCheck.Expected> expected = new ArrayList<>();
    for (long id : reply.getReceipt().getIdsList()) {
      Sent one = underWay.remove(id);
      if (one == null) {
        throw new ProofException(
            Violation.BAD_RECEIPT, "the receipt covers a request that was not made");
      }
      covered.add(one);
      expected.addAll(one.batch.expected());
    }
    ReceiptCheck.Checked whole =
        ReceiptCheck.verify(reply, session.server(), capsule, options.level(), expected);
    int from = 0;
    for (Sent one : covered) {
      one.share = new Share(whole, from);
      from += one.batch.size();
    }
  }

  private WriteResult stored(Sent one, Share share) throws ProofException {
    List<Receipt.Entry> covered = share.whole().entries();
    int to = share.from() + one.batch.size();
    requireProvenWhereSigned(covered.subList(share.from(), to));
    requireErasedByOwner(one.batch, covered.subList(share.from(), to));
    return new WriteResult.Stored(
        one.batch.names(), share.whole().receipt(), covered, share.from(), to);
  }

  /** A body that the server did not keep must fall under a statement of the owner. */
  private void requireErasedByOwner(Batch batch, List<Receipt.Entry> entries)
      throws ProofException {
    List<Statement> statements = null;
    for (int i = 0; i < batch.headers().size(); i++) {
      if (entries.get(i).outcome() != Receipt.Outcome.ERASED) {
        continue;
      }
      if (statements == null) {
        statements = session.statements(true);
      }
      RecordHeader header = batch.headers().get(i);
      if (statements.stream()
          .noneMatch(s -> s instanceof Statement.Erasure erasure && erasure.coversAll(header))) {
        throw new ProofException(
            Violation.BAD_RECEIPT,
            "the receipt calls record "
                + header.name().brief()
                + " erased, and no statement of the owner erases it");
      }
    }
  }

  private static void requireProvenWhereSigned(List<Receipt.Entry> entries) throws ProofException {
    Set<Hash> signed = new HashSet<>();
    for (Receipt.Entry entry : entries) {
      if (entry.kind() == Receipt.Kind.SIGN) {
        signed.add(entry.name());
      }
    }
    for (Receipt.Entry entry : entries) {
      if (entry.kind() == Receipt.Kind.WRITE
          && entry.outcome() == Receipt.Outcome.UNPROVEN
          && signed.contains(entry.name())) {
        throw new ProofException(
            Violation.BAD_RECEIPT,
            "the receipt calls record " + entry.name().brief() + " unproven though it is signed");
      }
    }
  }

  @Override
  public void close() {
    session.close();
  }
}
