package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.capsule.Receipt;
import holdfast.capsule.Statement;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import holdfast.net.Connection;
import holdfast.net.Endpoint;
import holdfast.wire.Create;
import holdfast.wire.Kept;
import holdfast.wire.KeptPage;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import holdfast.wire.Resolve;
import holdfast.wire.ServerStatus;
import holdfast.wire.Status;
import java.security.SecureRandom;
import java.util.List;

/**
 * A server, as a client sees it. Opens writers and readers; holds one connection for all of them.
 */
public final class Server implements AutoCloseable {
  static final SecureRandom RANDOM = new SecureRandom();
  private static final long TIMEOUT_MILLIS = 30_000;
  private static final int KEPT_PER_PAGE = 100;

  private final Connection connection;

  private Server(Connection connection) {
    this.connection = connection;
  }

  /** A server at an endpoint; connects when first used. */
  public static Server at(Endpoint endpoint, Connection.Pin pin) {
    return new Server(Connection.to(endpoint, pin));
  }

  /** A server whose identity is known. */
  public static Server at(Endpoint endpoint, VerifyKey identity) {
    return at(endpoint, Connection.Pin.exactly(identity));
  }

  /** The server that a connection leads to; closing this closes the connection. */
  public static Server over(Connection connection) {
    return new Server(connection);
  }

  /** Where the server is. */
  public Endpoint endpoint() {
    return connection.endpoint();
  }

  /** The server's identity, once something has been asked of it. */
  public VerifyKey identity() {
    return connection.identity();
  }

  ServerSession session() {
    return new ServerSession(connection);
  }

  ServerSession session(int ahead) {
    return new ServerSession(connection, ahead);
  }

  /**
   * Creates a capsule.
   *
   * @return the receipt, verified
   */
  public Receipt create(Metadata metadata, SigningKey owner) throws ProofException {
    return create(metadata, metadata.signCreation(owner));
  }

  /**
   * Creates a capsule with the owner's signature under its creation, as found in a bundle.
   *
   * @return the receipt, verified
   */
  public Receipt create(Metadata metadata, byte[] ownerSignature) throws ProofException {
    try (ServerSession session = session()) {
      Reply reply =
          session.call(
              Request.newBuilder()
                  .setCreate(
                      Create.newBuilder()
                          .setMetadata(ServerSession.bytes(metadata.encode()))
                          .setOwnerSignature(ServerSession.bytes(ownerSignature))),
              Reply.ResultCase.RECEIPT,
              TIMEOUT_MILLIS);
      Hash name = metadata.name();
      return ReceiptCheck.verify(
              reply,
              identity(),
              name,
              Receipt.Level.SYNCED,
              List.of(new ReceiptCheck.Expected(Receipt.Kind.CREATE, List.of(name))))
          .receipt();
    }
  }

  /** Opens a writer of a capsule. Continues from the capsule's heads. */
  public CapsuleWriter openWriter(
      Hash capsule, SigningKey writerKey, ContentKey contentKey, WriterOptions options)
      throws ProofException {
    return CapsuleWriter.open(this, capsule, writerKey, contentKey, options);
  }

  /** Opens a reader of a capsule. */
  public CapsuleReader openReader(Hash capsule, List<ContentKey> contentKeys, ReaderOptions options)
      throws ProofException {
    return new CapsuleReader(this, capsule, contentKeys, options);
  }

  /** Sends a statement of the owner about a capsule. */
  public Receipt declare(Statement statement) throws ProofException {
    try (CapsuleSession session =
        CapsuleSession.open(this, statement.capsule(), 0, List.of(), TIMEOUT_MILLIS)) {
      return session.declare(List.of(statement));
    }
  }

  /** Completes the beginning of a capsule's name, as in git. */
  public Hash resolveCapsule(String prefix) throws ProofException {
    if (prefix.length() == 2 * Hash.SIZE) {
      return Hash.parse(prefix);
    }
    try (ServerSession session = session()) {
      return only(
          "capsule",
          prefix,
          session.call(
              Request.newBuilder().setResolve(Resolve.newBuilder().setPrefix(prefix)),
              Reply.ResultCase.RESOLVED,
              TIMEOUT_MILLIS));
    }
  }

  static Hash only(String what, String prefix, Reply reply) throws ProofException {
    List<Hash> names = ServerSession.names(reply.getResolved().getNames());
    for (Hash name : names) {
      if (!name.toString().startsWith(prefix)) {
        throw new ProofException(
            Violation.WRONG_NAME, "the server completes " + prefix + " as " + name.brief());
      }
    }
    if (names.isEmpty()) {
      throw new HoldfastException(
          what.equals("capsule") ? ErrorCode.UNKNOWN_CAPSULE : ErrorCode.NOT_FOUND,
          "no " + what + " begins with " + prefix);
    }
    if (names.size() > 1) {
      throw new HoldfastException(
          ErrorCode.INVALID,
          "more than one "
              + what
              + " begins with "
              + prefix
              + ": "
              + String.join(", ", names.stream().map(Hash::brief).toList())
              + "; give more digits");
    }
    return names.getFirst();
  }

  /** What the server says of itself. */
  public ServerStatus status() throws ProofException {
    try (ServerSession session = session()) {
      return session
          .call(
              Request.newBuilder().setStatus(Status.getDefaultInstance()),
              Reply.ResultCase.STATUS,
              TIMEOUT_MILLIS)
          .getStatus();
    }
  }

  /** Hears of one capsule after the other. */
  @FunctionalInterface
  public interface KeptVisitor {
    /** Takes a capsule that the server keeps. */
    void visit(KeptCapsule capsule) throws ProofException;
  }

  /** Visits the capsules that the server keeps by a placement, in the order of their names. */
  public void kept(KeptVisitor visitor) throws ProofException {
    try (ServerSession session = session()) {
      Hash after = Hash.ZERO;
      for (boolean end = false; !end; ) {
        KeptPage page =
            session
                .call(
                    Request.newBuilder()
                        .setKept(
                            Kept.newBuilder()
                                .setAfter(ServerSession.bytes(after.toBytes()))
                                .setLimit(KEPT_PER_PAGE)),
                    Reply.ResultCase.KEPT,
                    TIMEOUT_MILLIS)
                .getKept();
        for (holdfast.wire.KeptCapsule wire : page.getCapsulesList()) {
          KeptCapsule kept = KeptCapsule.verify(wire);
          if (kept.name().compareTo(after) <= 0) {
            throw new ProofException(
                Violation.MALFORMED, "the server names capsules in the wrong order");
          }
          after = kept.name();
          visitor.visit(kept);
        }
        end = page.getEnd() || page.getCapsulesCount() == 0;
      }
    }
  }

  @Override
  public void close() {
    connection.close();
  }
}
