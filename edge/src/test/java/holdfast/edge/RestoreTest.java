package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.client.CapsuleReader;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.crypto.SigningKey;
import holdfast.device.Batch;
import holdfast.device.Device;
import holdfast.device.DeviceFolder;
import holdfast.device.DeviceKey;
import holdfast.device.DeviceOptions;
import holdfast.device.EdgeAddress;
import holdfast.device.EdgeLogin;
import holdfast.device.Octets;
import holdfast.device.Operation;
import holdfast.net.Endpoint;
import holdfast.testkit.Patience;
import holdfast.testkit.Ports;
import java.io.StringWriter;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An edge that is gone comes back from its masters. */
@Timeout(Patience.TEST_SECONDS)
final class RestoreTest {
  private static final byte[] PASSWORD = "correct horse".getBytes(UTF_8);
  private static final SecureRandom RANDOM = new SecureRandom();

  @TempDir Path scratch;

  private final DeviceKey deviceKey = DeviceKey.generate(RANDOM);
  private final Octets incarnation = Octets.wrap(new byte[16]);

  private static void addUser(EdgeFolder folder, String name) {
    try (EdgeAdmin admin = EdgeAdmin.of(folder)) {
      admin.add(name, PASSWORD, List.of(new EdgeAdmin.Right("*", "write")));
      admin.limit("tight", 1 << 20, 0);
    }
  }

  private static Site.User user(EdgeFolder folder) {
    return new Site.User(folder, "ann", new String(PASSWORD, UTF_8));
  }

  private Batch batch(long first, int count) {
    List<Operation> operations =
        Stream.iterate(first, n -> n + 1)
            .limit(count)
            .<Operation>map(n ->
                new Operation.Put(
                    n,
                    1000 + n,
                    "home",
                    "sensor",
                    "text/plain",
                    Octets.wrap(("v" + n).getBytes(UTF_8))))
            .toList();
    return Batch.sign(deviceKey, incarnation, first, first + count - 1, List.of(), operations);
  }

  private static int send(Site.User user, Batch batch) throws Exception {
    return user.ask(
            "POST", "/v1/devices/kitchen/batches", batch.encode(), "Content-Type", Batch.MEDIA_TYPE)
        .statusCode();
  }

  private void enrol(Site.User user) throws Exception {
    HexFormat hex = HexFormat.of();
    String body =
        Json.object()
            .put("device", "kitchen")
            .put("key", hex.formatHex(deviceKey.publicKey().toArray()))
            .put("signature", hex.formatHex(deviceKey.signEnrolment("kitchen", "ann").toArray()))
            .toString();
    assertThat(user.ask("POST", "/v1/devices", body.getBytes(UTF_8)).statusCode()).isEqualTo(201);
  }

  /** Values of all kinds, with histories, deletions, a device and an idempotency key. */
  private void fill(EdgeFolder folder) throws Exception {
    addUser(folder, "ann");
    try (Site.User ann = user(folder)) {
      for (int i = 0; i < 40; i++) {
        ann.put("home", "key " + i % 15 + "/ü", ("value " + i).getBytes(UTF_8));
      }
      byte[] noise = new byte[70_000];
      RANDOM.nextBytes(noise);
      ann.put("home", "noise", noise, "Content-Type", "image/x-noise");
      ann.put("other", "empty", new byte[0]);
      ann.put("other", "text", "a".repeat(50_000).getBytes(UTF_8), "Content-Type", "text/plain");
      ann.put("other", "once", new byte[] {1}, "Idempotency-Key", "7c1f");
      ann.put("other", "gone", new byte[] {1});
      assertThat(ann.delete("other", "gone")).isEqualTo(204);
      enrol(ann);
      assertThat(send(ann, batch(1, 20))).isEqualTo(200);
    }
  }

  static void wipe(Path folder) throws Exception {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }

  @Test
  void i23AWipedEdgeComesBackByteForByteAndGoesOnInASuccessor() throws Exception {
    try (Site site = new Site(scratch, 2)) {
      EdgeFolder folder = site.init("edge-1");
      Hash first = folder.capsule();
      try (Gateway edge = Site.start(folder)) {
        site.place(edge, folder);
        fill(folder);
        Site.backedUp(edge);
      }
      Map<Bytes, Bytes> before = Site.view(folder);
      assertThat(before).hasSizeGreaterThan(80);
      wipe(folder.path());

      EdgeFolder again = site.folder("edge-1");
      Restore.Restored restored = site.restore(again, first);
      assertThat(restored.capsules()).first().isEqualTo(first);
      assertThat(restored.succeeded()).isTrue();
      assertThat(again.capsule()).isEqualTo(restored.capsules().getLast()).isNotEqualTo(first);
      assertThat(Site.view(again)).isEqualTo(before);

      try (Gateway edge = Site.start(again);
          Site.User ann = user(again)) {
        assertThat(new String(ann.get("home", "key 9/ü").body(), UTF_8)).isEqualTo("value 39");
        assertThat(ann.get("other", "gone").statusCode()).isEqualTo(404);
        assertThat(ann.get("other", "empty").body()).isEmpty();
        assertThat(ann.get("home", "noise").headers().firstValue("Content-Type"))
            .contains("image/x-noise");
        // What the edge had taken before it was lost is not taken again.
        long changes = changes(ann);
        assertThat(send(ann, batch(1, 20))).isEqualTo(200);
        assertThat(changes(ann)).isEqualTo(changes);
        ann.put("other", "once", new byte[] {1}, "Idempotency-Key", "7c1f");
        assertThat(changes(ann)).isEqualTo(changes);
        // It goes on: what is new lies in the successor, and can be proven like the old.
        assertThat(send(ann, batch(26, 5))).isEqualTo(200);
        ann.put("home", "new", "after".getBytes(UTF_8));
        for (String key : List.of("new", "noise")) {
          assertThat(ann.ask("GET", "/v1/kv/home/" + key + "/proof", new byte[0]).statusCode())
              .as(key)
              .isEqualTo(200);
        }
        Site.backedUp(edge);
        // The device had queued what the lost edge never sent on: it shows, and nothing else does.
        EdgeAudit.Report audit = audit(edge, again);
        assertThat(audit.integrity()).isEqualTo(EdgeAudit.Integrity.HOLDS);
        assertThat(audit.complete()).isFalse();
        assertThat(audit.operations()).isEqualTo(25);
        assertThat(audit.gaps())
            .extracting(EdgeAudit.Gap::reason, EdgeAudit.Gap::first, EdgeAudit.Gap::last)
            .containsExactly(tuple("missing", 21L, 25L));
      }

      // What was written into the successor is found at the next start: the view is not made anew.
      String table = Files.readString(again.path().resolve("view").resolve("IDENTITY"));
      try (Gateway _ = Site.start(again)) {
        assertThat(Files.readString(again.path().resolve("view").resolve("IDENTITY")))
            .isEqualTo(table);
      }

      // Lost again: all of it is found from any capsule of the edge.
      Map<Bytes, Bytes> later = Site.view(again);
      wipe(again.path());
      Restore.Restored twice = site.restore(site.folder("edge-1"), first);
      assertThat(twice.capsules()).hasSize(3).startsWith(restored.capsules().toArray(Hash[]::new));
      assertThat(Site.view(site.folder("edge-1"))).isEqualTo(later);
      try (Gateway _ = Site.start(site.folder("edge-1"));
          Site.User ann = user(site.folder("edge-1"))) {
        assertThat(new String(ann.get("home", "new").body(), UTF_8)).isEqualTo("after");
      }
    }
  }

  private static EdgeAudit.Report audit(Gateway edge, EdgeFolder folder) throws Exception {
    List<CapsuleReader> readers = new ArrayList<>();
    try (Server own = Server.at(edge.node().endpoint(), edge.node().identity())) {
      for (Hash capsule : Masters.capsules(own, folder.capsule())) {
        readers.add(own.openReader(capsule, folder.contentKeys(capsule), ReaderOptions.defaults()));
      }
      return EdgeAudit.run(readers, "kitchen", 0, Long.MAX_VALUE);
    } finally {
      readers.forEach(CapsuleReader::close);
    }
  }

  private static long changes(Site.User user) throws Exception {
    Map<?, ?> status =
        Json.map(Json.read(user.ask("GET", "/v1/status", new byte[0]).body()), "status");
    return ((Number) status.get("changes")).longValue();
  }

