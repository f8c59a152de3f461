package holdfast.cli;

import holdfast.device.Answer;
import holdfast.device.ChangeLine;
import holdfast.device.Device;
import holdfast.device.DeviceFolder;
import holdfast.device.DeviceOptions;
import holdfast.device.DeviceQueue;
import holdfast.device.EdgeAddress;
import holdfast.device.EdgeLogin;
import holdfast.device.Octets;
import holdfast.device.Operation;
import holdfast.device.Overflow;
import holdfast.device.QueueOptions;
import holdfast.device.QueueStatus;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What a device does: queues changes on disk, and brings them to an edge. */
@Command(
    name = "device",
    description = "Queues changes on a device, and brings them to an edge when there is one.",
    footerHeading = "%n",
    footer = {
      "A device has a folder with its key, its name and its queue. What is put is in the queue at once,",
      "survives a crash, and is sent in signed batches when the edge can be reached, now or in weeks.",
      "",
      "Begin with:",
      "  holdfast device enrol --queue q --edge https://edge:7443 --ca ca.pem --user ada \\",
      "      --password-file pw pump-1",
      "  holdfast device put --queue q kitchen/temperature 21.5"
    })
final class DeviceCommand extends GroupCommand {
  DeviceCommand(Terminal terminal) {
    super(terminal);
  }

  /** The commands below this one. */
  static CommandLine commandLine(Terminal terminal) {
    return new CommandLine(new DeviceCommand(terminal))
        .addSubcommand(new Enrol(terminal))
        .addSubcommand(new Put(terminal))
        .addSubcommand(new Get(terminal))
        .addSubcommand(new Delete(terminal))
        .addSubcommand(new DeviceRunCommand(terminal))
        .addSubcommand(new Status(terminal))
        .addSubcommand(new Renew(terminal));
  }

  /** A command about a device's folder. */
  abstract static class InFolder extends BaseCommand {
    @Option(
        names = "--queue",
        paramLabel = "DIR",
        required = true,
        description = "The device's folder: its key, name and queue.",
        order = 1)
    Path queue = Path.of("");

    InFolder(Terminal terminal) {
      super(terminal);
    }

    DeviceFolder folder() {
      return new DeviceFolder(queue);
    }
  }

  /** A command that may speak to an edge. */
  abstract static class Reaching extends InFolder {
    @Option(
        names = "--edge",
        paramLabel = "URL",
        description = "The edge, https://HOST:PORT. Without it changes are only queued.",
        order = 2)
    @Nullable URI edge;

    @Option(
        names = "--ca",
        paramLabel = "FILE",
        description = "PEM file of the authority of the edge's certificate.",
        order = 3)
    @Nullable Path authority;

    @Option(names = "--user", paramLabel = "U", description = "On whose behalf.", order = 4)
    @Nullable String user;

    @Option(
        names = "--password-file",
        paramLabel = "F",
        description = "A file with the password of the user, or of the key store.",
        order = 5)
    @Nullable Path passwordFile;

    @Option(
        names = "--keystore",
        paramLabel = "FILE",
        description = "A PKCS#12 file with a certificate, to log in with in place of a password.",
        order = 6)
    @Nullable Path keyStore;

    Reaching(Terminal terminal) {
      super(terminal);
    }

    @Nullable EdgeAddress address() throws IOException {
      if (edge == null) {
        return null;
      }
      if (user == null || passwordFile == null) {
        throw Failure.usage(
            "--edge needs --user and --password-file", "Name them, or leave out --edge to queue.");
      }
      String password = Files.readString(passwordFile).replaceFirst("\\R$", "");
      EdgeLogin login =
          keyStore == null
              ? new EdgeLogin.Password(user, password)
              : new EdgeLogin.KeyFile(user, keyStore, password);
      return new EdgeAddress(edge, authority, login);
    }

    DeviceOptions options() throws IOException {
      return DeviceOptions.of(queue, address());
    }
  }

  /** The figures of a queue. */
  static Json figures(QueueStatus status) {
    Path aside = status.recovery().setAside();
    return Json.object()
        .put("incarnation", status.incarnation().toHex())
        .put("queued", status.queued())
        .put("queuedBytes", status.queuedBytes())
        .put("collapsed", status.collapsed())
        .put("expired", status.expired())
        .put("dropped", status.dropped())
        .put("rejected", status.rejected())
        .put("refused", status.refused())
        .put("diskBytes", status.diskBytes())
        .put("firstSequence", status.firstSequence())
        .put("nextSequence", status.nextSequence())
        .put("batchPending", status.batchPending())
        .put("doubtful", status.doubtful())
        .put("cutBytes", status.recovery().cutBytes())
        .put("lostOperations", status.recovery().lostOperations())
        .put("setAside", aside == null ? null : aside.toString());
  }

