package holdfast.cli;

import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Receipt;
import holdfast.client.CapsuleWriter;
import holdfast.client.Replicas;
import holdfast.client.ReplicationOptions;
import holdfast.client.SigningPolicy;
import holdfast.client.WriteResult;
import holdfast.client.WriterOptions;
import holdfast.crypto.SigningKey;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Appends records to a capsule. */
@Command(
    name = "append",
    description =
        "Appends to a capsule; prints the name of each record once its receipt is verified.",
    footerHeading = "%n",
    footer = {
      "Without --lines the input is one record; input of more than 8 MiB becomes several, in order.",
      "A capsule that is placed on several servers is written to all of them; a record's name is printed",
      "once enough have acknowledged it. --receipts keeps the receipts of all.",
      "With --lines, lines that have waited for a second are sent without waiting for more.",
      "",
      "Examples:",
      "  holdfast append 3f2a report.pdf --key me.pem",
      "  tail -f sensor.log | holdfast append 3f2a - --key me.pem --lines --batch 100",
      "",
      "JSON, a line each: record, leaves, level, proven, server; of a placed capsule also replicas (that",
      "have acknowledged by then), needed, members, placement (its version)"
    })
final class AppendCommand extends ServerCommand {
  private static final int PIECE_BYTES = 8 << 20;
  private static final int RECORD_BYTES = 4 << 20;
  private static final int LINES_SENT_TOGETHER = 1000;
  private static final long PATIENCE_MILLIS = 1000;

  /** When to sign. */
  enum Signing {
    each,
    batch,
    end
  }

  /** What the server is to acknowledge. */
  enum Level {
    received,
    synced
  }

