package holdfast.client;

import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Holding;
import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import holdfast.crypto.VerifyKey;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.ToIntFunction;

/**
 * Placements that hold jointly, because the owner has placed a capsule elsewhere and the new
 * members may not have all yet.
 *
 * <p>All members are asked, under one fresh salt, what they hold. An old placement is over when
 * enough new members sign the same set, and so many of the old ones sign it too that among any
 * members which were enough for a receipt there is one of them: then nothing that the old placement
 * acknowledged is on old servers alone. Records that no signature proves are in no such set, so an
 * old server that has any does not count, and neither does one that does not know of the newest
 * placement when it signs: it goes on taking what comes from writers who have not heard of it. With
 * two of three needed, one old server may be gone for good.
 */
final class JointPlacement {
  private static final long TIMEOUT_MILLIS = 10_000;

  private JointPlacement() {}

  /**
   * An old placement that is over by what its servers say, though the owner has not released it.
   *
   * @param agreed how many of its members hold what the newest hold
   */
  record Left(Statement.Placement placement, int agreed) {}

  /** The owner's statements, as far as a server shows them; none when it does not answer. */
  static List<Statement> shownBy(Server server, Hash capsule) {
    try (CapsuleSession session =
        CapsuleSession.open(server, capsule, 0, List.of(), TIMEOUT_MILLIS)) {
      return session.statements(true);
    } catch (HoldfastException | ProofException e) {
      // What is wrong with it comes out when it is used; the next is asked next time.
      return List.of();
    }
  }

  /**
   * Those of the old placements that are over.
   *
   * @param joint verified, oldest first; the last is the newest
   * @param needed members of a placement that are enough for a receipt
   */
  static List<Left> over(List<Statement.Placement> joint, ToIntFunction<Statement.Placement> needed)
      throws InterruptedException {
    Statement.Placement newest = joint.getLast();
    if (Release.tied(joint)) {
      // Who goes by the other one of this version alone states it too, and is not refused.
      return List.of();
    }
    Map<VerifyKey, CapsuleSession.Held> held = held(joint);
    List<Holding> members = new ArrayList<>();
    for (Statement.Placement.Member member : newest.members()) {
      CapsuleSession.Held one = held.get(member.identity());
      if (one != null && one.holding().version() >= newest.version()) {
        members.add(one.holding());
      }
    }
    for (Holding one : members) {
      if (members.stream().filter(one::agrees).count() >= needed.applyAsInt(newest)) {
        return joint.subList(0, joint.size() - 1).stream()
            .map(old -> new Left(old, agreeing(newest, old, held, one)))
            .filter(old ->
                old.agreed()
                    > old.placement().members().size() - needed.applyAsInt(old.placement()))
            .toList();
      }
    }
    return List.of();
  }

  private static int agreeing(
      Statement.Placement newest,
      Statement.Placement old,
      Map<VerifyKey, CapsuleSession.Held> held,
      Holding agreed) {
    return Math.toIntExact(
        old.members().stream()
            .map(member -> held.get(member.identity()))
            .filter(one -> one != null && !one.tail() && one.holding().agrees(agreed))
            // Before it knew, it took what comes from writers who have not heard of the newest.
            .filter(one -> one.holding().version() >= newest.version())
            .count());
  }

  private static Map<VerifyKey, CapsuleSession.Held> held(List<Statement.Placement> joint)
      throws InterruptedException {
    Hash salt = CapsuleSession.freshNonce();
    Map<VerifyKey, Statement.Placement.Member> members = new HashMap<>();
    // A later placement has the later address.
    joint.forEach(one -> one.members().forEach(member -> members.put(member.identity(), member)));
    Map<VerifyKey, CapsuleSession.Held> held = new HashMap<>();
    ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    try {
      List<Future<Optional<CapsuleSession.Held>>> asked = new ArrayList<>();
      members
          .values()
          .forEach(
              member -> asked.add(threads.submit(() -> holding(member, joint.getLast(), salt))));
      for (Future<Optional<CapsuleSession.Held>> one : asked) {
        one.get().ifPresent(answer -> held.put(answer.holding().server(), answer));
      }
    } catch (ExecutionException e) {
      throw new AssertionError("a question that fails is an answer", e);
    } finally {
      threads.shutdownNow();
    }
    return held;
  }

  private static Optional<CapsuleSession.Held> holding(
      Statement.Placement.Member member, Statement.Placement newest, Hash salt) {
    try (Server server = Replicas.connect(member);
        CapsuleSession session =
            CapsuleSession.open(server, newest.capsule(), 0, List.of(), TIMEOUT_MILLIS)) {
      return Optional.of(session.held(salt, session.statements(true), newest));
    } catch (HoldfastException | ProofException e) {
      // Who does not say what it holds counts as holding nothing.
      return Optional.empty();
    }
  }
}
