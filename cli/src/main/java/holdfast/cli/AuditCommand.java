package holdfast.cli;

import holdfast.capsule.Evidence;
import holdfast.capsule.Receipt;
import holdfast.client.CapsuleReader;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Asks servers whether they still have what they signed for. */
@Command(
    name = "audit",
    description = "Asks servers whether they have what they signed for; keeps evidence if not.",
    footerHeading = "%n",
    footer = {
      "Each server is asked with its own receipts, from 'append --receipts'. One that has lost a record",
      "has to sign that; receipt and answer together are evidence that 'verify' explains to anybody.",
      "Exit code 3 when there is evidence. Receipts of other servers than those asked are left out.",
      "",
      "Example:",
      "  holdfast audit 3f2a --receipt receipts -o lost.evidence",
      "",
      "JSON: capsule, asked, kept, lost, unasked, server, record, file"
    })
final class AuditCommand extends ServerCommand {
  @Parameters(paramLabel = "CAPSULE", description = "The capsule.")
  String capsule = "";

  @Option(
      names = "--receipt",
      paramLabel = "FILE",
      required = true,
      description = "Receipts, from 'append --receipts'.")
  Path receipts = Path.of("");

  @Mixin OutputFile output = new OutputFile();

  private int asked;
  private int kept;

  AuditCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    List<Receipt.Extract> promised = new ArrayList<>();
    List<Evidence> evidence = new ArrayList<>();
    try (Target target = open(capsule);
        Source source = source(target)) {
      for (Receipt.Extract one : ReceiptFile.read(receipts)) {
        one.verify();
        if (one.receipt().capsule().equals(target.capsule())
            && one.receipt().level() == Receipt.Level.SYNCED) {
          promised.add(one);
        }
      }
      for (Server server : source.servers(target)) {
        try (CapsuleReader reader =
            server.openReader(target.capsule(), List.of(), ReaderOptions.withoutCache())) {
          audit(server, reader, promised, evidence);
        }
      }
      report(target, promised.size(), evidence);
    }
    return evidence.isEmpty() ? 0 : Failure.VIOLATION;
  }

  private void audit(
      Server server, CapsuleReader reader, List<Receipt.Extract> promised, List<Evidence> evidence)
      throws Exception {
    for (Receipt.Extract one : promised) {
      if (one.receipt().server().equals(server.identity())) {
        asked++;
        Optional<Evidence> found = reader.audit(one);
        found.ifPresent(evidence::add);
        kept += found.isEmpty() ? 1 : 0;
      }
    }
  }

  private void report(Target target, int promised, List<Evidence> evidence) throws Exception {
    Evidence first = evidence.isEmpty() ? null : evidence.getFirst();
    if (first != null) {
      output.write(first.encode());
    }
    print(
        Json.object()
            .put("capsule", target.capsule())
            .put("asked", asked)
            .put("kept", kept)
            .put("lost", evidence.size())
            .put("unasked", promised - asked)
            .put("server", first == null ? null : first.denied().server())
            .put("record", first == null ? null : first.denied().record())
            .put("file", first == null ? null : output.path),
        count(asked, "receipt")
            + " asked about: "
            + kept
            + " kept, "
            + evidence.size()
            + " LOST"
            + (first == null
                ? ""
                : "\n"
                    + output.path
                    + ": evidence against "
                    + first.denied().server()
                    + " about record "
                    + first.denied().record()));
  }
}
