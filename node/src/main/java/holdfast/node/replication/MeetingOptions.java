package holdfast.node.replication;

import holdfast.net.Routes;
import holdfast.sync.RoundOptions;

/**
 * How a node meets its peers.
 *
 * @param meetings rounds at once at most of those that this side opens, and of those that others
 *     open, beyond the first with each peer; 0 for no rounds at all
 * @param periodMillis how long after a round the next one begins when nothing is new; jitter of
 *     half of it either way is added
 * @param retryMillis how long after a failure the next attempt is made; doubles with each
 * @param fullEvery every so many rounds with a peer everything is compared, not only what is new:
 *     that finds what was lost or has rotted
 * @param patienceMillis how long a round may go on in which nothing of use happens, whatever the
 *     peer says
 * @param heldBytes bytes of what peers have sent and that is not stored yet, of all rounds
 *     together, at most; a round that is alone may hold more
 * @param round what bounds a round
 * @param routes where other servers are reached, when not at the address stated for them
 */
public record MeetingOptions(
    int meetings,
    long periodMillis,
    long retryMillis,
    int fullEvery,
    long patienceMillis,
    long heldBytes,
    RoundOptions round,
    Routes routes) {
  /** What a server uses. */
  public static MeetingOptions defaults() {
    return new MeetingOptions(
        8,
        5000,
        100,
        500,
        600_000,
        heldBytes(Runtime.getRuntime().maxMemory()),
        RoundOptions.defaults(),
        Routes.NONE);
  }

  /**
   * What a server has room for: two of the largest messages at least, so that one can come in
   * beside what other rounds hold, unless that were more than half of the memory.
   */
  static long heldBytes(long memoryBytes) {
    return Math.max(Math.min(2L * Frames.MESSAGE_BYTES, memoryBytes / 2), memoryBytes / 8);
  }

  /** The same, meeting more or less often. */
  public MeetingOptions withPeriod(long newPeriodMillis, long newRetryMillis) {
    return new MeetingOptions(
        meetings,
        newPeriodMillis,
        newRetryMillis,
        fullEvery,
        patienceMillis,
        heldBytes,
        round,
        routes);
  }

  /** The same with another number of rounds at once. */
  public MeetingOptions withMeetings(int newMeetings) {
    return new MeetingOptions(
        newMeetings,
        periodMillis,
        retryMillis,
        fullEvery,
        patienceMillis,
        heldBytes,
        round,
        routes);
  }

  /** The same with other bounds on what a peer can have this side wait for, and hold. */
  public MeetingOptions withPatience(long newPatienceMillis, long newHeldBytes) {
    return new MeetingOptions(
        meetings,
        periodMillis,
        retryMillis,
        fullEvery,
        newPatienceMillis,
        newHeldBytes,
        round,
        routes);
  }

  /** The same with other routes. */
  public MeetingOptions withRoutes(Routes other) {
    return new MeetingOptions(
        meetings, periodMillis, retryMillis, fullEvery, patienceMillis, heldBytes, round, other);
  }
}
