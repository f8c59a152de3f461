package holdfast.client;

import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Receipt;
import holdfast.capsule.Statement;
import holdfast.capsule.Statement.Placement.Member;
import holdfast.crypto.SigningKey;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Places a capsule on servers: each gets the capsule and the owner's statements, and then the
 * placement goes to all of them and to those that were members before. Records are not brought;
 * servers get them from each other, and from writers that go by the placement.
 */
public final class Placing {
  private static final long TIMEOUT_MILLIS = 30_000;

  /** Earlier placements that travel with a new one. */
  private static final int HISTORY = 100;

  private final Hash capsule;
  private final CapsuleReader source;
  private final Set<Statement> known;

  private Placing(CapsuleReader source) throws ProofException {
    this.source = source;
    this.capsule = source.metadata().name();
    this.known = new LinkedHashSet<>(source.statements(true));
  }

  /**
   * A server that was told of a placement.
   *
   * @param stays whether it is a member of the new placement; else it was one of the placement
   *     before
   * @param receipt its acknowledgement, verified; null when there is none
   * @param failure why there is none; null when there is one
   */
  public record Told(
      Member member, boolean stays, @Nullable Receipt receipt, @Nullable Exception failure) {}

  /** What became of a placement. */
  public record Placed(Statement.Placement placement, List<Told> told) {
    /** Whether every member has acknowledged it. */
    public boolean complete() {
      return told.stream().allMatch(one -> one.receipt() != null || !one.stays());
    }
  }

  /**
   * Places the capsule that a reader reads.
   *
   * @param on the servers that are to keep it; connected by whoever trusts them to be the right
   *     ones
   * @throws HoldfastException when one of them cannot be reached or does not take the capsule;
   *     nothing has been placed then
   */
  public static Placed place(CapsuleReader source, List<Server> on, SigningKey owner)
      throws ProofException {
    return new Placing(source).place(on, owner);
  }

  private Placed place(List<Server> on, SigningKey owner) throws ProofException {
    List<Member> members = new ArrayList<>();
    for (Server server : on) {
      server.create(source.metadata(), source.ownerSignature());
      members.add(new Member(server.identity(), server.endpoint().toString()));
      known.addAll(statements(server));
    }
    Statement.Placement current = Statement.Placement.current(known);
    // Placed so already, and told again to those who have not heard: another version would hide
    // the placement before from the members, and with it whoever still has something to bring.
    if (current != null
        && current.members().size() == members.size()
        && Set.copyOf(current.members()).equals(Set.copyOf(members))) {
      return tell(on, members, current, before(current));
    }
    Statement.Placement next =
        Statement.Placement.sign(
            capsule,
            System.currentTimeMillis(),
            current == null ? 1 : current.version() + 1,
            members,
            owner);
    return tell(on, members, next, current);
  }

  /** Tells the members of a placement, and those of the one before that are members no more. */
  private Placed tell(
      List<Server> on,
      List<Member> members,
      Statement.Placement placement,
      Statement.@Nullable Placement before) {
    List<Told> told = new ArrayList<>();
    for (int i = 0; i < on.size(); i++) {
      told.add(tell(on.get(i), members.get(i), true, placement));
    }
    for (Member member : before == null ? List.<Member>of() : before.members()) {
      if (!placement.names(member.identity())) {
        try (Server left = Replicas.connect(member)) {
          told.add(tell(left, member, false, placement));
        }
      }
    }
    return new Placed(placement, List.copyOf(told));
  }

  private Statement.@Nullable Placement before(Statement.Placement later) {
    return Statement.Placement.current(
        known.stream()
            .filter(s -> s instanceof Statement.Placement p && p.version() < later.version())
            .toList());
  }

  private List<Statement> statements(Server server) throws ProofException {
    try (CapsuleSession session =
        CapsuleSession.open(server, capsule, 0, List.of(), TIMEOUT_MILLIS)) {
      return session.statements(true);
    }
  }

  private Told tell(Server server, Member member, boolean stays, Statement.Placement placement) {
    try (CapsuleSession session =
        CapsuleSession.open(server, capsule, 0, List.of(), TIMEOUT_MILLIS)) {
      Set<Statement> missing = new LinkedHashSet<>();
      if (stays) {
        // Erasures before any record, and grants, so that readers find the content key there.
        // A succession is left to the servers: it names records that are not here yet.
        known.stream()
            .filter(s -> s instanceof Statement.Erasure || s instanceof Statement.Grant)
            .forEach(missing::add);
        session.statements(true).forEach(missing::remove);
      }
      session.declareAll(List.copyOf(missing));
      // With the placements before it: a new member that did not know them would not know who else
      // has something to bring.
      List<Statement> history = new ArrayList<>(List.of(placement));
      known.stream()
          .filter(Statement.Placement.class::isInstance)
          .map(Statement.Placement.class::cast)
          .sorted(Statement.Placement.ORDER.reversed())
          .limit(HISTORY)
          .forEach(history::add);
      return new Told(member, stays, session.declare(history), null);
    } catch (HoldfastException | ProofException e) {
      return new Told(member, stays, null, e);
    }
  }
}
