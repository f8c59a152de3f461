package holdfast.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import holdfast.client.CapsuleReader;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.device.Device;
import holdfast.device.DeviceFolder;
import holdfast.device.DeviceOptions;
import holdfast.device.EdgeAddress;
import holdfast.device.EdgeLogin;
import holdfast.device.LinkState;
import holdfast.device.Octets;
import holdfast.edge.EdgeAudit;
import holdfast.edge.EdgeFolder;
import holdfast.edge.site.Holder;
import holdfast.edge.site.SiteAuthority;
import holdfast.net.Endpoint;
import holdfast.net.faulty.Faults;
import holdfast.net.faulty.FaultyProxy;
import holdfast.testkit.Ports;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Devices, and an edge in a process of its own, when something between or in them fails. */
@Timeout(300)
class DevicesAtEdgeTest {
  private static final String LOGIN = "ann:correct horse";
  private static final Endpoint ANYWHERE = new Endpoint("127.0.0.1", 0);
  private static final Duration LONG = Duration.ofSeconds(90);
  private static final long POLL_NANOS = 2_000_000;
  private static final int ROOMS = 9;
  private static final int ROWS = 120;
  private static final int CUTS = 12;

  @TempDir Path folder;
  private Path home = Path.of("");

  @BeforeEach
  void home() {
    home = folder;
  }

  private EdgeProcess up(String... more) throws Exception {
    return EdgeProcess.start(home, folder.resolve("log"), more);
  }

  private void addAnn() throws Exception {
    run(
        0,
        "correct horse\n",
        "user",
        "add",
        "ann",
        "--grant",
        "home=write",
        "--password-file",
        "-");
  }

  private String run(int exitCode, String input, String... command) throws Exception {
    List<String> all = new ArrayList<>(List.of("edge"));
    all.addAll(List.of(command));
    return EdgeProcess.run(home, exitCode, input, all.toArray(new String[0]));
  }

  private Path authority() {
    return home.resolve("edge/site/ca.pem");
  }

  private EdgeAddress address(Endpoint at) {
    return address(at, authority());
  }

  private static EdgeAddress address(Endpoint at, Path authority) {
    return new EdgeAddress(
        URI.create("https://" + at), authority, new EdgeLogin.Password("ann", "correct horse"));
  }

  private Path enrolled(String name, EdgeProcess edge) throws Exception {
    Path own = folder.resolve("queue-" + name);
    Device.enrol(new DeviceFolder(own), address(edge.endpoint()), name, LONG);
    return own;
  }

  private static Device open(Path queue, EdgeAddress edge) throws IOException {
    return Device.open(
        DeviceOptions.of(queue, edge).withTimes(Duration.ofMillis(2), Duration.ofSeconds(20)));
  }

  private static void put(Device device, String key, String value) throws Exception {
    device.put("home", key, "text/plain", Octets.wrap(value.getBytes(StandardCharsets.UTF_8)));
  }

  private interface Condition {
    boolean holds() throws Exception;
  }

