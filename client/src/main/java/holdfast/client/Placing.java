package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Receipt;
import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import holdfast.capsule.Statement.Placement.Member;
import holdfast.crypto.SigningKey;
import holdfast.crypto.VerifyKey;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Places a capsule on servers: each gets the capsule and the owner's statements, and then the
 * placement goes to all of them and to those that were members before. Records are not brought;
 * servers get them from each other, and from writers that go by the placement.
 *
 * <p>A placement holds jointly with those before it until the owner releases these ({@link
 * Release}). A capsule may be placed again before that: then all of them hold, and its servers have
 * to be left running. A release is signed when every server that left has been found to hold
 * nothing of its own ({@link Handover}), or when the owner gives up what only they may have.
 *
 * <p>Members of the placements that hold are told first, then those that are new. So many of the
 * former answer whoever places next that one of them has heard of a placement in whose middle its
 * owner was broken off, and no second one gets its version; and writers that go by an old placement
 * are refused as early as can be. All the same two may come to have one version, when two operators
 * place at once: a release would end neither or both, so the newer is placed once more first.
 */
public final class Placing {
  private static final long TIMEOUT_MILLIS = 30_000;

  /** Earlier placements that travel with a new one. */
  private static final int HISTORY = 100;

  private final Hash capsule;
  private final CapsuleReader source;
  private final Set<Statement> known;

