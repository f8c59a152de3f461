package holdfast.client;

import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Statement;
import holdfast.crypto.SigningKey;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * The servers that a placement names, as a client sees them. Each must show the identity that the
 * owner signed; what a user has pinned plays no part.
 */
public final class Replicas implements AutoCloseable {
  private final Statement.Placement placement;
  private final List<Server> servers;

  private Replicas(Statement.Placement placement) {
    this.placement = placement;
    this.servers = placement.members().stream().map(Replicas::connect).toList();
  }

  /**
   * The members of a placement; connects when first used.
   *
   * @param placement verified, as all statements are that a reader returns
   */
  public static Replicas of(Statement.Placement placement) {
    return new Replicas(placement);
  }

  /** A member of a placement, which must be the server that the owner named. */
  static Server connect(Statement.Placement.Member member) {
    return Server.at(holdfast.net.Endpoint.parse(member.address()), member.identity());
  }

  /** What the owner has signed. */
  public Statement.Placement placement() {
    return placement;
  }

  /** The members, in the order of the placement. */
  public List<Server> servers() {
    return servers;
  }

  /**
   * Opens a writer to all members. Continues from the heads of those that answer first, as many as
   * have to acknowledge. It follows the owner to later placements.
   */
  public CapsuleWriter openWriter(
      SigningKey key, ContentKey contentKey, WriterOptions options, ReplicationOptions replication)
      throws ProofException {
    ReplicatedDelivery delivery =
        new ReplicatedDelivery(placement, servers, key, options, replication);
    try {
      List<Replica.Start> starts = delivery.open();
      Replica.Start first = starts.getFirst();
      RecordMaker maker =
          new RecordMaker(
              placement.capsule(), first.writer(), key, contentKey, heads(starts), options);
      return CapsuleWriter.started(new CapsuleWriter(first.metadata(), options, maker, delivery));
    } catch (ProofException | RuntimeException e) {
      delivery.close();
      throw e;
    }
  }

  /**
   * Opens a reader, which asks one member and fails over to the next. It follows the owner to later
   * placements.
   */
  public ReplicatedReader openReader(List<ContentKey> contentKeys, ReaderOptions options) {
    return openReader(contentKeys, options, 0);
  }

  /**
   * Opens the same for a capsule whose writers wait for another number of receipts.
   *
   * @param acknowledged how many members every write was acknowledged by; 0 for more than half of
   *     them. By it the reader knows when an old placement may be left
   */
  public ReplicatedReader openReader(
      List<ContentKey> contentKeys, ReaderOptions options, int acknowledged) {
    return ReplicatedReader.following(placement, servers, contentKeys, options, acknowledged);
  }

  /**
   * The heads of all, without those that another one has below its own. That one says so is
   * believed: at worst the run begins a branch that it need not have begun.
   */
  private List<Hash> heads(List<Replica.Start> starts) {
    Set<Hash> heads = new LinkedHashSet<>();
    starts.forEach(one -> heads.addAll(one.heads()));
    for (Replica.Start one : starts) {
      Set<Hash> others = new HashSet<>(heads);
      one.heads().forEach(others::remove);
      if (!others.isEmpty()) {
        heads.removeAll(known(one.server(), List.copyOf(others)));
      }
    }
    return heads.stream().limit(Limits.BACKPOINTERS).toList();
  }

  private List<Hash> known(Server server, List<Hash> names) {
    List<Hash> known = new ArrayList<>();
    try (CapsuleReader reader =
        server.openReader(placement.capsule(), List.of(), ReaderOptions.withoutCache())) {
      for (ReadResult result : reader.readHeaders(names)) {
        if (result instanceof ReadResult.Proven) {
          known.add(result.name());
        }
      }
    } catch (HoldfastException | ProofException e) {
      // Whoever cannot say leaves all heads as they are.
      known.clear();
    }
    return known;
  }

  @Override
  public void close() {
    servers.forEach(Server::close);
  }
}
