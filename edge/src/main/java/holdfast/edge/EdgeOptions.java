package holdfast.edge;

import holdfast.crypto.VerifyKey;
import holdfast.net.Endpoint;
import holdfast.net.Routes;
import holdfast.node.NodeOptions;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * How an edge runs.
 *
 * @param data the edge's folder
 * @param rest where the REST interface listens
 * @param mqtt where MQTT listens; null for no MQTT
 * @param node where the edge's own capsule server listens
 * @param nodeHttp where that server tells of its health, on loopback
 * @param hosts names and addresses under which clients reach the edge, for its certificate
 * @param certificate files of a certificate that is given; null to use the edge's own authority
 * @param bcryptCost of passwords that are set from now on
 * @param queueTasks changes that may wait to be written
 * @param queueBytes bytes of such changes, and as many of bodies of REST that are under way
 * @param connections of clients at once, by REST and by MQTT each
 * @param watches at once, by REST and by MQTT each
 * @param allowOwners who else may create capsules on the edge's server
 * @param routes to other servers
 * @param heartbeatMillis how often masters are told that the edge is there
 */
public record EdgeOptions(
    Path data,
    Endpoint rest,
    @Nullable Endpoint mqtt,
    Endpoint node,
    Endpoint nodeHttp,
    List<String> hosts,
    @Nullable Certificate certificate,
    int bcryptCost,
    int queueTasks,
    long queueBytes,
    int connections,
    int watches,
    Set<VerifyKey> allowOwners,
    Routes routes,
    long heartbeatMillis) {
  /** A queue has room for a batch of a device at least. */
  private static final long LEAST_QUEUE_BYTES = 16L << 20;

  /** The port of the REST interface when none is given. */
  public static final int DEFAULT_REST_PORT = 7443;

  /** The port of MQTT when none is given. */
  public static final int DEFAULT_MQTT_PORT = 8883;

  /** The cost of bcrypt when none is given. */
  public static final int DEFAULT_BCRYPT_COST = Passwords.DEFAULT_COST;

  /**
   * Files of a certificate.
   *
   * @param chain the certificate and those below it, in PEM
   * @param key its private key, PKCS#8 in PEM
   * @param authority whose certificates clients may show; null to take none
   * @param revoked what that authority has revoked; null to go without
   */
  public record Certificate(
      Path chain, Path key, @Nullable Path authority, @Nullable Path revoked) {}

  /** Checks the numbers. */
  public EdgeOptions {
    hosts = List.copyOf(hosts);
    allowOwners = Set.copyOf(allowOwners);
    if (bcryptCost < Passwords.LEAST_COST || bcryptCost > Passwords.MOST_COST) {
      throw new IllegalArgumentException(
          "the cost of bcrypt is " + Passwords.LEAST_COST + " to " + Passwords.MOST_COST);
    }
    if (queueTasks < 1 || queueBytes < LEAST_QUEUE_BYTES) {
      throw new IllegalArgumentException(
          "the queue holds at least one change of the largest size, "
              + LEAST_QUEUE_BYTES
              + " bytes");
    }
    if (connections < 1 || watches < 0) {
      throw new IllegalArgumentException("there is room for one connection or more");
    }
  }

  /** What an edge uses when nothing is configured; without MQTT. */
  public static EdgeOptions of(Path data, Endpoint rest, Endpoint node) {
    return new EdgeOptions(
        data,
        rest,
        null,
        node,
        new Endpoint("127.0.0.1", 0),
        List.of("localhost", "127.0.0.1", "::1"),
        null,
        DEFAULT_BCRYPT_COST,
        20_000,
        Math.max(LEAST_QUEUE_BYTES, Math.min(256L << 20, Runtime.getRuntime().maxMemory() / 8)),
        10_000,
        1000,
        Set.of(),
        Routes.parse(List.of()),
        NodeOptions.DEFAULT_HEARTBEAT_MILLIS);
  }

  /** The same edge, with MQTT. */
  public EdgeOptions withMqtt(Endpoint where) {
    return at(rest, where, node, nodeHttp);
  }

  /** The same edge in another place: where it listens, as in the constructor. */
  EdgeOptions at(Endpoint rest, @Nullable Endpoint mqtt, Endpoint node, Endpoint nodeHttp) {
    return new EdgeOptions(
        data,
        rest,
        mqtt,
        node,
        nodeHttp,
        hosts,
        certificate,
        bcryptCost,
        queueTasks,
        queueBytes,
        connections,
        watches,
        allowOwners,
        routes,
        heartbeatMillis);
  }
}
