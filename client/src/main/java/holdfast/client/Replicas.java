package holdfast.client;

import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Statement;
import holdfast.crypto.SigningKey;
import holdfast.net.Endpoint;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * The servers that a placement names, as a client sees them. Each must show the identity that the
 * owner signed; what a user has pinned plays no part.
 *
 * <p>While a capsule moves, the placements before hold jointly with the newest until the owner
 * releases them ({@link holdfast.capsule.Release}), or until the new members are found to have all.
 * Whoever opens a reader or writer then goes by all of them from the first moment: the new members
 * alone may not have what was acknowledged.
 */
public final class Replicas implements AutoCloseable {
  private final Set<Statement> statements;
  private final Statement.Placement placement;
  private final List<Server> servers;

  private Replicas(Set<Statement> statements, Statement.Placement placement) {
    this.statements = statements;
    this.placement = placement;
    this.servers = placement.members().stream().map(Replicas::connect).toList();
  }

  /**
   * The members of the newest placement; connects when first used.
   *
   * @param statements the owner's, as far as they are known, verified, as all are that a reader
   *     returns; with the placements before, or the members are asked for them
   * @throws IllegalArgumentException when no placement is among them
   */
  public static Replicas of(Collection<? extends Statement> statements) {
    Statement.Placement newest = Statement.Placement.current(statements);
    if (newest == null) {
      throw new IllegalArgumentException("a capsule that is not placed has no members");
    }
    return new Replicas(Set.copyOf(statements), newest);
  }

  /** What is known now; asks the members in turn when a placement may hold that is not known. */
  private KnownPlacements known() {
    KnownPlacements known = new KnownPlacements(statements);
    for (Server one : servers) {
      if (!known.complete()) {
        known.learn(JointPlacement.shownBy(one, placement.capsule()));
      }
    }
    return known;
  }

  /**
   * A member of a placement, which must be the server that the owner named. One whose address has
   * no port that exists cannot be reached, like one that is gone: it must not keep anybody from the
   * other members.
   */
  public static Server connect(Statement.Placement.Member member) {
    String address = member.address();
    Endpoint endpoint;
    try {
      endpoint = Endpoint.parse(address);
    } catch (IllegalArgumentException e) {
      // Nothing listens at port 0.
      endpoint = new Endpoint(address.substring(0, address.lastIndexOf(':')), 0);
    }
    return Server.at(endpoint, member.identity());
  }

  /** The newest placement. */
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
        new ReplicatedDelivery(known(), servers, key, options, replication);
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
    return ReplicatedReader.following(known(), servers, contentKeys, options, acknowledged);
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
