package holdfast.cli;

import holdfast.base.ErrorCode;
import holdfast.edge.EdgeAdmin;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;

/** A command that asks the edge which runs on this machine, or changes it. */
abstract class RunningEdgeCommand extends BaseCommand {
  @Mixin EdgeCommand.Where where = new EdgeCommand.Where();

  RunningEdgeCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  @Nullable String next(ErrorCode code) {
    return EdgeCommand.hint(code);
  }

  /** Refuses what is typed wrong, before anything is asked of anybody. */
  void check() {}

  /** Does what the command is for; returns the exit code. */
  abstract int run(EdgeAdmin edge) throws Exception;

  @Override
  final int run() throws Exception {
    check();
    try (EdgeAdmin edge = EdgeAdmin.of(where.folder(terminal))) {
      return run(edge);
    }
  }
}
