package holdfast.edge;

import static holdfast.edge.EdgeFixture.ANN;
import static holdfast.edge.EdgeFixture.BOB;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.capsule.Statement;
import holdfast.client.CapsuleReader;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.device.Batch;
import holdfast.device.DeviceKey;
import holdfast.device.Octets;
import holdfast.device.Operation;
import holdfast.net.Endpoint;
import holdfast.node.Node;
import holdfast.node.NodeOptions;
import holdfast.store.DerivedTable;
import holdfast.testkit.Patience;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What the owner erases leaves the view, and brings nobody and nothing back. */
@Timeout(Patience.TEST_SECONDS)
class ErasuresTest {
  private static final byte[] PASSWORD = "correct horse".getBytes(UTF_8);

  @TempDir Path data;
  private EdgeFixture edge;
  private final DeviceKey key = DeviceKey.generate(EdgeFixture.RANDOM);
  private final Octets queue = Octets.wrap(new byte[16]);

  @BeforeEach
  void start() throws Exception {
    edge = EdgeFixture.start(data);
  }

  @AfterEach
  void stop() {
    edge.close();
  }

  // ---- The owner --------------------------------------------------------------------------------

  private Hash erase(Statement.Erased erased) throws Exception {
    EdgeFolder.Admin running = edge.folder.running();
    try (Server server = Server.at(running.node(), running.identity())) {
      return erase(server, erased);
    }
  }

  private Hash erase(Server server, Statement.Erased erased) throws Exception {
    Statement.Erasure erasure =
        Statement.Erasure.sign(
            edge.folder.capsule(), System.currentTimeMillis(), erased, "asked for", edge.operator);
    server.declare(erasure);
    return erasure.name();
  }

  /** While the edge does not run: as on a master, which tells it when it is back. */
  private void eraseWhileAway(Statement.Erased erased) throws Exception {
    Endpoint anywhere = EdgeFixture.ANYWHERE;
    try (Node node =
            Node.start(
                NodeOptions.of(
                    edge.folder.node(), anywhere, anywhere, Set.of(edge.operator.verifyKey())));
        Server server = Server.at(node.endpoint(), node.identity())) {
      erase(server, erased);
    }
  }

  /** Everything up to the last record. */
  private Statement.Erased everything() {
    return new Statement.Erased.OfTimes(0, mark().timeMillis() + 1);
  }

  private View.Mark mark() {
    return Mark.of(edge);
  }

  /** Where the view of a running edge stands, by its capsule. */
  private static final class Mark {
    static View.Mark of(EdgeFixture edge) {
      EdgeFolder.Admin running = edge.folder.running();
      try (Server server = Server.at(running.node(), running.identity());
          CapsuleReader reader =
              server.openReader(edge.folder.capsule(), List.of(), ReaderOptions.withoutCache())) {
        Hash head = reader.heads().heads().getFirst();
        return new View.Mark(
            head, 0, 0, reader.readHeaders(List.of(head)).size() == 1 ? time(reader, head) : 0);
      } catch (holdfast.base.ProofException e) {
        throw new AssertionError(e);
      }
    }

    private static long time(CapsuleReader reader, Hash head) throws holdfast.base.ProofException {
      return reader.proofMaterial(head, -1).chain().getLast().header().timeMillis();
    }
  }

  private void settled() {
    Site.eventually(
        "the edge follows the erasure",
        () -> {
          try (EdgeAdmin admin = edge.admin()) {
            return Long.valueOf(0).equals(admin.status().get("unsettledErasures"))
                && statements() == settledLeaves();
          }
        });
  }

  private long statements() {
    return capsule(reader ->
        reader.statements(true).stream().filter(one -> one instanceof Statement.Erasure).count());
  }

  private long settledLeaves() {
    long[] count = new long[1];
    capsule(reader -> {
      for (Hash name : EdgeCapsule.linked(reader)) {
        var record = reader.read(name);
        var body =
            switch (record) {
              case holdfast.client.ReadResult.Proven one -> one.record();
              case holdfast.client.ReadResult.Erased one -> one.record();
              default -> throw new AssertionError(record);
            };
        if (body.body() != null) {
          for (byte[] leaf : reader.opener().openAll(body.header(), body.body())) {
            count[0] += leaf != null && EdgeLeaf.decode(leaf) instanceof EdgeLeaf.Settled ? 1 : 0;
          }
        }
      }
      return 0L;
    });
    return count[0];
  }

  private interface Asking {
    long ask(CapsuleReader reader) throws holdfast.base.ProofException;
  }

  private long capsule(Asking asking) {
    EdgeFolder.Admin running = edge.folder.running();
    try (Server server = Server.at(running.node(), running.identity());
        CapsuleReader reader =
            server.openReader(
                edge.folder.capsule(),
                edge.folder.contentKeys(edge.folder.capsule()),
                ReaderOptions.withoutCache())) {
      return asking.ask(reader);
    } catch (holdfast.base.ProofException e) {
      throw new AssertionError(e);
    }
  }

