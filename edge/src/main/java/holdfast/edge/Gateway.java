package holdfast.edge;

import holdfast.base.Closing;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.client.Server;
import holdfast.crypto.VerifyKey;
import holdfast.edge.site.IssuedCertificate;
import holdfast.edge.site.SiteTls;
import holdfast.net.Endpoint;
import holdfast.node.Node;
import holdfast.node.NodeOptions;
import holdfast.store.DerivedTable;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A running edge: its own capsule server, the view, the flusher, REST, and MQTT. */
public final class Gateway implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Gateway.class);

  private final EdgeOptions options;
  private final EdgeFolder folder;
  private final ArrayDeque<AutoCloseable> parts = new ArrayDeque<>();
  private final Node node;
  private final View view;
  private final RestPort rest;
  private final @Nullable MqttPort mqtt;
  private final EdgeFolder.Admin admin;
  private final SiteTls tls;
  private final Backup backup;

  private Gateway(EdgeOptions options) throws ProofException {
    this.options = options;
    this.folder = EdgeFolder.at(options.data());
    Hash capsule = folder.capsule();
    Set<VerifyKey> owners = new HashSet<>(options.allowOwners());
    owners.add(folder.owner());
    try {
      this.node =
          part(
              Node.start(
                  NodeOptions.of(folder.node(), options.node(), options.nodeHttp(), owners)
                      .withRoutes(options.routes())
                      .withHeartbeat(options.heartbeatMillis())));
      Endpoint local = new Endpoint("127.0.0.1", node.endpoint().port());
      Server server = part(Server.over(node.connect()));
      EdgeCapsule edgeCapsule =
          part(
              CapsuleChain.open(
                  server,
                  capsule,
                  reader -> folder.contentKeys(reader.metadata().name()),
                  folder.writer()));
      this.view = part(openView(edgeCapsule));
      EdgeClock clock = new EdgeClock(view.mark().timeMillis());
      view.clock = clock;
      Flusher flusher =
          part(new Flusher(view, edgeCapsule, options.queueTasks(), options.queueBytes()));
      flusher.start();
      ErasureWatch erasures = part(new ErasureWatch(view, flusher, edgeCapsule));
      erasures.start();
      Path authority = authority(options);
      this.tls = tls(options);
      Passwords passwords = new Passwords(options.bcryptCost());
      Logins logins =
          new Logins(
              view.users::get,
              passwords,
              Logins.LoginLimits.defaults(),
              () -> System.nanoTime() / 1_000_000);
      Edge edge =
          part(
              new Edge(
                  folder.name(), view, flusher, edgeCapsule, logins, passwords, node.identity()));
      this.backup = new Backup(node, folder.name(), edgeCapsule.names(), folder::copies);
      node.speakAsEdge(backup::state, folder.writer());
      edge.backup(backup);
      edge.clock(clock);
      edge.erasures(erasures);
      if (options.certificate() == null) {
        part(
            new CertificateRenewal(
                folder, options.hosts(), InstantSource.system(), CertificateRenewal.PERIOD));
      }
      this.rest = part(RestPort.listen(options, edge, tls));
      Endpoint forMqtt = options.mqtt();
      this.mqtt = forMqtt == null ? null : part(MqttPort.listen(options, forMqtt, edge, tls));
      this.admin =
          EdgeFolder.admin(rest.endpoint(), authority, local, node.identity(), fingerprint());
      folder.announce(admin);
      tls.onChange(shown -> folder.announce(admin.showing(IssuedCertificate.fingerprint(shown))));
      parts.push(this::withdraw);
      logins.operatorToken(admin.token());
    } catch (ProofException | RuntimeException | Error e) {
      try {
        close();
      } catch (RuntimeException | Error also) {
        e.addSuppressed(also);
      }
      throw e;
    }
    LOG.info("edge {} serves REST on {}", folder.name(), rest.endpoint());
    Endpoint mqttServed = mqtt();
    if (mqttServed != null) {
      LOG.info("edge {} serves MQTT on {}", folder.name(), mqttServed);
    }
  }

  private void withdraw() {
    tls.onChange(shown -> {});
    folder.withdraw();
  }

  private <T extends AutoCloseable> T part(T made) {
    parts.push(made);
    return made;
  }

  /** Starts an edge that is set up; it serves when this returns. */
  public static Gateway start(EdgeOptions options) throws ProofException {
    return new Gateway(options);
  }

  private View openView(EdgeCapsule capsule) throws ProofException {
    View opened = caughtUp(capsule);
    if (opened != null) {
      return opened;
    }
    LOG.info("the view is made anew from the capsule");
    DerivedTable.delete(folder.view());
    View fresh = caughtUp(capsule);
    if (fresh != null) {
      return fresh;
    }
    throw new HoldfastException(
        ErrorCode.DAMAGED, "no view follows from capsule " + capsule.name().brief());
  }

  /** The view that is in the folder, brought up to date; null when it does not follow. */
  private @Nullable View caughtUp(EdgeCapsule capsule) throws ProofException {
    View opened = View.open(folder.view());
    boolean follows = false;
    try {
      follows = capsule.catchUp(opened);
    } finally {
      if (!follows) {
        opened.close();
      }
    }
    return follows ? opened : null;
  }

  private Path authority(EdgeOptions options) {
    EdgeOptions.Certificate given = options.certificate();
    if (given == null) {
      folder.requireCertificate(options.hosts(), InstantSource.system());
      return folder.site().resolve("ca.pem");
    }
    return given.authority() == null ? given.chain() : given.authority();
  }

  private SiteTls tls(EdgeOptions options) {
    EdgeOptions.Certificate given = options.certificate();
    if (given == null) {
      return SiteTls.mutual(
          folder.certificate(),
          folder.certificateKey(),
          folder.site().resolve("ca.pem"),
          folder.site().resolve("crl.pem"),
          InstantSource.system());
    }
    Path authority = given.authority();
    return authority == null
        ? SiteTls.server(given.chain(), given.key())
        : SiteTls.mutual(
            given.chain(), given.key(), authority, given.revoked(), InstantSource.system());
  }

  /** Where the REST interface listens. */
  public Endpoint rest() {
    return rest.endpoint();
  }

  /** Where MQTT is served; null when it is not. */
  public @Nullable Endpoint mqtt() {
    return mqtt == null ? null : mqtt.endpoint();
  }

  /** What the same edge is started with to come back where this one is, on the same ports. */
  public EdgeOptions samePlace() {
    return options.at(rest(), mqtt(), node.endpoint(), new Endpoint("127.0.0.1", node.httpPort()));
  }

  /** The edge's own capsule server. */
  public Node node() {
    return node;
  }

  /** How far the edge's capsules are on its masters. */
  public Backup backup() {
    return backup;
  }

  /** The file of certificates that clients trust. */
  public Path authority() {
    return admin.authority();
  }

  /** SHA-256 of the certificate that clients are shown. */
  public String fingerprint() {
    return IssuedCertificate.fingerprint(tls.certificate());
  }

  /**
   * Ends requests, writes what waits, and stops. A part that fails keeps no other from stopping; it
   * is told when all have been.
   */
  @Override
  public void close() {
    AutoCloseable[] newestFirst = parts.toArray(AutoCloseable[]::new);
    parts.clear();
    Closing.inTurn(newestFirst);
  }
}
