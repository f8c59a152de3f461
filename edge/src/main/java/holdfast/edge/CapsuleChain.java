package holdfast.edge;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.client.CapsuleReader;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The capsules of an edge, oldest first: an edge that lost its writer's key goes on in another one,
 * whose metadata names the one before. Only the newest is written; the state of the edge follows
 * from all of them.
 */
final class CapsuleChain {
  private static final int MOST = 1000;

  private CapsuleChain() {}

  /**
   * Opens the capsules of an edge on a server.
   *
   * @param newest whose metadata leads to the others; its name is what all of this rests on
   * @param keys the content keys of a capsule, oldest epoch first
   * @param writer the key that writes the newest; null to read only
   * @return the newest, which has the others behind it
   */
  static EdgeCapsule open(
      Server server,
      Hash newest,
      Function<CapsuleReader, List<ContentKey>> keys,
      @Nullable SigningKey writer)
      throws ProofException {
    ArrayDeque<Hash> names = new ArrayDeque<>();
    ArrayDeque<List<ContentKey>> opening = new ArrayDeque<>();
    Set<Hash> seen = new HashSet<>();
    VerifyKey owner = null;
    for (Hash next = newest; next != null; ) {
      if (!seen.add(next) || seen.size() > MOST) {
        throw new ProofException(
            Violation.BROKEN_CHAIN, "the capsules of the edge name each other as predecessors");
      }
      try (CapsuleReader reader =
          server.openReader(next, List.of(), ReaderOptions.withoutCache())) {
        Metadata metadata = reader.metadata();
        if (owner != null && !owner.equals(metadata.owner())) {
          throw new ProofException(
              Violation.BROKEN_CHAIN,
              "capsule " + next.brief() + " has another owner than the one that continues it");
        }
        owner = metadata.owner();
        names.push(next);
        opening.push(keys.apply(reader));
        next = EdgeMetadata.predecessor(metadata).orElse(null);
      }
    }
    EdgeCapsule before = null;
    while (names.size() > 1) {
      before = new EdgeCapsule(server, names.pop(), null, opening.pop(), before);
    }
    return new EdgeCapsule(server, names.pop(), writer, opening.pop(), before);
  }
}
