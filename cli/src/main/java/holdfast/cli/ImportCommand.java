package holdfast.cli;

import holdfast.client.BundleFile;
import holdfast.client.BundleImport;
import holdfast.client.Home;
import holdfast.client.Server;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Brings a bundle to a server. */
@Command(
    name = "import",
    description = "Verifies a bundle and brings it to a server; prints the capsule's name.",
    footerHeading = "%n",
    footer = {
      "No key is needed: everything in a bundle is proven. Importing again is harmless. What the owner",
      "has erased stays erased. An increment ('export --since') is refused where what it goes on from",
      "is not there and proven; the message names what is missing.",
      "",
      "Example:",
      "  holdfast import backup.capsule --server archive.example:7420",
      "",
      "JSON: capsule, records, server"
    })
final class ImportCommand extends ServerCommand {
  @Parameters(paramLabel = "FILE", description = "A bundle, from 'holdfast export'.")
  Path file = Path.of("");

  ImportCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    BundleFile bundle = BundleFile.verify(file);
    Home home = terminal.home();
    try (Server target = connect();
        Progress progress = new Progress(terminal, "records stored")) {
      long records = BundleImport.bring(target, bundle, progress::at);
      home.remember(bundle.capsule(), target.endpoint());
      print(
          Json.object()
              .put("capsule", bundle.capsule())
              .put("records", records)
              .put("server", target.endpoint()),
          bundle.capsule().toString());
    }
    return 0;
  }
}
