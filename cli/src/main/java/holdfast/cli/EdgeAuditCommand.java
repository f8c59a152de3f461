package holdfast.cli;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.client.CapsuleReader;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.edge.EdgeAudit;
import holdfast.edge.EdgeFolder;
import holdfast.edge.Masters;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code holdfast edge audit}: whether all that a device sent is there, and as it sent it. */
@Command(
    name = "audit",
    description = "Checks what the edge keeps of a device: is it genuine, and is it all?",
    footerHeading = "%n",
    footer = {
      "Integrity and completeness are two verdicts. Integrity: all is signed by the device. Complete:",
      "every operation it has numbered is there, or was collapsed into a later one of the same key;",
      "what it gave up itself (expired, dropped; rejected, since the edge would never take it) is signed",
      "by it, and what it did not is missing.",
      "Of clients with only a password nothing is known but what the edge says.",
      "All that the capsule holds of the device is judged. --from and --to limit what is counted",
      "and which numbers are shown. Compare the key with 'device status' on the device.",
      "",
      "Exit code 3 when integrity is violated, 1 when something is missing, expired, dropped, rejected.",
      "",
      "Example:",
      "  holdfast edge audit kitchen --from 2026-01-01 --to 2026-02-01",
      "",
      "JSON: device, key, integrity, complete, violations, ranges, incarnations, batches, operations,",
      "      byPassword, repeated, erased, unverifiable, unlinked"
    })
final class EdgeAuditCommand extends BaseCommand {
  private static final int SHOWN = 50;

  @Mixin EdgeCommand.Where where = new EdgeCommand.Where();

  @Parameters(index = "0", paramLabel = "DEVICE", description = "The device, or a user.")
  String device = "";

  @Option(names = "--from", paramLabel = "TIME", description = "From then on, by the edge's time.")
  @Nullable String from;

  @Option(names = "--to", paramLabel = "TIME", description = "Until then.")
  @Nullable String to;

  EdgeAuditCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  @Nullable String next(ErrorCode code) {
    return code == ErrorCode.NOT_FOUND
        ? "Devices have the name they were enrolled under: 'holdfast device status' prints it there."
        : EdgeCommand.hint(code);
  }

  @Override
  int run() throws Exception {
    long fromMillis = from == null ? 0 : parseTime(from);
    Long toMillis = to == null ? null : Long.valueOf(parseTime(to));
    EdgeFolder folder = where.folder(terminal);
    EdgeFolder.Admin edge = folder.running();
    List<CapsuleReader> readers = new ArrayList<>();
    try (Server server = Server.at(edge.node(), edge.identity())) {
      for (Hash capsule : Masters.capsules(server, folder.capsule())) {
        readers.add(
            server.openReader(
                capsule, folder.home().contentKeys(capsule), ReaderOptions.defaults()));
      }
      EdgeAudit.Report report = EdgeAudit.run(readers, device, fromMillis, toMillis);
      print(json(report), text(report));
      return switch (report.integrity()) {
        case VIOLATED -> Failure.VIOLATION;
        case HOLDS, EDGE_ONLY -> report.complete() ? 0 : Failure.FAILED;
      };
    } finally {
      readers.forEach(CapsuleReader::close);
    }
  }

  private Json json(EdgeAudit.Report report) {
    List<Json> ranges =
        report.gaps().stream()
            .map(gap ->
                Json.object()
                    .put("incarnation", gap.incarnation())
                    .put("reason", gap.reason())
                    .put("first", gap.first())
                    .put("last", gap.last()))
            .toList();
    return Json.object()
        .put("device", device)
        .put("key", report.key())
        .put(
            "integrity",
            switch (report.integrity()) {
              case HOLDS -> "holds";
              case VIOLATED -> "violated";
              case EDGE_ONLY -> "edge-only";
            })
        .put(
            "complete",
            report.integrity() == EdgeAudit.Integrity.EDGE_ONLY ? null : report.complete())
        .put("violations", report.violations())
        .put("ranges", ranges)
        .put("incarnations", report.incarnations())
        .put("batches", report.batches())
        .put("operations", report.operations())
        .put("byPassword", report.byPassword())
        .put("repeated", report.repeated())
        .put("erased", report.erased())
        .put("unverifiable", report.unverifiable())
        .put("unlinked", report.unlinked());
  }

  private String text(EdgeAudit.Report report) {
    StringBuilder text = new StringBuilder();
    switch (report.integrity()) {
      case HOLDS ->
          text.append("Integrity: holds")
              .append(report.unverifiable() > 0 ? ", as far as it can be verified. " : ". ")
              .append(count(report.operations(), "operation"))
              .append(" in ")
              .append(count(report.batches(), "batch", "batches"))
              .append(", all signed by ")
              .append(device)
              .append('.');
      case VIOLATED -> {
        text.append("Integrity: VIOLATED.");
        report.violations().stream().limit(SHOWN).forEach(one -> text.append("\n  ").append(one));
      }
      case EDGE_ONLY ->
          text.append("Integrity: vouched for by the edge only. ")
              .append(count(report.byPassword(), "operation"))
              .append(" with no more than a password.");
    }
    if (report.key() != null) {
      text.append("\nKey of the device: ").append(report.key());
    }
    text.append("\nCompleteness: ");
    if (report.integrity() == EdgeAudit.Integrity.EDGE_ONLY) {
      text.append("cannot be told without numbers signed by a device.");
    } else {
      text.append(report.complete() ? "complete" : "INCOMPLETE")
          .append(", over ")
          .append(count(report.incarnations(), "queue"))
          .append('.');
    }
    report.unlinked().stream()
        .limit(SHOWN)
        .forEach(one -> text.append("\nNot known: ").append(one).append('.'));
    report.gaps().stream()
        .limit(SHOWN)
        .forEach(gap ->
            text.append("\n  ")
                .append(gap.reason())
                .append(' ')
                .append(gap.first())
                .append(gap.last() > gap.first() ? " to " + gap.last() : "")
                .append(", queue ")
                .append(gap.incarnation(), 0, 8));
    if (report.gaps().size() > SHOWN) {
      text.append("\n  and ").append(report.gaps().size() - SHOWN).append(" more ranges");
    }
    if (report.repeated() > 0) {
      text.append("\n")
          .append(count(report.repeated(), "batch was", "batches were"))
          .append(" sent again.");
    }
    if (report.erased() > 0) {
      text.append("\n")
          .append(count(report.erased(), "operation was", "operations were"))
          .append(" erased by the owner.");
    }
    if (report.unverifiable() > 0) {
      text.append("\n")
          .append(count(report.unverifiable(), "operation"))
          .append(
              " cannot be verified: others of their batches, or the claims of them, were erased.");
    }
    return text.toString();
  }
}