  private static void eventually(String what, Condition condition) throws Exception {
    long end = System.nanoTime() + LONG.toNanos();
    while (!condition.holds()) {
      assertThat(System.nanoTime()).as(what).isLessThan(end);
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  private static HttpResponse<String> send(
      EdgeProcess edge, HttpClient http, String path, String value) throws Exception {
    HttpRequest.Builder request = edge.request(LOGIN, path);
    if (value != null) {
      request.PUT(HttpRequest.BodyPublishers.ofString(value));
    }
    return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  private static String get(EdgeProcess edge, HttpClient http, String path) throws Exception {
    HttpResponse<String> response = send(edge, http, path, null);
    assertThat(response.statusCode()).as(path + ": " + response.body()).isEqualTo(200);
    return response.body();
  }

  private static int versions(EdgeProcess edge, HttpClient http, String key) throws Exception {
    String history = get(edge, http, "/v1/kv/home/" + key + "/history?limit=1000");
    return history.split("\"number\"", -1).length - 1;
  }

  // ---- The network ------------------------------------------------------------------------------

  /** A file as a meter of a house writes it: a time and the temperatures of nine rooms. */
  private static List<String[]> readings() {
    Random random = new Random(11);
    double[] rooms = new double[ROOMS];
    List<String[]> rows = new ArrayList<>();
    for (int row = 0; row < ROWS; row++) {
      String[] cells = new String[ROOMS + 1];
      cells[0] =
          String.format(
              Locale.ROOT, "2016-01-%02dT%02d:%02d", 11 + row / 48, row / 2 % 24, 30 * (row % 2));
      for (int room = 0; room < ROOMS; room++) {
        rooms[room] += random.nextGaussian() / 4;
        cells[room + 1] = String.format(Locale.ROOT, "%.15f", 20 + rooms[room]);
      }
      rows.add(cells);
    }
    return rows;
  }

  /** I12: nine devices over a link that is cut again and again: complete, in order, audited. */
  @Test
  void i12_theReadingsOfAHouseArriveCompleteOverALinkThatIsCut() throws Exception {
    List<String[]> rows = readings();
    try (EdgeProcess edge = up();
        FaultyProxy link = FaultyProxy.forward(ANYWHERE, edge.endpoint());
        HttpClient http = edge.client()) {
      addAnn();
      List<Device> rooms = new ArrayList<>();
      try {
        for (int room = 1; room <= ROOMS; room++) {
          rooms.add(open(enrolled("room-" + room, edge), address(link.endpoint())));
        }
        long passed = 0;
        for (int at = 0; at < ROWS; at++) {
          String[] row = rows.get(at);
          for (int room = 1; room <= ROOMS; room++) {
            put(rooms.get(room - 1), "room-" + room + "." + row[0], row[room]);
            put(rooms.get(room - 1), "room-" + room, row[room]);
          }
          if (at % (ROWS / CUTS) == 0) {
            // In the middle of whatever is being sent, once something is.
            long before = passed;
            eventually(
                "something is sent", () -> link.bytes(FaultyProxy.Direction.TO_TARGET) > before);
            link.cut();
            passed = link.bytes(FaultyProxy.Direction.TO_TARGET);
          }
        }
        for (Device room : rooms) {
          assertThat(room.flush(LONG)).as(room.status().trouble()).isTrue();
        }
      } finally {
        for (Device room : rooms) {
          room.close();
        }
      }
      String[] newest = rows.getLast();
      for (int room = 1; room <= ROOMS; room++) {
        EdgeAudit.Report audit = audit("room-" + room);
        assertThat(audit.integrity()).isEqualTo(EdgeAudit.Integrity.HOLDS);
        assertThat(audit.complete()).isTrue();
        assertThat(audit.incarnations()).isEqualTo(1);
        assertThat(audit.operations()).isGreaterThan(ROWS);
        assertThat(get(edge, http, "/v1/kv/home/room-" + room)).isEqualTo(newest[room]);
        String listed = get(edge, http, "/v1/kv/home?prefix=room-" + room + ".&limit=1000");
        assertThat(listed.split("\"key\"", -1).length - 1).isEqualTo(ROWS);
      }
      for (String[] row : rows) {
        assertThat(get(edge, http, "/v1/kv/home/room-1." + row[0])).isEqualTo(row[1]);
      }
      String history = get(edge, http, "/v1/kv/home/room-1/history?limit=1000");
      List<Long> sequences =
          java.util.regex.Pattern.compile("\"sequence\":(\\d+)")
              .matcher(history)
              .results()
              .map(one -> Long.parseLong(one.group(1)))
              .toList();
      assertThat(sequences)
          .isNotEmpty()
          .isSortedAccordingTo(java.util.Comparator.reverseOrder())
          .doesNotHaveDuplicates();
    }
  }

  /** What 'edge audit' does, without a process for each device. */
  private EdgeAudit.Report audit(String device) throws Exception {
    EdgeFolder data = EdgeFolder.at(home.resolve("edge"));
    EdgeFolder.Admin edge = data.running();
    try (Server server = Server.at(edge.node(), edge.identity());
        CapsuleReader reader =
            server.openReader(
                data.capsule(),
                data.home().contentKeys(data.capsule()),
                ReaderOptions.defaults())) {
      return EdgeAudit.run(reader, device, 0, null);
    }
  }

  // ---- The edge ---------------------------------------------------------------------------------

  /** Durable, and killed before it could say so: the device sends again, and it is taken once. */
  @Test
  void anEdgeKilledBetweenDurableAndAnsweredTakesTheBatchOnce() throws Exception {
    try (EdgeProcess first = up();
        FaultyProxy link = FaultyProxy.forward(ANYWHERE, first.endpoint());
        HttpClient http = first.client()) {
      addAnn();
      Path queue = enrolled("pump-1", first);
      try (Device device = open(queue, address(link.endpoint()))) {
        put(device, "before", "1");
        assertThat(device.flush(LONG)).isTrue();
        link.set(FaultyProxy.Direction.FROM_TARGET, Faults.NONE.withStalled(true));
        put(device, "counted", "1");
        eventually(
            "the edge has the change, which is synced then",
            () -> send(first, http, "/v1/kv/home/counted", null).statusCode() == 200);
        assertThat(device.status().queue().queued()).isEqualTo(1);
        first.kill();
      }
      try (EdgeProcess second = up();
          HttpClient client = second.client();
          Device device = open(queue, address(second.endpoint()))) {
        assertThat(device.flush(LONG)).as(device.status().trouble()).isTrue();
        assertThat(device.status().batches()).as("it was sent again").isEqualTo(1);
        assertThat(versions(second, client, "counted")).isEqualTo(1);
        assertThat(run(0, "", "audit", "pump-1"))
            .contains("2 operations in 2 batches", "Completeness: complete");
        HttpResponse<byte[]> proof =
            client.send(
                second.request(LOGIN, "/v1/kv/home/counted/proof?disclose=true").build(),
                HttpResponse.BodyHandlers.ofByteArray());
        Path file = Files.write(folder.resolve("counted.proof"), proof.body());
        assertThat(EdgeProcess.run(home, 0, "", "verify", file.toString(), "--json"))
            .contains(
                "\"change\":{\"edge\":\"edge\",\"op\":\"put\",\"space\":\"home\",\"key\":\"counted\","
                    + "\"user\":\"ann\",\"device\":\"pump-1\",\"sequence\":2,");
      }
    }
  }

  /** Full: a clear refusal, reads go on, nothing is lost; and all is well when there is room. */
  @Test
  void anEdgeWhoseDiskIsFullRefusesReadsOnAndRecovers() throws Exception {
    try (LoopDisk disk = LoopDisk.make(folder.resolve("image"), folder.resolve("disk"), 256)) {
      assumeTrue(
          disk != null,
          "NOT TESTED: a full disk needs the right to loop-mount an ext4 image (run as root)");
      home = disk.folder();
      try (EdgeProcess edge = up();
          HttpClient http = edge.client()) {
        addAnn();
        Path queue = enrolled("pump-1", edge);
        assertThat(send(edge, http, "/v1/kv/home/early", "1").statusCode()).isEqualTo(201);
        disk.fill(1 << 20);
        // The server looks at its disk now and then.
        eventually(
            "the edge refuses",
            () -> send(edge, http, "/v1/kv/home/filling", "1").statusCode() == 507);
        HttpResponse<String> refused = send(edge, http, "/v1/kv/home/late", "x".repeat(1000));
        assertThat(refused.statusCode()).isEqualTo(507);
        assertThat(refused.body()).contains("\"code\":\"disk_full\"", "reads go on");
        assertThat(refused.headers().firstValue("Retry-After")).isPresent();
        assertThat(get(edge, http, "/v1/kv/home/early")).isEqualTo("1");
        assertThat(send(edge, http, "/v1/kv/home/late", null).statusCode()).isEqualTo(404);
        assertThat(run(1, "", "status")).contains("writable false", "trouble");
        try (Device device = open(queue, address(edge.endpoint()))) {
          put(device, "kept", "1");
          eventually("the device is refused", () -> device.status().link() == LinkState.REFUSED);
          assertThat(device.status().trouble()).contains("507");
          assertThat(device.status().queue().queued()).isEqualTo(1);
        }
        disk.free();
        eventually(
            "writes go on",
            () -> send(edge, http, "/v1/kv/home/late", "2").statusCode() / 100 == 2);
        try (Device device = open(queue, address(edge.endpoint()))) {
          assertThat(device.flush(LONG)).as(device.status().trouble()).isTrue();
        }
        assertThat(get(edge, http, "/v1/kv/home/kept")).isEqualTo("1");
        assertThat(run(0, "", "status")).contains("writable true");
      }
      try (EdgeProcess edge = up();
          HttpClient http = edge.client()) {
        assertThat(get(edge, http, "/v1/kv/home/early")).isEqualTo("1");
        assertThat(get(edge, http, "/v1/kv/home/late")).isEqualTo("2");
      }
    }
  }

  // ---- Devices ----------------------------------------------------------------------------------

  /** I27: a second device cannot take a name; a copied folder is a conflict, with a way out. */
  @Test
  void i27_twoDevicesWithOneNameAreToldApart() throws Exception {
    try (EdgeProcess edge = up();
        HttpClient http = edge.client()) {
      addAnn();
      Path queue = enrolled("pump-1", edge);
      Path password = Files.writeString(folder.resolve("pw"), "correct horse\n");
      assertThat(
              EdgeProcess.run(
                  home,
                  1,
                  "",
                  "device",
                  "enrol",
                  "--queue",
                  folder.resolve("other").toString(),
                  "--edge",
                  "https://" + edge.endpoint(),
                  "--ca",
                  authority().toString(),
                  "--user",
                  "ann",
                  "--password-file",
                  password.toString(),
                  "pump-1"))
          .contains("another device has this name");
      Path copy = Files.createDirectories(folder.resolve("copy"));
      for (String file : List.of("key.pem", "name", "queue")) {
        if (Files.exists(queue.resolve(file))) {
          Files.copy(queue.resolve(file), copy.resolve(file));
        }
      }
      try (Device one = Device.open(DeviceOptions.of(queue, null))) {
        put(one, "a", "1");
      }
      Files.copy(queue.resolve("queue"), copy.resolve("queue"));
      try (Device one = open(queue, address(edge.endpoint()))) {
        put(one, "b", "1");
        assertThat(one.flush(LONG)).isTrue();
      }
      try (Device two = open(copy, address(edge.endpoint()))) {
        put(two, "c", "1");
        eventually("the conflict is seen", () -> two.status().link() == LinkState.CONFLICT);
        assertThat(two.status().queue().queued()).isEqualTo(2);
      }
      EdgeProcess.run(home, 0, "", "device", "renew", "--queue", copy.toString());
      try (Device two = open(copy, address(edge.endpoint()))) {
        assertThat(two.flush(LONG)).as(two.status().trouble()).isTrue();
      }
      assertThat(get(edge, http, "/v1/kv/home/c")).isEqualTo("1");
      assertThat(get(edge, http, "/v1/kv/home/b")).isEqualTo("1");
      assertThat(run(0, "", "audit", "pump-1")).contains("complete, over 2 queues.");
    }
  }

  /** Clocks that are wrong by years, one after the other, decide nothing. */
  @Test
  void aDeviceWhoseClockIsYearsOffLosesNothing() throws Exception {
    try (EdgeProcess edge = up();
        HttpClient http = edge.client()) {
      addAnn();
      Path queue = enrolled("pump-1", edge);
      Path password = Files.writeString(folder.resolve("pw"), "correct horse\n");
      for (String now : List.of("0", "4102444800", "1000000000")) {
        python(
            queue,
            "import time; time.time = lambda: " + now,
            "from holdfast_device.device import Device, Edge",
            "from holdfast_device.queue import Options",
            "password = open('" + password + "').read().strip()",
            "edge = Edge('https://"
                + edge.endpoint()
                + "', '"
                + authority()
                + "', 'ann', password)",
            "with Device('" + queue + "', edge, Options(max_age=3600)) as device:",
            "    device.put('home', 'clock', b'" + now + "', 'text/plain')",
            "    assert device.flush(60), device.status()",
            "    assert device.status()['expired'] == 0");
      }
      assertThat(get(edge, http, "/v1/kv/home/clock")).isEqualTo("1000000000");
      assertThat(get(edge, http, "/v1/kv/home/clock/history"))
          .contains("1970-01-01T00:00:00", "2100-01-01T00:00:00", "2001-09-09T01:46:40");
      assertThat(run(0, "", "audit", "pump-1")).contains("3 operations", "complete, over 1 queue");
    }
  }

  private void python(Path queue, String... lines) throws Exception {
    Path client = Path.of("../clients/python").toAbsolutePath().normalize();
    Path script = Files.writeString(folder.resolve("script.py"), String.join("\n", lines) + "\n");
    ProcessBuilder builder =
        new ProcessBuilder("python3", "-B", script.toString()).redirectErrorStream(true);
    builder.environment().put("PYTHONPATH", client.toString());
    Process process = builder.start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(100, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(queue + ": " + said).isZero();
  }

  /** I10: expired certificates of edges and of clients are refused; with new ones all goes on. */
  @Test
  void i10_expiredCertificatesAreRefusedAndNothingIsLostMeanwhile() throws Exception {
    InstantSource longAgo = InstantSource.fixed(Instant.now().minus(Duration.ofDays(400)));
    Path site = folder.resolve("authority");
    SiteAuthority then =
        SiteAuthority.init(site, "the site", SiteAuthority.AUTHORITY_VALIDITY, longAgo);
    SiteAuthority now = SiteAuthority.open(site, InstantSource.system());
    Path queue = folder.resolve("queue");
    EdgeAddress address;
    String port = String.valueOf(Ports.free());
    try (EdgeProcess edge = up(certified("valid", now, "--port", port))) {
      addAnn();
      address = address(edge.endpoint(), then.certificateFile());
      Device.enrol(new DeviceFolder(queue), address, "pump-1", LONG);
    }
    try (Device device = open(queue, address)) {
      try (EdgeProcess edge = up(certified("expired", then, "--port", port))) {
        put(device, "kept", "1");
        eventually(
            "the device sees what is wrong",
            () ->
                device.status().trouble().contains("expired")
                    || device.status().trouble().contains("NotAfter"));
        assertThat(device.status().queue().queued()).isEqualTo(1);
        assertThat(edge.endpoint().port()).isEqualTo(address.uri().getPort());
      }
      try (EdgeProcess edge = up(certified("renewed", now, "--port", port))) {
        assertThat(device.flush(LONG)).as(device.status().trouble()).isTrue();
        for (boolean expired : new boolean[] {true, false}) {
          EdgeAddress login = certificateLogin(expired ? then : now, edge.endpoint(), site);
          if (expired) {
            assertThatThrownBy(() -> Device.enrol(new DeviceFolder(queue), login, "pump-1", LONG))
                .isInstanceOf(IOException.class);
          } else {
            assertThat(Device.enrol(new DeviceFolder(queue), login, "pump-1", LONG)).isFalse();
          }
        }
      }
    }
  }

  private String[] certified(String name, SiteAuthority authority, String... more)
      throws Exception {
    SiteAuthority.Issue issue =
        authority.issue(
            new Holder(Holder.Kind.EDGE, name),
            List.of("localhost", "127.0.0.1"),
            Duration.ofDays(30));
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "--certificate",
                Files.writeString(folder.resolve(name + ".pem"), issue.chain()).toString(),
                "--certificate-key",
                Files.writeString(folder.resolve(name + ".key"), issue.key()).toString(),
                "--client-authority",
                authority.certificateFile().toString()));
    arguments.addAll(List.of(more));
    return arguments.toArray(new String[0]);
  }

  private EdgeAddress certificateLogin(SiteAuthority authority, Endpoint edge, Path site)
      throws Exception {
    SiteAuthority.Issue issue =
        authority.issue(new Holder(Holder.Kind.USER, "ann"), List.of(), Duration.ofDays(30));
    String serial = issue.issued().serial();
    Path chain = Files.writeString(folder.resolve(serial + ".pem"), issue.chain());
    Path key = Files.writeString(folder.resolve(serial + ".key"), issue.key());
    Path store = folder.resolve(serial + ".p12");
    assertThat(
            LoopDisk.run(
                "openssl",
                "pkcs12",
                "-export",
                "-in",
                chain.toString(),
                "-inkey",
                key.toString(),
                "-passout",
                "pass:secret",
                "-out",
                store.toString()))
        .as("openssl makes a key store")
        .isTrue();
    return new EdgeAddress(
        URI.create("https://" + edge),
        site.resolve("ca.pem"),
        new EdgeLogin.KeyFile("ann", store, "secret"));
  }
}
