package holdfast.bench;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.crypto.SigningKey;
import holdfast.device.Device;
import holdfast.device.DeviceFolder;
import holdfast.device.EdgeAddress;
import holdfast.device.EdgeLogin;
import holdfast.edge.EdgeAdmin;
import holdfast.edge.EdgeFolder;
import holdfast.edge.EdgeOptions;
import holdfast.edge.Gateway;
import holdfast.net.Endpoint;
import holdfast.testkit.Patience;
import java.net.URI;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The workload whose processes are measured does what it is measured for. */
@Timeout(Patience.TEST_SECONDS)
class ProfileWorkloadTest {
  private static final Endpoint ANYWHERE = new Endpoint("127.0.0.1", 0);
  private static final String PASSWORD = "correct horse battery";

  @TempDir Path folder;

  @Test
  void i33WritesReadsAndDeletesAndNoticesWhatIsMissing() throws Exception {
    EdgeFolder edge = EdgeFolder.at(folder.resolve("edge"));
    edge.init("profile", SigningKey.generate(new SecureRandom()));
    try (Gateway gateway = Gateway.start(EdgeOptions.of(edge.path(), ANYWHERE, ANYWHERE))) {
      try (EdgeAdmin admin = EdgeAdmin.of(edge)) {
        admin.add("ann", PASSWORD.getBytes(UTF_8), List.of(new EdgeAdmin.Right("*", "write")));
      }
      String url = "https://localhost:" + gateway.rest().port();
      EdgeLogin login = new EdgeLogin.Password("ann", PASSWORD);
      EdgeAddress address = new EdgeAddress(URI.create(url), gateway.authority(), login);
      for (String device : List.of("one", "other")) {
        Device.enrol(
            new DeviceFolder(folder.resolve(device)), address, device, Duration.ofSeconds(30));
      }

      run(gateway, url, "one", "write");
      // Another device remembers nothing of it: what it reads comes from the edge.
      run(gateway, url, "other", "read");
      run(gateway, url, "one", "delete");
      assertThatThrownBy(() -> run(gateway, url, "other", "read"))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("room/0");
      run(gateway, url, "one", "write");
      run(gateway, url, "other", "read");
      assertThat(folder.resolve("one/queue")).isNotEmptyFile();
    }
  }

  private void run(Gateway gateway, String url, String device, String operation) throws Exception {
    ProfileWorkload.main(
        new String[] {
          folder.resolve(device).toString(),
          url,
          gateway.authority().toString(),
          "ann",
          PASSWORD,
          operation,
          "20"
        });
  }
}
