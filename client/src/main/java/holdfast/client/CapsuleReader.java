package holdfast.client;

import static java.util.stream.Collectors.joining;

import holdfast.base.Encoder;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Evidence;
import holdfast.capsule.FinalHeads;
import holdfast.capsule.Freshness;
import holdfast.capsule.Metadata;
import holdfast.capsule.Opener;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.capsule.VerificationCache;
import holdfast.wire.Acknowledge;
import holdfast.wire.Answer;
import holdfast.wire.Page;
import holdfast.wire.Range;
import holdfast.wire.Read;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Reads and proves records of one capsule. Nothing is returned before it is verified: the name is
 * the hash of the header, the body leads to the root in it, and a chain of headers leads to a
 * signature of an authorised writer or to something verified before. Once the owner's succession is
 * known, what it does not include is refused; see {@link FinalHeads}.
 *
 * <p>When the connection breaks, the next call opens a new session and resumes the verification
 * cache there. Not safe for use by several threads.
 */
public final class CapsuleReader implements AutoCloseable {
  private static final int SLACK = 1 << 16;
  private static final int KEPT_HEADERS = 1 << 15;
  private static final int UNACKNOWLEDGED = 16;
  private static final int ATTEMPTS = 3;
  private static final int GATHERED = 32;

  /** An acknowledgement of answers that were never made: the server resets its mirror. */
  private static final long OUT_OF_STEP = Long.MAX_VALUE;

