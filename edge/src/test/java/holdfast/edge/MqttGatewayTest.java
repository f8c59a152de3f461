package holdfast.edge;

import static holdfast.edge.EdgeFixture.ANN;
import static holdfast.edge.EdgeFixture.BOB;
import static holdfast.edge.EdgeFixture.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.edge.site.Holder;
import holdfast.edge.site.SiteAuthority;
import holdfast.testkit.Patience;
import io.netty.handler.codec.mqtt.MqttQoS;
import io.netty.handler.codec.mqtt.MqttVersion;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.net.PemKeyCertOptions;
import io.vertx.core.net.PemTrustOptions;
import io.vertx.mqtt.MqttClient;
import io.vertx.mqtt.MqttClientOptions;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** MQTT and REST of one edge, with its capsule on the disk. */
@Timeout(Patience.TEST_SECONDS)
class MqttGatewayTest {
  @TempDir Path data;

  private static EdgeOptions withMqtt(EdgeOptions plain) {
    return plain.withMqtt(EdgeFixture.ANYWHERE);
  }

  private static int port(EdgeFixture edge) {
    return Objects.requireNonNull(edge.gateway.mqtt()).port();
  }

  private static MqttClientOptions trusting(EdgeFixture edge) {
    return new MqttClientOptions()
        .setSsl(true)
        .setHostnameVerificationAlgorithm("HTTPS")
        .setTrustOptions(new PemTrustOptions().addCertPath(edge.gateway.authority().toString()));
  }

  private static int publish(MqttClient client, String topic, String value) throws Exception {
    return get(client.publish(topic, Buffer.buffer(value), MqttQoS.AT_LEAST_ONCE, false, false));
  }

  private static <T> T get(Future<T> future) throws Exception {
    return future.toCompletionStage().toCompletableFuture().get(60, TimeUnit.SECONDS);
  }

  /** A client library that others have written, and both interfaces at once. */
  @Test
  void whatOneInterfacePutsTheOtherShows() throws Exception {
    Vertx vertx = Vertx.vertx();
    try (EdgeFixture edge = EdgeFixture.start(data, MqttGatewayTest::withMqtt)) {
      edge.put(ANN, "/v1/kv/home/before", "0");
      MqttClientOptions options = trusting(edge).setUsername("ann").setPassword("correct horse");
      MqttClient client = MqttClient.create(vertx, options);
      BlockingQueue<String> seen = new LinkedBlockingQueue<>();
      BlockingQueue<Integer> acknowledged = new LinkedBlockingQueue<>();
      client.publishHandler(message ->
          seen.add(message.topicName() + " " + message.payload() + " " + message.isRetain()));
      client.publishCompletionHandler(acknowledged::add);
      assertThat(get(client.connect(port(edge), "localhost")).isSessionPresent()).isFalse();
      get(client.subscribe("kv/home/#", 1));
      assertThat(seen.poll(60, TimeUnit.SECONDS)).isEqualTo("kv/home/before 0 true");
      edge.put(ANN, "/v1/kv/home/by-rest", "1");
      assertThat(seen.poll(60, TimeUnit.SECONDS)).isEqualTo("kv/home/by-rest 1 false");
      int id = publish(client, "kv/home/by/mqtt", "2");
      assertThat(acknowledged.poll(60, TimeUnit.SECONDS)).isEqualTo(id);
      HttpResponse<byte[]> got = edge.get(BOB, "/v1/kv/home/by%2Fmqtt");
      assertThat(text(got)).isEqualTo("2");
      assertThat(seen.poll(60, TimeUnit.SECONDS)).isEqualTo("kv/home/by/mqtt 2 false");
      edge.delete(ANN, "/v1/kv/home/by%2Fmqtt");
      assertThat(seen.poll(60, TimeUnit.SECONDS)).isEqualTo("kv/home/by/mqtt  false");
      try (EdgeAdmin admin = edge.admin()) {
        Map<?, ?> status = (Map<?, ?>) Objects.requireNonNull(admin.status().get("mqtt"));
        assertThat(status.get("acknowledged").toString()).isEqualTo("1");
        assertThat(status.get("sent").toString()).isEqualTo("4");
      }
      get(client.disconnect());
    } finally {
      get(vertx.close());
    }
  }

  private static SiteAuthority.Issue issue(SiteAuthority authority, String user) {
    return authority.issue(new Holder(Holder.Kind.USER, user), List.of(), Duration.ofDays(1));
  }

  /** What a client has that shows a certificate. */
  private MqttClientOptions holding(EdgeFixture edge, SiteAuthority.Issue issue, String user)
      throws Exception {
    Path key = Files.writeString(data.resolve(user + ".key"), issue.key());
    Path chain = Files.writeString(data.resolve(user + ".pem"), issue.chain());
    return trusting(edge)
        .setKeyCertOptions(
            new PemKeyCertOptions().setKeyPath(key.toString()).setCertPath(chain.toString()));
  }

