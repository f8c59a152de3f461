package holdfast.cli;

import holdfast.device.ChangeLine;
import holdfast.device.Device;
import holdfast.device.DeviceOptions;
import holdfast.device.DeviceStatus;
import holdfast.device.LinkState;
import holdfast.device.QueueStatus;
import holdfast.device.Rejection;
import java.io.IOException;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** A command of a device that queues changes and sends what waits. */
abstract class DeviceSending extends DeviceCommand.Reaching {
  /** How often it is looked whether there is something to tell. */
  private static final long TELL_MILLIS = 1000;

  /** What somebody has to see to, since it does not pass by itself. */
  private static final Set<LinkState> HELPLESS =
      EnumSet.of(LinkState.DENIED, LinkState.CONFLICT, LinkState.REFUSED, LinkState.NOT_ENROLLED);

  /** What happens with changes that the edge will never take. */
  enum Policy {
    SKIP,
    STOP;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Option(
      names = "--rejected",
      paramLabel = "POLICY",
      defaultValue = "skip",
      description =
          "What to do with changes that the edge will never take: skip them, and keep them in the"
              + " file 'rejected', or stop. Default: skip.",
      order = 7)
  Policy rejected = Policy.SKIP;

  private String told = "";

  DeviceSending(Terminal terminal) {
    super(terminal);
  }

  @Override
  DeviceOptions options() throws IOException {
    return super.options().withRejection(Rejection.valueOf(rejected.name()));
  }

  static OptionalLong change(Device device, ChangeLine line)
      throws IOException, InterruptedException {
    return line.value().isPresent()
        ? device.put(line.space(), line.key(), line.contentType(), line.value().get())
        : device.delete(line.space(), line.key());
  }

  /** Says, once for each reason, why nothing is sent. */
  void tellTrouble(Device device) {
    String trouble = device.status().trouble();
    if (!trouble.isEmpty() && !trouble.equals(told)) {
      terminal.note("holdfast: nothing is lost, and it is tried again: " + trouble);
    }
    told = trouble;
  }

  /** The figures of a queue, as results show them. */
  Json describe(QueueStatus status) {
    return DeviceCommand.figures(status);
  }

  private boolean flush(Device device, long millis) throws InterruptedException {
    for (long left = millis; left > 0; left -= TELL_MILLIS) {
      if (device.flush(Duration.ofMillis(Math.min(left, TELL_MILLIS)))) {
        return true;
      }
      tellTrouble(device);
    }
    return false;
  }

  /** Sends for a while what waits, if there is an edge to send it to. */
  void sendForRoom(Device device, double seconds) throws InterruptedException {
    if (edge != null && device.status().link() != LinkState.NOT_ENROLLED) {
      flush(device, (long) (seconds * 1000));
    }
  }

  /** Waits until all is sent, and says how far that went. */
  int sent(Device device, @Nullable Double waitSeconds) throws InterruptedException {
    long millis = waitSeconds == null ? Long.MAX_VALUE / 1_000_000 : (long) (waitSeconds * 1000);
    boolean may = edge != null && device.status().link() != LinkState.NOT_ENROLLED;
    boolean all = may && flush(device, millis);
    DeviceStatus status = device.status();
    long gone = status.queue().rejected();
    String trouble = status.trouble().isEmpty() ? "" : ": " + status.trouble();
    print(
        describe(status.queue())
            .put("link", status.link())
            .put("trouble", status.trouble())
            .put("rejection", status.rejection())
            .put("sent", status.sent())
            .put("batches", status.batches())
            .put("bytesSent", status.bytesSent()),
        status.sent() + " sent, " + status.queue().queued() + " wait" + trouble);
    if (gone > 0) {
      terminal.note(
          "holdfast: "
              + count(gone, "change")
              + " will never be taken: "
              + Terminal.clean(status.rejection()));
      terminal.note(
          "  Kept in "
              + folder().rejected()
              + ". When that is settled, 'holdfast device run' takes this file.");
      return Failure.FAILED;
    }
    return all || !HELPLESS.contains(status.link()) ? 0 : Failure.FAILED;
  }
}