  private final Server server;
  private final Hash capsule;
  private final ReaderOptions options;
  private final Opener opener;
  private final ArrayDeque<PendingRead.Message> order = new ArrayDeque<>();
  private final CRC32C checksum = new CRC32C();
  private final LinkedHashMap<Hash, RecordHeader> headers =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Hash, RecordHeader> eldest) {
          return size() > KEPT_HEADERS;
        }
      };
  private CapsuleSession session;
  private VerificationCache cache;
  private @Nullable FinalHeads closing;
  private int cacheEpoch;
  private long verifiedAnswers;
  private int unacknowledged;
  private long proofHeaders;
  private PendingRead.@Nullable Message gathering;

  CapsuleReader(Server server, Hash capsule, List<ContentKey> contentKeys, ReaderOptions options)
      throws ProofException {
    this.server = server;
    this.capsule = capsule;
    this.options = options;
    this.opener = new Opener(capsule, contentKeys);
    this.cache = new VerificationCache(options.cacheEntries(), SLACK);
    this.session = open();
  }

  private CapsuleSession open() throws ProofException {
    List<Hash> names =
        options.cacheEntries() == 0
            ? List.of()
            : cache.names(Math.min(options.cacheEntries(), Limits.RESUMED_NAMES));
    CapsuleSession made =
        CapsuleSession.open(
            server, capsule, options.cacheEntries(), names, options.timeoutMillis());
    // Entries that the server did not take into its mirror are dropped here too.
    cache = cache.resumed(made.resumed(), made.cacheEntries());
    cacheEpoch = 0;
    restartAcknowledgements();
    heed(made);
    return made;
  }

  /**
   * Takes in a succession that the server has shown. What was verified before may lie outside of
   * it, so the cache begins anew.
   */
  private void heed(CapsuleSession from) throws ProofException {
    CapsuleSession.Closing shown = from.closing();
    if (shown != null && close(shown.finalHeads())) {
      cacheEpoch = Math.max(cacheEpoch, shown.epoch());
      restartAcknowledgements();
    }
  }

  private boolean close(FinalHeads finalHeads) throws ProofException {
    FinalHeads before = closing;
    if (before != null) {
      if (!before.statement().equals(finalHeads.statement())) {
        throw new ProofException(
            Violation.OUTSIDE,
            "the owner has closed the capsule twice, in favour of "
                + before.successor()
                + " and of "
                + finalHeads.successor());
      }
      return false;
    }
    closing = finalHeads;
    cache = new VerificationCache(cache.capacity(), SLACK);
    headers.clear();
    return true;
  }

  /**
   * What the owner closed the capsule with; null while no succession is known. A server that shows
   * none withholds it, or there is none.
   */
  public @Nullable FinalHeads closing() throws ProofException {
    heed(session);
    return closing;
  }

  /** Makes known a succession that came to its user otherwise than from this server. */
  public void learn(Statement.Succession succession) throws ProofException {
    if (close(FinalHeads.of(succession, metadata()))) {
      restartAcknowledgements();
      session.session().post(outOfStep());
    }
  }

  private static Request.Builder outOfStep() {
    return Request.newBuilder()
        .setAcknowledged(OUT_OF_STEP)
        .setAcknowledge(Acknowledge.getDefaultInstance());
  }

  private void restartAcknowledgements() {
    checksum.reset();
    verifiedAnswers = 0;
    unacknowledged = 0;
  }

  private CapsuleSession session() throws ProofException {
    if (session.session().broken()) {
      session.close();
      session = open();
    }
    return session;
  }

  // ---- What readers ask
  // -----------------------------------------------------------------------------

  /** The capsule's metadata, verified. */
  public Metadata metadata() {
    return session.metadata();
  }

  /** The owner's signature under the creation, as the server holds it. */
  public byte[] ownerSignature() {
    return session.ownerSignature();
  }

  /** What opens content with the content keys this reader holds. */
  public Opener opener() {
    return opener;
  }

  /** A header of a verified record; null when it is not kept any more. */
  @Nullable RecordHeader kept(Hash name) {
    return headers.get(name);
  }

  void keep(RecordHeader header) {
    headers.put(header.name(), header);
  }

  void countProofHeaders(int count) {
    proofHeaders += count;
  }

  /** The verification cache. */
  public VerificationCache cache() {
    return cache;
  }

  /** Headers received in proofs so far. */
  public long proofHeaders() {
    return proofHeaders;
  }

  /** Reads and proves one record. */
  public ReadResult read(Hash name) throws ProofException {
    return readAll(List.of(name)).getFirst();
  }

  /** Reads and proves many records. */
  public List<ReadResult> readAll(List<Hash> names) throws ProofException {
    return patiently(() -> begin(names, List.of(), Read.Content.RECORDS).await()).records();
  }

  /** Reads and proves headers; bodies stay where they are. */
  public List<ReadResult> readHeaders(List<Hash> names) throws ProofException {
    return patiently(() -> begin(names, List.of(), Read.Content.HEADERS).await()).records();
  }

  /** Reads and proves single leaves. */
  public List<ReadResult.LeafResult> readLeaves(List<ReadResult.LeafName> leaves)
      throws ProofException {
    return patiently(() -> beginLeaves(leaves).await()).leaves();
  }

  /** Proves records without fetching them; an exception if one cannot be proven. */
  public void prove(List<Hash> names) throws ProofException {
    for (ReadResult result : readHeaders(names)) {
      if (result instanceof ReadResult.Outside) {
        throw outside(result.name());
      }
      if (result instanceof ReadResult.Unproven
          || result instanceof ReadResult.Absent
          || result instanceof ReadResult.Damaged) {
        throw new HoldfastException(
            result instanceof ReadResult.Unproven ? ErrorCode.UNPROVEN : ErrorCode.NOT_FOUND,
            "record " + result.name().brief() + " cannot be proven by this server");
      }
    }
  }

  static HoldfastException outside(Hash name) {
    return new HoldfastException(
        ErrorCode.SUCCEEDED,
        "record " + name.brief() + " lies outside of the final heads of the closed capsule");
  }

  /**
   * A proof of a record, or of a leaf of it, that holds up without a server or a cache.
   *
   * @param leaf index of the leaf; negative for the record alone
   */
  public ProofMaterial proofMaterial(Hash record, int leaf) throws ProofException {
    return patiently(
        () -> ProofMaterial.ask(this, session(), record, leaf, options.timeoutMillis()));
  }

  /** Asks for records without waiting. */
  public PendingRead beginRead(List<Hash> names) throws ProofException {
    return begin(names, List.of(), Read.Content.RECORDS);
  }

  /** Asks for proofs of records without waiting; their headers come only inside the proofs. */
  public PendingRead beginProve(List<Hash> names) throws ProofException {
    return begin(names, List.of(), Read.Content.NOTHING);
  }

  /** Asks for leaves without waiting. */
  public PendingRead beginLeaves(List<ReadResult.LeafName> leaves) throws ProofException {
    return begin(List.of(), leaves, Read.Content.HEADERS);
  }

  /**
   * Reads and proves everything from an arrival number on, in order, a little ahead of its user.
   */
  public Cursor scan(long from) {
    return new Cursor(this, from);
  }

  /** The heads, signed by the server for this question. */
  public Freshness heads() throws ProofException {
    return patiently(() -> session().fresh());
  }

  /**
   * Asks this server whether it still has a record that it has signed for.
   *
   * @param promised the server's receipt for a record, synced
   * @return what shows to anybody that it has not; nothing when it says that it has, which reading
   *     the record bears out or not
   */
  public Optional<Evidence> audit(Receipt.Extract promised) throws ProofException {
    return patiently(() -> session().audit(promised));
  }

  /** The owner's statements, or all, verified. */
  public List<Statement> statements(boolean ownerOnly) throws ProofException {
    return patiently(() -> session().statements(ownerOnly));
  }

  /** Completes the beginning of a record's name. */
  public Hash resolve(String prefix) throws ProofException {
    return patiently(() -> session().resolveRecord(prefix));
  }

  /** What the server says of itself and the capsule. */
  public holdfast.wire.ServerStatus status() throws ProofException {
    return patiently(() -> session().status());
  }

  /**
   * The records from an arrival number on, checked for name and body and not proven; for copying
   * and listing. A body too large for a page is left out: {@link #whole} brings it.
   *
   * @param bodies whether bodies are wanted
   * @throws HoldfastException {@link ErrorCode#DAMAGED} naming the arrival numbers of records that
   *     the server holds damaged
   */
  public ArrivalPage page(long from, int limit, boolean bodies) throws ProofException {
    return pageWithDamage(from, limit, bodies).whole();
  }

  /** The same, with the arrival numbers of records that the server holds damaged beside it. */
  ArrivalPage pageWithDamage(long from, int limit, boolean bodies) throws ProofException {
    return page(
        Range.newBuilder()
            .setFrom(from)
            .setLimit(limit)
            .setContent(bodies ? Read.Content.RECORDS : Read.Content.HEADERS)
            .build());
  }

  /** The records whose claimed time lies in a range, headers only. */
  public ArrivalPage page(long from, int limit, long fromMillis, long toMillis)
      throws ProofException {
    return page(Range.newBuilder()
            .setFrom(from)
            .setLimit(limit)
            .setContent(Read.Content.HEADERS)
            .setFromMillis(fromMillis)
            .setToMillis(toMillis)
            .build())
        .whole();
  }

  /**
   * A record with its body, which is fetched if it was left out; checked for its body and not
   * proven.
   */
  Record whole(Record record) throws ProofException {
    return record.state() == Record.State.HEADER_ONLY
        ? patiently(() -> fetch(record.header())).record()
        : record;
  }

  BodyParts.Fetched fetch(RecordHeader header) throws ProofException {
    return BodyParts.fetch(session(), header, options.timeoutMillis());
  }

  private ArrivalPage page(Range range) throws ProofException {
    ArrivalPage page =
        patiently(() ->
            ArrivalPage.of(
                capsule,
                session()
                    .session()
                    .call(
                        Request.newBuilder().setRange(range),
                        Reply.ResultCase.PAGE,
                        options.timeoutMillis())
                    .getPage()));
    if (!page.end() && page.next() <= range.getFrom()) {
      throw new ProofException(
          Violation.MALFORMED, "a page of records is not the last and leads nowhere");
    }
    return page;
  }

  /**
   * A page of records in the order of their arrival at the server.
   *
   * @param damaged arrival numbers of records that belong here and that the server holds damaged
   */
  public record ArrivalPage(
      List<Record> records, List<Boolean> proven, long next, boolean end, List<Long> damaged) {
    /** This page, if nothing of it is damaged. */
    ArrivalPage whole() {
      if (!damaged.isEmpty()) {
        throw damage(damaged);
      }
      return this;
    }

    /** Says which records a server holds damaged. */
    static HoldfastException damage(List<Long> arrivals) {
      return new HoldfastException(
          ErrorCode.DAMAGED,
          "the server holds damaged, and does not serve, "
              + (arrivals.size() == 1 ? "record number " : "records number ")
              + arrivals.stream().limit(8).map(String::valueOf).collect(joining(", "))
              + (arrivals.size() > 8 ? " and " + (arrivals.size() - 8) + " more" : ""));
    }

    static ArrivalPage of(Hash capsule, Page page) throws ProofException {
      List<Record> records =
          Record.readAll(page.getRecords().toByteArray(), Limits.RECORDS_PER_BATCH);
      byte[] flags = page.getProven().toByteArray();
      if (flags.length != records.size()) {
        throw new ProofException(Violation.MALFORMED, "a page of records is malformed");
      }
      List<Boolean> proven = new ArrayList<>();
      for (int i = 0; i < flags.length; i++) {
        Record record = records.get(i);
        record.expect(capsule, record.name());
        proven.add(flags[i] == 1);
      }
      return new ArrivalPage(
          records, proven, page.getNext(), page.getEnd(), List.copyOf(page.getDamagedList()));
    }
  }

  /** Subscribes to records from an arrival number on. */
  public Subscription watch(long from) throws ProofException {
    return new Subscription(this, capsule, from);
  }

  CapsuleSession openAside(int ahead) throws ProofException {
    return CapsuleSession.paced(server, capsule, ahead, options.timeoutMillis());
  }

  private interface Question<T> {
    T ask() throws ProofException;
  }

  /** Asks again over a new session when the old one broke: reading twice is harmless. */
  private <T> T patiently(Question<T> question) throws ProofException {
    for (int attempt = 1; ; attempt++) {
      try {
        return question.ask();
      } catch (HoldfastException e) {
        boolean passing = e.code() == ErrorCode.UNREACHABLE && session.session().broken();
        order.clear();
        gathering = null;
        if (!passing || attempt == ATTEMPTS) {
          throw e;
        }
      }
    }
  }

  // ---- Asking
  // ---------------------------------------------------------------------------------------------

  private PendingRead begin(
      List<Hash> names, List<ReadResult.LeafName> leaves, Read.Content content)
      throws ProofException {
    PendingRead.Message message = gathering;
    if (message != null
        && (message.content != content
            || message.size() + names.size() + leaves.size() > Limits.NAMES_PER_REQUEST / 2)) {
      send();
      message = null;
    }
    if (message == null) {
      message = new PendingRead.Message(content, false);
      gathering = message;
    }
    PendingRead begun = new PendingRead(this, message, names, leaves);
    for (ReadResult.LeafName leaf : leaves) {
      RecordHeader header = headers.get(leaf.record());
      if (header == null) {
        message.headers.add(leaf.record());
      } else {
        // It may be pushed out of what is kept before the answer comes.
        message.known.put(leaf.record(), header);
      }
    }
    if (message.size() >= GATHERED) {
      send();
    }
    return begun;
  }

  /** Sends the reads that have gathered, without waiting for more to share their message. */
  public void send() throws ProofException {
    PendingRead.Message message = gathering;
    if (message == null) {
      return;
    }
    gathering = null;
    // Headers that leaves need come behind the names that were asked for.
    message.names.addAll(message.headers);
    ask(message);
    order.add(message);
  }

  private void ask(PendingRead.Message message) throws ProofException {
    CapsuleSession in = session();
    Read.Builder read =
        Read.newBuilder()
            .setNames(ServerSession.concat(message.names))
            .setContent(message.content)
            .setProve(true)
            .setIgnoreCache(message.ignoresCache);
    if (!message.leaves.isEmpty()) {
      Encoder refs = new Encoder(message.leaves.size() * (Hash.SIZE + 4));
      message.leaves.forEach(leaf -> refs.hash(leaf.record()).u32(leaf.leaf()));
      read.setLeaves(ServerSession.bytes(refs.toBytes()));
    }
    message.session = in;
    message.pending = in.session().send(acknowledging(Request.newBuilder()).setRead(read));
  }

  private Request.Builder acknowledging(Request.Builder request) {
    unacknowledged = 0;
    return request.setAcknowledged(verifiedAnswers).setChecksum((int) checksum.getValue());
  }

  /** Verifies answers in order until this one is done. */
  PendingRead.Results finish(PendingRead.Message wanted) throws ProofException {
    if (wanted.equals(gathering)) {
      send();
    }
    while (wanted.results == null) {
      PendingRead.Message first = order.poll();
      if (first == null) {
        throw new HoldfastException(
            ErrorCode.UNREACHABLE, "the session broke while this read was under way");
      }
      first.results = verifyOrAskAgain(first);
    }
    return wanted.results;
  }

  /**
   * Verifies an answer. A proof that rests on something never verified here may come from a mirror
   * that is out of step, and one that leaves the final heads out may have been under way when the
   * capsule was closed: then both sides begin with an empty cache, and the answer is asked for once
   * more, up to signatures. So a wrong mirror costs speed, and a forged chain is refused.
   */
  private PendingRead.Results verifyOrAskAgain(PendingRead.Message read) throws ProofException {
    try {
      return verify(read);
    } catch (ProofException e) {
      boolean mayBeOld =
          e.violation() == Violation.BROKEN_CHAIN || e.violation() == Violation.OUTSIDE;
      if (!mayBeOld || read.ignoresCache) {
        throw e;
      }
      if (inStep(read)) {
        session.session().post(outOfStep());
      }
      try {
        PendingRead.Message again = read.withoutCache();
        ask(again);
        return verify(again);
      } catch (ProofException twice) {
        twice.addSuppressed(e);
        throw twice;
      }
    }
  }

  /** Whether an answer was made with the mirror of the cache as it is now. */
  private boolean inStep(PendingRead.Message read) {
    ServerSession.Pending pending = read.pending;
    return pending != null && session.equals(read.session) && pending.epoch() == cacheEpoch;
  }

  private PendingRead.Results verify(PendingRead.Message read) throws ProofException {
    ServerSession.Pending pending = Objects.requireNonNull(read.pending, "asked before verified");
    Answer answer =
        ServerSession.expect(Reply.ResultCase.ANSWER, pending.await(options.timeoutMillis()))
            .getAnswer();
    heed(session);
    if (session.equals(read.session) && pending.epoch() > cacheEpoch) {
      // The server began with an empty mirror before it made this answer.
      cacheEpoch = pending.epoch();
      cache = new VerificationCache(cache.capacity(), SLACK);
      restartAcknowledgements();
    }
    boolean adds = answer.getAnswer() != 0 && inStep(read);
    PendingRead.Results results = new AnswerCheck(this, capsule, read, answer, adds).run();
    if (adds) {
      verifiedAnswers = answer.getAnswer();
      checksum.update(answer.getProof().toByteArray());
      checksum.update(answer.getLeaves().toByteArray());
      if (++unacknowledged >= UNACKNOWLEDGED) {
        session
            .session()
            .post(
                acknowledging(Request.newBuilder())
                    .setAcknowledge(Acknowledge.getDefaultInstance()));
      }
    }
    return results;
  }

  @Override
  public void close() {
    session.close();
  }
}
