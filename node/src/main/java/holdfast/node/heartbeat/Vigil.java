package holdfast.node.heartbeat;

import holdfast.base.Machine;
import holdfast.crypto.VerifyKey;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Decides who is lost. A peer is lost when nothing was heard of it for two and a half of the
 * intervals that it promised, so that with a tick in each half of an interval it is told of within
 * three; one heartbeat that is late or lost makes no difference. A peer that is expected and never
 * heard of is lost in the same time.
 *
 * <p>Times are of one clock that only goes forward, in nanoseconds. The number of peers is bounded:
 * a peer beyond the bound takes the place of the one that has been lost longest, and is refused if
 * there is none.
 */
public final class Vigil implements Machine<Vigil.Input, Vigil.Effect> {
  /** What the machine is told. */
  public sealed interface Input {
    /** A peer should be heard of from now on; nothing changes if it is waited for already. */
    record Expect(VerifyKey who, long nowNanos, long intervalNanos) implements Input {}

    /** A peer was heard of, and means to be heard of again after an interval. */
    record Heard(VerifyKey who, long nowNanos, long intervalNanos) implements Input {}

    /** A peer need not be heard of any more. */
    record Forget(VerifyKey who) implements Input {}

    /** Time has passed. */
    record Tick(long nowNanos) implements Input {}
  }

  /** What is to be told. */
  public sealed interface Effect {
    /** Whom it is about. */
    VerifyKey who();

    /** Nothing was heard of a peer for too long; told once. */
    record Lost(VerifyKey who, long silentNanos) implements Effect {}

    /** A lost peer was heard of again after that time. */
    record Back(VerifyKey who, long silentNanos) implements Effect {}

    /** There is no room for another peer. */
    record Refused(VerifyKey who) implements Effect {}
  }

  /**
   * How a peer is.
   *
   * @param silentNanos since it was heard of, or since it is waited for
   * @param heard whether anything was ever heard of it
   */
  public record State(long silentNanos, boolean heard, boolean lost) {}

  private static final class Seen {
    long lastNanos;
    long intervalNanos;
    boolean heard;
    boolean lost;
  }

  private final int most;
  private final Map<VerifyKey, Seen> peers = new HashMap<>();

  /** For so many peers at most. */
  public Vigil(int most) {
    this.most = most;
  }

  @Override
  public void step(Input input, Consumer<? super Effect> out) {
    switch (input) {
      case Input.Expect expect -> {
        if (!peers.containsKey(expect.who())) {
          admit(expect.who(), expect.nowNanos(), expect.intervalNanos(), out);
        }
      }
      case Input.Heard heard -> heard(heard, out);
      case Input.Forget forget -> peers.remove(forget.who());
      case Input.Tick tick -> tick(tick.nowNanos(), out);
    }
  }

  private void heard(Input.Heard heard, Consumer<? super Effect> out) {
    Seen seen = peers.get(heard.who());
    if (seen == null) {
      seen = admit(heard.who(), heard.nowNanos(), heard.intervalNanos(), out);
    }
    if (seen == null) {
      return;
    }
    if (seen.lost) {
      seen.lost = false;
      out.accept(new Effect.Back(heard.who(), heard.nowNanos() - seen.lastNanos));
    }
    seen.heard = true;
    seen.lastNanos = heard.nowNanos();
    seen.intervalNanos = heard.intervalNanos();
  }

  private @Nullable Seen admit(
      VerifyKey who, long nowNanos, long intervalNanos, Consumer<? super Effect> out) {
    if (peers.size() >= most && !dropLongestLost(nowNanos)) {
      out.accept(new Effect.Refused(who));
      return null;
    }
    Seen seen = new Seen();
    seen.lastNanos = nowNanos;
    seen.intervalNanos = intervalNanos;
    peers.put(who, seen);
    return seen;
  }

  private boolean dropLongestLost(long nowNanos) {
    VerifyKey longest = null;
    long silent = -1;
    for (Map.Entry<VerifyKey, Seen> entry : peers.entrySet()) {
      long since = nowNanos - entry.getValue().lastNanos;
      if (entry.getValue().lost && since > silent) {
        longest = entry.getKey();
        silent = since;
      }
    }
    return longest != null && peers.remove(longest) != null;
  }

  private void tick(long nowNanos, Consumer<? super Effect> out) {
    peers.forEach((who, seen) -> {
      long silent = nowNanos - seen.lastNanos;
      if (!seen.lost && silent > patience(seen.intervalNanos)) {
        seen.lost = true;
        out.accept(new Effect.Lost(who, silent));
      }
    });
  }

  private static long patience(long intervalNanos) {
    return 2 * intervalNanos + intervalNanos / 2;
  }

  /** How a peer is; null when it is neither expected nor was heard of. */
  public @Nullable State state(VerifyKey who, long nowNanos) {
    Seen seen = peers.get(who);
    return seen == null ? null : new State(nowNanos - seen.lastNanos, seen.heard, seen.lost);
  }

  /** How many are lost. */
  public int lost() {
    return (int) peers.values().stream().filter(seen -> seen.lost).count();
  }

  /** How many are known. */
  public int size() {
    return peers.size();
  }
}