  private void rebuild() throws Exception {
    edge.restart(() -> DerivedTable.delete(edge.folder.view()));
  }

  private static Statement.Erased leaf(HttpResponse<byte[]> written) {
    Place place = Place.parse(EdgeFixture.etag(written).replace("\"", ""));
    return new Statement.Erased.OfLeaf(place.record(), place.leaf());
  }

  private int status(String login, String path) throws Exception {
    return edge.get(login, path).statusCode();
  }

  private int versions(String path) throws Exception {
    HttpResponse<byte[]> history = edge.get(ANN, path + "/history");
    return history.statusCode() == 404
        ? 0
        : ((List<?>) Json.map(Json.read(history.body()), "history").get("versions")).size();
  }

  // ---- Values -----------------------------------------------------------------------------------

  @Test
  void anErasedValueIsShownNoMoreNorIsTheOneBeforeItNowAndWhenTheViewIsMadeAnew() throws Exception {
    edge.put(ANN, "/v1/kv/home/door", "older");
    HttpResponse<byte[]> written = edge.put(ANN, "/v1/kv/home/door", "secret 7c1f");
    edge.put(ANN, "/v1/kv/home/window", "open");
    erase(leaf(written));
    settled();
    for (int i = 0; i < 2; i++) {
      assertThat(status(ANN, "/v1/kv/home/door")).isEqualTo(404);
      assertThat(EdgeFixture.text(edge.get(ANN, "/v1/kv/home/window"))).isEqualTo("open");
      // The older version, and that there is none any more.
      assertThat(versions("/v1/kv/home/door")).isEqualTo(2);
      rebuild();
    }
    assertThat(edge.put(ANN, "/v1/kv/home/door", "new").statusCode()).isEqualTo(201);
    assertThat(EdgeFixture.text(edge.get(ANN, "/v1/kv/home/door"))).isEqualTo("new");
  }

  @Test
  void theBytesOfAnErasedValueAreNotOnTheDisk() throws Exception {
    String secret = "secret-7c1f-a0b3";
    HttpResponse<byte[]> written = edge.put(ANN, "/v1/kv/home/door", secret);
    // The view is brought to the disk when the edge stops.
    edge.restart(() -> assertThat(onDisk(secret)).isTrue());
    erase(leaf(written));
    settled();
    assertThat(onDisk(secret)).isFalse();
  }

