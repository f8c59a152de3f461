package holdfast.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.testkit.Patience;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What keeps a device from sending for good: silence, defects, and who may read its folder. */
@Timeout(Patience.TEST_SECONDS)
class SilenceTest {
  private static final Duration LONG = Duration.ofSeconds(60);
  private static final Duration TIMEOUT = Duration.ofSeconds(2);

  private static final int ALL = SilentEdge.HEADERS.length() + SilentEdge.BODY.length();

  @TempDir static Path shared;
  @TempDir Path folder;

  private static Octets value(String text) {
    return Octets.wrap(text.getBytes(StandardCharsets.UTF_8));
  }

  /** An edge that was asked once: the first use of HTTP and TLS may take its time. */
  private static SilentEdge warm() throws Exception {
    SilentEdge edge = new SilentEdge(shared);
    edge.bytes = ALL;
    try (HttpLink link = new HttpLink(edge.address(), LONG)) {
      assertThat(link.request("GET", "/v1/x", "", new byte[0]).status()).isEqualTo(200);
    }
    edge.bytes = 0;
    edge.requests.set(0);
    return edge;
  }

  /** A network that falls silent ends no connection, whatever of the answer had come. */
  @Test
  void anAnswerThatStopsSomewhereIsGivenUp() throws Exception {
    int headers = SilentEdge.HEADERS.length();
    try (SilentEdge edge = warm()) {
      for (int bytes : new int[] {0, 10, headers - 1, headers, headers + 5, ALL - 1}) {
        edge.bytes = bytes;
        try (HttpLink link = new HttpLink(edge.address(), TIMEOUT)) {
          assertThatThrownBy(() -> link.request("GET", "/v1/x", "", new byte[0]))
              .as("after " + bytes + " bytes")
              .isInstanceOf(IOException.class);
          edge.bytes = ALL;
          assertThat(link.request("GET", "/v1/x", "", new byte[0]).body())
              .isEqualTo(value(SilentEdge.BODY));
        }
      }
    }
  }

  /** I16: one that reads much and writes nothing waits once, and not with each read. */
  @Test
  void i16ReadsDoNotWaitForADeadEdgeEachTime() throws Exception {
    try (SilentEdge edge = warm();
        Device device =
            Device.open(DeviceOptions.of(folder, edge.address()).withTimes(TIMEOUT, TIMEOUT))) {
      for (int i = 0; i < 1000; i++) {
        assertThat(device.get("home", "k" + i).source()).isEqualTo(Answer.Source.NOBODY);
        if (i == 0) {
          assertThat(edge.requests.get()).isEqualTo(1);
        }
      }
      // Backing off, it asks again now and then; a thousand reads take much less than a second.
      assertThat(edge.requests.get()).isLessThan(5);
    }
  }

  /** A defect, or a lack of memory, is shown and does not end the thread that sends. */
  @Test
  void aSenderThatFailsInAnyWayGoesOn() throws Exception {
    new DeviceFolder(folder).key();
    new DeviceFolder(folder).enrolled("pump-1");
    AtomicInteger attempts = new AtomicInteger();
    EdgeAddress nowhere =
        new EdgeAddress(
            java.net.URI.create("https://127.0.0.1:1"), null, new EdgeLogin.Password("a", "b"));
    Link link =
        new Link() {
          @Override
          public Reply request(String method, String path, String type, byte[] body) {
            switch (attempts.incrementAndGet()) {
              case 1 -> throw new IllegalStateException("a defect");
              case 2 -> throw new OutOfMemoryError("none left");
              default -> {
                return new Reply(200, Map.of(), value("{\"last\":1}"));
              }
            }
          }

          @Override
          public void close() {}
        };
    DeviceOptions options = DeviceOptions.of(folder, nowhere).withTimes(Duration.ZERO, TIMEOUT);
    try (Device device = Device.open(options, (edge, timeout) -> link)) {
      device.put("home", "a", "", value("1"));
      while (device.status().trouble().isEmpty() && attempts.get() < 3) {
        Thread.onSpinWait();
      }
      assertThat(device.status().trouble()).contains("tried again");
      assertThat(device.flush(LONG)).isTrue();
      assertThat(device.status().trouble()).isEmpty();
      assertThat(attempts.get()).isEqualTo(3);
    }
  }

  /** What a device measures is for its owner, whatever the umask. */
  @Test
  void nobodyElseMayReadWhatADeviceKeeps() throws Exception {
    Path made = folder.resolve("above/queue");
    try (Device device = Device.open(DeviceOptions.of(made, null))) {
      device.put("home", "a", "", value("1"));
    }
    try (DiskFile rejected = new QueueFolder(made).open("rejected")) {
      assertThat(rejected.size()).isZero();
    }
    try (Stream<Path> all = Files.walk(folder.resolve("above"))) {
      assertThat(all)
          .hasSizeGreaterThan(5)
          .allSatisfy(one ->
              assertThat(Files.getPosixFilePermissions(one))
                  .allMatch(may ->
                      may == PosixFilePermission.OWNER_READ
                          || may == PosixFilePermission.OWNER_WRITE
                          || may == PosixFilePermission.OWNER_EXECUTE));
    }
  }
}