  @Test
  void aRestorationThatWasInterruptedGoesOn() throws Exception {
    try (Site site = new Site(scratch, 1)) {
      EdgeFolder folder = site.init("edge-1");
      Hash capsule = folder.capsule();
      try (Gateway edge = Site.start(folder)) {
        site.place(edge, folder);
        fill(folder);
        Site.backedUp(edge);
      }
      Map<Bytes, Bytes> before = Site.view(folder);
      EdgeFolder there = site.folder("blank");
      assertThatThrownBy(() ->
              Restore.restore(
                  there,
                  site.servers(),
                  capsule,
                  site.operator,
                  Restore.Options.defaults(),
                  (one, here, all) -> {
                    if (here > 0) {
                      throw new IllegalStateException("the power goes");
                    }
                  }))
          .hasMessage("the power goes");
      assertThat(there.initialised()).isFalse();
      site.restore(there, capsule);
      assertThat(Site.view(there)).isEqualTo(before);
      assertThatThrownBy(() -> site.restore(there, capsule))
          .hasMessageContaining("never overwritten");
    }
  }

  /** Wherever it ends, the same call goes on, and every server knows what was closed. */
  @Test
  void aRestorationThatEndsAfterAnyStepGoesOn() throws Exception {
    try (Site site = new Site(scratch, 2)) {
      EdgeFolder folder = site.init("edge-1");
      Hash capsule = folder.capsule();
      try (Gateway edge = Site.start(folder)) {
        site.place(edge, folder);
        addUser(folder, "ann");
        try (Site.User ann = user(folder)) {
          ann.put("home", "key", "value".getBytes(UTF_8));
        }
        Site.backedUp(edge);
      }
      Map<Bytes, Bytes> before = Site.view(folder);
      List<String> steps = new ArrayList<>();
      restore(site, "whole", capsule, steps::add);
      assertThat(steps)
          .contains("placed", "filled", "successor noted", "successor placed", "view made");
      assertThat(steps.stream().filter("closed on a server"::equals)).hasSize(3);
      for (int i = 0; i < steps.size(); i++) {
        int stop = i;
        int[] step = new int[1];
        String name = "blank-" + i;
        assertThatThrownBy(() ->
                restore(
                    site,
                    name,
                    capsule,
                    done -> {
                      if (step[0]++ == stop) {
                        throw new IllegalStateException("the power goes");
                      }
                    }))
            .as(steps.get(i))
            .hasMessage("the power goes");
        assertThat(site.folder(name).initialised()).isFalse();
        Restore.Restored restored = restore(site, name, capsule, done -> {});
        assertThat(Site.view(site.folder(name))).as(steps.get(i)).isEqualTo(before);
        List<Hash> chain = restored.capsules();
        for (int at = 0; at + 1 < chain.size(); at++) {
          for (Server master : site.servers()) {
            try (CapsuleReader reader =
                master.openReader(chain.get(at), List.of(), ReaderOptions.withoutCache())) {
              assertThat(Masters.succession(reader)).as(steps.get(i)).isNotNull();
            }
          }
        }
      }
    }
  }

  private static Restore.Restored restore(Site site, String name, Hash capsule, Restore.Steps steps)
      throws Exception {
    return Restore.restore(
        site.folder(name),
        site.servers(),
        capsule,
        site.operator,
        Restore.Options.defaults(),
        (one, here, all) -> {},
        steps);
  }

