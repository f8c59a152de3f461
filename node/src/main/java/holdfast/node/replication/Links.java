package holdfast.node.replication;

import holdfast.base.Hash;
import holdfast.capsule.Statement;
import holdfast.crypto.VerifyKey;
import holdfast.store.StoredCapsule;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The links of a server: for each capsule that it keeps by a placement, one to each other member.
 */
final class Links {
  /** Capsules share locks, since there are more capsules than are refreshed at once. */
  private static final int LOCKS = 64;

  private final VerifyKey self;
  private final Directory directory;
  private final Liars liars;
  private final Map<Hash, Map<VerifyKey, Link>> all = new ConcurrentHashMap<>();
  private final List<Object> locks = Stream.generate(Object::new).limit(LOCKS).toList();

  /** None yet. */
  Links(VerifyKey self, Directory directory, Liars liars) {
    this.self = self;
    this.directory = directory;
    this.liars = liars;
  }

  /**
   * Brings the links of a capsule in line with its placements. A meeting over a link that is gone
   * ends, since nothing else watches it any more.
   *
   * @return whether connections may be of no use any more
   */
  boolean refresh(StoredCapsule capsule) {
    Changed changed;
    // Whoever reads the members first also acts on them first: what was read before a placement
    // came would else undo what was read after it.
    synchronized (locks.get(Math.floorMod(capsule.name().hashCode(), LOCKS))) {
      changed = bringInLine(capsule);
    }
    // Under no lock: a meeting that ends tells its peer and those who wait for it.
    changed.gone().forEach(Link::leave);
    return changed.elsewhere() || !changed.gone().isEmpty();
  }

  /**
   * What became of the links of a capsule.
   *
   * @param gone which lead nowhere any more
   * @param elsewhere whether one leads to another address than before
   */
  private record Changed(List<Link> gone, boolean elsewhere) {}

  private Changed bringInLine(StoredCapsule capsule) {
    Map<VerifyKey, Member> members = new HashMap<>();
    directory.members(capsule).forEach(member -> members.put(member.identity(), member));
    if (members.remove(self) == null) {
      Map<VerifyKey, Link> left = all.remove(capsule.name());
      return new Changed(left == null ? List.of() : List.copyOf(left.values()), false);
    }
    Statement.Placement placement = capsule.placement();
    Map<VerifyKey, Link> known =
        all.computeIfAbsent(capsule.name(), none -> new ConcurrentHashMap<>());
    boolean elsewhere = false;
    for (Member member : members.values()) {
      VerifyKey who = member.identity();
      Link link =
          known.computeIfAbsent(
              who, none -> new Link(capsule, member, liars.of(capsule.name(), who)));
      elsewhere |= !link.member.equals(member);
      link.member = member;
      link.stays = placement == null || placement.names(who);
    }
    List<Link> gone = new ArrayList<>();
    known.forEach((who, link) -> {
      if (!members.containsKey(who)) {
        gone.add(link);
      }
    });
    known.keySet().retainAll(members.keySet());
    return new Changed(gone, elsewhere);
  }

  /** The links of a capsule by the peer; empty when it is not kept here by a placement. */
  Map<VerifyKey, Link> of(Hash capsule) {
    return all.getOrDefault(capsule, Map.of());
  }

  /** The link to a peer about a capsule; null when no placement names both servers. */
  @Nullable Link to(VerifyKey peer, Hash capsule) {
    return of(capsule).get(peer);
  }

  /** The capsules that are kept here by a placement. */
  Set<Hash> capsules() {
    return all.keySet();
  }

  /** The servers that any link leads to, each at every address that a link has. */
  Set<Member> peers() {
    Set<Member> peers = new HashSet<>();
    forEach(link -> peers.add(link.member));
    return peers;
  }

  /** Does something with every link. */
  void forEach(Consumer<Link> action) {
    for (Map<VerifyKey, Link> ofCapsule : all.values()) {
      ofCapsule.values().forEach(action);
    }
  }
}
