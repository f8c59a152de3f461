package holdfast.cli;

import holdfast.device.ChangeLine;
import holdfast.device.Device;
import holdfast.device.MalformedException;
import holdfast.device.Operation;
import holdfast.device.Overflow;
import holdfast.device.QueueOptions;
import holdfast.device.QueueStatus;
import holdfast.device.Syncing;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Queues lines, and sends. */
@Command(
    name = "run",
    description = "Queues changes from lines as they come, and sends until all is sent.",
    footerHeading = "%n",
    footer = {
      "A line is KEY<TAB>VALUE, or JSON: {\"key\":\"k\",\"value\":\"v\"}, with base64 in place of value,",
      "\"delete\":true, type, or space. Without --edge the lines are only queued.",
      "When the queue is full the policy is to wait (block), to lose the oldest (drop-oldest), or to end",
      "(refuse). What is lost is counted, and told to the edge in the device's signed batches.",
      "A line that cannot be taken is named and left out, and the exit code is 1; --strict ends there.",
      "",
      "Example:",
      "  sensors | holdfast device run --queue q --edge https://edge:7443 --ca ca.pem --user ada \\",
      "      --password-file pw",
      "",
      "JSON: as of put, and leftOut (lines)"
    })
final class DeviceRunCommand extends DeviceSending {
  private static final int LINE_BYTES = 2 * Operation.MAX_VALUE_BYTES;
  private static final long LOOK_MILLIS = 1000;
  private static final int SHOWN = 200;

  /** What happens when the queue is full. */
  enum WhenFull {
    BLOCK,
    DROP_OLDEST,
    REFUSE;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }

  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "FILE",
      description = "The lines; - or nothing for standard input.")
  String file = "-";

  @Option(names = "--space", defaultValue = "home", description = "Default: home.", order = 10)
  String space = "home";

  @Option(
      names = "--wait",
      paramLabel = "SECONDS",
      description = "How long to send after the last line. Default: until all is sent.",
      order = 11)
  @Nullable Double wait;

  @Option(
      names = "--overflow",
      paramLabel = "POLICY",
      defaultValue = "block",
      description = "When full: ${COMPLETION-CANDIDATES}. Default: block.",
      order = 12)
  WhenFull overflow = WhenFull.BLOCK;

  @Option(
      names = "--max-mib",
      paramLabel = "N",
      defaultValue = "256",
      description = "Most MiB that wait. Default: 256.",
      order = 13)
  int maxMib;

  @Option(
      names = "--max-age",
      paramLabel = "HOURS",
      defaultValue = "0",
      description = "Changes older than this expire. Default: 0, never.",
      order = 14)
  double maxAgeHours;

  @Option(
      names = "--sync",
      paramLabel = "WHEN",
      defaultValue = "INTERVAL",
      description =
          "When changes are safe from loss of power: EACH, INTERVAL (a second), or NONE (when sent)."
              + " Default: INTERVAL.",
      order = 15)
  Syncing sync = Syncing.INTERVAL;

  @Option(
      names = "--strict",
      description = "End at a line that cannot be taken, in place of leaving it out.",
      order = 16)
  boolean strict;

  private long leftOut;

  DeviceRunCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    QueueOptions bounds =
        QueueOptions.DEFAULTS
            .withMaxBytes((long) maxMib << 20)
            .withMaxAge(Duration.ofMillis((long) (maxAgeHours * 3_600_000)))
            .withOverflow(Overflow.valueOf(overflow.name()))
            .withSyncing(sync);
    requireOtherFile();
    try (Device device = Device.open(options().withQueue(bounds));
        InputStream in = file.equals("-") ? terminal.in : Files.newInputStream(Path.of(file));
        LineSource lines = new LineSource(in, LINE_BYTES)) {
      long number = 0;
      while (!lines.ended()) {
        for (byte[] line : lines.next(LOOK_MILLIS)) {
          number++;
          if (lines.tooLong(line)) {
            leaveOut(number, "it is longer than " + bytes(LINE_BYTES));
          } else if (line.length > 0) {
            take(device, line, number);
          }
        }
        tellTrouble(device);
      }
      int code = sent(device, wait);
      if (leftOut > 0) {
        terminal.note(
            "holdfast: " + count(leftOut, "line") + " left out; see above, and run those again");
      }
      return leftOut > 0 ? Failure.FAILED : code;
    }
  }

  /** What is rejected while the lines are read would be added to them, and rejected again. */
  private void requireOtherFile() throws IOException {
    Path rejected = folder().rejected();
    if (!file.equals("-")
        && Files.exists(rejected)
        && Files.exists(Path.of(file))
        && Files.isSameFile(Path.of(file), rejected)) {
      throw Failure.usage(
          rejected + " is where this device keeps what is rejected; it cannot be read meanwhile",
          "Move it away first: mv " + rejected + " again, and run 'again'.");
    }
  }

  @Override
  Json describe(QueueStatus status) {
    return super.describe(status).put("leftOut", leftOut);
  }

  private void take(Device device, byte[] line, long number)
      throws IOException, InterruptedException {
    try {
      if (change(device, ChangeLine.parse(line, space)).isEmpty()) {
        throw Failure.failed(
            "the queue is full, and line " + number + " was refused",
            "Let it send, or choose --overflow block or drop-oldest.");
      }
    } catch (MalformedException | IllegalArgumentException e) {
      leaveOut(number, String.valueOf(e.getMessage()));
    }
  }

  private void leaveOut(long number, String why) {
    String shown = why.length() > SHOWN ? why.substring(0, SHOWN) + "…" : why;
    if (strict) {
      throw Failure.usage("line " + number + ": " + shown, "The lines before it are queued.");
    }
    leftOut++;
    terminal.note("holdfast: line " + number + " is left out: " + Terminal.clean(shown));
    terminal.note("  Mend that line and run it again; the others are queued.");
  }
}
