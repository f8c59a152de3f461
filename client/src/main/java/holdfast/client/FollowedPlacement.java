package holdfast.client;

import holdfast.base.Hash;
import holdfast.capsule.Statement;
import holdfast.capsule.Statement.Placement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.function.IntUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * The servers of the placement that a reader goes by, and of those before it that hold jointly with
 * it. Now and then one of them is asked, in turn and in the background, what the owner has placed
 * since; a version that is not higher changes nothing. For use by one thread.
 */
final class FollowedPlacement implements AutoCloseable {
  private static final long LOOK_MILLIS = 5000;

  private final Hash capsule;

  /** Servers that somebody else closes, by their member. */
  private final Map<Placement.Member, Server> given = new HashMap<>();

  /** Servers of later placements, by their member. */
  private final Map<Placement.Member, Server> joined = new HashMap<>();

  /** How many of so many members every write was acknowledged by. */
  private final IntUnaryOperator acknowledging;

  private final KnownPlacements known;

  /** Oldest first. */
  private List<Placement> joint;

  private long lookNanos = TimeUnit.MILLISECONDS.toNanos(LOOK_MILLIS);
  private long lookedAtNanos = System.nanoTime();
  private @Nullable FutureTask<Look> looking;
  private int turn;

  /** What a look has found: what a server shows, and the placements that are over. */
  private record Look(List<Statement> shown, List<JointPlacement.Left> over) {}

  /**
   * Begins with what is known.
   *
   * @param servers the members of the newest placement, in the same order
   */
  FollowedPlacement(KnownPlacements known, List<Server> servers, IntUnaryOperator acknowledging) {
    this.known = known;
    this.acknowledging = acknowledging;
    this.joint = known.joint();
    this.capsule = newest().capsule();
    for (int i = 0; i < servers.size(); i++) {
      given.put(newest().members().get(i), servers.get(i));
    }
  }

  void lookEvery(long millis) {
    lookNanos = TimeUnit.MILLISECONDS.toNanos(millis);
  }

  Statement.Placement newest() {
    return joint.getLast();
  }

  /** Whether no placement can hold jointly that is not known. */
  boolean complete() {
    return known.complete();
  }

  /** The servers by placement, those of the newest first. */
  List<List<Server>> groups() {
    return joint.reversed().stream().map(this::serversOf).toList();
  }

  /** All of them, each once, those of the newest first. */
  Set<Server> servers() {
    Set<Server> all = new LinkedHashSet<>();
    groups().forEach(all::addAll);
    return all;
  }

  private List<Server> serversOf(Placement placement) {
    List<Server> found = new ArrayList<>();
    for (Placement.Member member : placement.members()) {
      Server known = given.get(member);
      found.add(known != null ? known : joined.computeIfAbsent(member, Replicas::connect));
    }
    return found;
  }

  /**
   * Takes in what a look has found, and begins another one when it is time.
   *
   * @return whether the servers are others now; {@link #retire} closes those that were left
   */
  boolean look() {
    FutureTask<Look> begun = looking;
    if (begun == null) {
      if (System.nanoTime() - lookedAtNanos >= lookNanos) {
        begin();
      }
      return false;
    }
    if (!begun.isDone()) {
      return false;
    }
    looking = null;
    lookedAtNanos = System.nanoTime();
    if (begun.state() != Future.State.SUCCESS) {
      throw new AssertionError("a look that finds nothing is no failure", begun.exceptionNow());
    }
    return take(begun.resultNow());
  }

  private void begin() {
    List<Server> asked = List.copyOf(servers());
    turn = (turn + 1) % asked.size();
    Server shower = asked.get(turn);
    List<Placement> now = joint;
    FutureTask<Look> task =
        new FutureTask<>(() ->
            new Look(
                JointPlacement.shownBy(shower, capsule),
                now.size() > 1
                    ? JointPlacement.over(
                        now, one -> acknowledging.applyAsInt(one.members().size()))
                    : List.<JointPlacement.Left>of()));
    looking = task;
    Thread.ofVirtual().start(task);
  }

  private boolean take(Look look) {
    look.over().forEach(known::over);
    return learn(look.shown());
  }

  /**
   * Takes in what a server shows.
   *
   * @param statements verified
   * @return whether the servers are others now, as after {@link #look}
   */
  boolean learn(List<Statement> statements) {
    known.learn(statements);
    List<Placement> before = joint;
    joint = known.joint();
    return !joint.equals(before);
  }

  /** The placements that were left without a word of the owner. */
  List<JointPlacement.Left> left() {
    return known.left();
  }

  /** Closes the servers that no placement names any more. */
  void retire() {
    Set<Server> now = servers();
    joined
        .values()
        .removeIf(one -> {
          boolean left = !now.contains(one);
          if (left) {
            one.close();
          }
          return left;
        });
  }

  @Override
  public void close() {
    joined.values().forEach(Server::close);
    joined.clear();
  }
}
