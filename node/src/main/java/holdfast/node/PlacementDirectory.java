package holdfast.node;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Metadata;
import holdfast.capsule.Receipt;
import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;
import holdfast.net.Routes;
import holdfast.node.replication.Directory;
import holdfast.node.replication.Member;
import holdfast.store.CapsuleStore;
import holdfast.store.StoreBatch;
import holdfast.store.StoredCapsule;
import holdfast.wire.Meeting;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who keeps a capsule, by the placements that its owner signed. While a capsule moves, the servers
 * of all placements that hold jointly go on meeting, so that nothing is left behind.
 */
final class PlacementDirectory implements Directory {
  private static final Logger LOG = LoggerFactory.getLogger(PlacementDirectory.class);
  private static final long DECLARE_SECONDS = 20;

  /**
   * Servers that placements which hold jointly name at most: with each of them this server keeps a
   * connection. There may be many placements, as an edge that is restored often has.
   */
  static final int SERVERS = 128;

  private final CapsuleStore store;
  private final Ownership ownership;
  private final VerifyKey self;
  private final Routes routes;

  PlacementDirectory(CapsuleStore store, Ownership ownership, VerifyKey self, Routes routes) {
    this.store = store;
    this.ownership = ownership;
    this.self = self;
    this.routes = routes;
  }

  @Override
  public List<Member> members(StoredCapsule capsule) {
    if (capsule.placement() == null) {
      return List.of();
    }
    Map<VerifyKey, Member> members = new LinkedHashMap<>();
    for (Statement.Placement placement : meeting(capsule)) {
      for (Statement.Placement.Member member : placement.members()) {
        try {
          members.putIfAbsent(
              member.identity(), new Member(member.identity(), Endpoint.parse(member.address())));
        } catch (IllegalArgumentException e) {
          LOG.warn("a placement names the address {}, which is none", member.address());
        }
      }
    }
    return List.copyOf(members.values());
  }

  /**
   * The placements whose servers meet, the newest first: all that hold jointly, however many the
   * owner has signed in a row, and in any case the one before the newest, so that what a writer
   * with old knowledge brought its servers is not left behind. Rounds may bring more placements
   * than this server takes from a client; then only the newest count, as far as they name no more
   * servers than are allowed.
   */
  private static List<Statement.Placement> meeting(StoredCapsule capsule) {
    List<Statement> statements = capsule.ownerStatements();
    List<Statement.Placement> placements = new ArrayList<>();
    for (Statement statement : statements) {
      if (statement instanceof Statement.Placement placement) {
        placements.add(placement);
      }
    }
    placements.sort(Statement.Placement.ORDER.reversed());
    int joint = Math.min(Math.max(2, Release.joint(statements).size()), placements.size());
    int taken = 0;
    Set<VerifyKey> servers = new HashSet<>();
    for (Statement.Placement placement : placements.subList(0, joint)) {
      placement.members().forEach(member -> servers.add(member.identity()));
      if (servers.size() > SERVERS) {
        break;
      }
      taken++;
    }
    return placements.subList(0, taken);
  }

  private static int servers(Collection<Statement> known) {
    Set<VerifyKey> servers = new HashSet<>();
    for (Statement.Placement placement : Release.joint(known)) {
      placement.members().forEach(member -> servers.add(member.identity()));
    }
    return servers.size();
  }

  /** Refuses statements by which placements would name more servers jointly than are allowed. */
  static void refuseTooMany(StoredCapsule capsule, List<Statement> added) {
    if (added.stream().noneMatch(Statement.Placement.class::isInstance)) {
      return;
    }
    List<Statement> known = capsule.ownerStatements();
    Set<Statement> all = new LinkedHashSet<>(known);
    all.addAll(added);
    int servers = servers(all);
    if (servers > SERVERS && servers > servers(known)) {
      throw new HoldfastException(
          ErrorCode.TOO_LARGE,
          "the placements that hold at once would name "
              + servers
              + " servers, and a server takes "
              + SERVERS
              + ": release the earlier ones first, with holdfast place CAPSULE --wait --key FILE");
    }
  }

