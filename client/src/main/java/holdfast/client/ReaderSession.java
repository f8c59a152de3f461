package holdfast.client;

import holdfast.base.Encoder;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.FinalHeads;
import holdfast.capsule.Metadata;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.capsule.VerificationCache;
import holdfast.wire.Acknowledge;
import holdfast.wire.Answer;
import holdfast.wire.Read;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The session of a reader, opened anew when it broke: the verification cache, in step with the
 * server's mirror of it, and the reads under way. An answer is verified before anything of it is
 * given out, and answers are verified in the order in which they were asked for.
 *
 * <p>Not safe for use by several threads.
 */
final class ReaderSession {
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

  ReaderSession(Server server, Hash capsule, ReaderOptions options) throws ProofException {
    this.server = server;
    this.capsule = capsule;
    this.options = options;
    this.cache = new VerificationCache(options.cacheEntries(), SLACK);
    this.session = open();
  }

  // ---- The session
  // ----------------------------------------------------------------------------------------

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
  @Nullable FinalHeads closing() throws ProofException {
    heed(session);
    return closing;
  }

  /** Makes known a succession that came to its user otherwise than from this server. */
  void learn(Statement.Succession succession) throws ProofException {
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

  /** The session, opened anew if it broke. */
  CapsuleSession session() throws ProofException {
    if (session.session().broken()) {
      session.close();
      session = open();
    }
    return session;
  }

  /** The capsule's metadata, verified. */
  Metadata metadata() {
    return session.metadata();
  }

  /** The owner's signature under the creation, as the server holds it. */
  byte[] ownerSignature() {
    return session.ownerSignature();
  }

  /** Something that is asked of the server. */
  interface Question<T> {
    T ask() throws ProofException;
  }

  /** Asks again over a new session when the old one broke: reading twice is harmless. */
  <T> T patiently(Question<T> question) throws ProofException {
    for (int attempt = 1; ; attempt++) {
      try {
        return question.ask();
      } catch (HoldfastException e) {
        boolean passing =
            (e.code() == ErrorCode.UNREACHABLE || e.code() == ErrorCode.STOPPING)
                && session.session().broken();
        order.clear();
        gathering = null;
        if (!passing || attempt == ATTEMPTS) {
          throw e;
        }
      }
    }
  }

  void close() {
    session.close();
  }

  // ---- What was verified
  // ------------------------------------------------------------------------------------

  /** The verification cache. */
  VerificationCache cache() {
    return cache;
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

  /** Headers received in proofs so far. */
  long proofHeaders() {
    return proofHeaders;
  }

  // ---- Asking
  // ---------------------------------------------------------------------------------------------

  /** Asks for records and leaves, without waiting for the answer. */
  PendingRead begin(List<Hash> names, List<ReadResult.LeafName> leaves, Read.Content content)
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
  void send() throws ProofException {
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

  /** A body that was left out of an answer or a page. */
  BodyParts.Fetched fetch(RecordHeader header) throws ProofException {
    return BodyParts.fetch(session(), header, options.timeoutMillis());
  }
}