  /** Fault: restore while devices write. They go on, and all of it arrives once and in order. */
  @Test
  void devicesWriteWhileTheirEdgeIsGoneAndRestored() throws Exception {
    try (Site site = new Site(scratch, 1)) {
      EdgeFolder folder = site.init("edge-1");
      Hash capsule = folder.capsule();
      Path authority = scratch.resolve("authority");
      int port = Ports.free();
      EdgeAddress address;
      DeviceFolder queue = new DeviceFolder(scratch.resolve("device"));
      try (Gateway edge =
          Gateway.start(
              EdgeOptions.of(folder.path(), new Endpoint("127.0.0.1", port), Site.ANYWHERE))) {
        site.place(edge, folder);
        addUser(folder, "ann");
        copy(folder.site(), authority);
        address =
            new EdgeAddress(
                URI.create("https://localhost:" + port),
                authority.resolve("ca.pem"),
                new EdgeLogin.Password("ann", new String(PASSWORD, UTF_8)));
        Device.enrol(queue, address, "kitchen", Duration.ofSeconds(60));
        try (Device device = Device.open(DeviceOptions.of(queue.path(), address))) {
          put(device, 1, 50);
          assertThat(device.flush(Duration.ofSeconds(60))).isTrue();
        }
        Site.backedUp(edge);
      }
      wipe(folder.path());
      EdgeFolder again = site.folder("edge-1");
      try (Device device = Device.open(DeviceOptions.of(queue.path(), address))) {
        // Nobody is there, and the device does not wait for anybody.
        put(device, 51, 250);
        Restore.Restored[] restored = new Restore.Restored[1];
        Thread restoring =
            Thread.ofPlatform()
                .start(() -> {
                  try {
                    restored[0] = site.restore(again, capsule);
                  } catch (Exception e) {
                    throw new AssertionError(e);
                  }
                });
        int last = 250;
        while (restoring.isAlive()) {
          put(device, ++last, last);
          LockSupport.parkNanos(1_000_000);
        }
        assertThat(restored[0]).isNotNull();
        copy(authority, again.site());
        try (Gateway edge =
            Gateway.start(
                EdgeOptions.of(again.path(), new Endpoint("127.0.0.1", port), Site.ANYWHERE))) {
          put(device, last + 1, last + 50);
          assertThat(device.flush(Duration.ofMinutes(2))).isTrue();
          EdgeAudit.Report audit = audit(edge, again);
          assertThat(audit.violations()).isEmpty();
          assertThat(audit.complete()).isTrue();
          assertThat(audit.repeated()).isZero();
          try (Site.User ann = user(again)) {
            for (int i = last + 41; i <= last + 50; i++) {
              assertThat(new String(ann.get("home", "k" + i % 10).body(), UTF_8))
                  .isEqualTo("v" + i);
            }
          }
          Site.backedUp(edge);
        }
      }
    }
  }

  private static void put(Device device, int first, int last) throws Exception {
    for (int i = first; i <= last; i++) {
      device.put("home", "k" + i % 10, "text/plain", Octets.wrap(("v" + i).getBytes(UTF_8)));
    }
  }

  private static void copy(Path from, Path to) throws Exception {
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Path target = to.resolve(from.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(target);
        } else {
          Files.copy(file, target);
        }
      }
    }
  }

  @Test
  void onlyTheOperatorRestores() throws Exception {
    try (Site site = new Site(scratch, 1)) {
      EdgeFolder folder = site.init("edge-1");
      try (Gateway edge = Site.start(folder)) {
        site.place(edge, folder);
        Site.backedUp(edge);
      }
      assertThatThrownBy(() ->
              Restore.restore(
                  site.folder("blank"),
                  site.servers(),
                  folder.capsule(),
                  SigningKey.generate(RANDOM),
                  Restore.Options.defaults(),
                  (one, here, all) -> {}))
          .isInstanceOf(HoldfastException.class)
          .hasMessageContaining("belongs to");
    }
  }

  @Test
  void i22TwoEdgesWithTheSameKeysNeverMixAndTheJsonOfEachIsItsOwn() throws Exception {
    try (Site site = new Site(scratch, 1)) {
      EdgeFolder one = site.init("one");
      EdgeFolder two = site.init("two");
      try (Gateway first = Site.start(one);
          Gateway second = Site.start(two)) {
        for (EdgeFolder folder : List.of(one, two)) {
          addUser(folder, "ann");
          try (Site.User ann = user(folder)) {
            ann.put("home", "same key", ("of " + folder.name()).getBytes(UTF_8));
            ann.put("home", "bytes", new byte[] {(byte) 0xFF, 0});
          }
        }
        site.place(first, one);
        site.place(second, two);
        Site.backedUp(first);
        Site.backedUp(second);
      }
      for (EdgeFolder folder : List.of(one, two)) {
        StringWriter out = new StringWriter();
        MasterExport.json(
            site.servers().getFirst(),
            folder.name(),
            folder.capsule(),
            site.operator,
            scratch.resolve("work"),
            out);
        Map<?, ?> json = Json.map(Json.read(out.toString().getBytes(UTF_8)), "export");
        List<?> values = (List<?>) Json.map(json.get("spaces"), "spaces").get("home");
        assertThat(Json.map(values.get(0), "value").get("base64")).isEqualTo("/wA=");
        assertThat(Json.map(values.get(1), "value").get("value")).isEqualTo("of " + folder.name());
        assertThat(values).hasSize(2);
        assertThat(scratch.resolve("work")).doesNotExist();
      }
      EdgeFolder back = site.folder("back");
      Map<Bytes, Bytes> before = Site.view(two);
      site.restore(back, two.capsule());
      assertThat(Site.view(back)).isEqualTo(before);
      assertThat(back.name()).isEqualTo("two");
    }
  }
}