  /** I19, and I10: a certificate of the site logs in, and not when it is revoked. */
  @Test
  void i10_aCertificateLogsInUntilItIsRevoked() throws Exception {
    Vertx vertx = Vertx.vertx();
    try (EdgeFixture edge = EdgeFixture.start(data, MqttGatewayTest::withMqtt)) {
      SiteAuthority authority = SiteAuthority.open(edge.folder.site(), InstantSource.system());
      SiteAuthority.Issue issue = issue(authority, "ann");
      MqttClientOptions options = holding(edge, issue, "ann");
      // Whose certificate is not revoked stays, and can come back: nothing else ended the other.
      MqttClientOptions unharmed = holding(edge, issue(authority, "bob"), "bob");
      MqttClient bystander = MqttClient.create(vertx, unharmed);
      get(bystander.connect(port(edge), "localhost"));
      MqttClient client = MqttClient.create(vertx, options);
      BlockingQueue<Integer> acknowledged = new LinkedBlockingQueue<>();
      CountDownLatch closed = new CountDownLatch(1);
      client.publishCompletionHandler(acknowledged::add);
      client.closeHandler(gone -> closed.countDown());
      get(client.connect(port(edge), "localhost"));
      publish(client, "kv/home/a", "1");
      assertThat(acknowledged.poll(60, TimeUnit.SECONDS)).isEqualTo(1);
      authority.revoke(List.of(issue.issued()));
      // What is revoked is read again when its file has changed; the connection is there already.
      while (closed.getCount() > 0 && client.isConnected()) {
        client.publish("kv/home/b", Buffer.buffer("2"), MqttQoS.AT_LEAST_ONCE, false, false);
        acknowledged.poll(100, TimeUnit.MILLISECONDS);
      }
      assertThat(closed.await(60, TimeUnit.SECONDS)).isTrue();
      MqttClient again = MqttClient.create(vertx, options);
      assertThatThrownBy(() -> get(again.connect(port(edge), "localhost")))
          .isInstanceOf(ExecutionException.class);
      assertThat(bystander.isConnected()).isTrue();
      get(MqttClient.create(vertx, unharmed).connect(port(edge), "localhost"));
      edge.restart(() -> {});
      assertThat(text(edge.get(BOB, "/v1/kv/home/a"))).isEqualTo("1");
    } finally {
      get(vertx.close());
    }
  }

  /** Publishers that wait for each acknowledgement share records: group commit. */
  @Test
  void manyPublishersShareRecords() throws Exception {
    int publishers = Integer.getInteger("holdfast.mqttPublishers", 50);
    int each = Integer.getInteger("holdfast.mqttMessages", 40);
    try (EdgeFixture edge = EdgeFixture.start(data, MqttGatewayTest::withMqtt)) {
      SSLContext tls = EdgeFixture.trusting(edge.gateway.authority());
      List<MqttWire> wires = new ArrayList<>();
      for (int i = 0; i < publishers; i++) {
        MqttWire wire = MqttWire.open(tls, port(edge));
        wire.hello(MqttWire.connect(MqttVersion.MQTT_3_1_1, ANN).clientId("p" + i));
        wires.add(wire);
      }
      long flushes = flushes(edge);
      long start = System.nanoTime();
      AtomicInteger wrong = new AtomicInteger();
      List<Thread> threads = new ArrayList<>();
      for (int p = 0; p < publishers; p++) {
        MqttWire wire = wires.get(p);
        String topic = "kv/home/p" + p;
        threads.add(Thread.ofVirtual().start(() -> publish(wire, topic, each, wrong)));
      }
      for (Thread thread : threads) {
        thread.join();
      }
      double seconds = (System.nanoTime() - start) / 1e9;
      long records = flushes(edge) - flushes;
      System.getLogger(MqttGatewayTest.class.getName())
          .log(
              System.Logger.Level.INFO,
              publishers * each / seconds + " messages/s, in " + records + " records");
      assertThat(wrong).hasValue(0);
      assertThat(records).isLessThan(publishers * each);
      for (MqttWire wire : wires) {
        wire.close();
      }
      for (int p = 0; p < publishers; p++) {
        assertThat(text(edge.get(BOB, "/v1/kv/home/p" + p)))
            .isEqualTo("value " + each + "x".repeat(50));
      }
    }
  }

  private static void publish(MqttWire wire, String topic, int each, AtomicInteger wrong) {
    try {
      for (int i = 1; i <= each; i++) {
        wire.send(MqttWire.publish(topic, "value " + i + "x".repeat(50), 1, i % 60_000 + 1));
        if (!wire.line().startsWith("puback " + (i % 60_000 + 1))) {
          wrong.incrementAndGet();
        }
      }
    } catch (java.io.IOException e) {
      wrong.incrementAndGet();
    }
  }

  private static long flushes(EdgeFixture edge) throws Exception {
    try (EdgeAdmin admin = edge.admin()) {
      return Long.parseLong(String.valueOf(admin.status().get("flushes")));
    }
  }
}
