package holdfast.cli;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** A command that only groups others: called by itself, it shows which there are. */
@Command(synopsisSubcommandLabel = "COMMAND")
abstract class GroupCommand extends BaseCommand {
  @Spec @Nullable CommandSpec spec;

  GroupCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  final int run() {
    if (spec != null) {
      spec.commandLine().usage(terminal.out);
    }
    return 0;
  }
}
