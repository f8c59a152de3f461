package holdfast.cli;

import holdfast.base.Encoder;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Receipt;
import holdfast.client.CapsuleReader;
import holdfast.client.CapsuleWriter;
import holdfast.client.SigningPolicy;
import holdfast.client.WriteResult;
import holdfast.client.WriterOptions;
import holdfast.crypto.SigningKey;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
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
      "With --lines, lines that have waited for a second are sent without waiting for more.",
      "",
      "Examples:",
      "  holdfast append 3f2a report.pdf --key me.pem",
      "  tail -f sensor.log | holdfast append 3f2a - --key me.pem --lines --batch 100",
      "",
      "JSON, a line each: record, leaves, level, proven, server"
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

  private final Map<Hash, Integer> leafCounts = new HashMap<>();
  private @Nullable OutputStream receiptFile;
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
        InputStream in = file.equals("-") ? terminal.in : Files.newInputStream(Path.of(file));
        OutputStream kept = receiptFile()) {
      receiptFile = kept;
      ContentKey contentKey = newestContentKey(target, writerKey);
      try (CapsuleWriter writer =
          target.server().openWriter(target.capsule(), writerKey, contentKey, options())) {
        writer.onResult(this::stored);
        if (lines) {
          appendLines(writer, in);
        } else {
          appendPieces(writer, in);
        }
        writer.sign();
        writer.commitOrThrow();
      }
    } catch (UncheckedIOException e) {
      throw e.getCause() == null ? new IOException(e) : e.getCause();
    } finally {
      progress.close();
    }
    return 0;
  }

  private OutputStream receiptFile() throws IOException {
    return receipts == null
        ? OutputStream.nullOutputStream()
        : Files.newOutputStream(receipts, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
  }

  private static ContentKey newestContentKey(Target target, SigningKey writerKey)
      throws ProofException {
    try (CapsuleReader reader = target.reader()) {
      List<ContentKey> held = contentKeys(target.home(), reader, List.of(writerKey));
      if (held.isEmpty()) {
        throw noContentKey(target.capsule());
      }
      return held.getLast();
    }
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
        List<Receipt.Entry> entries = batchStored.entries();
        List<Hash> erased = new ArrayList<>();
        for (int i = 0; i < batchStored.names().size(); i++) {
          if (entries.get(i).outcome() == Receipt.Outcome.ERASED) {
            erased.add(entries.get(i).name());
          } else {
            print(entries.get(i), batchStored.receipt());
          }
        }
        keepReceipts(batchStored);
        if (!erased.isEmpty()) {
          throw notKept(erased);
        }
      }
      case WriteResult.Replicated many -> many.acknowledgements().forEach(this::stored);
      case WriteResult.Refused refused -> throw refused.reason();
      case WriteResult.Unknown unknown ->
          throw Failure.failed(
              "no answer came for "
                  + unknown.names().size()
                  + " records; they may be stored or not: "
                  + unknown.reason().getMessage(),
              "Look with 'holdfast log "
                  + capsule
                  + "' for "
                  + String.join(", ", unknown.names().stream().map(Hash::brief).limit(5).toList())
                  + ", and append again what is missing.");
    }
    progress.at(leavesStored);
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

  private void print(Receipt.Entry entry, Receipt receipt) {
    Integer leaves = leafCounts.remove(entry.name());
    leavesStored += leaves == null ? 0 : leaves;
    print(
        Json.object()
            .put("record", entry.name())
            .put("leaves", leaves)
            .put("level", receipt.level().name().toLowerCase(Locale.ROOT))
            .put("proven", entry.outcome() == Receipt.Outcome.PROVEN)
            .put("server", receipt.server()),
        entry.name().toString());
  }

  private void keepReceipts(WriteResult.Stored batchStored) {
    OutputStream to = receiptFile;
    if (receipts == null || to == null) {
      return;
    }
    try {
      for (Receipt.Extract extract : batchStored.extracts()) {
        if (extract.entry().kind() == Receipt.Kind.WRITE) {
          Encoder one = new Encoder();
          extract.encode(one);
          to.write(new Encoder().bytes32(one.toBytes()).toBytes());
        }
      }
      to.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
