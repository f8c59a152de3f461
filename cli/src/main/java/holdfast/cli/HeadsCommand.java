package holdfast.cli;

import holdfast.capsule.Freshness;
import holdfast.client.CapsuleReader;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Asks what is newest. */
@Command(
    name = "heads",
    description =
        "Prints the newest records: those that nothing follows. The server signs the answer.",
    footerHeading = "%n",
    footer = {
      "Records that no signature proves yet are listed apart, on stderr.",
      "",
      "Example:",
      "  holdfast heads 3f2a",
      "",
      "JSON: capsule, heads, moreHeads (whether not all are listed), unproven, moreUnproven, records,",
      "time, server, closed, successor"
    })
final class HeadsCommand extends ServerCommand {
  @Parameters(paramLabel = "CAPSULE", description = "The capsule.")
  String capsule = "";

  HeadsCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    try (Target target = open(capsule);
        CapsuleReader reader = target.reader()) {
      Freshness fresh = reader.heads();
      reader.prove(fresh.heads());
      if (json) {
        terminal.line(
            Json.object()
                .put("capsule", target.capsule())
                .put("heads", fresh.heads())
                .put("moreHeads", fresh.moreHeads())
                .put("unproven", fresh.tips())
                .put("moreUnproven", fresh.moreTips())
                .put("records", fresh.records())
                .put("time", time(fresh.timeMillis()))
                .put("server", fresh.server())
                .put("closed", reader.closing() != null)
                .put("successor", successor(reader))
                .toString());
        return 0;
      }
      fresh.heads().forEach(head -> terminal.line(head.toString()));
      fresh.tips().forEach(tip -> terminal.note("not proven yet: " + tip));
      if (fresh.moreHeads()) {
        terminal.note("there are more heads than the " + fresh.heads().size() + " listed");
      }
      if (fresh.moreTips()) {
        terminal.note("there are more unproven than the " + fresh.tips().size() + " listed");
      }
      noteIfClosed(reader);
    }
    return 0;
  }
}
