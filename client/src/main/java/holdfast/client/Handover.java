package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Holding;
import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import holdfast.capsule.Statement.Placement.Member;
import holdfast.crypto.VerifyKey;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * How far a change of a placement is: what the servers of the newest placement, and those that are
 * members of one before that holds jointly with it and not of this one, sign that they hold. While
 * it lasts all of them go on meeting; an old server may stop once enough new ones have signed the
 * very same set that it signs itself, for then nothing is on it alone.
 *
 * <p>Nothing is kept of this: it is asked anew each time, so that it can be broken off anywhere. It
 * deletes nothing. All are asked under one fresh salt; while records keep coming, two servers may
 * answer from before and after one of them, and agree when they are asked again.
 *
 * @param placement the newest
 * @param released whether the owner has said that the change is over
 * @param historyKnown whether it is known who else may have something: all placements that hold
 *     jointly
 * @param words placements and releases that are known now, in any order
 * @param needed new members that have to sign the same
 */
public record Handover(
    Statement.Placement placement,
    boolean released,
    boolean historyKnown,
    List<Statement> words,
    int needed,
    List<Asked> asked) {
  private static final long TIMEOUT_MILLIS = 60_000;

  /**
   * A server that was asked.
   *
   * @param stays whether it is a member of the placement that holds
   * @param holding what it signed, verified; null when it did not answer
   * @param tail whether it has records that no signature proves; they are not part of what it
   *     signed, and stay there alone until their writer signs
   * @param failure why not; null when it did
   */
  public record Asked(
      Member member,
      boolean stays,
      @Nullable Holding holding,
      boolean tail,
      @Nullable Exception failure) {}

  private record Answer(Asked asked, List<Statement> statements) {}

  /**
   * Asks all servers at the same time. A placement that one of them knows and this side did not is
   * taken into account, and then all are asked again.
   *
   * @param statements the owner's statements as far as they are known, verified
   * @param needed new members that have to sign the same; 0 for more than half of them
   * @throws HoldfastException when the capsule is not placed
   * @throws IllegalArgumentException when more are needed than there are
   */
  public static Handover ask(Collection<Statement> statements, int needed) {
    Set<Statement> known = new HashSet<>(words(statements));
    while (true) {
      List<Statement.Placement> joint = Release.joint(known);
      if (joint.isEmpty()) {
        throw new HoldfastException(
            ErrorCode.NOT_FOUND, "the capsule is not placed on any servers");
      }
      Statement.Placement placement = joint.getLast();
      if (needed < 0 || needed > placement.members().size()) {
        throw new IllegalArgumentException(
            "the placement has " + placement.members().size() + " members, not " + needed);
      }
      List<Answer> answers = answers(joint);
      boolean news = false;
      for (Answer answer : answers) {
        news |= known.addAll(words(answer.statements()));
      }
      if (!news) {
        return new Handover(
            placement,
            joint.size() == 1 && Release.complete(known),
            Release.complete(known),
            List.copyOf(known),
            needed == 0 ? placement.majority() : needed,
            answers.stream().map(Answer::asked).toList());
      }
    }
  }

  /** What the owner has said on where the capsule is kept. */
  private static List<Statement> words(Collection<? extends Statement> statements) {
    return statements.stream()
        .filter(one -> one instanceof Statement.Placement || one instanceof Release)
        .map(Statement.class::cast)
        .toList();
  }

  /** The members of the newest placement, and then those that are in older ones alone. */
  private static List<Answer> answers(List<Statement.Placement> joint) {
    Hash salt = CapsuleSession.freshNonce();
    Statement.Placement placement = joint.getLast();
    Map<VerifyKey, Member> members = new LinkedHashMap<>();
    placement.members().forEach(member -> members.put(member.identity(), member));
    // Of those that left, the later address.
    for (Statement.Placement old : joint.reversed()) {
      old.members().forEach(member -> members.putIfAbsent(member.identity(), member));
    }
    return AtOnce.ask(
        members.values(),
        member -> one(member, placement.names(member.identity()), placement, salt),
        "asking");
  }

  private static Answer one(
      Member member, boolean stays, Statement.Placement placement, Hash salt) {
    try (Server server = Replicas.connect(member);
        CapsuleSession session =
            CapsuleSession.open(server, placement.capsule(), 0, List.of(), TIMEOUT_MILLIS)) {
      List<Statement> statements = session.statements(true);
      CapsuleSession.Held held = session.held(salt, statements, placement);
      return new Answer(new Asked(member, stays, held.holding(), held.tail(), null), statements);
    } catch (HoldfastException | ProofException e) {
      return new Answer(new Asked(member, stays, null, false, e), List.of());
    }
  }

  /** What most of the new members agree on, and of those the most; null when none has answered. */
  public @Nullable Holding agreed() {
    return asked.stream()
        .filter(this::counts)
        .map(Asked::holding)
        .filter(Objects::nonNull)
        .max(Comparator.comparingInt(this::agreeing).thenComparingLong(Holding::count))
        .orElse(null);
  }

  /** Whether a server is a member that knows the placement. */
  private boolean counts(Asked one) {
    Holding holding = one.holding();
    return one.stays() && holding != null && holding.version() >= placement.version();
  }

  /** How many members sign the same. */
  public int agreeing(Holding holding) {
    int agreeing = 0;
    for (Asked one : asked) {
      Holding other = one.holding();
      agreeing += counts(one) && other != null && other.agrees(holding) ? 1 : 0;
    }
    return agreeing;
  }

  /** Whether enough new members sign the same set. */
  public boolean settled() {
    Holding agreed = agreed();
    return agreed != null && agreeing(agreed) >= needed;
  }

  /**
   * Whether a server that is no member any more may stop: enough members sign what it signs, and it
   * has nothing beside that. It knew of the newest placement when it signed, so that it takes in
   * nothing since from a writer who has not heard of it. While another placement has the same
   * version nobody may: who goes by that one alone is not refused.
   */
  public boolean mayStop(Asked one) {
    Holding own = one.holding();
    return !tied()
        && !one.stays()
        && own != null
        && own.version() >= placement.version()
        && !one.tail()
        && agreeing(own) >= needed;
  }

  /** Whether another placement has the version of the newest, so that no release ends it. */
  public boolean tied() {
    return Release.tied(words);
  }

  /**
   * Servers that left and may not stop, and whom the owner does without all the same: by name,
   * whatever they have or do not say; or, if unsigned records are given up, for nothing but these.
   */
  public List<Asked> lost(GivenUp givenUp) {
    return asked.stream()
        .filter(one -> !one.stays() && !mayStop(one))
        .filter(one -> givenUp.names(one.member()) || (givenUp.unsigned() && onlyUnsigned(one)))
        .toList();
  }

  /**
   * Refuses to give up what is no server that left: it would be a slip of the pen. After the
   * release none is known to have left.
   *
   * @throws IllegalArgumentException with what was named
   */
  public void requireLeft(GivenUp givenUp) {
    for (String name : givenUp.servers()) {
      GivenUp one = GivenUp.servers(name);
      if (!released
          && asked.stream().noneMatch(other -> !other.stays() && one.names(other.member()))) {
        throw new IllegalArgumentException(
            name + " is none of the servers that left and were not released");
      }
    }
  }

  /** Whether records that nothing proves are all that keeps a server from stopping. */
  private boolean onlyUnsigned(Asked one) {
    return mayStop(new Asked(one.member(), one.stays(), one.holding(), false, one.failure()));
  }

  /**
   * Whether the owner may end the change who does without some of what old servers may have: enough
   * members agree, and every old server may stop but those given up.
   */
  public boolean over(GivenUp givenUp) {
    List<Asked> lost = lost(givenUp);
    return (historyKnown || givenUp.unknown())
        && !tied()
        && settled()
        && asked.stream().allMatch(one -> one.stays() || mayStop(one) || lost.contains(one));
  }

  /** Whether the change is over: enough members agree, and every old server may stop. */
  public boolean over() {
    return over(GivenUp.NOTHING);
  }
}