  @Parameters(index = "0", paramLabel = "CAPSULE", description = "The capsule.")
  String capsule = "";

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = "FILE",
      description = "What to append; - or nothing for standard input.")
  String file = "-";

  @Option(names = "--key", paramLabel = "FILE", required = true, description = "A writer's key.")
  String key = "";

  @Option(names = "--lines", description = "Make each line a leaf that can be proven by itself.")
  boolean lines;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "1000",
      description = "Lines in a record. Default: 1000.")
  int batch;

  @Option(
      names = "--sign",
      paramLabel = "WHEN",
      defaultValue = "batch",
      description = "Sign each record, each batch sent, or at the end. Default: batch.")
  Signing sign = Signing.batch;

  @Option(
      names = "--ack",
      paramLabel = "LEVEL",
      defaultValue = "synced",
      description = "How durable is durable: received or synced (after fsync). Default: synced.")
  Level ack = Level.synced;

  @Option(
      names = "--receipts",
      paramLabel = "FILE",
      description = "Add the server's receipt for each record to a file, for 'prove --receipt'.")
  @Nullable Path receipts;

  @Option(
      names = "--replicas",
      paramLabel = "K",
      defaultValue = "0",
      description =
          "Of a placed capsule: how many servers are to acknowledge. Default: more than half.")
  int needed;

  private final Map<Hash, Integer> leafCounts = new HashMap<>();
  private @Nullable OutputStream receiptFile;
  private @Nullable IOException receiptsUnkept;
  private final Progress progress;
  private long leavesStored;

  AppendCommand(Terminal terminal) {
    super(terminal);
    progress = new Progress(terminal, "leaves stored");
  }

  @Override
  int run() throws Exception {
    if (batch < 1 || batch > Limits.LEAVES) {
      throw Failure.usage("--batch " + batch + " is out of bounds", "1 to " + Limits.LEAVES + ".");
    }
    SigningKey writerKey = terminal.home().key(key);
    try (Target target = openNamed(capsule);
        Source source = source(target);
        InputStream in = file.equals("-") ? terminal.in : Files.newInputStream(Path.of(file));
        OutputStream kept = receiptFile()) {
      receiptFile = kept;
      ContentKey contentKey = newestContentKey(target, source, writerKey);
      try (CapsuleWriter writer = writer(target, source, writerKey, contentKey)) {
        writer.onResult(this::stored);
        writer.onAcknowledged(this::keepReceipts);
        if (lines) {
          appendLines(writer, in);
        } else {
          appendPieces(writer, in);
        }
        writer.sign();
        writer.commitOrThrow();
      }
    } finally {
      progress.close();
    }
    IOException unkept = receiptsUnkept;
    if (unkept != null) {
      throw unkept;
    }
    return 0;
  }

  private CapsuleWriter writer(
      Target target, Source source, SigningKey writerKey, ContentKey contentKey)
      throws ProofException {
    Replicas replicas = source.replicas();
    if (replicas != null) {
      return replicas.openWriter(
          writerKey, contentKey, options(), ReplicationOptions.majority().withNeeded(needed));
    }
    if (needed > 1) {
      throw Failure.usage(
          "--replicas " + needed + ", and one server is written to",
          "Place the capsule on several: holdfast place CAPSULE --on HOST:PORT,… --key FILE");
    }
    return target.server().openWriter(target.capsule(), writerKey, contentKey, options());
  }

  private OutputStream receiptFile() throws IOException {
    return receipts == null
        ? OutputStream.nullOutputStream()
        : Files.newOutputStream(receipts, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
  }

  private static ContentKey newestContentKey(Target target, Source source, SigningKey writerKey)
      throws ProofException {
    List<ContentKey> held =
        source.ask(reader -> contentKeys(target.home(), reader, List.of(writerKey)));
    if (held.isEmpty()) {
      throw noContentKey(target.capsule());
    }
    return held.getLast();
  }

  private WriterOptions options() {
    return WriterOptions.defaults()
        .withBatchRecords(lines ? Math.max(1, LINES_SENT_TOGETHER / batch) : 1)
        .withLevel(
            switch (ack) {
              case received -> Receipt.Level.RECEIVED;
              case synced -> Receipt.Level.SYNCED;
            })
        .withSigning(
            switch (sign) {
              case each -> new SigningPolicy.Each();
              case batch -> new SigningPolicy.EachBatch();
              case end -> new SigningPolicy.OnDemand();
            });
  }

  private void appendLines(CapsuleWriter writer, InputStream in)
      throws IOException, InterruptedException, ProofException {
    List<byte[]> leaves = new ArrayList<>();
    int size = 0;
    try (LineSource source = new LineSource(in, PIECE_BYTES)) {
      while (!source.ended()) {
        List<byte[]> more = source.next(PATIENCE_MILLIS);
        for (byte[] line : more) {
          if (source.tooLong(line)) {
            throw Failure.failed(
                "a line is longer than " + bytes(PIECE_BYTES),
                "Without --lines the input is cut into records by itself.");
          }
          if (!leaves.isEmpty() && (leaves.size() == batch || size + line.length > RECORD_BYTES)) {
            append(writer, leaves);
            leaves = new ArrayList<>();
            size = 0;
          }
          leaves.add(line);
          size += line.length;
        }
        if (more.isEmpty() || source.ended()) {
          if (!leaves.isEmpty()) {
            append(writer, leaves);
            leaves = new ArrayList<>();
            size = 0;
          }
          writer.commitOrThrow();
        }
      }
    }
  }

  private void appendPieces(CapsuleWriter writer, InputStream in)
      throws IOException, ProofException {
    byte[] piece = in.readNBytes(PIECE_BYTES);
    do {
      append(writer, List.of(piece));
      piece = in.readNBytes(PIECE_BYTES);
    } while (piece.length > 0);
  }

  private void append(CapsuleWriter writer, List<byte[]> leaves) throws ProofException {
    leafCounts.put(writer.append(leaves), leaves.size());
  }

  private void stored(WriteResult result) {
    switch (result) {
      case WriteResult.Stored batchStored -> {
        keepReceipts(batchStored);
        acknowledged(List.of(batchStored), null);
      }
      case WriteResult.Replicated many -> acknowledged(many.acknowledgements(), many);
      case WriteResult.Refused refused -> throw refused.reason();
      case WriteResult.Unknown unknown ->
          throw Failure.failed(
              "no answer came for "
                  + count(unknown.names().size(), "record")
                  + "; they may be stored or not: "
                  + unknown.reason().getMessage(),
              "Look with 'holdfast log "
                  + capsule
                  + "' for "
                  + String.join(", ", unknown.names().stream().map(Hash::brief).limit(5).toList())
                  + ", and append again what is missing.");
    }
    progress.at(leavesStored);
  }

  /** Prints the records of a batch that one server has acknowledged, or several have. */
  private void acknowledged(
      List<WriteResult.Stored> by, WriteResult.@Nullable Replicated replicated) {
    List<Hash> names = by.getFirst().names();
    List<Hash> erased = new ArrayList<>();
    for (int i = 0; i < names.size(); i++) {
      int at = i;
      List<Receipt.Outcome> outcomes =
          by.stream().map(one -> one.entries().get(at).outcome()).toList();
      if (outcomes.contains(Receipt.Outcome.ERASED)) {
        erased.add(names.get(i));
      } else {
        print(names.get(i), outcomes, by, replicated);
      }
    }
    if (!erased.isEmpty()) {
      throw notKept(erased);
    }
  }

  private Failure notKept(List<Hash> erased) {
    return Failure.failed(
        "the owner had this time range erased: the server did not keep the body of "
            + String.join(", ", erased.stream().map(Hash::brief).limit(5).toList())
            + (erased.size() > 5 ? " and " + (erased.size() - 5) + " more" : ""),
        "Set this machine's clock if it is wrong; 'holdfast log "
            + capsule
            + "' shows what is erased.");
  }

  private void print(
      Hash name,
      List<Receipt.Outcome> outcomes,
      List<WriteResult.Stored> by,
      WriteResult.@Nullable Replicated replicated) {
    Integer leaves = leafCounts.remove(name);
    leavesStored += leaves == null ? 0 : leaves;
    Receipt receipt = by.getFirst().receipt();
    Json object =
        Json.object()
            .put("record", name)
            .put("leaves", leaves)
            .put("level", receipt.level().name().toLowerCase(Locale.ROOT))
            .put("proven", outcomes.stream().allMatch(o -> o == Receipt.Outcome.PROVEN))
            .put("server", receipt.server());
    if (replicated != null) {
      object
          .put("replicas", by.stream().map(one -> one.receipt().server().toString()).toList())
          .put("needed", replicated.needed())
          .put("members", replicated.placement().members().size())
          .put("placement", replicated.placement().version());
    }
    print(object, name.toString());
  }

  /** On threads of the writer too, when there are several servers. */
  private synchronized void keepReceipts(WriteResult.Stored batchStored) {
    OutputStream to = receiptFile;
    if (receipts == null || to == null) {
      return;
    }
    try {
      for (Receipt.Extract extract : batchStored.extracts()) {
        if (extract.entry().kind() == Receipt.Kind.WRITE) {
          ReceiptFile.write(to, extract);
        }
      }
      to.flush();
    } catch (IOException e) {
      receiptsUnkept = e;
    }
  }
}
