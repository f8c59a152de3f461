package holdfast.node.replication;

import holdfast.net.Endpoint;
import holdfast.sync.RoundOptions;
import java.util.Map;

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
 * @param routes where to connect instead of an address that a placement gives: for tests, and where
 *     addresses are translated
 */
public record ReplicationOptions(
    int meetings,
    long periodMillis,
    long retryMillis,
    int fullEvery,
    RoundOptions round,
    Map<Endpoint, Endpoint> routes) {
  /** Copies the routes. */
  public ReplicationOptions {
    routes = Map.copyOf(routes);
  }

  /** What a server uses. */
  public static ReplicationOptions defaults() {
    return new ReplicationOptions(8, 5000, 100, 500, RoundOptions.defaults(), Map.of());
  }

  /** The same, meeting more or less often. */
  public ReplicationOptions withPeriod(long newPeriodMillis, long newRetryMillis) {
    return new ReplicationOptions(
        meetings, newPeriodMillis, newRetryMillis, fullEvery, round, routes);
  }

  /** The same with other bounds of a round. */
  public ReplicationOptions withRound(RoundOptions other) {
    return new ReplicationOptions(meetings, periodMillis, retryMillis, fullEvery, other, routes);
  }

  /** The same with other routes. */
  public ReplicationOptions withRoutes(Map<Endpoint, Endpoint> other) {
    return new ReplicationOptions(meetings, periodMillis, retryMillis, fullEvery, round, other);
  }
}
