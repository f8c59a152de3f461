package holdfast.node;

import holdfast.base.Limits;
import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;
import holdfast.net.Routes;
import holdfast.node.replication.MeetingOptions;
import holdfast.store.StoreOptions;
import java.nio.file.Path;
import java.util.Set;

/**
 * How a node runs.
 *
 * @param data the data folder
 * @param endpoint where the data port listens
 * @param http where the HTTP port listens
 * @param owners who may create capsules here; empty for anybody, which only a loopback server
 *     allows
 * @param capsulesPerOwner how many capsules one owner may have here
 * @param sessions sessions at once at most
 * @param mirroredEntries entries of all mirrored caches together at most
 * @param stagedBytes bytes of records being sent in parts, of all sessions together, at most
 * @param inboundBytes bytes of large messages that are coming in, or not handled yet, of all
 *     sessions together, at most
 * @param scrubBytesPerSecond how fast the scrubber reads at most; 0 for not at all
 * @param store how the store uses its machine
 * @param replication how the node meets the servers that keep the same capsules
 * @param heartbeatMillis how often it tells those servers that it is there; one that is silent for
 *     three times as long is reported
 */
public record NodeOptions(
    Path data,
    Endpoint endpoint,
    Endpoint http,
    Set<VerifyKey> owners,
    int capsulesPerOwner,
    int sessions,
    long mirroredEntries,
    long stagedBytes,
    long inboundBytes,
    long scrubBytesPerSecond,
    StoreOptions store,
    MeetingOptions replication,
    long heartbeatMillis) {

  /** The HTTP port when none is given. */
  public static final int DEFAULT_HTTP_PORT = 7421;

  /** How fast the scrubber reads when nothing is said: a third of a TiB in a day. */
  public static final long DEFAULT_SCRUB_RATE = 4L << 20;

  /** How often servers tell each other that they are there when nothing is said. */
  public static final long DEFAULT_HEARTBEAT_MILLIS = 5000;

  /** Refuses to let anybody on a network create capsules. */
  public NodeOptions {
    owners = Set.copyOf(owners);
    if (!endpoint.loopback() && owners.isEmpty()) {
      throw new IllegalArgumentException(
          "a server that others can reach needs --allow-owner KEY: who may create capsules here");
    }
    if (scrubBytesPerSecond < 0) {
      throw new IllegalArgumentException("the rate of the scrubber is 0, for none, or more");
    }
    if (!http.loopback()) {
      throw new IllegalArgumentException("the HTTP port is plain and listens on loopback only");
    }
  }

  /** What a server uses when nothing is configured. */
  public static NodeOptions of(Path data, Endpoint endpoint, Endpoint http, Set<VerifyKey> owners) {
    long heap = Runtime.getRuntime().maxMemory();
    return new NodeOptions(
        data,
        endpoint,
        http,
        owners,
        100_000,
        20_000,
        heap / 8 / 32,
        Math.min(512L << 20, heap / 8),
        Math.max(2L * Limits.MESSAGE_BYTES, Math.min(256L << 20, heap / 16)),
        DEFAULT_SCRUB_RATE,
        StoreOptions.defaults(),
        MeetingOptions.defaults(),
        DEFAULT_HEARTBEAT_MILLIS);
  }

  /** The same with other store options. */
  public NodeOptions withStore(StoreOptions options) {
    return new NodeOptions(
        data,
        endpoint,
        http,
        owners,
        capsulesPerOwner,
        sessions,
        mirroredEntries,
        stagedBytes,
        inboundBytes,
        scrubBytesPerSecond,
        options,
        replication,
        heartbeatMillis);
  }

  /** The same, listening elsewhere. */
  public NodeOptions at(Endpoint dataEndpoint, Endpoint httpEndpoint) {
    return new NodeOptions(
        data,
        dataEndpoint,
        httpEndpoint,
        owners,
        capsulesPerOwner,
        sessions,
        mirroredEntries,
        stagedBytes,
        inboundBytes,
        scrubBytesPerSecond,
        store,
        replication,
        heartbeatMillis);
  }

  /** The same with routes to other servers. */
  public NodeOptions withRoutes(Routes ways) {
    return withReplication(replication.withRoutes(ways));
  }

  /** The same, meeting its peers in another way. */
  public NodeOptions withReplication(MeetingOptions options) {
    return new NodeOptions(
        data,
        endpoint,
        http,
        owners,
        capsulesPerOwner,
        sessions,
        mirroredEntries,
        stagedBytes,
        inboundBytes,
        scrubBytesPerSecond,
        store,
        options,
        heartbeatMillis);
  }

  /** The same with another rate of the scrubber, in bytes a second; 0 for no scrubber. */
  public NodeOptions withScrubRate(long bytesPerSecond) {
    return new NodeOptions(
        data,
        endpoint,
        http,
        owners,
        capsulesPerOwner,
        sessions,
        mirroredEntries,
        stagedBytes,
        inboundBytes,
        bytesPerSecond,
        store,
        replication,
        heartbeatMillis);
  }

  /** The same, heard of more or less often. */
  public NodeOptions withHeartbeat(long millis) {
    return new NodeOptions(
        data,
        endpoint,
        http,
        owners,
        capsulesPerOwner,
        sessions,
        mirroredEntries,
        stagedBytes,
        inboundBytes,
        scrubBytesPerSecond,
        store,
        replication,
        millis);
  }
}
