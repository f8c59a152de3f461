package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;

import holdfast.base.Hash;
import holdfast.capsule.ContentKey;
import holdfast.client.Server;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.edge.site.SiteTls;
import holdfast.net.Endpoint;
import holdfast.testkit.Patience;
import io.netty.handler.codec.mqtt.MqttConnAckMessage;
import io.netty.handler.codec.mqtt.MqttVersion;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;

/** MQTT over an edge whose capsule is in memory and fails as it is told. */
final class MqttFixture implements AutoCloseable {
  static final String ANN = "ann:correct horse";
  static final String BOB = "bob:battery staple";
  static final MqttVersion FIVE = MqttVersion.MQTT_5;
  static final MqttVersion THREE = MqttVersion.MQTT_3_1_1;

  final FaultyLog log = new FaultyLog();
  final View view;
  final Flusher flusher;
  final Passwords passwords = new Passwords(Passwords.LEAST_COST);
  final Edge edge;
  final MqttPort port;
  final SSLContext trusting;

  /** Who looks for the user "slow" waits for this. */
  final CountDownLatch slow = new CountDownLatch(1);

  private final Server nowhere;

  MqttFixture(Path folder, int queueTasks) throws Exception {
    view = View.open(folder.resolve("view"));
    flusher = new Flusher(view, log, queueTasks, 64 << 20);
    flusher.start();
    Logins logins =
        new Logins(
            this::user,
            passwords,
            Logins.LoginLimits.defaults(),
            () -> System.nanoTime() / 1_000_000);
    SigningKey key = SigningKey.generate(EdgeFixture.RANDOM);
    nowhere = Server.at(new Endpoint("127.0.0.1", 1), key.verifyKey());
    EdgeCapsule capsule =
        new EdgeCapsule(
            nowhere,
            Hash.ZERO,
            key,
            List.of(new ContentKey(0, Secret.copyOf(new byte[ContentKey.SIZE]))),
            null);
    edge = new Edge("test", view, flusher, capsule, logins, passwords, key.verifyKey());
    Files.writeString(folder.resolve("name"), "test\n");
    EdgeFolder files = EdgeFolder.at(folder);
    files.requireCertificate(List.of("127.0.0.1"), InstantSource.system());
    Path authority = files.site().resolve("ca.pem");
    SiteTls tls =
        SiteTls.mutual(
            files.certificate(),
            files.certificateKey(),
            authority,
            files.site().resolve("crl.pem"),
            InstantSource.system());
    EdgeOptions options =
        EdgeOptions.of(folder, EdgeFixture.ANYWHERE, EdgeFixture.ANYWHERE)
            .withMqtt(EdgeFixture.ANYWHERE);
    port = MqttPort.listen(options, EdgeFixture.ANYWHERE, edge, tls);
    trusting = EdgeFixture.trusting(authority);
    user("ann", "correct horse", new EdgeLeaf.Grant("home", Right.WRITE));
    user("bob", "battery staple", new EdgeLeaf.Grant("home", Right.READ));
  }

  private EdgeLeaf.User user(String name) {
    if (name.equals("slow")) {
      try {
        slow.await();
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }
    return view.users.get(name);
  }

  /** Makes a user anew. */
  void user(String name, String password, EdgeLeaf.Grant... grants) {
    administer(
        new EdgeLeaf.User(1, "", name, passwords.hash(password.getBytes(UTF_8)), List.of(grants)));
  }

  void administer(EdgeLeaf leaf) {
    while (true) {
      Ticket ticket = new Ticket();
      try {
        flusher.submit(new Task.Administer(ticket, flush -> leaf));
      } catch (Problem problem) {
        if (problem.code() != Problem.Code.BUSY) {
          throw problem;
        }
        // The queue is small, and what clients have left in it is still being written.
        Thread.onSpinWait();
        continue;
      }
      ticket.await(Patience.MILLIS);
      return;
    }
  }

  MqttWire open() throws IOException {
    return MqttWire.open(trusting, port.endpoint().port());
  }

  /** A client that is logged in. */
  MqttWire client(MqttVersion version, String login, String id) throws IOException {
    MqttWire wire = open();
    MqttConnAckMessage answer = wire.hello(MqttWire.connect(version, login).clientId(id));
    if (answer.variableHeader().connectReturnCode().byteValue() != 0) {
      throw new AssertionError("refused: " + answer);
    }
    return wire;
  }

  String value(String key) {
    Version.Current current = view.get("home", key);
    return current == null ? "none" : "\"" + new String(current.value(), UTF_8) + "\"";
  }

  int versions(String key) {
    AtomicInteger count = new AtomicInteger();
    view.history("home", key, Long.MAX_VALUE, version -> count.incrementAndGet() > 0);
    return count.get();
  }

  @Override
  public void close() {
    slow.countDown();
    port.close();
    flusher.close();
    nowhere.close();
    view.close();
  }
}
