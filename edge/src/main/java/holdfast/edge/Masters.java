package holdfast.edge;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.Placing;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The servers upstream that keep an edge's capsules. A placement names them beside the edge's own
 * server; anti-entropy between all of them is the backup.
 */
public final class Masters {
  private Masters() {}

  /**
   * Places capsules of an edge on its own server and its masters, unless they are placed so
   * already.
   *
   * @param capsules of the edge, all of them on its own server
   * @param owner the operator's key
   * @return what became of each placement; nothing for those that were so already
   * @throws HoldfastException when a master cannot be reached, or does not take a capsule
   */
  public static List<Placing.Placed> place(
      Server own, List<Server> masters, List<Hash> capsules, SigningKey owner)
      throws ProofException {
    List<Server> members = new ArrayList<>();
    members.add(own);
    members.addAll(masters);
    List<Placing.Placed> placed = new ArrayList<>();
    for (Hash capsule : capsules) {
      try (CapsuleReader reader =
          own.openReader(capsule, List.of(), ReaderOptions.withoutCache())) {
        requireOwner(reader.metadata(), owner.verifyKey());
        if (!placedOn(reader, members)) {
          // Who is gone stays away: masters are replaced, and an edge is restored, because servers
          // are lost. All are asked for what they know, and every server named now has to answer.
          placed.add(Placing.place(reader, List.of(), lost -> true, 0, members, owner));
        }
      }
    }
    return placed;
  }

  /** The capsules of an edge on its own server, oldest first. */
  public static List<Hash> capsules(Server own, Hash newest) throws ProofException {
    List<Hash> names = new ArrayList<>();
    Hash next = newest;
    while (next != null && !names.contains(next)) {
      names.addFirst(next);
      try (CapsuleReader reader = own.openReader(next, List.of(), ReaderOptions.withoutCache())) {
        next = EdgeMetadata.predecessor(reader.metadata()).orElse(null);
      }
    }
    return names;
  }

  static void requireOwner(Metadata metadata, VerifyKey key) {
    if (!metadata.owner().equals(key)) {
      throw new HoldfastException(
          ErrorCode.DENIED,
          "capsule "
              + metadata.name().brief()
              + " belongs to "
              + metadata.owner()
              + ", and the key given is "
              + key);
    }
  }

  /** Whether all members hold a placement on exactly these. */
  private static boolean placedOn(CapsuleReader reader, List<Server> members)
      throws ProofException {
    Statement.Placement now = Statement.Placement.current(reader.statements(true));
    if (now == null || now.members().size() != members.size()) {
      return false;
    }
    for (Server member : members) {
      try (CapsuleReader there =
          member.openReader(now.capsule(), List.of(), ReaderOptions.withoutCache())) {
        // Its identity is known once it is connected.
        Statement.Placement.Member here =
            new Statement.Placement.Member(member.identity(), member.endpoint().toString());
        if (!now.members().contains(here)
            || !now.equals(Statement.Placement.current(there.statements(true)))) {
          return false;
        }
      } catch (HoldfastException e) {
        if (e.code() != ErrorCode.UNKNOWN_CAPSULE) {
          throw e;
        }
        return false;
      }
    }
    return true;
  }

  /**
   * The content keys of a capsule that were granted to a key, oldest epoch first.
   *
   * @throws HoldfastException DENIED when none was
   */
  static List<ContentKey> granted(CapsuleReader reader, SigningKey to) {
    List<ContentKey> keys = new ArrayList<>();
    try {
      for (Statement statement : reader.statements(true)) {
        if (statement instanceof Statement.Grant grant
            && grant.reader().equals(to.readerKey().publicHalf())
            && keys.stream().noneMatch(key -> key.epoch() == grant.epoch())) {
          keys.add(grant.open(to.readerKey()));
        }
      }
    } catch (ProofException e) {
      throw new HoldfastException(
          ErrorCode.VIOLATION, "a grant cannot be opened: " + e.getMessage(), e);
    }
    if (keys.isEmpty()) {
      throw new HoldfastException(
          ErrorCode.DENIED,
          "the content of capsule "
              + reader.metadata().name().brief()
              + " was not granted to the key "
              + to.readerKey().publicHalf());
    }
    keys.sort(Comparator.comparingInt(ContentKey::epoch));
    return keys;
  }

  /** The owner's word that a capsule is closed, as a server has it; null while it is open. */
  static Statement.@Nullable Succession succession(CapsuleReader reader) throws ProofException {
    for (Statement statement : reader.statements(true)) {
      if (statement instanceof Statement.Succession closing) {
        return closing;
      }
    }
    return null;
  }
}
