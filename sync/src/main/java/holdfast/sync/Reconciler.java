package holdfast.sync;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import java.util.List;
import java.util.function.Consumer;

/**
 * Finds out, in messages with its twin on the other side, which names of one's own the peer lacks.
 * Knows names only; what is found is sent elsewhere. A peer that does not keep to the protocol is
 * met with {@link ProofException}; no message makes a reconciler allocate more than its limits say.
 */
public interface Reconciler {
  /** Begins; the side that opened the round may send first messages. */
  void begin(Consumer<byte[]> send);

  /** Takes a message of the twin. */
  void receive(byte[] message, Consumer<byte[]> send) throws ProofException;

  /** Whether this side has nothing more to say or to hear. */
  boolean done();

  /** Names of this side that the peer lacks, as far as could be found out; after {@link #done}. */
  List<Hash> lackedByPeer();
}
