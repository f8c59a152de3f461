package holdfast.cli;

import holdfast.edge.EdgeAdmin;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code holdfast edge space}: what is in the spaces of an edge, and what may be. */
@Command(
    name = "space",
    description = "Lists and limits the spaces of the edge that runs here.",
    footerHeading = "%n",
    footer = {
      "A space is there when something was put into it, or when it is limited. What is older than its",
      "retention is shown no more, and forgotten; it stays in the capsule until the owner erases it."
    })
final class EdgeSpaceCommand extends GroupCommand {
  private static final Pattern SIZE = Pattern.compile("(\\d{1,15})([KMGT]?)");
  private static final Pattern AGE = Pattern.compile("(\\d{1,9})([smhd])");

  EdgeSpaceCommand(Terminal terminal) {
    super(terminal);
  }

  static CommandLine commandLine(Terminal terminal) {
    return new CommandLine(new EdgeSpaceCommand(terminal))
        .addSubcommand(new ListSpaces(terminal))
        .addSubcommand(new Limit(terminal));
  }

  /** Reads a size: bytes, or KiB, MiB, GiB or TiB by a letter; none is 0. */
  static long size(String typed) {
    Matcher size = SIZE.matcher(typed);
    if (typed.equals("none")) {
      return 0;
    }
    if (size.matches()) {
      int shift = 10 * ("KMGT".indexOf(size.group(2)) + (size.group(2).isEmpty() ? 0 : 1));
      long number = Long.parseLong(size.group(1));
      if (number <= Long.MAX_VALUE >> shift) {
        return number << shift;
      }
    }
    throw Failure.usage(
        "'" + typed + "' is no size", "Write bytes, or 500M or 20G; none for no quota.");
  }

  /** Reads an age in seconds, minutes, hours or days; none is 0. */
  static long ageMillis(String typed) {
    Matcher age = AGE.matcher(typed);
    if (typed.equals("none")) {
      return 0;
    }
    if (!age.matches()) {
      throw Failure.usage(
          "'" + typed + "' is no time to keep values",
          "Write 90m, 12h or 30d; none to keep them for ever.");
    }
    long number = Long.parseLong(age.group(1));
    return switch (age.group(2)) {
      case "s" -> Duration.ofSeconds(number).toMillis();
      case "m" -> Duration.ofMinutes(number).toMillis();
      case "h" -> Duration.ofHours(number).toMillis();
      default -> Duration.ofDays(number).toMillis();
    };
  }

  /** Writes an age as {@link #ageMillis} reads it. */
  private static String age(long millis) {
    long seconds = millis / 1000;
    for (String unit : new String[] {"86400d", "3600h", "60m"}) {
      long one = Long.parseLong(unit.substring(0, unit.length() - 1));
      if (seconds > 0 && seconds % one == 0) {
        return seconds / one + unit.substring(unit.length() - 1);
      }
    }
    return seconds + "s";
  }

  private static Json json(EdgeAdmin.Space space) {
    return Json.object()
        .put("space", space.name())
        .put("keys", space.keys())
        .put("bytes", space.bytes())
        .put("quotaBytes", space.quotaBytes())
        .put("retentionMillis", space.retentionMillis());
  }

  private static String text(EdgeAdmin.Space space) {
    return space.name()
        + "  "
        + BaseCommand.count(space.keys(), "key")
        + ", "
        + BaseCommand.bytes(space.bytes())
        + (space.quotaBytes() == 0 ? ", no quota" : " of " + BaseCommand.bytes(space.quotaBytes()))
        + (space.retentionMillis() == 0
            ? ", kept for ever"
            : ", kept for " + age(space.retentionMillis()));
  }

  /** Lists spaces. */
  @Command(
      name = "list",
      description = "Lists the spaces with what is in them and what may be.",
      footerHeading = "%n",
      footer = {
        "JSON, one a line: space, keys, bytes, quotaBytes, retentionMillis; 0 for no limit"
      })
  static final class ListSpaces extends RunningEdgeCommand {
    ListSpaces(Terminal terminal) {
      super(terminal);
    }

    @Override
    int run(EdgeAdmin edge) {
      edge.spaces().forEach(space -> print(json(space), text(space)));
      return 0;
    }
  }

  /** Limits a space. */
  @Command(
      name = "limit",
      description = "Limits a space; what is not named stays as it is.",
      footerHeading = "%n",
      footer = {
        "Examples:",
        "  holdfast edge space limit home --quota 20G --retention 30d",
        "  holdfast edge space limit home --quota none",
        "",
        "JSON: space, keys, bytes, quotaBytes, retentionMillis; 0 for no limit"
      })
  static final class Limit extends RunningEdgeCommand {
    @Parameters(index = "0", paramLabel = "SPACE", description = "The space.")
    String name = "";

    @Option(
        names = "--quota",
        paramLabel = "SIZE",
        description =
            "Most bytes of keys and values that are there at a time: a number, or with K, M, G or T;"
                + " none for no limit.")
    @Nullable String quota;

    @Option(
        names = "--retention",
        paramLabel = "AGE",
        description = "How long values are kept: a number with s, m, h or d; none for ever.")
    @Nullable String retention;

    Limit(Terminal terminal) {
      super(terminal);
    }

    @Override
    void check() {
      if (quota == null && retention == null) {
        throw Failure.usage("there is nothing to limit", "Give --quota, --retention or both.");
      }
      sizeOr(0);
      ageOr(0);
    }

    private long sizeOr(long otherwise) {
      return quota == null ? otherwise : size(quota);
    }

    private long ageOr(long otherwise) {
      return retention == null ? otherwise : ageMillis(retention);
    }

    @Override
    int run(EdgeAdmin edge) {
      EdgeAdmin.Space now = edge.space(name);
      edge.limit(name, sizeOr(now.quotaBytes()), ageOr(now.retentionMillis()));
      EdgeAdmin.Space after = edge.space(name);
      print(json(after), text(after));
      return 0;
    }
  }
}
