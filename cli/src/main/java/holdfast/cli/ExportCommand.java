package holdfast.cli;

import holdfast.client.BundleExport;
import holdfast.client.CapsuleReader;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** Writes a capsule to a file. */
@Command(
    name = "export",
    description =
        "Writes a capsule to a file, with everything that verifies it. Bodies stay sealed.",
    footerHeading = "%n",
    footer = {
      "Records that no signature proves yet are left out. Content keys are not in the file.",
      "",
      "Example:",
      "  holdfast export 3f2a -o backup.capsule && holdfast verify backup.capsule",
      "",
      "JSON: capsule, file, records, statements, leftOut, bytes"
    })
final class ExportCommand extends ServerCommand {
  @Parameters(paramLabel = "CAPSULE", description = "The capsule.")
  String capsule = "";

  @Mixin OutputFile output = new OutputFile();

  ExportCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    try (Target target = open(capsule);
        CapsuleReader reader = target.reader();
        Progress progress = new Progress(terminal, "records written")) {
      BundleExport.Written written = BundleExport.write(reader, output.path, progress::at);
      print(
          Json.object()
              .put("capsule", target.capsule())
              .put("file", output.path)
              .put("records", written.records())
              .put("statements", written.statements())
              .put("leftOut", written.leftOut())
              .put("bytes", written.bytes()),
          output.path
              + ": "
              + written.records()
              + " records, "
              + bytes(written.bytes())
              + (written.leftOut() == 0
                  ? ""
                  : "; " + written.leftOut() + " unproven records left out"));
    }
    return 0;
  }
}
