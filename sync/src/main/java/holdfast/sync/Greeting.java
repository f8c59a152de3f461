package holdfast.sync;

import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** HELLO: finds out whether both sides speak of the same, and on what terms. */
final class Greeting {
  /** The versions of this protocol that are spoken here. */
  static final int LEAST_VERSION = 1;

  static final int GREATEST_VERSION = 1;

  /** Rounds that a message has room for. */
  private static final int ROUNDS = 255;

  private final Hash capsule;
  private final boolean initiator;
  private final Strategy strategy;
  private final List<Marker> markers;
  private final Hash salt;
  private boolean said;

  /**
   * One side's greeting.
   *
   * @param strategy what the initiator asks for
   * @param markers what was kept of the last complete rounds with this peer, newest first
   * @param salt this side's share of the round's salt
   */
  Greeting(Hash capsule, boolean initiator, Strategy strategy, List<Marker> markers, Hash salt) {
    this.capsule = capsule;
    this.initiator = initiator;
    this.strategy = strategy;
    this.markers = List.copyOf(markers);
    this.salt = salt;
  }

  /** Whether this side is still to answer the initiator's greeting. */
  boolean owed() {
    return !initiator && !said;
  }

  /**
   * Greets the peer.
   *
   * @param statements digest of the owner's statements that are here
   */
  void say(Hash statements, Outbox out) {
    said = true;
    out.send(
        new Message.Hello(
            LEAST_VERSION,
            GREATEST_VERSION,
            capsule,
            salt,
            strategy.number(),
            rounds().stream().limit(ROUNDS).toList(),
            statements));
  }

  /** Why no round can be held with such a peer, although it is honest; null if one can. */
  static @Nullable String obstacle(Message.Hello hello) {
    if (hello.least() <= GREATEST_VERSION && hello.greatest() >= LEAST_VERSION) {
      return null;
    }
    return "the peer speaks versions "
        + hello.least()
        + " to "
        + hello.greatest()
        + " of the protocol of rounds, this side "
        + LEAST_VERSION
        + " to "
        + GREATEST_VERSION;
  }

  /** What both sides hold to from here on. */
  Terms agree(Message.Hello hello) throws ProofException {
    if (!hello.capsule().equals(capsule)) {
      throw new ProofException(
          Violation.WRONG_CAPSULE, "the peer began a round about another capsule");
    }
    Strategy agreed = initiator ? strategy : Strategy.of(hello.strategy());
    if (agreed == null) {
      throw new ProofException(Violation.MALFORMED, "the peer asks for an unknown strategy");
    }
    Encoder joint = new Encoder(64);
    joint.hash(initiator ? salt : hello.salt()).hash(initiator ? hello.salt() : salt);
    return new Terms(
        agreed, Sha256.get().hash(Domain.ROUND_SALT, joint.toBytes()), common(hello.rounds()));
  }

  private List<Hash> rounds() {
    return markers.stream().map(Marker::round).toList();
  }

  /** The newest round that both sides completed, by the initiator's order. */
  private Marker common(List<Hash> peers) {
    List<Hash> own = rounds();
    List<Hash> first = initiator ? own : peers;
    List<Hash> second = initiator ? peers : own;
    for (Hash round : first) {
      if (!round.equals(Hash.ZERO) && second.contains(round)) {
        return markers.get(own.indexOf(round));
      }
    }
    return Marker.NONE;
  }
}
