package holdfast.sync;

import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Statement;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * STATEMENTS: gives each side the owner's statements that it lacks, before any record is sent, so
 * that nothing is sent or asked for that the owner has had erased. Ends when both sides have stored
 * what they were sent.
 */
final class StatementExchange {
  private static final int NAMES = 16 * Message.NAMES;

  private final Replica replica;
  private final RoundOptions options;
  private final Set<Hash> peerNames = new HashSet<>();

  /** Statements that the peer has no reason to send: it was told of them, or has sent them. */
  private final Set<Hash> known = new HashSet<>();

  private Hash lastName = Hash.ZERO;
  private List<Hash> greeted = List.of();
  private boolean namesHeard;
  private boolean statementsHeard;
  private int toStore;
  private long taken;
  private boolean readySaid;
  private boolean readyHeard;

  /** Statements that the peer has for certain. */
  private final Set<Hash> agreed = new HashSet<>();

  StatementExchange(Replica replica, RoundOptions options) {
    this.replica = replica;
    this.options = options;
  }

  /** The digest of what is here now; the peer is greeted with it. */
  Hash digest() {
    greeted = names();
    return digest(greeted);
  }

  private List<Hash> names() {
    return replica.ownerStatements().stream().map(Statement::name).sorted().toList();
  }

  private static Hash digest(List<Hash> names) {
    Encoder out = new Encoder();
    names.forEach(out::hash);
    return Sha256.get().hash(Domain.ROUND_SALT, out.toBytes());
  }

  /**
   * Names what is here, unless both sides have the same.
   *
   * @param peers the digest with which the peer has greeted
   */
  void begin(Hash peers, Outbox out) {
    // By what was said, not by what is here by now: the peer decides by the same.
    if (peers.equals(digest(greeted))) {
      agreed.addAll(greeted);
      readyHeard = true;
      readySaid = true;
      return;
    }
    List<Hash> names = names();
    known.addAll(names);
    int from = 0;
    do {
      int to = Math.min(names.size(), from + Message.NAMES);
      out.send(new Message.StatementNames(names.subList(from, to), to == names.size()));
      from = to;
    } while (from < names.size());
  }

  /** Hears what the peer has, and sends what it lacks. */
  void hear(Message.StatementNames names, Outbox out) throws ProofException {
    if (namesHeard || peerNames.size() + names.names().size() > NAMES) {
      throw Stage.STATEMENTS.unexpected(names);
    }
    requireMore(names.names().isEmpty(), names.last());
    for (Hash name : names.names()) {
      if (!peerNames.isEmpty() && name.compareTo(lastName) <= 0) {
        throw new ProofException(
            Violation.MALFORMED, "the peer names statements in an order that does not ascend");
      }
      lastName = name;
      peerNames.add(name);
    }
    if (!names.last()) {
      return;
    }
    namesHeard = true;
    agreed.addAll(peerNames);
    List<byte[]> page = new ArrayList<>();
    int bytes = 0;
    for (Statement statement : replica.ownerStatements()) {
      if (!peerNames.contains(statement.name())) {
        byte[] encoded = statement.encode();
        agreed.add(statement.name());
        page.add(encoded);
        bytes += encoded.length;
        if (page.size() == Message.STATEMENTS || bytes > options.batchBytes()) {
          out.send(new Message.Statements(page, false));
          page = new ArrayList<>();
          bytes = 0;
        }
      }
    }
    out.send(new Message.Statements(page, true));
    peerNames.clear();
  }

  /** A page that says nothing, and that another will follow, could be sent for ever. */
  private static void requireMore(boolean empty, boolean last) throws ProofException {
    if (empty && !last) {
      throw new ProofException(
          Violation.MALFORMED, "the peer sent an empty page of statements that is not the last");
    }
  }

  /** Verifies what the peer sent, and asks for it to be stored. */
  void hear(Message.Statements page, Outbox out) throws ProofException {
    if (statementsHeard) {
      throw Stage.STATEMENTS.unexpected(page);
    }
    requireMore(page.statements().isEmpty(), page.last());
    List<Statement> statements = new ArrayList<>();
    for (byte[] encoded : page.statements()) {
      Statement statement = Statement.decode(encoded);
      if (statement instanceof Statement.WriterSignature
          || !statement.capsule().equals(replica.metadata().name())) {
        throw new ProofException(
            Violation.WRONG_CAPSULE,
            "the peer sent a statement that is not of this capsule's owner");
      }
      if (!known.add(statement.name())) {
        throw new ProofException(
            Violation.MALFORMED, "the peer sent a statement that is here, as it was told");
      }
      statement.verify(replica.metadata());
      statements.add(statement);
    }
    if (!statements.isEmpty()) {
      toStore++;
      // Tickets below zero are statements; those from zero on are pushes.
      out.ask(new Effect.Store(-toStore, List.of(), statements));
    }
    statementsHeard = page.last();
  }

  /** A page of statements is durable. */
  void stored() {
    toStore--;
    taken++;
  }

  /** Pages of statements that the peer sent and that are durable here. */
  long taken() {
    return taken;
  }

  void hear(Message.Ready ready) throws ProofException {
    if (readyHeard) {
      throw Stage.STATEMENTS.unexpected(ready);
    }
    readyHeard = true;
  }

  /** Bytes of the names that the peer has told. */
  long heldBytes() {
    return (peerNames.size() + agreed.size()) * Message.HELD_NAME_BYTES;
  }

  /** Says when this side has what it was sent; returns whether both have. */
  boolean complete(Outbox out) {
    if (!readySaid && statementsHeard && namesHeard && toStore == 0) {
      readySaid = true;
      out.send(new Message.Ready());
    }
    return readySaid && readyHeard;
  }

  /**
   * What the owner has had erased.
   *
   * @param here as far as this side knows
   * @param atPeer of these, what the peer knows for certain
   */
  record Erased(List<Statement.Erasure> here, List<Statement.Erasure> atPeer) {}

  /** What came of it, once it is complete. */
  Erased erased() {
    List<Statement.Erasure> here = new ArrayList<>();
    List<Statement.Erasure> atPeer = new ArrayList<>();
    for (Statement statement : replica.ownerStatements()) {
      if (statement instanceof Statement.Erasure erasure) {
        here.add(erasure);
        if (agreed.contains(erasure.name())) {
          atPeer.add(erasure);
        }
      }
    }
    agreed.clear();
    known.clear();
    return new Erased(here, atPeer);
  }
}
