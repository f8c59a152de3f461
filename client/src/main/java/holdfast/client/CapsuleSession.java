package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Absence;
import holdfast.capsule.Evidence;
import holdfast.capsule.FinalHeads;
import holdfast.capsule.Freshness;
import holdfast.capsule.Holding;
import holdfast.capsule.Metadata;
import holdfast.capsule.Possession;
import holdfast.capsule.Receipt;
import holdfast.capsule.Statement;
import holdfast.capsule.Versions;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.wire.Absent;
import holdfast.wire.Declare;
import holdfast.wire.Fresh;
import holdfast.wire.Hold;
import holdfast.wire.Init;
import holdfast.wire.Opened;
import holdfast.wire.Possess;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import holdfast.wire.Resolve;
import holdfast.wire.Statements;
import holdfast.wire.Status;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A session that has chosen its capsule: metadata verified, cache mirrored, nonces exchanged. */
final class CapsuleSession implements AutoCloseable {
  private static final int PAGE = 1000;
  private static final int DECLARED = 500;

  /** How much longer than it asks for a busy server is left alone, at most. */
  private static final int BUSY_MILLIS = 50;

  private final ServerSession session;
  private final long timeoutMillis;
  private final Hash capsule;
  private final Metadata metadata;
  private final byte[] ownerSignature;
  private final Hash clientNonce;
  private final Hash serverNonce;
  private final int cacheEntries;
  private final List<Hash> resumed;
  private final long records;
  private final long placement;
  private @Nullable Closing closing;

  /**
   * A succession that the server has shown, verified.
   *
   * @param epoch the cache epoch in which answers begin to keep to it
   */
  record Closing(FinalHeads finalHeads, int epoch) {}

  private CapsuleSession(
      ServerSession session,
      Hash capsule,
      Hash clientNonce,
      List<Hash> cached,
      Opened opened,
      long timeoutMillis)
      throws ProofException {
    this.session = session;
    this.timeoutMillis = timeoutMillis;
    this.capsule = capsule;
    this.clientNonce = clientNonce;
    byte[] encoded = opened.getMetadata().toByteArray();
    if (!Metadata.nameOf(encoded).equals(capsule)) {
      throw new ProofException(
          Violation.WRONG_NAME,
          "the server's metadata is that of capsule "
              + Metadata.nameOf(encoded).brief()
              + ", not of "
              + capsule.brief());
    }
    this.metadata = Metadata.decode(encoded);
    this.ownerSignature = opened.getOwnerSignature().toByteArray();
    this.serverNonce = ServerSession.names(opened.getServerNonce()).getFirst();
    this.cacheEntries = opened.getCacheEntries();
    this.records = opened.getRecords();
    this.placement = opened.getPlacement();
    this.closing =
        opened.getSuccession().isEmpty()
            ? null
            : new Closing(FinalHeads.decode(opened.getSuccession().toByteArray(), metadata), 0);
    this.resumed = new ArrayList<>();
    byte[] taken = opened.getCached().toByteArray();
    for (int i = 0; i < Math.min(taken.length, cached.size()); i++) {
      if (taken[i] == 1) {
        resumed.add(cached.get(i));
      }
    }
  }

  static Hash freshNonce() {
    byte[] nonce = new byte[Hash.SIZE];
    Server.RANDOM.nextBytes(nonce);
    return Hash.of(nonce);
  }

  static CapsuleSession open(
      Server server, Hash capsule, int cacheEntries, List<Hash> cached, long timeoutMillis)
      throws ProofException {
    return open(server.session(), capsule, cacheEntries, cached, timeoutMillis);
  }

  private static CapsuleSession open(
      ServerSession session, Hash capsule, int cacheEntries, List<Hash> cached, long timeoutMillis)
      throws ProofException {
    session.patience(timeoutMillis);
    try {
      Hash nonce = freshNonce();
      Reply reply =
          session.call(
              Request.newBuilder()
                  .setInit(
                      Init.newBuilder()
                          .setCapsule(ServerSession.bytes(capsule.toBytes()))
                          .setClientNonce(ServerSession.bytes(nonce.toBytes()))
                          .setCacheEntries(cacheEntries)
                          .setCachedNames(ServerSession.concat(cached))),
              Reply.ResultCase.OPENED,
              timeoutMillis);
      Versions.SPOKEN.commonWith(session.serverSpeaks());
      Opened opened = reply.getOpened();
      if (opened.getServerNonce().size() != Hash.SIZE
          || opened.getCacheEntries() < 0
          || opened.getCacheEntries() > cacheEntries) {
        throw new ProofException(Violation.MALFORMED, "the server opens the session wrongly");
      }
      return new CapsuleSession(session, capsule, nonce, cached, opened, timeoutMillis);
    } catch (ProofException | RuntimeException e) {
      session.abandon();
      throw e;
    }
  }

