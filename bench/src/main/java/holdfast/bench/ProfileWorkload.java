package holdfast.bench;

import holdfast.device.Answer;
import holdfast.device.Device;
import holdfast.device.DeviceOptions;
import holdfast.device.EdgeAddress;
import holdfast.device.EdgeLogin;
import holdfast.device.Octets;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;

/**
 * What a device does in the profile, as a program of its own: it writes, reads or deletes some keys
 * and ends when the edge has everything. {@code profile_workload.py} is the same in Python.
 */
final class ProfileWorkload {
  private static final byte[] VALUE =
      "21.5 degrees, 43 percent, 1013 hectopascal, door closed, light 9"
          .getBytes(StandardCharsets.US_ASCII);

  private ProfileWorkload() {}

  /** Arguments: folder, URL, file of the authority, user, password, operation, count. */
  public static void main(String[] args) throws Exception {
    EdgeAddress edge =
        new EdgeAddress(
            URI.create(args[1]), Path.of(args[2]), new EdgeLogin.Password(args[3], args[4]));
    int count = Integer.parseInt(args[6]);
    try (Device device = Device.open(DeviceOptions.of(Path.of(args[0]), edge))) {
      for (int number = 0; number < count; number++) {
        String key = "room/" + number;
        switch (args[5]) {
          case "write" -> device.put("home", key, "text/plain", Octets.wrap(VALUE));
          case "read" -> {
            Answer answer = device.get("home", key);
            if (!answer.value().equals(java.util.Optional.of(Octets.wrap(VALUE)))) {
              throw new IllegalStateException("the edge does not have what was written: " + key);
            }
          }
          default -> device.delete("home", key);
        }
      }
      if (!device.flush(Duration.ofMinutes(1))) {
        throw new IllegalStateException("the edge has not taken everything: " + device.status());
      }
    }
  }
}
