package holdfast.node.replication;

import holdfast.net.Routes;
import holdfast.sync.RoundOptions;

/**
 * How a node meets its peers.
 *
 * @param meetings rounds that this side opens at once at most
 * @param periodMillis how long after a round the next one begins when nothing is new; jitter of
 *     half of it either way is added
 * @param retryMillis how long after a failure the next attempt is made; doubles with each
 * @param fullEvery every so many rounds with a peer everything is compared, not only what is new:
 *     that finds what was lost or has rotted
 * @param round what bounds a round
 * @param routes where other servers are reached, when not at the address stated for them
 */
public record MeetingOptions(
    int meetings,
    long periodMillis,
    long retryMillis,
    int fullEvery,
    RoundOptions round,
    Routes routes) {
  /** What a server uses. */
  public static MeetingOptions defaults() {
    return new MeetingOptions(8, 5000, 100, 500, RoundOptions.defaults(), Routes.NONE);
  }

  /** The same, meeting more or less often. */
  public MeetingOptions withPeriod(long newPeriodMillis, long newRetryMillis) {
    return new MeetingOptions(meetings, newPeriodMillis, newRetryMillis, fullEvery, round, routes);
  }

  /** The same with other routes. */
  public MeetingOptions withRoutes(Routes other) {
    return new MeetingOptions(meetings, periodMillis, retryMillis, fullEvery, round, other);
  }
}
