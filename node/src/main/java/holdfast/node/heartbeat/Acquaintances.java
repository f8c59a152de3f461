package holdfast.node.heartbeat;

import holdfast.base.Hash;
import holdfast.crypto.VerifyKey;
import holdfast.net.Connection;
import java.util.Map;

/** Who is to be heard of. */
public interface Acquaintances {
  /** The servers that keep a capsule together with this one, each with one such capsule. */
  Map<VerifyKey, Hash> all();

  /** Whether a placement says that this server and another keep a capsule. */
  boolean share(Hash capsule, VerifyKey peer);

  /** The way to one of them, with the capsule that is shared. */
  Connection connection(VerifyKey peer, Hash capsule);
}
