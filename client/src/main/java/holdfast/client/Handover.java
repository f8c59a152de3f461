package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Holding;
import holdfast.capsule.Statement;
import holdfast.capsule.Statement.Placement.Member;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * How far a change of a placement is: what the servers of the placement that holds, and those that
 * were members of the one before and are no more, sign that they hold. While it lasts all of them
 * go on meeting; an old server may stop once enough new ones have signed the very same set that it
 * signs itself, for then nothing is on it alone.
 *
 * <p>Nothing is kept of this: it is asked anew each time, so that it can be broken off anywhere. It
 * deletes nothing. All are asked under one fresh salt; while records keep coming, two servers may
 * answer from before and after one of them, and agree when they are asked again.
 *
 * @param placement the one that holds
 * @param before the one that it superseded; null when no server that was asked knows it
 * @param needed new members that have to sign the same
 */
public record Handover(
    Statement.Placement placement,
    Statement.@Nullable Placement before,
    int needed,
    List<Asked> asked) {
  private static final long TIMEOUT_MILLIS = 60_000;

  /**
   * A server that was asked.
   *
   * @param stays whether it is a member of the placement that holds
   * @param holding what it signed, verified; null when it did not answer
   * @param failure why not; null when it did
   */
  public record Asked(
      Member member, boolean stays, @Nullable Holding holding, @Nullable Exception failure) {}

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
    Set<Statement.Placement> known = new HashSet<>(placements(statements));
    while (true) {
      List<Statement.Placement> newest =
          known.stream().sorted(Statement.Placement.ORDER.reversed()).toList();
      if (newest.isEmpty()) {
        throw new HoldfastException(
            ErrorCode.NOT_FOUND, "the capsule is not placed on any servers");
      }
      Statement.Placement placement = newest.getFirst();
      if (needed < 0 || needed > placement.members().size()) {
        throw new IllegalArgumentException(
            "the placement has " + placement.members().size() + " members, not " + needed);
      }
      Statement.Placement before = newest.size() < 2 ? null : newest.get(1);
      List<Answer> answers = answers(placement, before);
      boolean news = false;
      for (Answer answer : answers) {
        news |= known.addAll(placements(answer.statements()));
      }
      if (!news) {
        return new Handover(
            placement,
            before,
            needed == 0 ? placement.majority() : needed,
            answers.stream().map(Answer::asked).toList());
      }
    }
  }

  private static List<Statement.Placement> placements(Collection<Statement> statements) {
    return statements.stream()
        .filter(Statement.Placement.class::isInstance)
        .map(Statement.Placement.class::cast)
        .toList();
  }

  private static List<Answer> answers(
      Statement.Placement placement, Statement.@Nullable Placement before) {
    Hash salt = CapsuleSession.freshNonce();
    Hash capsule = placement.capsule();
    List<Future<Answer>> asked = new ArrayList<>();
    List<Answer> answers = new ArrayList<>();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      for (Member member : placement.members()) {
        asked.add(threads.submit(() -> one(member, true, capsule, salt)));
      }
      for (Member member : before == null ? List.<Member>of() : before.members()) {
        if (!placement.names(member.identity())) {
          asked.add(threads.submit(() -> one(member, false, capsule, salt)));
        }
      }
      for (Future<Answer> one : asked) {
        answers.add(one.get());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new HoldfastException(ErrorCode.UNREACHABLE, "interrupted while asking", e);
    } catch (ExecutionException e) {
      throw new AssertionError("a question that fails is an answer", e);
    }
    return answers;
  }

  private static Answer one(Member member, boolean stays, Hash capsule, Hash salt) {
    try (Server server = Replicas.connect(member);
        CapsuleSession session =
            CapsuleSession.open(server, capsule, 0, List.of(), TIMEOUT_MILLIS)) {
      List<Statement> statements = session.statements(true);
      return new Answer(new Asked(member, stays, session.holding(salt), null), statements);
    } catch (HoldfastException | ProofException e) {
      return new Answer(new Asked(member, stays, null, e), List.of());
    }
  }

  /**
   * Whether it is known who else may have something: the members of the placement before, if there
   * was one.
   */
  public boolean historyKnown() {
    return placement.version() == 1
        || (before != null && before.version() == placement.version() - 1);
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

  /** Whether a server that is no member any more may stop: enough members sign what it signs. */
  public boolean mayStop(Asked one) {
    Holding own = one.holding();
    return !one.stays() && own != null && agreeing(own) >= needed;
  }

  /** Whether the change is over: enough members agree, and every old server may stop. */
  public boolean over() {
    return historyKnown()
        && settled()
        && asked.stream().allMatch(one -> one.stays() || mayStop(one));
  }
}