  private Placing(CapsuleReader source, Collection<? extends Statement> kept)
      throws ProofException {
    this.source = source;
    this.capsule = source.metadata().name();
    this.known = new LinkedHashSet<>(source.statements(true));
    kept.stream().filter(one -> one.capsule().equals(capsule)).forEach(known::add);
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

  /** The same for a caller who knows of no placement, and of no server that is gone. */
  public static Placed place(CapsuleReader source, List<Server> on, SigningKey owner)
      throws ProofException {
    return place(source, List.of(), none -> false, 0, on, owner);
  }

  /**
   * Places the capsule that a reader reads. What the server of that reader shows is not taken for
   * all: the members of every placement that holds jointly are asked, and of each n − k + 1 have to
   * answer. One that hides a placement, or never heard of it, would have a second one signed with
   * the same version otherwise, and the servers of the first would be forgotten.
   *
   * @param kept placements of the capsule that the caller knows of, verified
   * @param gone members of the placements before that need not answer
   * @param needed members of the newest placement that have to hold the same for those before it to
   *     be released on this occasion; more than half of them at least
   * @param on the servers that are to keep it; connected by whoever trusts them to be the right
   *     ones
   * @throws HoldfastException when one of them cannot be reached or does not take the capsule, or
   *     UNREACHABLE when too few of the members before answer; nothing has been placed then
   */
  public static Placed place(
      CapsuleReader source,
      Collection<? extends Statement> kept,
      Predicate<Member> gone,
      int needed,
      List<Server> on,
      SigningKey owner)
      throws ProofException {
    return new Placing(source, kept).place(gone, needed, on, owner);
  }

  private Placed place(Predicate<Member> gone, int needed, List<Server> on, SigningKey owner)
      throws ProofException {
    List<Member> members = new ArrayList<>();
    for (Server server : on) {
      server.create(source.metadata(), source.ownerSignature());
      members.add(new Member(server.identity(), server.endpoint().toString()));
      known.addAll(statements(server));
    }
    AskedMembers asked = AskedMembers.ask(capsule, known);
    asked.requireEnough(gone);
    known.addAll(asked.statements());
    Statement.Placement current = Statement.Placement.current(known);
    // Placed so already, and told again to those who have not heard: another version would hide
    // the placement before from the members, and with it whoever still has something to bring.
    if (current != null
        && !Release.tied(known)
        && current.members().size() == members.size()
        && Set.copyOf(current.members()).equals(Set.copyOf(members))) {
      return tell(on, members, List.of(current));
    }
    List<Statement> words = new ArrayList<>();
    if (current != null && Release.joint(known).size() > 1) {
      // The change before may be over by now without anybody having said so.
      Handover before =
          Handover.ask(known, Math.clamp(needed, current.majority(), current.members().size()));
      if (before.placement().equals(current) && before.over()) {
        words.add(release(current, owner));
      }
    }
    words.addFirst(next(current, members, owner));
    return tell(on, members, words);
  }

  private Statement.Placement next(
      Statement.@Nullable Placement current, List<Member> members, SigningKey owner) {
    return Statement.Placement.sign(
        capsule,
        System.currentTimeMillis(),
        current == null ? 1 : current.version() + 1,
        members,
        owner);
  }

  /** The word that the newest placement holds alone; one that would not do that is not signed. */
  private Release release(Statement.Placement newest, SigningKey owner) {
    Release word = Release.sign(capsule, System.currentTimeMillis(), newest.version(), owner);
    Set<Statement> then = new LinkedHashSet<>(known);
    then.add(word);
    if (!Release.joint(then).equals(List.of(newest))) {
      throw new IllegalStateException(
          "a release of version " + newest.version() + " would leave other placements holding");
    }
    return word;
  }

  /**
   * Places a capsule once more on the servers of its newest placement, when another placement has
   * the same version: that can be released then. When no other has, the newest is told again.
   *
   * @param source of the capsule
   * @param kept placements of the capsule that the caller knows of, verified
   * @param gone members that need not answer
   * @throws HoldfastException NOT_FOUND when the capsule is not placed; UNREACHABLE when too few of
   *     the members answer, and nothing has been placed then
   */
  public static Placed untie(
      CapsuleReader source,
      Collection<? extends Statement> kept,
      Predicate<Member> gone,
      SigningKey owner)
      throws ProofException {
    return new Placing(source, kept).untie(gone, owner);
  }

  private Placed untie(Predicate<Member> gone, SigningKey owner) {
    AskedMembers asked = AskedMembers.ask(capsule, known);
    asked.requireEnough(gone);
    known.addAll(asked.statements());
    Statement.Placement current = Statement.Placement.current(known);
    if (current == null) {
      throw new HoldfastException(ErrorCode.NOT_FOUND, "the capsule is not placed on any servers");
    }
    Statement.Placement told =
        Release.tied(known) ? next(current, current.members(), owner) : current;
    Placed placed = tell(List.of(), told.members(), List.of(told));
    known.add(told);
    return placed;
  }

  /**
   * Says that a move is over: from then on the newest placement holds alone. When another one has
   * its version, its servers are placed once more first, and what they hold is asked under that.
   *
   * @param source of the capsule
   * @param kept placements of the capsule that the caller knows of, verified
   * @param needed members that have to hold the same, no fewer than 0 stands for: more than half of
   *     them
   * @param givenUp what is not waited for. Servers that are not named still have to be found to
   *     hold nothing of their own, and the members to hold the same
   * @return who was told: the members, and as far as they can be reached those that are released
   * @throws HoldfastException {@link ErrorCode#BUSY} when a server that left may have something
   *     that the members lack, and that is not given up
   * @throws IllegalArgumentException when a server is given up that has not left, or fewer are
   *     needed
   */
  public static Placed release(
      CapsuleReader source,
      Collection<? extends Statement> kept,
      int needed,
      GivenUp givenUp,
      SigningKey owner)
      throws ProofException {
    return new Placing(source, kept).release(needed, givenUp, owner);
  }

  private Placed release(int needed, GivenUp givenUp, SigningKey owner) {
    Handover now = Handover.ask(known, needed);
    known.addAll(now.words());
    if (now.tied()) {
      now.requireLeft(givenUp);
      untie(givenUp::names, owner);
      now = Handover.ask(known, needed);
      known.addAll(now.words());
    }
    List<Statement.Placement> joint = Release.joint(known);
    Statement.Placement newest = joint.getLast();
    if (now.needed() < newest.majority()) {
      throw new IllegalArgumentException(
          "a release needs more than half of the "
              + newest.members().size()
              + " members to hold the same, not "
              + now.needed());
    }
    now.requireLeft(givenUp);
    if (!now.over(givenUp)) {
      throw new HoldfastException(ErrorCode.BUSY, unfinished(givenUp, now));
    }
    List<Statement> words = new ArrayList<>(List.of(newest));
    if (joint.size() > 1 || !Release.complete(known)) {
      words.add(release(newest, owner));
    }
    return tell(List.of(), newest.members(), words);
  }

  private static String unfinished(GivenUp givenUp, Handover now) {
    if (now.tied()) {
      return "somebody else has placed the capsule with the same version meanwhile";
    }
    if (!now.settled()) {
      return "the members do not hold the same yet, as "
          + now.needed()
          + " should; the placements before go on holding jointly";
    }
    if (!now.historyKnown() && !givenUp.unknown()) {
      return "a placement before is shown by no server, so who else may have something is not known";
    }
    List<Handover.Asked> lost = now.lost(givenUp);
    return "servers that left the placement may have what its members lack; they go on holding it"
        + " jointly: "
        + String.join(
            ", ",
            now.asked().stream()
                .filter(one -> !one.stays() && !now.mayStop(one) && !lost.contains(one))
                .map(one -> one.member().address() + " " + one.member().identity())
                .toList());
  }

  /**
   * Tells the members of a placement, and those of the ones that held before and name them no more:
   * first those of the ones before.
   *
   * @param on the members, where they are connected already
   * @param words the placement, and what is said with it
   */
  private Placed tell(List<Server> on, List<Member> members, List<Statement> words) {
    Statement.Placement placement = (Statement.Placement) words.getFirst();
    Map<VerifyKey, Member> before = new LinkedHashMap<>();
    for (Statement.Placement old : Release.joint(known).reversed()) {
      old.members().forEach(member -> before.putIfAbsent(member.identity(), member));
    }
    List<Member> leaving =
        before.values().stream().filter(one -> !placement.names(one.identity())).toList();
    // At the same time: one that is gone for good is not to keep the new ones waiting for long.
    List<Told> left = AtOnce.ask(leaving, one -> tell(one, false, words), "telling who leaves");
    Told[] told = new Told[members.size()];
    for (boolean isNew : new boolean[] {false, true}) {
      for (int i = 0; i < told.length; i++) {
        Member member = members.get(i);
        if (before.containsKey(member.identity()) != isNew) {
          told[i] = on.isEmpty() ? tell(member, true, words) : tell(on.get(i), member, true, words);
        }
      }
    }
    return new Placed(placement, Stream.concat(Stream.of(told), left.stream()).toList());
  }

  private Told tell(Member member, boolean stays, List<Statement> words) {
    try (Server server = Replicas.connect(member)) {
      return tell(server, member, stays, words);
    }
  }

  private List<Statement> statements(Server server) throws ProofException {
    try (CapsuleSession session =
        CapsuleSession.open(server, capsule, 0, List.of(), TIMEOUT_MILLIS)) {
      return session.statements(true);
    }
  }

  private Told tell(Server server, Member member, boolean stays, List<Statement> words) {
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
      List<Statement> history = new ArrayList<>(words);
      known.stream()
          .filter(Statement.Placement.class::isInstance)
          .map(Statement.Placement.class::cast)
          .sorted(Statement.Placement.ORDER.reversed())
          .limit(HISTORY)
          .filter(one -> !words.contains(one))
          .forEach(history::add);
      known.stream().filter(Release.class::isInstance).forEach(history::add);
      return new Told(member, stays, session.declare(history), null);
    } catch (HoldfastException | ProofException e) {
      return new Told(member, stays, null, e);
    }
  }
}
