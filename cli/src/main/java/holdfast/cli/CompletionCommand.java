package holdfast.cli;

import org.jspecify.annotations.Nullable;
import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Prints a completion script. */
@Command(
    name = "completion",
    description = "Prints a script that completes commands and flags in a shell.",
    footerHeading = "%n",
    footer = {"Example:", "  source <(holdfast completion bash)", "", "JSON: shell, script"})
final class CompletionCommand extends BaseCommand {
  /** Shells that the script is for; zsh reads it through bashcompinit. */
  enum Shell {
    bash,
    zsh
  }

  @Parameters(paramLabel = "SHELL", description = "bash or zsh.")
  Shell shell = Shell.bash;

  @Spec @Nullable CommandSpec spec;

  CompletionCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() {
    if (spec != null) {
      String script = AutoComplete.bash("holdfast", spec.root().commandLine());
      print(Json.object().put("shell", shell).put("script", script), script.stripTrailing());
    }
    return 0;
  }
}
