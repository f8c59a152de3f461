package holdfast.edge;

import static holdfast.edge.EdgeFixture.ANN;
import static holdfast.edge.EdgeFixture.BOB;
import static holdfast.edge.EdgeFixture.code;
import static holdfast.edge.EdgeFixture.text;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.client.WriterOptions;
import holdfast.device.Batch;
import holdfast.device.DeviceKey;
import holdfast.device.Octets;
import holdfast.device.Operation;
import holdfast.device.Range;
import holdfast.device.Reason;
import holdfast.device.SignedClaim;
import java.io.ByteArrayOutputStream;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Devices with keys: enrolment, batches, and what an audit says of them. I27: devices are told
 * apart.
 */
class DevicesTest {
  private static final Octets QUEUE = Octets.wrap(new byte[16]);

  @TempDir Path data;
  private EdgeFixture edge;
  private final DeviceKey key = DeviceKey.generate(EdgeFixture.RANDOM);

  @BeforeEach
  void start() throws Exception {
    edge = EdgeFixture.start(data);
  }

  @AfterEach
  void stop() {
    edge.close();
  }

  private HttpResponse<byte[]> enrol(String login, String name, DeviceKey who) throws Exception {
    String user = login.substring(0, login.indexOf(':'));
    return edge.post(
        login,
        "/v1/devices",
        Json.object()
            .put("device", name)
            .put("key", who.publicKey().toHex())
            .put("signature", who.signEnrolment(name, user).toHex())
            .toString());
  }

  private static Operation put(long sequence, String key, String value) {
    return new Operation.Put(
        sequence, sequence, "home", key, "text/plain", Octets.wrap(value.getBytes(UTF_8)));
  }

  private Batch batch(long first, long last, List<Range> ranges, Operation... operations) {
    return Batch.sign(key, QUEUE, first, last, ranges, List.of(operations));
  }

  private HttpResponse<byte[]> send(String login, String device, byte[] batch) throws Exception {
    return edge.send(
        edge.request(login, "/v1/devices/" + device + "/batches")
            .header("Content-Type", Batch.MEDIA_TYPE)
            .POST(HttpRequest.BodyPublishers.ofByteArray(batch)));
  }

  private HttpResponse<byte[]> send(Batch batch) throws Exception {
    return send(ANN, "sensor", batch.encode());
  }

  private static Map<?, ?> json(HttpResponse<byte[]> response) {
    return Json.map(Json.read(response.body()), "answer");
  }

  @Test
  void i27_aNameBelongsToOneKeyForEver() throws Exception {
    assertThat(enrol(ANN, "sensor", key).statusCode()).isEqualTo(201);
    assertThat(enrol(ANN, "sensor", key).statusCode()).isEqualTo(200);
    HttpResponse<byte[]> other = enrol(ANN, "sensor", DeviceKey.generate(EdgeFixture.RANDOM));
    assertThat(other.statusCode()).isEqualTo(409);
    assertThat(code(other)).isEqualTo("conflict");
    assertThat(enrol(BOB, "of-bob", key).statusCode()).isEqualTo(403);
    // A signature over another name shows nothing.
    HttpResponse<byte[]> stolen =
        edge.post(
            ANN,
            "/v1/devices",
            Json.object()
                .put("device", "other")
                .put("key", key.publicKey().toHex())
                .put("signature", key.signEnrolment("sensor", "ann").toHex())
                .toString());
    assertThat(stolen.statusCode()).isEqualTo(422);
  }