  /** A session for a subscription, of which a few pages are taken in ahead of their use. */
  static CapsuleSession paced(Server server, Hash capsule, int ahead, long timeoutMillis)
      throws ProofException {
    return open(server.session(ahead), capsule, 0, List.of(), timeoutMillis);
  }

  ServerSession session() {
    return session;
  }

  Metadata metadata() {
    return metadata;
  }

  byte[] ownerSignature() {
    return ownerSignature;
  }

  int cacheEntries() {
    return cacheEntries;
  }

  List<Hash> resumed() {
    return resumed;
  }

  long records() {
    return records;
  }

  /**
   * The version of the newest placement that the server says it knows; 0 for none. What is written
   * with it in mind is written to this server and no other.
   */
  long placement() {
    return placement;
  }

  /** The succession that closed the capsule, as far as the server has shown one by now. */
  @Nullable Closing closing() throws ProofException {
    ServerSession.Told told = session.told();
    if (told != null && closing == null) {
      closing =
          new Closing(FinalHeads.decode(told.succession().toByteArray(), metadata), told.epoch());
    }
    return closing;
  }

  VerifyKey server() {
    return session.connection().identity();
  }

  /** Shows the server that a writer's key is held; returns the writer's index. */
  int possess(SigningKey key) throws ProofException {
    int writer = metadata.indexOf(key.verifyKey());
    if (writer < 0) {
      throw new HoldfastException(
          ErrorCode.DENIED,
          "the key " + key.verifyKey() + " is not among the writers of capsule " + capsule.brief());
    }
    Possession.Stated versions = new Possession.Stated(Versions.SPOKEN, session.serverSpeaks());
    byte[] proof = Possession.prove(key, server(), capsule, clientNonce, serverNonce, versions);
    session.call(
        Request.newBuilder()
            .setPossess(
                Possess.newBuilder().setWriter(writer).setSignature(ServerSession.bytes(proof))),
        Reply.ResultCase.DONE,
        timeoutMillis);
    return writer;
  }

  /** Asks for heads; the answer is verified against a nonce made for it. */
  Freshness fresh() throws ProofException {
    Hash nonce = freshNonce();
    Reply reply =
        session.call(
            Request.newBuilder()
                .setFresh(Fresh.newBuilder().setNonce(ServerSession.bytes(nonce.toBytes()))),
            Reply.ResultCase.FRESH,
            timeoutMillis);
    Freshness answer = Freshness.decode(reply.getFresh().getAnswer().toByteArray());
    answer.verify(server(), capsule, nonce);
    return answer;
  }

  /** Asks whether the server still has what it signed for; what comes if not, is verified. */
  Optional<Evidence> audit(Receipt.Extract promised) throws ProofException {
    Hash salt = freshNonce();
    Hash record = promised.entry().name();
    Hash nonce = Evidence.nonce(promised.receipt(), salt);
    Reply reply =
        session.call(
            Request.newBuilder()
                .setAbsent(
                    Absent.newBuilder()
                        .setName(ServerSession.bytes(record.toBytes()))
                        .setNonce(ServerSession.bytes(nonce.toBytes()))),
            Reply.ResultCase.ABSENT,
            timeoutMillis);
    if (reply.getAbsent().getAnswer().isEmpty()) {
      return Optional.empty();
    }
    Evidence evidence =
        new Evidence(promised, salt, Absence.decode(reply.getAbsent().getAnswer().toByteArray()));
    evidence.verify();
    return Optional.of(evidence);
  }

  /**
   * Asks how much of the capsule the server holds; what it signs is verified. A server that counts
   * for others is asked again for as long as an answer is waited for.
   */
  Holding holding(Hash salt) throws ProofException {
    Request.Builder request =
        Request.newBuilder()
            .setHold(Hold.newBuilder().setSalt(ServerSession.bytes(salt.toBytes())));
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
    Reply reply = null;
    while (reply == null) {
      try {
        reply = session.call(request, Reply.ResultCase.HOLD, leftMillis(end));
      } catch (HoldfastException e) {
        // The hint is a stranger's.
        long waitMillis =
            Math.clamp(e.retryAfterMillis(), BUSY_MILLIS, timeoutMillis)
                + Server.RANDOM.nextLong(BUSY_MILLIS);
        if (e.code() != ErrorCode.BUSY || leftMillis(end) <= waitMillis) {
          throw e;
        }
        pause(waitMillis, e);
      }
    }
    Holding answer = Holding.decode(reply.getHold().getAnswer().toByteArray());
    answer.verify(server(), capsule, salt);
    return answer;
  }

