package holdfast.cli;

import holdfast.edge.EdgeAdmin;
import holdfast.edge.site.SiteAuthority;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;

/** {@code holdfast edge status}: how an edge is. */
@Command(
    name = "status",
    description = "Shows how the edge is that runs on this machine.",
    footerHeading = "%n",
    footer = {
      "Exit code 1 when it does not run, or cannot write.",
      "",
      "JSON: edge, capsule, identity, writable, trouble, record, changes, flushes,",
      "unsettledErasures (of the owner, known and not yet followed), clockTrouble,",
      "certificateNotAfter, mqtt",
      "(connections, subscriptions, received, acknowledged and more), backup: copies,",
      "backlogRecords, backlogBytes, oldestMillis (of what is not on so many masters yet), masters",
      "(address, identity, reachable, silentMillis, backlogRecords, backlogBytes, oldestMillis,",
      "lastMillis, trouble)"
    })
final class EdgeStatusCommand extends RunningEdgeCommand {
  EdgeStatusCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run(EdgeAdmin edge) {
    Map<String, @Nullable Object> status = edge.status();
    Json json = Json.object();
    StringBuilder text = new StringBuilder();
    status.forEach((key, value) -> {
      json.put(key, value);
      if (value instanceof Map<?, ?> group) {
        text.append(key.equals("backup") ? backup(group) : counters(key, group));
      } else if (value != null) {
        text.append(text.isEmpty() ? "" : "\n").append(key).append(' ').append(value);
      }
    });
    print(json, text + certificate(status.get("certificateNotAfter"), Instant.now()));
    return Boolean.TRUE.equals(status.get("writable")) ? 0 : Failure.FAILED;
  }

  /** A warning of a certificate that runs out soon; empty while there is time. */
  static String certificate(@Nullable Object notAfter, Instant now) {
    if (!(notAfter instanceof String text)) {
      return "";
    }
    Instant end = Instant.parse(text);
    long days = Duration.between(now, end).toDays();
    if (!end.isAfter(now)) {
      return "\nwarning: the certificate has expired; clients refuse it";
    }
    return days < SiteAuthority.RENEWAL.toDays()
        ? "\nwarning: the certificate expires in " + count(days, "day")
        : "";
  }

  private static String counters(String group, Map<?, ?> counters) {
    StringBuilder text = new StringBuilder("\n").append(group);
    counters.forEach((name, count) -> text.append(' ').append(name).append(' ').append(count));
    return text.toString();
  }

  private static String backup(Map<?, ?> backup) {
    if (!(backup.get("masters") instanceof List<?> masters) || masters.isEmpty()) {
      return "\nno master keeps it: holdfast edge place";
    }
    StringBuilder text =
        new StringBuilder("\nwaiting ").append(waiting(backup)).append(" to be on ");
    text.append(number(backup, "copies")).append(" of ").append(masters.size()).append(" masters");
    for (Object one : masters) {
      if (one instanceof Map<?, ?> master) {
        boolean reachable = Boolean.TRUE.equals(master.get("reachable"));
        text.append("\nmaster ").append(Terminal.clean(String.valueOf(master.get("address"))));
        text.append(
            reachable
                ? " up"
                : " lost, silent for " + number(master, "silentMillis") / 1000 + " s");
        text.append(", waiting ").append(waiting(master));
        if (master.get("trouble") instanceof String trouble && !trouble.isEmpty()) {
          text.append(", ").append(Terminal.clean(trouble));
        }
      }
    }
    return text.toString();
  }

  private static String waiting(Map<?, ?> of) {
    long records = number(of, "backlogRecords");
    return records == 0
        ? "nothing"
        : count(records, "record")
            + ", "
            + bytes(number(of, "backlogBytes"))
            + ", the oldest for "
            + number(of, "oldestMillis") / 1000
            + " s";
  }

  private static long number(Map<?, ?> of, String member) {
    return of.get(member) instanceof Number number ? number.longValue() : 0;
  }
}