  @Test
  void theIncarnationsOfADeviceAreListedInPages() throws Exception {
    enrol(ANN, "sensor", key);
    for (int i = 1; i <= 7; i++) {
      byte[] queue = new byte[16];
      queue[0] = (byte) i;
      Batch one =
          Batch.sign(key, Octets.wrap(queue), 1, 1, List.of(), List.of(put(1, "k" + i, "v")));
      assertThat(send(one).statusCode()).isEqualTo(200);
    }
    List<String> seen = new ArrayList<>();
    Object from = "00".repeat(16);
    for (int pages = 1; from != null; pages++) {
      Map<?, ?> page = json(edge.get(ANN, "/v1/devices/sensor/batches?limit=3&from=" + from));
      ((List<?>) page.get("incarnations"))
          .forEach(one -> seen.add(String.valueOf(((Map<?, ?>) one).get("incarnation"))));
      from = page.get("next");
      assertThat(pages).isLessThanOrEqualTo(3);
    }
    assertThat(seen).hasSize(7).doesNotHaveDuplicates().isSorted();
  }

  @Test
  void aBatchIsTakenOnceHoweverOftenItIsSent() throws Exception {
    enrol(ANN, "sensor", key);
    Batch first =
        batch(1, 3, List.of(new Range(Reason.COLLAPSED, 2, 2)), put(1, "a", "1"), put(3, "b", "3"));
    assertThat(json(send(first)).get("duplicate")).isEqualTo(false);
    assertThat(text(edge.get(BOB, "/v1/kv/home/b"))).isEqualTo("3");
    edge.put(ANN, "/v1/kv/home/b", "by hand");
    HttpResponse<byte[]> again = send(first);
    assertThat(json(again).get("duplicate")).isEqualTo(true);
    assertThat(json(again).get("last")).isEqualTo(3L);
    assertThat(text(edge.get(BOB, "/v1/kv/home/b"))).isEqualTo("by hand");
    Map<?, ?> queues = json(edge.get(ANN, "/v1/devices/sensor/batches"));
    assertThat(queues.get("incarnations").toString()).contains("last=3");
    String only = "/v1/devices/sensor/batches?incarnation=";
    String name = first.claim().incarnation().toHex();
    assertThat(json(edge.get(ANN, only + name)).get("incarnations").toString()).contains("last=3");
    assertThat(json(edge.get(ANN, only + "ab".repeat(16))).get("incarnations"))
        .isEqualTo(List.of());
    assertThat(edge.get(ANN, only + "x").statusCode()).isEqualTo(400);
    // The same many times at once is still taken once.
    Batch second = batch(4, 4, List.of(), put(4, "c", "4"));
    List<Boolean> duplicates = java.util.Collections.synchronizedList(new ArrayList<>());
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      threads.add(
          Thread.ofVirtual()
              .start(() -> {
                try {
                  duplicates.add(Boolean.TRUE.equals(json(send(second)).get("duplicate")));
                } catch (Exception e) {
                  throw new AssertionError(e);
                }
              }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(duplicates).hasSize(8).containsOnlyOnce(false);
    List<?> versions = (List<?>) json(edge.get(ANN, "/v1/kv/home/c/history")).get("versions");
    assertThat(versions).hasSize(1);
  }

  /** Two devices with the same name and key, as after a disk was copied. */
  @Test
  void batchesThatOverlapInAnotherWayAreAConflict() throws Exception {
    enrol(ANN, "sensor", key);
    send(batch(1, 2, List.of(), put(1, "a", "1"), put(2, "b", "2")));
    HttpResponse<byte[]> other = send(batch(1, 1, List.of(), put(1, "a", "else")));
    assertThat(other.statusCode()).isEqualTo(409);
    assertThat(json(other).get("last")).isEqualTo(2L);
    assertThat(send(batch(2, 3, List.of(), put(2, "b", "x"), put(3, "c", "x"))).statusCode())
        .isEqualTo(409);
    assertThat(text(edge.get(ANN, "/v1/kv/home/a"))).isEqualTo("1");
  }

  @Test
  void whatIsNotSignedOrNotAllowedIsRefused() throws Exception {
    enrol(ANN, "sensor", key);
    Batch batch = batch(1, 1, List.of(), put(1, "a", "1"));
    byte[] forged = batch.encode();
    // The last byte of the signature, which stands before the operations.
    forged[1 + batch.signed().encodedSize() - 1] ^= 1;
    assertThat(code(send(ANN, "sensor", forged))).isEqualTo("violation");
    byte[] altered = batch.encode();
    altered[altered.length - 1] ^= 1;
    assertThat(send(ANN, "sensor", altered).statusCode()).isEqualTo(400);
    assertThat(send(ANN, "stranger", batch.encode()).statusCode()).isEqualTo(409);
    assertThat(send(BOB, "sensor", batch.encode()).statusCode()).isEqualTo(403);
    assertThat(edge.post(ANN, "/v1/devices/sensor/batches", "x").statusCode()).isEqualTo(415);
    Batch attic = batch(1, 1, List.of(), new Operation.Delete(1, 1, "attic", "a"));
    assertThat(send(attic).statusCode()).isEqualTo(403);
    try (EdgeAdmin admin = edge.admin()) {
      admin.enrolled("sensor", false);
      assertThat(send(batch).statusCode()).isEqualTo(403);
      assertThat(enrol(ANN, "sensor", key).statusCode()).isEqualTo(403);
      admin.enrolled("sensor", true);
    }
    assertThat(send(batch).statusCode()).isEqualTo(200);
  }

  private static Operation put(long sequence, String space, String key, String value) {
    return new Operation.Put(
        sequence, sequence, space, key, "", Octets.wrap(value.getBytes(UTF_8)));
  }

  /**
   * One change that will never be taken: the answer names it, and the device goes on without it.
   */
  @Test
  void whatIsRejectedForGoodIsNamedAndToldAsLost() throws Exception {
    enrol(ANN, "sensor", key);
    Batch mixed =
        batch(
            1,
            4,
            List.of(),
            put(1, "a", "1"),
            put(2, "attic", "b", "2"),
            put(3, "c", "3"),
            put(4, "cellar", "d", "4"));
    HttpResponse<byte[]> refused = send(mixed);
    assertThat(refused.statusCode()).isEqualTo(403);
    assertThat(json(refused).get("rejected")).isEqualTo(List.of(2L, 4L));
    assertThat(text(refused)).contains("ann").contains("attic").contains("2 changes");
    assertThat(edge.get(ANN, "/v1/kv/home/a").statusCode()).isEqualTo(404);
    List<Range> ranges =
        List.of(new Range(Reason.REJECTED, 2, 2), new Range(Reason.REJECTED, 4, 4));
    Batch rest = batch(1, 4, ranges, put(1, "a", "1"), put(3, "c", "3"));
    assertThat(send(rest).statusCode()).isEqualTo(200);
    assertThat(send(mixed).statusCode()).isEqualTo(409);
    EdgeAudit.Report report = audit("sensor");
    assertThat(report.integrity()).isEqualTo(EdgeAudit.Integrity.HOLDS);
    assertThat(report.complete()).isFalse();
    assertThat(report.gaps())
        .containsExactly(
            new EdgeAudit.Gap(QUEUE.toHex(), "rejected", 2, 2),
            new EdgeAudit.Gap(QUEUE.toHex(), "rejected", 4, 4));
  }

  /** What does not fit into a space by itself never will; what does not fit now may do so later. */
  @Test
  void whatIsLargerThanTheQuotaIsRejectedForGoodAndWhatDoesNotFitNowIsNot() throws Exception {
    enrol(ANN, "sensor", key);
    try (EdgeAdmin admin = edge.admin()) {
      admin.limit("home", 100, 0);
    }
    HttpResponse<byte[]> never =
        send(batch(1, 2, List.of(), put(1, "a", "x"), put(2, "b", "x".repeat(100))));
    assertThat(never.statusCode()).isEqualTo(507);
    assertThat(json(never).get("rejected")).isEqualTo(List.of(2L));
    HttpResponse<byte[]> notNow =
        send(batch(1, 2, List.of(), put(1, "a", "x".repeat(60)), put(2, "b", "x".repeat(60))));
    assertThat(notNow.statusCode()).isEqualTo(507);
    assertThat(json(notNow).containsKey("rejected")).isFalse();
  }

  /** A device that did not hear the answer is not told that what was taken is lost. */
  @Test
  void whatWasTakenStaysTakenWhenTheRightIsGone() throws Exception {
    enrol(ANN, "sensor", key);
    Batch batch = batch(1, 1, List.of(), put(1, "garden", "a", "1"));
    assertThat(send(batch).statusCode()).isEqualTo(200);
    try (EdgeAdmin admin = edge.admin()) {
      admin.grant("ann", List.of(new EdgeAdmin.Right("garden", "none")));
    }
    HttpResponse<byte[]> again = send(batch);
    assertThat(again.statusCode()).isEqualTo(200);
    assertThat(json(again).get("duplicate")).isEqualTo(true);
    assertThat(json(send(batch(2, 2, List.of(), put(2, "garden", "a", "2")))).get("rejected"))
        .isEqualTo(List.of(2L));
  }

  @ParameterizedTest
  @EnumSource
  void aBatchMayBeCompressedAndABombIsRefused(HttpClient.Version version) throws Exception {
    enrol(ANN, "sensor", key);
    byte[] packed = gzip(batch(1, 1, List.of(), put(1, "a", "x".repeat(10_000))).encode());
    assertThat(packed.length).isLessThan(1000);
    assertThat(sendGzip(version, packed).statusCode()).isEqualTo(200);
    assertThat(edge.get(ANN, "/v1/kv/home/a").body()).hasSize(10_000);
    assertThat(sendGzip(version, gzip(new byte[64 << 20])).statusCode()).isEqualTo(413);
    assertThat(sendGzip(version, new byte[100]).statusCode()).isEqualTo(400);
  }

  private HttpResponse<byte[]> sendGzip(HttpClient.Version version, byte[] packed)
      throws Exception {
    return edge.send(
        edge.request(ANN, "/v1/devices/sensor/batches")
            .version(version)
            .header("Content-Type", Batch.MEDIA_TYPE)
            .header("Content-Encoding", "gzip")
            .POST(HttpRequest.BodyPublishers.ofByteArray(packed)));
  }

  private static byte[] gzip(byte[] plain) throws Exception {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(packed)) {
      out.write(plain);
    }
    return packed.toByteArray();
  }

  // ---- The audit --------------------------------------------------------------------------------

  private EdgeAudit.Report audit(String device) throws Exception {
    EdgeFolder.Admin running = edge.folder.running();
    try (Server server = Server.at(running.node(), running.identity());
        CapsuleReader reader =
            server.openReader(
                edge.folder.capsule(), edge.folder.contentKeys(), ReaderOptions.defaults())) {
      return EdgeAudit.run(reader, device, 0, Long.MAX_VALUE);
    }
  }

  @Test
  void anAuditTellsIntegrityAndCompletenessApart() throws Exception {
    enrol(ANN, "sensor", key);
    send(
        batch(
            1, 3, List.of(new Range(Reason.COLLAPSED, 2, 2)), put(1, "a", "1"), put(3, "b", "3")));
    Batch repeated = batch(4, 4, List.of(), put(4, "c", "4"));
    send(repeated);
    send(repeated);
    EdgeAudit.Report all = audit("sensor");
    assertThat(all.integrity()).isEqualTo(EdgeAudit.Integrity.HOLDS);
    assertThat(all.complete()).isTrue();
    assertThat(all.operations()).isEqualTo(3);
    assertThat(all.gaps()).containsExactly(new EdgeAudit.Gap(QUEUE.toHex(), "collapsed", 2, 2));

    // The edge lost 5 to 9, or kept them to itself; the device itself gave up 10.
    send(batch(10, 11, List.of(new Range(Reason.EXPIRED, 10, 10)), put(11, "d", "11")));
    EdgeAudit.Report gap = audit("sensor");
    assertThat(gap.integrity()).isEqualTo(EdgeAudit.Integrity.HOLDS);
    assertThat(gap.complete()).isFalse();
    assertThat(gap.gaps())
        .contains(
            new EdgeAudit.Gap(QUEUE.toHex(), "missing", 5, 9),
            new EdgeAudit.Gap(QUEUE.toHex(), "expired", 10, 10));
  }

  @Test
  void ofAClientWithOnlyAPasswordTheEdgeAloneVouches() throws Exception {
    edge.put(ANN, "/v1/kv/home/x", "1");
    EdgeAudit.Report report = audit("ann");
    assertThat(report.integrity()).isEqualTo(EdgeAudit.Integrity.EDGE_ONLY);
    assertThat(report.byPassword()).isEqualTo(1);
  }

  /** What the edge itself could do, with the key that writes its capsule. */
  private void forge(List<EdgeLeaf> leaves) throws Exception {
    EdgeFolder.Admin running = edge.folder.running();
    try (Server server = Server.at(running.node(), running.identity());
        CapsuleWriter writer =
            server.openWriter(
                edge.folder.capsule(),
                edge.folder.writer(),
                edge.folder.contentKeys().getLast(),
                WriterOptions.defaults())) {
      writer.append(leaves.stream().map(EdgeLeaf::encode).toList());
      writer.commitOrThrow();
    }
  }

  @Test
  void anEdgeThatForgesADevicesWritesIsFoundOut() throws Exception {
    enrol(ANN, "sensor", key);
    Batch true1 = batch(1, 1, List.of(), put(1, "a", "1"));
    send(true1);
    forge(List.of(new EdgeLeaf.Change("ann", "sensor", put(2, "a", "forged"))));
    assertThat(audit("sensor").violations()).singleElement().asString().contains("no claim");
  }

  @Test
  void anEdgeThatAltersADevicesWritesIsFoundOut() throws Exception {
    enrol(ANN, "sensor", key);
    Batch genuine = batch(1, 1, List.of(), put(1, "a", "1"));
    forge(
        List.of(
            new EdgeLeaf.DeviceBatch("ann", "sensor", genuine.signed()),
            new EdgeLeaf.Change("ann", "sensor", put(1, "a", "altered"))));
    EdgeAudit.Report report = audit("sensor");
    assertThat(report.integrity()).isEqualTo(EdgeAudit.Integrity.VIOLATED);
    assertThat(report.violations()).singleElement().asString().contains("root");
  }

  @Test
  void anEdgeThatSignsInADevicesPlaceIsFoundOut() throws Exception {
    enrol(ANN, "sensor", key);
    Batch genuine = batch(1, 1, List.of(), put(1, "a", "1"));
    byte[] signature = genuine.signed().signature().toArray();
    signature[5] ^= 1;
    SignedClaim unsigned = new SignedClaim(genuine.claim(), Octets.wrap(signature));
    Batch others =
        Batch.sign(
            DeviceKey.generate(EdgeFixture.RANDOM),
            QUEUE,
            2,
            2,
            List.of(),
            List.of(put(2, "a", "2")));
    forge(
        List.of(
            new EdgeLeaf.DeviceBatch("ann", "sensor", unsigned),
            new EdgeLeaf.Change("ann", "sensor", put(1, "a", "1")),
            new EdgeLeaf.DeviceBatch("ann", "sensor", others.signed()),
            new EdgeLeaf.Change("ann", "sensor", put(2, "a", "2"))));
    assertThat(audit("sensor").violations())
        .hasSize(2)
        .anyMatch(one -> one.contains("not signed"))
        .anyMatch(one -> one.contains("key that the device was not enrolled with"));
  }

  @Test
  void anEdgeThatLeavesOutAWriteOfABatchIsFoundOut() throws Exception {
    enrol(ANN, "sensor", key);
    Batch genuine = batch(1, 2, List.of(), put(1, "a", "1"), put(2, "b", "2"));
    forge(
        List.of(
            new EdgeLeaf.DeviceBatch("ann", "sensor", genuine.signed()),
            new EdgeLeaf.Change("ann", "sensor", put(1, "a", "1"))));
    assertThat(audit("sensor").violations()).singleElement().asString().contains("1 follow");
  }
}