  private static long leftMillis(long endNanos) {
    return Math.max(1, TimeUnit.NANOSECONDS.toMillis(endNanos - System.nanoTime()));
  }

  private static void pause(long millis, HoldfastException busy) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw busy;
    }
  }

  /**
   * Whether the server has records that nothing proves: they are in no set that is compared, and no
   * round brings them elsewhere. In a closed capsule such records belong to it no more. Asked
   * before {@link #holding}, so that what is signed in between shows in one of the two.
   */
  private boolean unsignedTail() throws ProofException {
    return !fresh().tips().isEmpty()
        && statements(true).stream().noneMatch(Statement.Succession.class::isInstance);
  }

  /**
   * What a server says that it holds.
   *
   * @param tail whether it has records that nothing proves, or may have taken some since it was
   *     asked for them
   */
  record Held(Holding holding, boolean tail) {}

  /**
   * Asks how much of the capsule the server holds, and whether it has anything beside that.
   *
   * @param shown what the server shows of the owner's statements, asked for before this
   */
  Held held(Hash salt, List<Statement> shown, Statement.Placement newest) throws ProofException {
    boolean tail = unsignedTail();
    Holding holding = holding(salt);
    Statement.Placement known = Statement.Placement.current(shown);
    // Until it heard of the newest placement it went on taking such records from writers who have
    // not heard of it, also behind the answer on them.
    boolean heardSince =
        holding.version() >= newest.version()
            && (known == null || known.version() < newest.version());
    return new Held(holding, tail || heardSince);
  }

  Receipt declare(List<Statement> statements) throws ProofException {
    Declare.Builder declare = Declare.newBuilder();
    List<Hash> names = new ArrayList<>();
    for (Statement statement : statements) {
      declare.addStatements(ServerSession.bytes(statement.encode()));
      names.add(statement.name());
    }
    Reply reply =
        session.call(
            Request.newBuilder().setDeclare(declare), Reply.ResultCase.RECEIPT, 10 * timeoutMillis);
    return ReceiptCheck.verify(
            reply,
            server(),
            capsule,
            Receipt.Level.SYNCED,
            List.of(new ReceiptCheck.Expected(Receipt.Kind.STATEMENT, names)))
        .receipt();
  }

  /**
   * Declares any number of statements, in order.
   *
   * @return the receipt for the last of them, verified as those before were; null for none at all
   */
  @Nullable Receipt declareAll(List<? extends Statement> statements) throws ProofException {
    Receipt last = null;
    for (int at = 0; at < statements.size(); at += DECLARED) {
      last =
          declare(List.copyOf(statements.subList(at, Math.min(statements.size(), at + DECLARED))));
    }
    return last;
  }

  /** All statements, or only those of the owner; each verified. */
  List<Statement> statements(boolean ownerOnly) throws ProofException {
    Set<Statement> all = new LinkedHashSet<>();
    byte[] after = new byte[0];
    while (true) {
      var page =
          session
              .call(
                  Request.newBuilder()
                      .setStatements(
                          Statements.newBuilder()
                              .setAfter(ServerSession.bytes(after))
                              .setLimit(PAGE)
                              .setOwnerOnly(ownerOnly)),
                  Reply.ResultCase.STATEMENTS,
                  timeoutMillis)
              .getStatements();
      int before = all.size();
      for (var encoded : page.getStatementsList()) {
        Statement statement = Statement.decode(encoded.toByteArray());
        if (!statement.capsule().equals(capsule)) {
          throw new ProofException(
              Violation.WRONG_CAPSULE, "the server sends a statement about another capsule");
        }
        statement.verify(metadata);
        all.add(statement);
      }
      if (page.getEnd() || page.getStatementsCount() == 0) {
        return List.copyOf(all);
      }
      if (all.size() == before) {
        throw new ProofException(
            Violation.MALFORMED, "the server sends the same statements over and over");
      }
      after = page.getNext().toByteArray();
    }
  }

  Hash resolveRecord(String prefix) throws ProofException {
    if (prefix.length() == 2 * Hash.SIZE) {
      return Hash.parse(prefix);
    }
    return Server.only(
        "record",
        prefix,
        session.call(
            Request.newBuilder().setResolve(Resolve.newBuilder().setPrefix(prefix).setRecord(true)),
            Reply.ResultCase.RESOLVED,
            timeoutMillis));
  }

  holdfast.wire.ServerStatus status() throws ProofException {
    return session
        .call(
            Request.newBuilder().setStatus(Status.getDefaultInstance()),
            Reply.ResultCase.STATUS,
            timeoutMillis)
        .getStatus();
  }

  @Override
  public void close() {
    session.close();
  }
}
