package holdfast.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.testkit.Ports;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A device and an edge over HTTPS, in one process. */
class DeviceTest {
  private static final Duration LONG = Duration.ofSeconds(60);
  private static final Duration SHORT = Duration.ofMillis(5);

  @TempDir static Path shared;
  @TempDir Path folder;

  private DeviceOptions options(@Nullable EdgeAddress edge) {
    return DeviceOptions.of(folder, edge).withTimes(Duration.ofMillis(20), Duration.ofSeconds(20));
  }

  private static Octets value(String text) {
    return Octets.wrap(text.getBytes(StandardCharsets.UTF_8));
  }

  private void enrol(TestEdge edge) throws Exception {
    Device.enrol(new DeviceFolder(folder), edge.address(), "pump-1", LONG);
  }

  @Test
  void whatIsPutArrives() throws Exception {
    try (TestEdge edge = new TestEdge(shared, 0)) {
      assertThat(Device.enrol(new DeviceFolder(folder), edge.address(), "pump-1", LONG)).isTrue();
      assertThat(Device.enrol(new DeviceFolder(folder), edge.address(), "pump-1", LONG)).isFalse();
      // Queued while nothing is sent, so that it leaves in full batches.
      try (Device device = Device.open(options(null))) {
        for (int i = 0; i < 500; i++) {
          device.put("home", "a b/ü+*" + i, "text/plain", value("v" + i));
        }
        device.delete("home", "a b/ü+*7");
      }
      try (Device device = Device.open(options(edge.address()))) {
        assertThat(device.flush(LONG)).isTrue();
        // The put of the deleted key never left.
        assertThat(device.status().sent()).isEqualTo(500L);
        assertThat(device.status().link()).isEqualTo(LinkState.ONLINE);
        assertThat(device.status().queue().queued()).isZero();
        // 500 values of the same kind are smaller than they look: batches travel compressed.
        assertThat(device.status().bytesSent()).isBetween(1000L, 15_000L);
        Answer answer = device.get("home", "a b/ü+*8");
        assertThat(answer.source()).isEqualTo(Answer.Source.EDGE);
        assertThat(answer.value()).contains(value("v8"));
        assertThat(device.get("home", "a b/ü+*7").value()).isEmpty();
      }
      assertThat(edge.edge.values).hasSize(499);
      assertThat(edge.edge.applied).extracting(Operation::sequence).isSorted();
    }
  }

  /** I16, I17, I26: a dead edge keeps nobody waiting; own writes are seen; all arrives later. */
  @Test
  void i16NobodyWaitsForADeadEdge() throws Exception {
    EdgeAddress away;
    int port = Ports.free();
    try (TestEdge edge = new TestEdge(shared, port)) {
      enrol(edge);
      away = edge.address();
      try (Device device = Device.open(options(away))) {
        device.put("home", "known", "text/plain", value("before"));
        assertThat(device.flush(LONG)).isTrue();
      }
    }
    try (Device device = Device.open(options(away))) {
      device.put("home", "a", "", value("1"));
      device.put("home", "a", "", Octets.EMPTY);
      assertThat(device.flush(SHORT)).isFalse();
      Answer own = device.get("home", "a");
      assertThat(own.source()).isEqualTo(Answer.Source.QUEUE);
      assertThat(own.value()).contains(Octets.EMPTY);
      Answer before = device.get("home", "known");
      assertThat(before.source()).isEqualTo(Answer.Source.REMEMBERED);
      assertThat(before.value()).contains(value("before"));
      assertThat(before.contentType()).isEqualTo("text/plain");
      assertThat(before.age()).isPositive().isLessThan(Duration.ofMinutes(5));
      assertThat(device.get("home", "never").source()).isEqualTo(Answer.Source.NOBODY);
    }
    try (TestEdge edge = new TestEdge(shared, port)) {
      edge.devices.put("pump-1", new DeviceFolder(folder).key().publicKey());
      try (Device device = Device.open(options(away))) {
        assertThat(device.flush(LONG)).isTrue();
        assertThat(device.get("home", "a").value()).contains(Octets.EMPTY);
        assertThat(device.get("home", "a").source()).isEqualTo(Answer.Source.EDGE);
      }
      assertThat(edge.edge.values).containsEntry("home/a", "");
      assertThat(edge.edge.gaps).hasSize(1);
    }
  }

  @Test
  void wrongCredentialsShowAndLoseNothing() throws Exception {
    try (TestEdge edge = new TestEdge(shared, 0)) {
      enrol(edge);
      EdgeAddress wrong =
          new EdgeAddress(edge.uri(), edge.authority, new EdgeLogin.Password("ada", "wrong"));
      assertThatThrownBy(() -> Device.enrol(new DeviceFolder(folder), wrong, "pump-1", LONG))
          .hasMessageContaining("401");
      try (Device device = Device.open(options(wrong))) {
        device.put("home", "a", "", value("1"));
        while (device.status().link() != LinkState.DENIED) {
          assertThat(device.flush(SHORT)).isFalse();
        }
        assertThat(device.status().trouble()).contains("401").contains("who are you");
        assertThat(device.status().queue().queued()).isEqualTo(1);
        assertThatThrownBy(() -> device.get("home", "b")).hasMessageContaining("401");
      }
      assertThat(wrong.toString()).doesNotContain("wrong");
    }
  }