  /** Makes the device known. */
  @Command(
      name = "enrol",
      aliases = "enroll",
      description = "Makes the device known to an edge, under a name of its own.",
      footerHeading = "%n",
      footer = {
        "Makes the device's key when there is none. May be repeated; a name that belongs to another key is",
        "refused.",
        "",
        "JSON: device, key, new"
      })
  static final class Enrol extends Reaching {
    @Parameters(paramLabel = "NAME", description = "1 to 64 of the characters a-z 0-9 . _ -")
    String name = "";

    Enrol(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() throws Exception {
      EdgeAddress address = address();
      if (address == null) {
        throw Failure.usage("--edge is missing", "Name the edge: --edge https://HOST:7443.");
      }
      boolean fresh = enrol(address);
      print(
          Json.object()
              .put("device", name)
              .put("key", folder().key().publicKey().toHex())
              .put("new", fresh),
          name + (fresh ? " is enrolled" : " was enrolled already"));
      return 0;
    }

    private boolean enrol(EdgeAddress address) throws IOException, InterruptedException {
      try {
        return Device.enrol(folder(), address, name, Duration.ofSeconds(30));
      } catch (FileSystemException e) {
        throw e;
      } catch (IOException e) {
        String reason = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        throw Failure.failed(
            address.uri() + " did not take the device: " + reason,
            "Does the edge run there? Are --ca, --user and the password those of this edge?");
      }
    }
  }

  /** A command about one key that changes it. */
  abstract static class Changing extends DeviceSending {
    @Option(names = "--space", defaultValue = "home", description = "Default: home.", order = 10)
    String space = "home";

    @Option(
        names = "--wait",
        paramLabel = "SECONDS",
        defaultValue = "10",
        description = "How long to try to send before leaving it to the next time. Default: 10.",
        order = 11)
    double wait;

    @Parameters(index = "0", paramLabel = "KEY", description = "The key.")
    String key = "";

    Changing(Terminal terminal) {
      super(terminal);
    }

    int change(Optional<Octets> value, String type) throws IOException, InterruptedException {
      // Nobody would make room in a queue that is full while this waited for it.
      QueueOptions refusing = QueueOptions.DEFAULTS.withOverflow(Overflow.REFUSE);
      ChangeLine line = new ChangeLine(space, key, value, type);
      try (Device device = Device.open(options().withQueue(refusing))) {
        if (change(device, line).isEmpty()) {
          sendForRoom(device, wait);
          if (change(device, line).isEmpty()) {
            throw Failure.failed(
                "the queue is full, and the change was refused",
                "Let it send what waits: 'holdfast device run' with --edge.");
          }
        }
        return sent(device, wait);
      }
    }
  }

  /** Puts. */
  @Command(
      name = "put",
      description = "Gives a key a value.",
      footerHeading = "%n",
      footer = {
        "Succeeds once the value is in the queue on disk, whether the edge can be reached or not. Exit",
        "code 1 when the edge says that it will never take a change, or somebody has to see to something.",
        "",
        "JSON: incarnation, queued, queuedBytes, collapsed, expired, dropped, rejected, refused,",
        "diskBytes, firstSequence, nextSequence, batchPending, doubtful, cutBytes, lostOperations,",
        "setAside, link, trouble, rejection, sent, batches, bytesSent"
      })
  static final class Put extends Changing {
    @Parameters(
        index = "1",
        paramLabel = "VALUE",
        description = "The value; - reads it from input.")
    String value = "";

    @Option(names = "--type", paramLabel = "TYPE", description = "Content type.", order = 12)
    String type = "";

    Put(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() throws Exception {
      byte[] bytes =
          value.equals("-")
              ? terminal.in.readNBytes(Operation.MAX_VALUE_BYTES + 1)
              : value.getBytes(StandardCharsets.UTF_8);
      return change(Optional.of(Octets.wrap(bytes)), type);
    }
  }

