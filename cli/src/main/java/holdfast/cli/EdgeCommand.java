package holdfast.cli;

import holdfast.base.ErrorCode;
import holdfast.edge.EdgeFolder;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code holdfast edge}: the gateway near devices. */
@Command(
    name = "edge",
    description = "Runs and administers an edge: a REST gateway that keeps what devices send.",
    footerHeading = "%n",
    footer = {
      "Begin with:",
      "  holdfast edge up                                       sets it up at the first start",
      "  holdfast edge user add ann --grant home=write          asks for the password",
      "  curl --cacert ~/.holdfast/edge/site/ca.pem -u ann -T FILE \\",
      "       https://localhost:7443/v1/kv/home/KEY"
    })
final class EdgeCommand extends GroupCommand {
  EdgeCommand(Terminal terminal) {
    super(terminal);
  }

  /** The commands below this one. */
  static CommandLine commandLine(Terminal terminal) {
    return new CommandLine(new EdgeCommand(terminal))
        .addSubcommand(new EdgeInitCommand(terminal))
        .addSubcommand(new EdgeUpCommand(terminal))
        .addSubcommand(new EdgeStatusCommand(terminal))
        .addSubcommand(new EdgePlaceCommand(terminal))
        .addSubcommand(new EdgeRestoreCommand(terminal))
        .addSubcommand(new EdgeAuditCommand(terminal))
        .addSubcommand(EdgeUserCommand.commandLine(terminal))
        .addSubcommand(EdgeDeviceCommand.commandLine(terminal))
        .addSubcommand(EdgeSpaceCommand.commandLine(terminal));
  }

  /** What to do about an error that the edge of this machine told, or that there is none. */
  static @Nullable String hint(ErrorCode code) {
    return switch (code) {
      case UNREACHABLE -> "Start it with 'holdfast edge up', or name its folder: --data DIR";
      case NOT_FOUND -> "'holdfast edge user list' shows who there is.";
      case DENIED ->
          "Is the edge of this folder the one that runs? Look with 'holdfast edge status'.";
      case UNKNOWN_CAPSULE -> "Is --data the folder of this edge?";
      default -> null;
    };
  }

  /** Which edge of this machine is meant. */
  static final class Where {
    @Option(
        names = "--data",
        paramLabel = "DIR",
        description = "The edge's folder. Default: HOLDFAST_HOME/edge.",
        order = 980)
    @Nullable Path data;

    EdgeFolder folder(Terminal terminal) {
      Path named = data;
      return EdgeFolder.at(named == null ? terminal.home().folder().resolve("edge") : named);
    }
  }
}
