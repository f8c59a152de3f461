package holdfast.client;

import com.google.protobuf.ByteString;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Backpointers;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Freshness;
import holdfast.capsule.Metadata;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Sealer;
import holdfast.capsule.Statement;
import holdfast.crypto.SigningKey;
import holdfast.wire.CommitPart;
import holdfast.wire.Level;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import holdfast.wire.Write;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Writes records to one capsule. Records are sealed and linked at once and get their names; they
 * are sent in batches, several of which may be under way; receipts are verified as they come.
 *
 * <p>When the connection breaks, the writer opens a new session and sends every batch again that
 * has no receipt, the same bytes. For use by one thread; a timer may sign and send between its
 * calls.
 */
public final class CapsuleWriter implements AutoCloseable {
  private static final long FIRST_BACKOFF_MILLIS = 20;
  private static final long MOST_BACKOFF_MILLIS = 1000;

  private final Server server;
  private final Hash capsule;
  private final SigningKey key;
  private final WriterOptions options;
  private final Sealer sealer;
  private final Backpointers links;
  private final Metadata metadata;
  private final int writer;
  private final List<Record> batch = new ArrayList<>();
  private final List<Statement.WriterSignature> signatures = new ArrayList<>();
  private final ArrayDeque<Sent> sent = new ArrayDeque<>();
  private final List<WriteResult> results = new ArrayList<>();

  /** Batches that a receipt of this session may still cover, by request id. */
  private final Map<Long, Sent> underWay = new HashMap<>();

  private CapsuleSession session;
  private @Nullable Consumer<WriteResult> listener;
  private long sentBatches;
  private long settledBatches;
  private int batchBytes;
  private @Nullable Hash unsigned;
  private int sinceSignature;
  private long signedAtMillis = System.currentTimeMillis();
  private boolean closed;
  private @Nullable Exception timerFailure;

  /** A receipt that was verified, and where a batch begins in it. */
  private record Share(ReceiptCheck.Checked whole, int from) {}

  /** A batch under way. */
  private static final class Sent {
    final List<Hash> names;
    final List<RecordHeader> headers;

    /** The requests that carry it; the last is answered by the receipt. */
    final List<Request.Builder> requests;

    final List<ReceiptCheck.Expected> expected;
    ServerSession.@Nullable Pending pending;
    @Nullable Share share;
    long firstFailureNanos;

    Sent(
        List<Hash> names,
        List<RecordHeader> headers,
        List<Request.Builder> requests,
        List<ReceiptCheck.Expected> expected) {
      this.headers = headers;
      this.names = names;
      this.requests = requests;
      this.expected = expected;
    }
  }

  CapsuleWriter(
      Server server, Hash capsule, SigningKey key, ContentKey contentKey, WriterOptions options)
      throws ProofException {
    this.server = server;
    this.capsule = capsule;
    this.key = key;
    this.options = options;
    this.session = CapsuleSession.open(server, capsule, 0, List.of(), options.timeoutMillis());
    try {
      this.metadata = session.metadata();
      requireOpen(session.closing());
      this.writer = session.possess(key);
      Freshness fresh = session.fresh();
      // Unproven tips are claims of the server; only what is proven is worth a pointer.
      this.links = new Backpointers(options.links(), verifiedHeads(fresh, writer));
    } catch (ProofException | RuntimeException e) {
      session.close();
      throw e;
    }
    byte[] salt = new byte[RecordHeader.SALT_SIZE];
    Server.RANDOM.nextBytes(salt);
    this.sealer = new Sealer(capsule, writer, contentKey, salt);
    if (options.signing() instanceof SigningPolicy.EveryT) {
      SigningTimer.start(this);
    }
  }

  // ---- The timer --------------------------------------------------------------------------------

  synchronized boolean closed() {
    return closed;
  }

  /**
   * Milliseconds until the newest record is to be signed; as many as there are if there is none.
   */
  synchronized long untilDueMillis() {
    boolean pending = unsigned != null || !signatures.isEmpty();
    return pending && options.signing() instanceof SigningPolicy.EveryT(long millis)
        ? signedAtMillis + millis - System.currentTimeMillis()
        : Long.MAX_VALUE;
  }

  synchronized void signAndSend() throws ProofException {
    sign();
    send();
  }

  /** What the timer met is told to whoever calls next. */
  synchronized void failed(Exception e) {
    timerFailure = e;
  }

  private void requireTimer() throws ProofException {
    Exception failure = timerFailure;
    timerFailure = null;
    switch (failure) {
      case null -> {}
      case ProofException proof -> throw proof;
      case RuntimeException other -> throw other;
      default -> throw new AssertionError("a timer fails in no other way", failure);
    }
  }

  private static void requireOpen(CapsuleSession.@Nullable Closing closing) {
    if (closing != null) {
      throw new HoldfastException(
          ErrorCode.SUCCEEDED,
          "the capsule is closed; it goes on in capsule " + closing.finalHeads().successor());
    }
  }

