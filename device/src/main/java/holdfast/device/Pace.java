package holdfast.device;

import java.util.random.RandomGenerator;

/**
 * Decides when to send: after what has waited long enough or fills a batch, and after a failure not
 * before a time that doubles, with jitter. No clock and no thread; time comes in as milliseconds of
 * a clock that only goes forward.
 */
final class Pace {
  static final long FIRST_RETRY_MILLIS = 500;
  static final long LONGEST_RETRY_MILLIS = 60_000;

  /** Between attempts that only somebody's help can make succeed. */
  static final long SLOW_RETRY_MILLIS = 60_000;

  /** The longest that an edge's Retry-After is honoured. */
  static final long LONGEST_WISH_MILLIS = 3_600_000;

  /** Nothing is to be done before something changes. */
  static final long NEVER = Long.MAX_VALUE;

  private final RandomGenerator random;
  private final long lingerMillis;
  private LinkState state = LinkState.IDLE;
  private String trouble = "";
  private int failures;
  private long notBefore = Long.MIN_VALUE;
  private long waitingSince = NEVER;

  /**
   * A pace.
   *
   * @param lingerMillis how long an operation may wait for others to fill a batch
   */
  Pace(long lingerMillis, RandomGenerator random) {
    this.lingerMillis = lingerMillis;
    this.random = random;
  }

  LinkState state() {
    return state;
  }

  /** What is wrong, for people; empty when nothing is. */
  String trouble() {
    return trouble;
  }

  /** Attempts that failed since one succeeded. */
  int failures() {
    return failures;
  }

  /** What there is to send. */
  enum Load {
    NOTHING,
    SOME,
    /** A full batch, one that was begun, or somebody who waits for all to be sent. */
    NOW
  }

  /**
   * How long to wait before the next attempt: 0 for now, {@link #NEVER} for nothing to do.
   *
   * @param now milliseconds that only go forward
   */
  long delay(Load load, long now) {
    if (load == Load.NOTHING) {
      waitingSince = NEVER;
      return NEVER;
    }
    if (waitingSince == NEVER) {
      waitingSince = now;
    }
    long due = load == Load.NOW ? now : waitingSince + lingerMillis;
    return Math.max(0, Math.max(due, notBefore) - now);
  }

  /** Takes the end of an attempt. */
  void ended(Outcome outcome, long now) {
    switch (outcome) {
      case Outcome.Taken _, Outcome.Told _, Outcome.Rejected _ -> {
        state = LinkState.ONLINE;
        trouble = "";
        failures = 0;
        notBefore = Long.MIN_VALUE;
        waitingSince = NEVER;
      }
      case Outcome.Unreachable u -> failed(LinkState.OFFLINE, u.reason(), now + backoff());
      case Outcome.Busy b ->
          failed(
              LinkState.BUSY,
              b.reason(),
              now + Math.max(backoff(), Math.min(b.retryAfterMillis(), LONGEST_WISH_MILLIS)));
      case Outcome.Conflict c -> failed(LinkState.CONFLICT, c.reason(), now + slow());
      case Outcome.Denied d -> failed(LinkState.DENIED, d.reason(), now + slow());
      case Outcome.Refused r -> failed(LinkState.REFUSED, r.reason(), now + slow());
    }
  }

  /** There is nobody to send to yet. */
  void notEnrolled() {
    state = LinkState.NOT_ENROLLED;
    trouble = "the device is not enrolled";
  }

  private void failed(LinkState how, String reason, long until) {
    state = how;
    trouble = reason;
    failures++;
    notBefore = until;
  }

  /** Between half and all of a time that doubles with each failure. */
  private long backoff() {
    long most = FIRST_RETRY_MILLIS << Math.min(failures, 16);
    return jittered(Math.min(most, LONGEST_RETRY_MILLIS));
  }

  private long slow() {
    return jittered(SLOW_RETRY_MILLIS);
  }

  private long jittered(long most) {
    return most / 2 + random.nextLong(most / 2 + 1);
  }
}
