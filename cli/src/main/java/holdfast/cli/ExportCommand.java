package holdfast.cli;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.client.BundleBase;
import holdfast.client.BundleExport;
import holdfast.client.BundleFile;
import holdfast.client.CapsuleReader;
import holdfast.client.Server;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
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
      "With --since the file is an increment: what an earlier bundle does not hold, or what does not",
      "lie below the records named. It verifies by itself, and is imported where the earlier one is.",
      "",
      "Examples:",
      "  holdfast export 3f2a -o backup.capsule && holdfast verify backup.capsule",
      "  holdfast export 3f2a --since backup.capsule -o monday.capsule",
      "",
      "JSON: capsule, server, file, records, statements, leftOut, bytes, since (names of records), links"
    })
final class ExportCommand extends ServerCommand {
  @Parameters(paramLabel = "CAPSULE", description = "The capsule.")
  String capsule = "";

  @Option(
      names = "--since",
      paramLabel = "BUNDLE|RECORD",
      arity = "1..*",
      split = ",",
      description =
          "Leave out what is in this earlier bundle, or what lies below these records, as 'heads'"
              + " printed them.")
  List<String> since = new ArrayList<>();

  @Mixin OutputFile output = new OutputFile();

  ExportCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    try (Target target = open(capsule);
        Source source = source(target);
        Progress progress = new Progress(terminal, "records written")) {
      Exported exported = source.ask(reader -> export(reader, progress));
      BundleExport.Written written = exported.written();
      print(
          Json.object()
              .put("capsule", target.capsule())
              .put("server", exported.server().endpoint())
              .put("file", output.path)
              .put("records", written.records())
              .put("statements", written.statements())
              .put("leftOut", written.leftOut())
              .put("bytes", written.bytes())
              .put("since", written.base().stream().map(Hash::toString).toList())
              .put("links", written.links()),
          output.path
              + ": "
              + count(written.records(), since.isEmpty() ? "record" : "new record")
              + ", "
              + bytes(written.bytes())
              + (written.leftOut() == 0
                  ? ""
                  : "; " + count(written.leftOut(), "unproven record") + " left out"));
      return 0;
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  /** What was written, and from which server. */
  private record Exported(Server server, BundleExport.Written written) {}

  /** Exports from one server; a disk that fails here would fail with the next server too. */
  private Exported export(CapsuleReader reader, Progress progress) throws ProofException {
    try {
      BundleExport.Written written =
          since.isEmpty()
              ? BundleExport.write(reader, output.path, progress::at)
              : BundleExport.write(reader, base(reader), output.path, progress::at);
      return new Exported(reader.server(), written);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private BundleBase base(CapsuleReader reader) throws IOException, ProofException {
    Path file = Path.of(since.getFirst());
    if (since.size() == 1 && Files.exists(file)) {
      if (file.toAbsolutePath().normalize().equals(output.path.toAbsolutePath().normalize())) {
        throw Failure.usage(
            "the increment would replace the bundle that it goes on from", "Name another file: -o");
      }
      return BundleBase.of(BundleFile.verify(file));
    }
    List<Hash> names = new ArrayList<>();
    for (String one : since) {
      if (!one.matches("[0-9a-fA-F]{1,64}")) {
        throw Failure.usage(
            "'" + one + "' is no bundle that is there, and no name of a record",
            "Give one earlier bundle, or the names of records: --since NAME,NAME");
      }
      names.add(reader.resolve(digits(one, "record")));
    }
    return BundleBase.below(names);
  }
}