  private List<Hash> verifiedHeads(Freshness fresh, int writer) throws ProofException {
    if (fresh.heads().isEmpty()) {
      return List.of();
    }
    List<Hash> heads =
        fresh.heads().size() <= holdfast.base.Limits.BACKPOINTERS
            ? fresh.heads()
            : fresh.heads().subList(0, holdfast.base.Limits.BACKPOINTERS);
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

  /**
   * Names who hears of every batch when its fate is known; {@link #commit} then returns nothing, so
   * that a long stream keeps no results.
   */
  public void onResult(Consumer<WriteResult> consumer) {
    listener = consumer;
  }

  /** The capsule's metadata, verified. */
  public Metadata metadata() {
    return metadata;
  }

  /** The writer's index in the capsule. */
  public int index() {
    return writer;
  }

  /** Appends a record with a single leaf. */
  public Hash append(byte[] content) throws ProofException {
    return append(List.of(content));
  }

  /**
   * Appends a record. It is sent when its batch is full, or with {@link #commit}.
   *
   * @param leaves the subrecords, at least one
   * @return the record's name
   */
  public Hash append(List<byte[]> leaves) throws ProofException {
    return append(leaves, System.currentTimeMillis());
  }

  /** Appends a record with a given claimed time. */
  public synchronized Hash append(List<byte[]> leaves, long timeMillis) throws ProofException {
    requireTimer();
    Record record = sealer.seal(leaves, timeMillis, links.next());
    Hash name = record.name();
    links.appended(name);
    if (record.encodedSize() > BodyParts.PART_BYTES) {
      send();
    }
    batch.add(record);
    batchBytes += record.encodedSize();
    unsigned = name;
    sinceSignature++;
    if (due()) {
      sign();
    }
    notifyAll();
    if (batch.size() >= options.batchRecords() || batchBytes >= options.batchBytes()) {
      send();
    }
    return name;
  }

  private boolean due() {
    return switch (options.signing()) {
      case SigningPolicy.Each() -> true;
      case SigningPolicy.EveryN(int records) -> sinceSignature >= records;
      case SigningPolicy.EveryT(long millis) ->
          System.currentTimeMillis() - signedAtMillis >= millis;
      case SigningPolicy.EachBatch(), SigningPolicy.OnDemand() -> false;
    };
  }

  /** Signs the newest record, which proves all records before it; sent with the next batch. */
  public synchronized void sign() {
    Hash newest = unsigned;
    if (newest != null) {
      signatures.add(Statement.WriterSignature.sign(capsule, newest, writer, key));
      unsigned = null;
      sinceSignature = 0;
      signedAtMillis = System.currentTimeMillis();
    }
  }

  /**
   * Sends what has been appended, without waiting for receipts.
   *
   * @return the number of batches sent so far; see {@link #await}
   */
  public synchronized long send() throws ProofException {
    if (options.signing() instanceof SigningPolicy.EachBatch) {
      sign();
    }
    if (batch.isEmpty() && signatures.isEmpty()) {
      return sentBatches;
    }
    sentBatches++;
    List<Hash> names = batch.stream().map(Record::name).toList();
    List<Hash> signed = signatures.stream().map(Statement.WriterSignature::record).toList();
    Sent one =
        new Sent(
            names,
            batch.stream().map(Record::header).toList(),
            batchBytes > BodyParts.PART_BYTES && batch.size() == 1
                ? parts(batch.getFirst())
                : List.of(write()),
            List.of(
                new ReceiptCheck.Expected(Receipt.Kind.WRITE, names),
                new ReceiptCheck.Expected(Receipt.Kind.SIGN, signed)));
    batch.clear();
    signatures.clear();
    batchBytes = 0;
    while (sent.size() >= options.inFlight()) {
      settle();
    }
    sent.add(one);
    try {
      transmit(one);
    } catch (HoldfastException e) {
      // Settling finds the batch without a receipt and sends it again.
      one.pending = null;
    }
    return sentBatches;
  }

  /** Waits until the fate of the first {@code batches} batches is known. */
  public synchronized void await(long batches) throws ProofException {
    while (settledBatches < batches) {
      settle();
    }
  }

  private Level level() {
    return options.level() == Receipt.Level.SYNCED ? Level.SYNCED : Level.RECEIVED;
  }

  private List<ByteString> encodedSignatures() {
    return signatures.stream().map(s -> ServerSession.bytes(s.encode())).toList();
  }

  private Request.Builder write() {
    return Request.newBuilder()
        .setWrite(
            Write.newBuilder()
                .setRecords(ServerSession.bytes(Record.encodeAll(batch)))
                .addAllSignatures(encodedSignatures())
                .setLevel(level()));
  }

  /** A record too large for one message, in parts. */
  private List<Request.Builder> parts(Record record) {
    return BodyParts.commit(
        record,
        false,
        CommitPart.newBuilder().addAllSignatures(encodedSignatures()).setLevel(level()));
  }

  private void transmit(Sent one) throws ProofException {
    for (Request.Builder request : one.requests) {
      one.pending = session.session().send(request.clone());
    }
    ServerSession.Pending last = one.pending;
    if (last != null) {
      underWay.put(last.id(), one);
    }
  }

  /**
   * Sends what is left and waits until the fate of everything appended is known.
   *
   * @return what became of the batches since the last call, in order
   */
  public synchronized List<WriteResult> commit() throws ProofException {
    requireTimer();
    send();
    while (!sent.isEmpty()) {
      settle();
    }
    List<WriteResult> done = List.copyOf(results);
    results.clear();
    return done;
  }

  /** Like {@link #commit}; anything but stored is an exception. */
  public List<WriteResult.Stored> commitOrThrow() throws ProofException {
    List<WriteResult.Stored> stored = new ArrayList<>();
    for (WriteResult result : commit()) {
      switch (result) {
        case WriteResult.Stored one -> {
          requireKept(one);
          stored.add(one);
        }
        case WriteResult.Refused refused -> throw refused.reason();
        case WriteResult.Unknown unknown -> throw unknown.reason();
      }
    }
    return stored;
  }

  private static void requireKept(WriteResult.Stored stored) {
    for (Receipt.Entry entry : stored.entries()) {
      if (entry.outcome() == Receipt.Outcome.ERASED) {
        throw new HoldfastException(
            ErrorCode.DENIED,
            "record "
                + entry.name().brief()
                + " falls under an erasure of the owner, so the server did not keep its body; a clock"
                + " that is wrong may be the reason");
      }
    }
  }

  /** Waits for the oldest batch under way. */
  private void settle() throws ProofException {
    Sent oldest = sent.element();
    WriteResult result;
    try {
      result = stored(oldest, share(oldest));
    } catch (HoldfastException e) {
      if (again(oldest, e)) {
        return;
      }
      result =
          passing(e)
              ? new WriteResult.Unknown(oldest.names, e)
              : new WriteResult.Refused(oldest.names, e);
    }
    sent.remove();
    settledBatches++;
    Consumer<WriteResult> hearing = listener;
    if (hearing != null) {
      hearing.accept(result);
    } else {
      results.add(result);
    }
  }

  private static boolean passing(HoldfastException e) {
    return switch (e.code()) {
      case UNREACHABLE, STOPPING, BUSY -> true;
      default -> false;
    };
  }

  /** Sends a batch again if its failure may pass and there is time left. */
  private boolean again(Sent oldest, HoldfastException e) throws ProofException {
    boolean first = oldest.firstFailureNanos == 0;
    // A signature may overtake its record, sent in a batch before it that the server was too busy
    // for. By now all batches before are settled.
    boolean overtook = first && e.code() == ErrorCode.NOT_FOUND;
    if (!passing(e) && !overtook) {
      return false;
    }
    long now = System.nanoTime();
    if (first) {
      oldest.firstFailureNanos = now;
    }
    long spentMillis = (now - oldest.firstFailureNanos) / 1_000_000;
    if (spentMillis >= options.retryMillis()) {
      return false;
    }
    long backoff = Math.clamp(spentMillis, FIRST_BACKOFF_MILLIS, MOST_BACKOFF_MILLIS);
    long wait = Math.max(e.retryAfterMillis(), backoff / 2 + Server.RANDOM.nextLong(backoff));
    // The hint is a stranger's: it may not make the writer wait beyond its own patience.
    pause(Math.min(wait, options.retryMillis() - spentMillis));
    try {
      if ((e.code() == ErrorCode.BUSY || overtook) && !session.session().broken()) {
        transmit(oldest);
      } else {
        reconnect();
      }
    } catch (HoldfastException still) {
      oldest.pending = null;
    }
    return true;
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
      reply = pending.await(options.timeoutMillis());
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

  private WriteResult stored(Sent one, Share share) throws ProofException {
    List<Receipt.Entry> covered = share.whole().entries();
    int to = share.from() + size(one);
    requireProvenWhereSigned(covered.subList(share.from(), to));
    requireErasedByOwner(one, covered.subList(share.from(), to));
    return new WriteResult.Stored(one.names, share.whole().receipt(), covered, share.from(), to);
  }

  /** A body that the server did not keep must fall under a statement of the owner. */
  private void requireErasedByOwner(Sent one, List<Receipt.Entry> entries) throws ProofException {
    List<Statement> statements = null;
    for (int i = 0; i < one.headers.size(); i++) {
      if (entries.get(i).outcome() != Receipt.Outcome.ERASED) {
        continue;
      }
      if (statements == null) {
        statements = session.statements(true);
      }
      RecordHeader header = one.headers.get(i);
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

  private static int size(Sent one) {
    return one.expected.stream().mapToInt(e -> e.names().size()).sum();
  }

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
      expected.addAll(one.expected);
    }
    ReceiptCheck.Checked whole =
        ReceiptCheck.verify(reply, session.server(), capsule, options.level(), expected);
    int from = 0;
    for (Sent one : covered) {
      one.share = new Share(whole, from);
      from += size(one);
    }
  }

  /** Signs what is unsigned, commits, and ends the session. */
  @Override
  public synchronized void close() throws ProofException {
    closed = true;
    notifyAll();
    try {
      sign();
      commit();
    } finally {
      session.close();
    }
  }
}