  @Override
  public Meeting introduce(StoredCapsule capsule, VerifyKey peer) {
    Meeting.Builder about =
        Meeting.newBuilder()
            .setCapsule(UnsafeByteOperations.unsafeWrap(capsule.name().toBytes()))
            .setMetadata(UnsafeByteOperations.unsafeWrap(capsule.encodedMetadata()))
            .setOwnerSignature(UnsafeByteOperations.unsafeWrap(capsule.creationSignature()));
    Statement.Placement current = capsule.placement();
    if (current != null) {
      about.setPlacement(UnsafeByteOperations.unsafeWrap(current.encode()));
      if (!current.names(peer)) {
        // It may have lost its disk since; writers and readers count on it until it is released.
        Release.joint(capsule.ownerStatements()).reversed().stream()
            .filter(one -> one.names(peer))
            .findFirst()
            .ifPresent(one -> about.setNaming(UnsafeByteOperations.unsafeWrap(one.encode())));
      }
    }
    return about.build();
  }

  @Override
  public @Nullable StoredCapsule admit(Meeting about, VerifyKey peer) throws ProofException {
    Metadata metadata = Metadata.decode(about.getMetadata().toByteArray());
    if (!metadata.name().equals(Hash.of(about.getCapsule().toByteArray()))) {
      throw new ProofException(
          Violation.WRONG_CAPSULE, "the metadata is of another capsule than the round");
    }
    List<Statement.Placement> shown = new ArrayList<>();
    shown.add(placement(metadata, about.getPlacement()));
    if (!about.getNaming().isEmpty()) {
      shown.addFirst(placement(metadata, about.getNaming()));
    }
    if (shown.stream().noneMatch(one -> one.names(self))) {
      return learn(shown.getLast());
    }
    StoredCapsule capsule = ownership.create(metadata, about.getOwnerSignature().toByteArray());
    for (Statement.Placement placement : shown) {
      Statement.Placement known = capsule.placement();
      if (known == null || Statement.Placement.ORDER.compare(placement, known) > 0) {
        declare(capsule, placement);
      }
    }
    return capsule;
  }

  private static Statement.Placement placement(Metadata metadata, ByteString encoded)
      throws ProofException {
    if (!(Statement.decode(encoded.toByteArray()) instanceof Statement.Placement placement)
        || !placement.capsule().equals(metadata.name())) {
      throw new ProofException(
          Violation.WRONG_CAPSULE, "a capsule is introduced by a placement of it");
    }
    placement.verify(metadata);
    return placement;
  }

  /**
   * Takes in a placement that does not name this server, where one does that holds jointly with it:
   * this server may have been left without having been told.
   */
  private @Nullable StoredCapsule learn(Statement.Placement placement) {
    StoredCapsule capsule = store.capsule(placement.capsule());
    if (capsule == null) {
      return null;
    }
    Statement.Placement known = capsule.placement();
    if (known == null || Statement.Placement.ORDER.compare(placement, known) <= 0) {
      return null;
    }
    if (members(capsule).stream().noneMatch(one -> one.identity().equals(self))) {
      return null;
    }
    declare(capsule, placement);
    return capsule;
  }

  private void declare(StoredCapsule capsule, Statement.Placement placement) {
    refuseTooMany(capsule, List.of(placement));
    CompletableFuture<Void> stored = new CompletableFuture<>();
    store.submit(
        new StoreBatch(
            capsule,
            List.of(),
            List.of(placement),
            4096,
            new StoreBatch.Completion() {
              @Override
              public void received(List<Receipt.Entry> entries) {}

              @Override
              public void synced(List<Receipt.Entry> entries) {
                stored.complete(null);
              }

              @Override
              public void failed(HoldfastException reason) {
                stored.completeExceptionally(reason);
              }
            }));
    try {
      stored.get(DECLARE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new HoldfastException(ErrorCode.STOPPING, "interrupted", e);
    } catch (ExecutionException | TimeoutException e) {
      throw new HoldfastException(ErrorCode.BUSY, "the placement could not be stored now", e);
    }
  }

  @Override
  public Endpoint route(Member member) {
    return routes.to(member.identity(), member.endpoint());
  }
}
