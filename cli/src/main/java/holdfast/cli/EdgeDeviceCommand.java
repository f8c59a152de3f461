package holdfast.cli;

import holdfast.base.ErrorCode;
import holdfast.edge.EdgeAdmin;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code holdfast edge device}: which devices may send to an edge. */
@Command(
    name = "device",
    description = "Lists, revokes and readmits the devices of the edge that runs here.",
    footerHeading = "%n",
    footer = {
      "A device enrols itself: 'holdfast device enrol'. One that is revoked sends nothing until it is",
      "readmitted, with the key that it had; what it has sent stays."
    })
final class EdgeDeviceCommand extends GroupCommand {
  EdgeDeviceCommand(Terminal terminal) {
    super(terminal);
  }

  static CommandLine commandLine(Terminal terminal) {
    return new CommandLine(new EdgeDeviceCommand(terminal))
        .addSubcommand(new ListDevices(terminal))
        .addSubcommand(new Revoke(terminal))
        .addSubcommand(new Readmit(terminal));
  }

  /** A command about devices. */
  abstract static class OfDevices extends RunningEdgeCommand {
    OfDevices(Terminal terminal) {
      super(terminal);
    }

    @Override
    @Nullable String next(ErrorCode code) {
      return code == ErrorCode.NOT_FOUND
          ? "'holdfast edge device list' shows which there are."
          : super.next(code);
    }
  }

  /** A command about one device. */
  abstract static class About extends OfDevices {
    @Parameters(
        index = "0",
        paramLabel = "NAME",
        description = "The device, by the name under which it was enrolled.")
    String name = "";

    private final boolean enrolled;
    private final String done;

    About(Terminal terminal, boolean enrolled, String done) {
      super(terminal);
      this.enrolled = enrolled;
      this.done = done;
    }

    @Override
    int run(EdgeAdmin edge) {
      edge.enrolled(name, enrolled);
      print(Json.object().put("device", name).put("done", done), name + " " + done);
      return 0;
    }
  }

  /** Takes nothing more of a device. */
  @Command(
      name = "revoke",
      description = "Takes nothing more of a device.",
      footerHeading = "%n",
      footer = {"Example:", "  holdfast edge device revoke pump-1", "", "JSON: device, done"})
  static final class Revoke extends About {
    Revoke(Terminal terminal) {
      super(terminal, false, "revoked");
    }
  }

  /** Takes what a device sends again. */
  @Command(
      name = "readmit",
      description = "Takes again what a revoked device sends.",
      footerHeading = "%n",
      footer = {"Example:", "  holdfast edge device readmit pump-1", "", "JSON: device, done"})
  static final class Readmit extends About {
    Readmit(Terminal terminal) {
      super(terminal, true, "readmitted");
    }
  }

  /** Lists devices. */
  @Command(
      name = "list",
      description = "Lists the devices that were enrolled.",
      footerHeading = "%n",
      footer = {"JSON, one a line: device, key, user, enrolled, since"})
  static final class ListDevices extends OfDevices {
    ListDevices(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run(EdgeAdmin edge) {
      for (EdgeAdmin.EnrolledDevice one : edge.devices()) {
        print(
            Json.object()
                .put("device", one.name())
                .put("key", one.key())
                .put("user", one.user())
                .put("enrolled", one.enrolled())
                .put("since", one.since()),
            one.name()
                + "  "
                + (one.enrolled() ? "enrolled" : "revoked")
                + "  by "
                + one.user()
                + "  "
                + one.key());
      }
      return 0;
    }
  }
}
