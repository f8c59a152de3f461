package holdfast.device;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;

/**
 * Changes that an edge will never take, in the file {@code rejected} beside the queue: a line of
 * JSON each, as {@code run} reads them, so that whoever looks after the device can put them again.
 *
 * <p>The file is for people, and no part of the queue. A change may stand in it twice, when the
 * process ended between keeping and giving up.
 */
final class RejectedChanges {
  static final String FILE = "rejected";

  /**
   * Beyond this nothing is added; the device's signed batches name what was rejected all the same.
   */
  static final long MOST_BYTES = 16L << 20;

  private RejectedChanges() {}

  /** Adds changes, and syncs them, as far as there is room. */
  static void keep(QueueFolder folder, List<Operation> operations, String why) throws IOException {
    try (DiskFile file = folder.open(FILE)) {
      long end = file.size();
      ByteArrayOutputStream lines = new ByteArrayOutputStream();
      for (Operation operation : operations) {
        byte[] line = (line(operation, why) + "\n").getBytes(StandardCharsets.UTF_8);
        if (end + lines.size() + line.length <= MOST_BYTES) {
          lines.writeBytes(line);
        }
      }
      file.write(end, lines.toByteArray(), 0, lines.size());
      file.sync();
    }
    folder.sync();
  }

  private static String line(Operation operation, String why) {
    String change =
        switch (operation) {
          case Operation.Put put ->
              "\"base64\":\""
                  + Base64.getEncoder().encodeToString(put.value().toArray())
                  + "\",\"type\":"
                  + JsonText.quoted(put.contentType());
          case Operation.Delete _ -> "\"delete\":true";
        };
    return "{\"space\":"
        + JsonText.quoted(operation.space())
        + ",\"key\":"
        + JsonText.quoted(operation.key())
        + ","
        + change
        + ",\"sequence\":"
        + operation.sequence()
        + ",\"time\":"
        + operation.timeMillis()
        + ",\"why\":"
        + JsonText.quoted(why)
        + "}";
  }
}
