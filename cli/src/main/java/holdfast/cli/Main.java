package holdfast.cli;

import holdfast.bench.BenchCommand;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Option;

/** The {@code holdfast} command. */
@Command(
    name = "holdfast",
    description = "Storage you can prove: signed, encrypted, append-only capsules.",
    usageHelpWidth = 100,
    synopsisSubcommandLabel = "COMMAND",
    synopsisHeading = "Usage: ",
    descriptionHeading = "%n",
    optionListHeading = "%nOptions:%n",
    commandListHeading = "%nCommands:%n",
    footerHeading = "%n",
    footer = {
      "Begin with:",
      "  holdfast demo                       see it work, in a few seconds",
      "  holdfast up                         run a server on this machine",
      "  holdfast key new me.pem             make a key",
      "  holdfast create --key me.pem        make a capsule; prints its name",
      "",
      "Every flag is also an environment variable (HOLDFAST_SERVER, HOLDFAST_UP_DATA) and a key in",
      "HOLDFAST_HOME/holdfast.toml (server = \"…\"; [up] data = \"…\"). Names of capsules and records",
      "may be shortened. Exit codes: 0 done, 1 failed, 2 used wrongly, 3 integrity violation.",
    },
    versionProvider = Main.Version.class)
public final class Main implements Runnable {
  private final Terminal terminal;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help and exit.")
  boolean help;

  @Option(
      names = {"-V", "--version"},
      versionHelp = true,
      description = "Print the version and exit.")
  boolean version;

  private Main(Terminal terminal) {
    this.terminal = terminal;
  }

  public static void main(String[] args) {
    if (!List.of(args).contains("up") && System.getenv("HOLDFAST_LOG_LEVEL") == null) {
      // Only a server has something to tell beside its results.
      System.setProperty("HOLDFAST_LOG_LEVEL", "WARN");
    }
    Terminal terminal =
        new Terminal(
            new FileOutputStream(FileDescriptor.out),
            new FileOutputStream(FileDescriptor.err),
            System.in,
            System.getenv(),
            Boolean.getBoolean("holdfast.watched"));
    System.exit(run(terminal, args));
  }

  /** Runs one command. */
  static int run(Terminal terminal, String... args) {
    int exitCode;
    try {
      CommandLine command = commandLine(terminal);
      command.setDefaultValueProvider(Settings.load(terminal, command));
      exitCode = command.execute(args);
    } catch (Failure e) {
      exitCode = Failures.report(terminal, e, List.of(args).contains("--json"));
    }
    terminal.out.flush();
    terminal.err.flush();
    // A reader that went away, as `head` does, is no failure of ours.
    return exitCode;
  }

  private static CommandLine commandLine(Terminal terminal) {
    CommandLine main = new CommandLine(new Main(terminal));
    for (Object command : commands(terminal)) {
      main.addSubcommand(command);
    }
    main.setOut(new PrintWriter(terminal.out, true, StandardCharsets.UTF_8));
    main.setErr(new PrintWriter(terminal.err, true, StandardCharsets.UTF_8));
    main.setParameterExceptionHandler((misuse, args) -> Failures.report(terminal, misuse));
    main.setExecutionExceptionHandler((failure, command, parsed) ->
        Failures.report(
            terminal, failure, command.getCommand() instanceof BaseCommand c && c.json));
    return main;
  }

  /** Every command; what other modules bring is added here. */
  private static List<Object> commands(Terminal terminal) {
    return List.of(
        new UpCommand(terminal),
        new DemoCommand(terminal),
        KeyCommand.commandLine(terminal),
        new CreateCommand(terminal),
        new AppendCommand(terminal),
        new LogCommand(terminal),
        new ReadCommand(terminal),
        new HeadsCommand(terminal),
        new ProveCommand(terminal),
        new VerifyCommand(terminal),
        new ExportCommand(terminal),
        new ImportCommand(terminal),
        new WatchCommand(terminal),
        new EraseCommand(terminal),
        new GrantCommand(terminal),
        new SucceedCommand(terminal),
        new FsckCommand(terminal),
        new StatusCommand(terminal),
        new PinCommand(terminal),
        new BenchCommand(),
        new CompletionCommand(terminal),
        new WarmupCommand(terminal));
  }

  @Override
  public void run() {
    CommandLine.usage(this, terminal.out);
  }

  /** Reads the version from the jar's manifest. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = Main.class.getPackage().getImplementationVersion();
      return new String[] {"holdfast " + (version == null ? "(not packaged)" : version)};
    }
  }
}