  private boolean onDisk(String secret) throws Exception {
    try (Stream<Path> files = Files.walk(edge.folder.view())) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        if (new String(Files.readAllBytes(file), java.nio.charset.StandardCharsets.ISO_8859_1)
            .contains(secret)) {
          return true;
        }
      }
    }
    return false;
  }

  @Test
  void anErasedDeletionDoesNotBringTheValueBack() throws Exception {
    edge.put(ANN, "/v1/kv/home/door", "open");
    long from = mark().timeMillis() + 1;
    edge.delete(ANN, "/v1/kv/home/door");
    edge.put(ANN, "/v1/kv/home/window", "shut");
    erase(new Statement.Erased.OfTimes(from, mark().timeMillis() + 1));
    settled();
    for (int i = 0; i < 2; i++) {
      assertThat(status(ANN, "/v1/kv/home/door")).isEqualTo(404);
      assertThat(status(ANN, "/v1/kv/home/window")).isEqualTo(404);
      rebuild();
    }
  }

  @Test
  void anErasureThatTheEdgeLearnsOfWhenItStartsIsFollowedBeforeAnythingIsServed() throws Exception {
    HttpResponse<byte[]> written = edge.put(ANN, "/v1/kv/home/door", "secret");
    edge.restart(() -> eraseWhileAway(leaf(written)));
    assertThat(status(ANN, "/v1/kv/home/door")).isEqualTo(404);
    assertThat(status(BOB, "/v1/kv/home/door")).isEqualTo(404);
  }

  /** Owner's clock ahead of the edge's: what is acknowledged after the erasure is not in it. */
  @Test
  void whatIsWrittenAfterAnErasureThatReachesIntoTheFutureStays() throws Exception {
    long ahead = System.currentTimeMillis() + 3_600_000;
    EdgeFolder.Admin running = edge.folder.running();
    try (Server server = Server.at(running.node(), running.identity())) {
      server.declare(
          Statement.Erasure.sign(
              edge.folder.capsule(),
              ahead,
              new Statement.Erased.OfTimes(0, ahead),
              "asked for",
              edge.operator));
    }
    // The first may come before the edge has heard of it; then it is not acknowledged.
    HttpResponse<byte[]> written = edge.put(ANN, "/v1/kv/home/door", "kept");
    while (written.statusCode() == 503) {
      written = edge.put(ANN, "/v1/kv/home/door", "kept");
    }
    assertThat(written.statusCode()).isIn(201, 204);
    settled();
    boolean there = status(ANN, "/v1/kv/home/door") == 200;
    rebuild();
    assertThat(EdgeFixture.text(edge.get(ANN, "/v1/kv/home/door"))).isEqualTo("kept");
    assertThat(there).isTrue();
  }

  // ---- Users, devices, limits -------------------------------------------------------------------

  @Test
  void anErasedRemovalBringsNoUserBackAndErasedRightsStayAsTheyAre() throws Exception {
    try (EdgeAdmin admin = edge.admin()) {
      admin.grant("bob", List.of(new EdgeAdmin.Right("home", "write")));
      admin.add("eve", PASSWORD, List.of(new EdgeAdmin.Right("*", "admin")));
      long from = mark().timeMillis() + 1;
      admin.remove("eve");
      admin.grant("bob", List.of(new EdgeAdmin.Right("home", "read")));
      erase(new Statement.Erased.OfTimes(from, mark().timeMillis() + 1));
    }
    settled();
    for (int i = 0; i < 2; i++) {
      assertThat(status("eve:correct horse", "/v1/kv/home")).isEqualTo(401);
      assertThat(edge.put(BOB, "/v1/kv/home/door", "x").statusCode()).isEqualTo(403);
      assertThat(status(BOB, "/v1/kv/home")).isEqualTo(200);
      assertThat(edge.put(ANN, "/v1/kv/home/door", "x").statusCode()).isIn(201, 204);
      rebuild();
    }
  }

  @Test
  void everythingErasedLeavesUsersDevicesLimitsAndWhatWasTaken() throws Exception {
    try (EdgeAdmin admin = edge.admin()) {
      admin.limit("home", 1 << 20, 0);
    }
    enrol();
    Batch batch = batch(1, "a");
    assertThat(send(batch)).isEqualTo(200);
    erase(everything());
    settled();
    for (int i = 0; i < 2; i++) {
      assertThat(status(ANN, "/v1/kv/home/a")).isEqualTo(404);
      // The same batch is known, and not taken a second time.
      assertThat(send(batch)).isEqualTo(200);
      assertThat(status(ANN, "/v1/kv/home/a")).isEqualTo(404);
      assertThat(send(batch(1, "b"))).isEqualTo(409);
      try (EdgeAdmin admin = edge.admin()) {
        assertThat(admin.users()).extracting(EdgeAdmin.User::name).containsExactly("ann", "bob");
      }
      rebuild();
    }
    assertThat(send(batch(2, "c"))).isEqualTo(200);
  }

  /** Fails closed: the edge was lost before it could say again what was erased. */
  @Test
  void anEdgeThatRecoversTrustsNobodyFromBeforeAnErasedLeaf() throws Exception {
    try (EdgeAdmin admin = edge.admin()) {
      admin.add("eve", PASSWORD, List.of(new EdgeAdmin.Right("*", "admin")));
      enrol();
      long from = mark().timeMillis() + 1;
      admin.remove("eve");
      long to = mark().timeMillis() + 1;
      edge.put(ANN, "/v1/kv/home/door", "kept");
      edge.restart(() -> {
        eraseWhileAway(new Statement.Erased.OfTimes(from, to));
        DerivedTable.delete(edge.folder.view());
      });
    }
    assertThat(status("eve:correct horse", "/v1/kv/home")).isEqualTo(401);
    assertThat(status(ANN, "/v1/kv/home")).isEqualTo(401);
    // The operator of the machine says who may do what, and nothing else is lost.
    try (EdgeAdmin admin = edge.admin()) {
      admin.add("ann", PASSWORD, List.of(new EdgeAdmin.Right("home", "write")));
      assertThat(EdgeFixture.text(edge.get(ANN, "/v1/kv/home/door"))).isEqualTo("kept");
      assertThat(send(batch(1, "a"))).isEqualTo(403);
      admin.enrolled("sensor", true);
      assertThat(send(batch(1, "a"))).isEqualTo(200);
    }
  }

  private void enrol() throws Exception {
    String body =
        Json.object()
            .put("device", "sensor")
            .put("key", key.publicKey().toHex())
            .put("signature", key.signEnrolment("sensor", "ann").toHex())
            .toString();
    assertThat(edge.post(ANN, "/v1/devices", body).statusCode()).isEqualTo(201);
  }

  private Batch batch(long sequence, String name) {
    Operation operation =
        new Operation.Put(sequence, 0, "home", name, "", Octets.wrap("v".getBytes(UTF_8)));
    return Batch.sign(key, queue, sequence, sequence, List.of(), List.of(operation));
  }

  private int send(Batch batch) throws Exception {
    return edge.send(
            edge.request(ANN, "/v1/devices/sensor/batches")
                .header("Content-Type", Batch.MEDIA_TYPE)
                .POST(HttpRequest.BodyPublishers.ofByteArray(batch.encode())))
        .statusCode();
  }
}
