package holdfast.cli;

import holdfast.base.ErrorCode;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What all commands share. */
@Command(
    sortOptions = false,
    usageHelpWidth = 100,
    optionListHeading = "%nOptions:%n",
    parameterListHeading = "%nParameters:%n",
    commandListHeading = "%nCommands:%n",
    synopsisHeading = "Usage: ",
    descriptionHeading = "%n")
abstract class BaseCommand implements Callable<Integer> {
  final Terminal terminal;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help and exit.",
      order = 1000)
  boolean help;

  @Option(names = "--json", description = "Print JSON, one object a line.", order = 999)
  boolean json;

  BaseCommand(Terminal terminal) {
    this.terminal = terminal;
  }

  /** Does the work; what it throws is turned into an exit code and two lines. */
  abstract int run() throws Exception;

  /** What to do about an error, where its code alone does not tell; null where it does. */
  @Nullable String next(ErrorCode code) {
    return null;
  }

  @Override
  public final Integer call() throws Exception {
    return run();
  }

  /** Prints a result: JSON if it was asked for, or the text. */
  final void print(Json object, String text) {
    terminal.line(json ? object.toString() : text);
  }

  /** Writes a time as people and programs read it, in UTC. */
  static String time(long millis) {
    return Instant.ofEpochMilli(millis).toString();
  }

  /** Reads a time: ISO 8601 in UTC, a date alone, or milliseconds since 1970. */
  static long parseTime(String text) {
    try {
      if (text.matches("\\d{11,}")) {
        return Long.parseLong(text);
      }
      return Instant.parse(text.length() == 10 ? text + "T00:00:00Z" : text).toEpochMilli();
    } catch (DateTimeParseException e) {
      throw Failure.usage(
          "'" + text + "' is no time", "Write it like 2026-01-31T12:00:00Z, in UTC.");
    }
  }

  /** Writes how many there are of something whose name takes an s: 1 record, 2 records. */
  static String count(long number, String one) {
    return count(number, one, one + "s");
  }

  /** The same for a name of which several are called otherwise: 1 leaf, 2 leaves. */
  static String count(long number, String one, String several) {
    return number + " " + (number == 1 ? one : several);
  }

  /** Writes a number of bytes for people. */
  static String bytes(long count) {
    if (count < 1024) {
      return count + " B";
    }
    String units = "KMGTPE";
    int unit = (63 - Long.numberOfLeadingZeros(count)) / 10;
    return String.format(
        java.util.Locale.ROOT,
        "%.1f %siB",
        count / (double) (1L << (10 * unit)),
        units.charAt(unit - 1));
  }
}
