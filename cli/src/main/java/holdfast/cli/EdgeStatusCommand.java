package holdfast.cli;

import holdfast.edge.EdgeAdmin;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code holdfast edge status}: how an edge is. */
@Command(
    name = "status",
    description = "Shows how the edge is that runs on this machine.",
    footerHeading = "%n",
    footer = {
      "Exit code 1 when it does not run, or cannot write.",
      "",
      "JSON: edge, capsule, identity, writable, trouble, record, changes, flushes"
    })
final class EdgeStatusCommand extends BaseCommand {
  @Mixin EdgeCommand.Where where = new EdgeCommand.Where();

  EdgeStatusCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() {
    try (EdgeAdmin edge = EdgeAdmin.of(where.folder(terminal))) {
      Map<String, @Nullable Object> status = edge.status();
      Json json = Json.object();
      StringBuilder text = new StringBuilder();
      status.forEach((key, value) -> {
        json.put(key, value);
        if (value != null) {
          text.append(text.isEmpty() ? "" : "\n").append(key).append(' ').append(value);
        }
      });
      print(json, text.toString());
      return Boolean.TRUE.equals(status.get("writable")) ? 0 : Failure.FAILED;
    }
  }
}
