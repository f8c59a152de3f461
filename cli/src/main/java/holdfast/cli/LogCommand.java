package holdfast.cli;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.capsule.Freshness;
import holdfast.capsule.Metadata;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.capsule.Voucher;
import holdfast.client.ArrivalPage;
import holdfast.client.CapsuleReader;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Shows a capsule's history. */
@Command(
    name = "log",
    description =
        "Shows a capsule's history, newest first, with its branches. Everything is proven.",
    footerHeading = "%n",
    footer = {
      "A line: record, claimed time, writer, leaves, bytes, and what stands behind it: 'signed' (by",
      "its writer), 'proven' (follows from a later signature of its writer), 'vouched' (another",
      "writer stands behind it), 'UNPROVEN' (nobody does yet).",
      "",
      "Examples:",
      "  holdfast log 3f2a",
      "  holdfast log 3f2a -n 5 --from 2026-01-01 --to 2026-02-01",
      "",
      "JSON, a line each: record, time, writer, label, leaves, bytes, epoch, pointers, proven,",
      "signed, authored, erased"
    })
final class LogCommand extends ServerCommand {
  private static final int PAGE = 1000;

  @Parameters(paramLabel = "CAPSULE", description = "The capsule.")
  String capsule = "";

  @Option(
      names = {"-n", "--limit"},
      paramLabel = "N",
      defaultValue = "50",
      description = "Records to show at most. Default: 50.")
  int limit;

  @Option(names = "--from", paramLabel = "T", description = "First claimed time wanted.")
  @Nullable String from;

  @Option(names = "--to", paramLabel = "T", description = "First claimed time not wanted any more.")
  @Nullable String to;

  LogCommand(Terminal terminal) {
    super(terminal);
  }

  @Override
  int run() throws Exception {
    try (Target target = open(capsule);
        Source source = source(target)) {
      source.ask(this::show);
    }
    return 0;
  }

  /** Nothing is printed before all of it has been read and proven. */
  private boolean show(CapsuleReader reader) throws ProofException {
    List<Statement.Erasure> erasures = erasures(reader);
    History history = new History(reader);
    List<History.Item> items =
        from != null || to != null
            ? history.only(withinTimes(reader))
            : history.walk(starts(reader.heads()), limit);
    GraphLines graph = new GraphLines();
    for (History.Item item : items) {
      RecordHeader header = item.header();
      boolean erased = erasures.stream().anyMatch(one -> one.touches(header));
      if (json) {
        terminal.line(json(item, reader.metadata(), erased).toString());
        continue;
      }
      GraphLines.Drawn drawn = graph.next(header.name(), history.parents(header));
      terminal.line(drawn.beside() + text(item, reader.metadata(), erased));
      drawn.below().forEach(terminal::line);
    }
    if (items.isEmpty()) {
      terminal.note("nothing to show");
    } else if (items.size() == limit) {
      terminal.note("the newest " + limit + " are shown; -n N shows more");
    }
    noteIfClosed(reader);
    return true;
  }

  private static List<Hash> starts(Freshness fresh) {
    List<Hash> starts = new ArrayList<>(fresh.heads());
    starts.addAll(fresh.tips());
    return starts;
  }

  private List<Hash> withinTimes(CapsuleReader reader) throws ProofException {
    long first = from == null ? 0 : parseTime(from);
    long end = to == null ? Long.MAX_VALUE : parseTime(to);
    List<Hash> names = new ArrayList<>();
    long at = 0;
    ArrivalPage page;
    do {
      page = reader.page(at, PAGE, first, end);
      page.records().stream().map(Record::name).forEach(names::add);
      at = page.next();
    } while (!page.end());
    return names.size() <= limit ? names : names.subList(names.size() - limit, names.size());
  }

  static List<Statement.Erasure> erasures(CapsuleReader reader) throws ProofException {
    List<Statement.Erasure> erasures = new ArrayList<>();
    for (Statement statement : reader.statements(true)) {
      if (statement instanceof Statement.Erasure erasure) {
        erasures.add(erasure);
      }
    }
    return erasures;
  }

  /** How a writer is called: its label, or the beginning of its key. */
  static String label(Metadata metadata, int writer) {
    if (writer >= metadata.writers().size()) {
      return "writer " + writer;
    }
    Metadata.Writer one = metadata.writers().get(writer);
    return one.label().isEmpty() ? one.key().brief() : one.label();
  }

  private static String standing(History.Item item, Metadata metadata) {
    Voucher voucher = item.voucher();
    if (voucher == null) {
      return "UNPROVEN";
    }
    if (!voucher.authored()) {
      return "vouched by " + Terminal.clean(label(metadata, voucher.signer()));
    }
    return item.signed() ? "signed" : "proven";
  }

  private static String text(History.Item item, Metadata metadata, boolean erased) {
    RecordHeader header = item.header();
    return header.name().brief()
        + "  "
        + time(header.timeMillis())
        + "  "
        + Terminal.clean(label(metadata, header.writer()))
        + "  "
        + count(header.leafCount(), "leaf", "leaves")
        + "  "
        + bytes(header.sealedSize() - 16L * header.leafCount())
        + "  "
        + standing(item, metadata)
        + (erased ? ", erased" : "");
  }

  private static Json json(History.Item item, Metadata metadata, boolean erased)
      throws ProofException {
    RecordHeader header = item.header();
    Voucher voucher = item.voucher();
    return Json.object()
        .put("record", header.name())
        .put("time", time(header.timeMillis()))
        .put("writer", metadata.writerKey(header.writer()))
        .put("label", label(metadata, header.writer()))
        .put("leaves", header.leafCount())
        .put("bytes", header.sealedSize() - 16L * header.leafCount())
        .put("epoch", header.epoch())
        .put("pointers", header.pointers())
        .put("proven", item.proven())
        .put("signed", item.signed())
        .put("authored", voucher != null && voucher.authored())
        .put("erased", erased);
  }
}
