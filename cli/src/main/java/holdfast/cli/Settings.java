package holdfast.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * Values of flags that are not on the command line: from the environment, then from holdfast.toml.
 *
 * <p>The flag {@code --http-port} of {@code up} is looked up as HOLDFAST_UP_HTTP_PORT,
 * HOLDFAST_HTTP_PORT, the key {@code http-port} of the section {@code [up]}, and {@code http-port}
 * before any section. Several values are separated by commas, or are an array. An unknown key ends
 * the command before it begins.
 */
final class Settings implements CommandLine.IDefaultValueProvider {
  private static final Set<String> NOT_SETTABLE = Set.of("help", "version");

  private final Map<String, String> environment;
  private final Map<String, String> file;

  private Settings(Map<String, String> environment, Map<String, String> file) {
    this.environment = environment;
    this.file = file;
  }

  /** Whether there is no file. */
  static boolean absent(Terminal terminal) {
    return !Files.exists(terminal.home().settings());
  }

  /** Reads the file if it is there and checks that every key in it is a flag of some command. */
  static Settings load(Terminal terminal, CommandLine main) {
    Path path = terminal.home().settings();
    Map<String, String> file = new TreeMap<>();
    if (Files.exists(path)) {
      try {
        file = parse(Files.readAllLines(path), path.toString());
      } catch (IOException e) {
        throw Failure.usage("cannot read " + path + ": " + e.getMessage(), "Check the file.");
      }
      Set<String> known = new TreeSet<>();
      collect(main, "", known);
      for (String key : file.keySet()) {
        if (!known.contains(key) && !Contexts.owns(key)) {
          throw Failure.usage(
              path + " sets '" + key + "', which is no flag of any command",
              "Remove it; keys are written like flags without the dashes, under [COMMAND].");
        }
      }
      Contexts.of(path, file);
    }
    return new Settings(terminal.environment, file);
  }

  private static void collect(CommandLine command, String section, Set<String> known) {
    for (OptionSpec option : command.getCommandSpec().options()) {
      String name = bare(option.longestName());
      if (!NOT_SETTABLE.contains(name)) {
        known.add(name);
        known.add(section + name);
      }
    }
    command.getSubcommands().forEach((name, sub) -> collect(sub, section + name + ".", known));
  }

  static Map<String, String> parse(List<String> lines, String where) {
    Map<String, String> found = new TreeMap<>();
    String section = "";
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i).strip();
      if (line.isEmpty() || line.startsWith("#")) {
        continue;
      }
      if (line.matches("\\[[a-z0-9.-]+\\]\\s*(#.*)?")) {
        section = line.substring(1, line.indexOf(']')) + ".";
        continue;
      }
      int equals = line.indexOf('=');
      String value = equals < 0 ? null : value(line.substring(equals + 1).strip());
      String key = equals < 0 ? "" : line.substring(0, equals).strip();
      if (value == null || !key.matches("[a-z0-9-]+") || found.put(section + key, value) != null) {
        throw Failure.usage(
            "line " + (i + 1) + " of " + where + " cannot be understood: " + line,
            "Write each key once, as: key = \"value\"");
      }
    }
    return found;
  }

  /** A string, a number, true, false, or an array of strings on one line; null if it is neither. */
  private static @Nullable String value(String text) {
    if (text.startsWith("[")) {
      int end = text.lastIndexOf(']');
      if (end < 0 || !comment(text.substring(end + 1))) {
        return null;
      }
      List<String> items = new ArrayList<>();
      for (String item : text.substring(1, end).split(",", -1)) {
        String one = item.isBlank() ? "" : value(item.strip());
        if (one == null) {
          return null;
        }
        if (!one.isEmpty()) {
          items.add(one);
        }
      }
      return String.join(",", items);
    }
    if (text.startsWith("\"")) {
      int end = text.indexOf('"', 1);
      boolean plain =
          end > 0 && text.lastIndexOf('\\', end) < 0 && comment(text.substring(end + 1));
      return plain ? text.substring(1, end) : null;
    }
    String bare = text.replaceFirst("\\s*#.*$", "");
    return bare.matches("true|false|[0-9]+") ? bare : null;
  }

  private static boolean comment(String rest) {
    return rest.isBlank() || rest.strip().startsWith("#");
  }

  private static String bare(String flag) {
    return flag.replaceFirst("^--?", "");
  }

  @Override
  public @Nullable String defaultValue(ArgSpec argument) {
    if (!(argument instanceof OptionSpec option) || option.usageHelp() || option.versionHelp()) {
      return null;
    }
    String name = bare(option.longestName());
    String section = section(option.command());
    String found = environment.get(variable(section + name));
    found = found == null ? environment.get(variable(name)) : found;
    found = found == null ? file.get(section + name) : found;
    return found == null ? file.get(name) : found;
  }

  private static String section(CommandSpec command) {
    CommandSpec parent = command.parent();
    return parent == null ? "" : section(parent) + command.name() + ".";
  }

  private static String variable(String key) {
    return "HOLDFAST_" + key.toUpperCase(Locale.ROOT).replace('-', '_').replace('.', '_');
  }
}
