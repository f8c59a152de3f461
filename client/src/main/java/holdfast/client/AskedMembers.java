package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import holdfast.capsule.Statement.Placement;
import holdfast.capsule.Statement.Placement.Member;
import holdfast.crypto.VerifyKey;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * What the owner has said, as all members of the placements that hold jointly show it. One server
 * that keeps a placement back, or was never told of it, decides nothing then: whoever signs by what
 * is known has to hear so many of each placement that one of them has whatever was acknowledged.
 *
 * @param statements all that was known before and all that was shown, verified
 * @param joint the placements that hold jointly, oldest first; empty when the capsule is not placed
 * @param silent the members that did not answer, and why
 */
public record AskedMembers(
    Set<Statement> statements, List<Placement> joint, Map<VerifyKey, Exception> silent) {
  private static final long TIMEOUT_MILLIS = 30_000;

  private record Answer(Member member, List<Statement> shown, @Nullable Exception failure) {}

  /** Copies what it is given. */
  public AskedMembers {
    statements = Set.copyOf(statements);
    joint = List.copyOf(joint);
    silent = Map.copyOf(silent);
  }

  /**
   * Asks all members at the same time, and then those of placements that one of them has shown,
   * until no placement is new.
   *
   * @param statements the owner's as far as they are known, verified
   */
  public static AskedMembers ask(Hash capsule, Collection<? extends Statement> statements) {
    Set<Statement> known = new LinkedHashSet<>(statements);
    Map<VerifyKey, Member> asked = new HashMap<>();
    Map<VerifyKey, Exception> silent = new HashMap<>();
    while (true) {
      List<Placement> joint = Release.joint(known);
      Map<VerifyKey, Member> next = new LinkedHashMap<>();
      // A later placement has the later address.
      joint.forEach(one -> one.members().forEach(member -> next.put(member.identity(), member)));
      next.values().removeIf(member -> member.equals(asked.get(member.identity())));
      if (next.isEmpty()) {
        return new AskedMembers(known, joint, silent);
      }
      asked.putAll(next);
      for (Answer answer : AtOnce.ask(next.values(), one -> answer(capsule, one), "asking")) {
        known.addAll(answer.shown());
        Exception failure = answer.failure();
        if (failure == null) {
          silent.remove(answer.member().identity());
        } else {
          silent.put(answer.member().identity(), failure);
        }
      }
    }
  }

  private static Answer answer(Hash capsule, Member member) {
    try (Server server = Replicas.connect(member);
        CapsuleSession session =
            CapsuleSession.open(server, capsule, 0, List.of(), TIMEOUT_MILLIS)) {
      return new Answer(member, session.statements(true), null);
    } catch (HoldfastException | ProofException e) {
      return new Answer(member, List.of(), e);
    }
  }

  /**
   * Refuses to go on by what is known when fewer than n − k + 1 members of a placement have
   * answered, k being more than half of them: a later word of the owner may be on the others.
   *
   * @param gone members that need not answer
   * @throws HoldfastException UNREACHABLE, with who did not answer
   */
  public void requireEnough(Predicate<Member> gone) {
    for (Placement placement : joint) {
      int wanted = placement.members().size() - placement.majority() + 1;
      List<Member> missing =
          placement.members().stream()
              .filter(member -> silent.containsKey(member.identity()) && !gone.test(member))
              .toList();
      int answered = placement.members().size() - missing.size();
      if (answered < wanted) {
        throw new HoldfastException(
            ErrorCode.UNREACHABLE,
            answered
                + " of "
                + placement.members().size()
                + " servers of version "
                + placement.version()
                + " of the placement say what the owner has placed since, "
                + wanted
                + " have to; no answer from "
                + String.join("; ", missing.stream().map(this::why).toList()));
      }
    }
  }

  private String why(Member member) {
    Exception failure = silent.get(member.identity());
    return member.address() + (failure == null ? "" : ": " + failure.getMessage());
  }
}
