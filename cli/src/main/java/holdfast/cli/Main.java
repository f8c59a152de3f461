package holdfast.cli;

import holdfast.bench.BenchCommand;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
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
    if (args.length == 1 && (args[0].equals("--version") || args[0].equals("-V"))) {
      // Asked often by scripts, and answered before anything else is loaded.
      System.out.println(Version.line());
      return;
    }
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
            Boolean.getBoolean("holdfast.watched"),
            Boolean.getBoolean("holdfast.shown"));
    int exitCode = Failure.FAILED;
    try {
      exitCode = run(terminal, args);
    } catch (RuntimeException | Error e) {
      // To report a failure has failed in its turn.
      System.err.println("holdfast: " + e);
    } finally {
      // Whatever has happened: threads that still run must not keep the process.
      System.exit(exitCode);
    }
  }

  /** Runs one command. */
  static int run(Terminal terminal, String... args) {
    int exitCode;
    try {
      CommandLine command = commandLine(terminal, args);
      command.setDefaultValueProvider(Settings.load(terminal, command));
      exitCode = command.execute(args);
    } catch (RuntimeException | Error e) {
      exitCode = Failures.report(terminal, e, List.of(args).contains("--json"));
    }
    terminal.out.flush();
    terminal.err.flush();
    // A reader that went away, as `head` does, is no failure of ours.
    return exitCode;
  }

  /** The command line with the commands that these arguments, and the settings, call for. */
  private static CommandLine commandLine(Terminal terminal, String... args) {
    CommandLine main = new CommandLine(new Main(terminal));
    Map<String, Supplier<Object>> commands = commands(terminal);
    String first = args.length == 0 ? "" : args[0];
    boolean one = commands.containsKey(first) && !first.equals("completion");
    boolean none = first.equals("--version") || first.equals("-V");
    if (Settings.absent(terminal) && (one || none)) {
      // Reading the annotations of all commands takes longer than most commands.
      commands.keySet().removeIf(name -> none || !name.equals(first));
    }
    commands.forEach((name, command) -> main.addSubcommand(name, command.get()));
    main.setOut(new PrintWriter(terminal.out, true, StandardCharsets.UTF_8));
    main.setErr(new PrintWriter(terminal.err, true, StandardCharsets.UTF_8));
    main.setParameterExceptionHandler(
        (misuse, given) -> Failures.report(terminal, misuse, json(misuse.getCommandLine(), given)));
    main.setExecutionExceptionHandler((failure, command, parsed) ->
        command.getCommand() instanceof BaseCommand known
            ? Failures.report(terminal, failure, known)
            : Failures.report(terminal, failure, false));
    return main;
  }

  /** Whether JSON was asked for by arguments that could not be understood, or by a setting. */
  private static boolean json(CommandLine command, String... given) {
    CommandLine.Model.OptionSpec option = command.getCommandSpec().findOption("--json");
    if (option == null || List.of(given).contains("--json")) {
      return option != null;
    }
    try {
      return "true".equals(command.getDefaultValueProvider().defaultValue(option));
    } catch (Exception e) {
      // A setting that cannot be read is a failure of its own, told when the settings are loaded.
      return false;
    }
  }

  /** Every command by its name; what other modules bring is added here. */
  private static Map<String, Supplier<Object>> commands(Terminal terminal) {
    Map<String, Supplier<Object>> commands = new LinkedHashMap<>();
    commands.put("up", () -> new UpCommand(terminal));
    commands.put("master", () -> MasterCommand.commandLine(terminal));
    commands.put("edge", () -> EdgeCommand.commandLine(terminal));
    commands.put("cluster", () -> ClusterCommand.commandLine(terminal));
    commands.put("demo", () -> new DemoCommand(terminal));
    commands.put("key", () -> KeyCommand.commandLine(terminal));
    commands.put("ca", () -> CaCommand.commandLine(terminal));
    commands.put("create", () -> new CreateCommand(terminal));
    commands.put("append", () -> new AppendCommand(terminal));
    commands.put("log", () -> new LogCommand(terminal));
    commands.put("read", () -> new ReadCommand(terminal));
    commands.put("heads", () -> new HeadsCommand(terminal));
    commands.put("prove", () -> new ProveCommand(terminal));
    commands.put("verify", () -> new VerifyCommand(terminal));
    commands.put("export", () -> new ExportCommand(terminal));
    commands.put("import", () -> new ImportCommand(terminal));
    commands.put("watch", () -> new WatchCommand(terminal));
    commands.put("erase", () -> new EraseCommand(terminal));
    commands.put("grant", () -> new GrantCommand(terminal));
    commands.put("succeed", () -> new SucceedCommand(terminal));
    commands.put("place", () -> new PlaceCommand(terminal));
    commands.put("audit", () -> new AuditCommand(terminal));
    commands.put("fsck", () -> new FsckCommand(terminal));
    commands.put("sync", () -> SyncCommand.commandLine(terminal));
    commands.put("status", () -> new StatusCommand(terminal));
    commands.put("pin", () -> new PinCommand(terminal));
    commands.put("context", () -> ContextCommand.commandLine(terminal));
    commands.put("device", () -> DeviceCommand.commandLine(terminal));
    commands.put("bench", BenchCommand::new);
    commands.put("sim", () -> new SimCommand(terminal));
    commands.put("completion", () -> new CompletionCommand(terminal));
    commands.put("warmup", () -> new WarmupCommand(terminal));
    return commands;
  }

  @Override
  public void run() {
    CommandLine.usage(this, terminal.out);
  }

  /** Reads the version from the jar's manifest. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {line()};
    }

    static String line() {
      String version = Main.class.getPackage().getImplementationVersion();
      return "holdfast " + (version == null ? "(not packaged)" : version);
    }
  }
}