  /** I10: an edge with a certificate of another authority gets neither password nor data. */
  @Test
  void i10AnEdgeOfAnotherAuthorityIsNotSpokenTo() throws Exception {
    Path other = Files.createDirectories(folder.resolve("other"));
    try (TestEdge edge = new TestEdge(shared, 0);
        TestEdge stranger = new TestEdge(other, 0)) {
      enrol(edge);
      EdgeAddress mixed = new EdgeAddress(stranger.uri(), edge.authority, edge.address().login());
      assertThatThrownBy(() -> Device.enrol(new DeviceFolder(folder), mixed, "pump-1", LONG))
          .isInstanceOf(javax.net.ssl.SSLException.class);
      try (Device device = Device.open(options(mixed))) {
        device.put("home", "a", "", value("1"));
        while (device.status().link() != LinkState.OFFLINE) {
          assertThat(device.flush(SHORT)).isFalse();
        }
        assertThat(device.status().queue().queued()).isEqualTo(1);
      }
      assertThat(stranger.edge.applied).isEmpty();
    }
  }

  /** I8: there is no way to send in the clear. */
  @Test
  void i8PlainHttpIsRefused() {
    EdgeLogin login = new EdgeLogin.Password("ada", "secret");
    for (String uri : new String[] {"http://127.0.0.1:1", "https://ada:x@h", "https://h/x"}) {
      assertThatThrownBy(() -> new EdgeAddress(URI.create(uri), null, login))
          .isInstanceOf(IllegalArgumentException.class);
    }
    assertThat(new EdgeAddress(URI.create("https://h"), null, login).uri())
        .isEqualTo(URI.create("https://h:7443"));
  }

  @Test
  void aDeviceWithoutANameOnlyQueues() throws Exception {
    try (TestEdge edge = new TestEdge(shared, 0);
        Device device = Device.open(options(edge.address()))) {
      device.put("home", "a", "", value("1"));
      assertThat(device.flush(SHORT)).isFalse();
      assertThat(device.status().link()).isEqualTo(LinkState.NOT_ENROLLED);
      assertThat(
              PosixFilePermissions.toString(
                  Files.getPosixFilePermissions(folder.resolve("key.pem"))))
          .isEqualTo("rw-------");
    }
    assertThat(new DeviceFolder(folder).name()).isEqualTo(Optional.empty());
  }

  /** What is remembered has a bound; the latest is what stays. */
  @Test
  void memoryIsBounded() throws Exception {
    try (Remembered memory = new Remembered(new QueueFolder(folder), 20_000)) {
      for (int i = 0; i < 1000; i++) {
        memory.learn(new Operation.Put(0, 0, "home", "k" + i, "", Octets.wrap(new byte[300])), i);
        assertThat(memory.diskBytes()).isLessThan(21_000);
      }
    }
    byte[] file = Files.readAllBytes(folder.resolve("remembered"));
    Files.write(folder.resolve("remembered"), java.util.Arrays.copyOf(file, file.length - 1));
    try (Remembered memory = new Remembered(new QueueFolder(folder), 20_000)) {
      assertThat(memory.recall("home", "k0")).isEmpty();
      assertThat(memory.recall("home", "k999")).as("its end was torn off").isEmpty();
      assertThat(memory.recall("home", "k998").orElseThrow().timeMillis()).isEqualTo(998);
    }
  }

  /** A way to the edge that does not even close. */
  private static final class BadLink implements Link {
    @Override
    public Reply request(String method, String path, String type, byte[] body) throws IOException {
      throw new IOException("made up");
    }

    @Override
    public void close() {
      throw new IllegalStateException("made up");
    }
  }

  /** The lock on the folder is this process's; nobody but a new process would get past it. */
  @Test
  void whatDoesNotOpenAndWhatDoesNotCloseWellGivesTheFolderUp() throws Exception {
    EdgeAddress away;
    try (TestEdge edge = new TestEdge(shared, 0)) {
      away = edge.address();
    }
    Path name = folder.resolve("name");
    assertThatThrownBy(() ->
            Device.open(
                options(away),
                (edge, timeout) -> {
                  Files.writeString(name, "no name of a device\n");
                  return new BadLink();
                }))
        .hasMessageContaining("made up");
    Files.delete(name);
    Device device = Device.open(options(away), (edge, timeout) -> new BadLink());
    assertThatThrownBy(device::close).hasMessageContaining("made up");
    Device.open(options(null)).close();
  }
}
