package holdfast.node.replication;

import holdfast.base.ProofException;
import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;
import holdfast.store.StoredCapsule;
import holdfast.wire.Meeting;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Who keeps a capsule, and where they are. */
public interface Directory {
  /** The servers that keep a capsule, this one among them if it does; empty if nobody is named. */
  List<Member> members(StoredCapsule capsule);

  /** Introduces a capsule to a server that may not have it, yet or any more. */
  Meeting introduce(StoredCapsule capsule, VerifyKey peer);

  /**
   * Takes in a capsule, or a newer placement of it, that a peer introduces.
   *
   * @return the capsule; null when nothing says that both servers keep it
   */
  @Nullable StoredCapsule admit(Meeting about, VerifyKey peer) throws ProofException;

  /** Where a member is reached. */
  Endpoint route(Member member);
}
