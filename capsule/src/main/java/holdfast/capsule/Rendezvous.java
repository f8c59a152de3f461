package holdfast.capsule;

import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import holdfast.crypto.VerifyKey;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/**
 * Chooses the servers for a capsule by rendezvous hashing, also called highest random weight
 * (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998). Each server
 * has a weight for each capsule, a hash of both; the capsule goes to those with the highest.
 *
 * <p>Whoever knows the servers chooses the same. Capsules spread evenly. When a server leaves, only
 * what was on it moves; when one joins, only what it takes over does.
 */
public final class Rendezvous {
  private Rendezvous() {}

  /** The weight of a server for a capsule: H(hf1.rdzv; capsule name ‖ server's verify key). */
  public static Hash weight(Hash capsule, VerifyKey server) {
    Encoder out = new Encoder(80).hash(capsule);
    server.encode(out);
    return Sha256.get().hash(Domain.RENDEZVOUS, out.toBytes());
  }

  /**
   * The servers that are to keep a capsule, heaviest first.
   *
   * @param servers those to choose from; one that is given twice counts once
   * @param copies how many are wanted, from 1 to as many as there are
   */
  public static List<VerifyKey> choose(Hash capsule, Collection<VerifyKey> servers, int copies) {
    List<VerifyKey> distinct = servers.stream().distinct().toList();
    if (copies < 1 || copies > distinct.size()) {
      throw new IllegalArgumentException(
          copies + " copies cannot be kept by " + distinct.size() + " servers");
    }
    return distinct.stream()
        .sorted(Comparator.comparing((VerifyKey key) -> weight(capsule, key)).reversed())
        .limit(copies)
        .toList();
  }
}