  /** Deletes. */
  @Command(
      name = "delete",
      description = "Deletes a key.",
      footerHeading = "%n",
      footer = {"JSON: as of put"})
  static final class Delete extends Changing {
    Delete(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() throws Exception {
      return change(Optional.empty(), "");
    }
  }

  /** Shows a key. */
  @Command(
      name = "get",
      description = "Shows what is known of a key, and who says so.",
      footerHeading = "%n",
      footer = {
        "Asks the device's own queue, then the edge, then what is remembered, and says which and how old.",
        "Exit code 1 when there is no value.",
        "",
        "JSON: key, source (QUEUE, EDGE, REMEMBERED, NOBODY), found, base64, type, ageMillis"
      })
  static final class Get extends Reaching {
    @Option(names = "--space", defaultValue = "home", description = "Default: home.", order = 10)
    String space = "home";

    @Parameters(index = "0", paramLabel = "KEY", description = "The key.")
    String key = "";

    Get(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() throws Exception {
      try (Device device = Device.open(options())) {
        Answer answer = device.get(space, key);
        Octets value = answer.value().orElse(null);
        String source = answer.source().name();
        if (json) {
          terminal.line(
              Json.object()
                  .put("key", key)
                  .put("source", source)
                  .put("found", value != null)
                  .put(
                      "base64",
                      value == null ? null : Base64.getEncoder().encodeToString(value.toArray()))
                  .put("type", answer.contentType())
                  .put("ageMillis", answer.age().toMillis())
                  .toString());
        } else if (value != null) {
          terminal.out.write(value.toArray());
          terminal.out.println();
          terminal.note(
              "from "
                  + source.toLowerCase(Locale.ROOT)
                  + ", "
                  + answer.age().toSeconds()
                  + " s old");
        } else {
          terminal.note("no value, says " + source.toLowerCase(Locale.ROOT));
        }
        return value == null ? Failure.FAILED : 0;
      }
    }
  }

  /** Shows the queue. */
  @Command(
      name = "status",
      description = "Shows what waits in the queue; speaks to nobody.",
      footerHeading = "%n",
      footer = {
        "JSON: name, key, incarnation, queued, queuedBytes, collapsed, expired, dropped, rejected,",
        "refused, diskBytes, firstSequence, nextSequence, batchPending, doubtful, cutBytes,",
        "lostOperations, setAside, rejectedKept (changes in the file 'rejected')"
      })
  static final class Status extends InFolder {
    Status(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() throws Exception {
      return show(this, false);
    }
  }

  /** Ends a conflict. */
  @Command(
      name = "renew",
      description = "Ends a conflict: what waits goes on under a new incarnation of the queue.",
      footerHeading = "%n",
      footer = {
        "For a queue of which a copy was used, or whose folder was put back to an earlier state, so that",
        "the edge answers with a conflict. Nothing is lost; what the edge may have is sent again.",
        "",
        "JSON: as of status"
      })
  static final class Renew extends InFolder {
    Renew(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run() throws Exception {
      return show(this, true);
    }
  }

  private static int show(InFolder command, boolean renew) throws IOException {
    if (!Files.exists(command.queue.resolve("queue"))) {
      throw Failure.failed(
          "there is no queue in " + command.queue, "The first put or enrol makes one.");
    }
    DeviceFolder folder = command.folder();
    try (DeviceQueue queue = DeviceQueue.open(command.queue, folder.key(), QueueOptions.DEFAULTS)) {
      if (renew) {
        queue.renew();
      }
      QueueStatus status = queue.status();
      String name = folder.name().orElse(null);
      long rejected = folder.rejectedChanges();
      command.print(
          figures(status)
              .put("name", name)
              .put("key", folder.key().publicKey().toHex())
              .put("rejectedKept", rejected),
          "device    "
              + (name == null ? "not enrolled" : name)
              + "\nkey       "
              + folder.key().publicKey()
              + "\nqueued    "
              + status.queued()
              + " ("
              + bytes(status.queuedBytes())
              + ", on disk "
              + bytes(status.diskBytes())
              + ")\nnumbers   "
              + (status.firstSequence() - 1)
              + " taken by the edge, next is "
              + status.nextSequence()
              + (rejected == 0
                  ? ""
                  : "\nrejected  "
                      + count(rejected, "change")
                      + " for good, kept in "
                      + folder.rejected())
              + (status.doubtful() ? "\nin doubt  the edge is asked before anything is sent" : ""));
    }
    return 0;
  }
}
