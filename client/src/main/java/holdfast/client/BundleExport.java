package holdfast.client;

import holdfast.base.Bytes;
import holdfast.base.Encoder;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Bundle;
import holdfast.capsule.InMemoryOrderedMap;
import holdfast.capsule.Metadata;
import holdfast.capsule.Record;
import holdfast.capsule.RecordGraph;
import holdfast.capsule.Statement;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;

/**
 * Writes a capsule into a bundle file, see {@link Bundle}: first the headers are looked through to
 * find which records the signatures prove, and the final heads of a closed capsule include, then
 * these are written with their bodies, in the order in which they arrived at the server.
 *
 * <p>Streams: what is held in memory is the graph of the records and the statements, not the
 * bodies; a capsule whose graph has no room is refused before memory runs out.
 */
public final class BundleExport {
  private static final int PAGE_RECORDS = 4000;

  /** Memory that a record in the graph, or a signature, takes at most, roughly. */
  private static final int BYTES_FOR_EACH = 500;

  private final CapsuleReader reader;
  private final Hash capsule;
  private final RecordGraph graph = new RecordGraph(new InMemoryOrderedMap(), Integer.MAX_VALUE);
  private final List<Statement> statements = new ArrayList<>();
  private long records;

  private BundleExport(CapsuleReader reader) {
    this.reader = reader;
    this.capsule = reader.metadata().name();
  }

  /** What was written. */
  public record Written(long records, long statements, long leftOut, long bytes) {}

  /**
   * Writes a capsule to a file, which appears when it is complete.
   *
   * @param progress is told how many records are written
   */
  public static Written write(CapsuleReader reader, Path file, LongConsumer progress)
      throws IOException, ProofException {
    BundleExport export = new BundleExport(reader);
    CompleteFile.write(
        file,
        out -> {
          export.survey();
          export.write(new HashingStream(out), progress);
        });
    return new Written(
        export.records,
        export.statements.size(),
        export.graph.size() - export.records,
        Files.size(file));
  }

  /**
   * Finds the records that are there now, and which of them the signatures that are there prove.
   */
  private void survey() throws ProofException {
    CapsuleReader.ArrivalPage page;
    long from = 0;
    do {
      page = reader.page(from, PAGE_RECORDS, false);
      for (Record record : page.records()) {
        if (graph.arrivalOf(record.name()) >= 0) {
          throw new ProofException(
              Violation.MALFORMED, "the server lists record " + record.name().brief() + " twice");
        }
        graph.insert(record.header(), graph.arrivalsOf(record.header().pointers()));
      }
      requireRoom();
      from = page.next();
    } while (!page.end());
    List<Statement> all = reader.statements(false);
    for (Statement statement : all) {
      if (statement instanceof Statement.Succession closing) {
        graph.close(closing.finalHeads());
      }
    }
    for (Statement statement : all) {
      if (statement instanceof Statement.WriterSignature signature) {
        long arrival = graph.arrivalOf(signature.record());
        if (arrival < 0 || !belongs(arrival)) {
          continue;
        }
        graph.sign(arrival, signature.signer());
      }
      statements.add(statement);
    }
    for (long arrival = 0; arrival < graph.size(); arrival++) {
      records += wanted(arrival) ? 1 : 0;
    }
  }

  /** Whether a record lies below the final heads, if the capsule is closed. */
  private boolean belongs(long arrival) {
    return !graph.closed() || graph.isFinal(arrival);
  }

  private boolean wanted(long arrival) {
    return belongs(arrival) && graph.witness(arrival).proven();
  }

  private void write(HashingStream out, LongConsumer progress) throws IOException, ProofException {
    Metadata metadata = reader.metadata();
    out.write(new Bundle.Head(metadata, Bytes.wrap(reader.ownerSignature())).encode());
    out.write(new Encoder().u32(statements.size()).toBytes());
    for (Statement statement : statements) {
      out.write(new Encoder().bytes32(statement.encode()).toBytes());
    }
    out.write(new Encoder().u64(records).toBytes());
    long written = 0;
    for (long from = 0; written < records; ) {
      CapsuleReader.ArrivalPage page = reader.page(from, PAGE_RECORDS, true);
      List<Record> frame = new ArrayList<>();
      long frameBytes = 0;
      for (Record listed : page.records()) {
        long arrival = graph.arrivalOf(listed.name());
        if (arrival < 0 || !wanted(arrival)) {
          continue;
        }
        Record record = reader.whole(listed);
        requireExplained(record);
        if (!frame.isEmpty() && frameBytes + record.encodedSize() > Bundle.FRAME_BYTES) {
          written += write(out, frame);
          frame.clear();
          frameBytes = 0;
        }
        frame.add(record);
        frameBytes += record.encodedSize();
      }
      written += write(out, frame);
      progress.accept(written);
      from = page.next();
      if (page.end() && written < records) {
        throw new ProofException(
            Violation.MISSING, "the server leaves out records that it listed before");
      }
    }
    out.finish();
  }

  private static int write(HashingStream out, List<Record> frame) throws IOException {
    if (!frame.isEmpty()) {
      out.write(new Encoder().bytes32(Record.encodeAll(frame)).toBytes());
    }
    return frame.size();
  }

  /** Refuses, early, what there is no memory for. */
  private void requireRoom() {
    long held = graph.size() + statements.size();
    long most = Runtime.getRuntime().maxMemory() / BYTES_FOR_EACH;
    if (held > most) {
      throw new HoldfastException(
          ErrorCode.TOO_LARGE,
          "an export holds the graph of the capsule in memory, and there is room for "
              + most
              + " records and statements; give the command more: JAVA_TOOL_OPTIONS=-Xmx…");
    }
  }

  private void requireExplained(Record record) {
    if (record.state() == Record.State.WHOLE) {
      return;
    }
    for (Statement statement : statements) {
      if (statement instanceof Statement.Erasure erasure && erasure.touches(record.header())) {
        return;
      }
    }
    throw new HoldfastException(
        ErrorCode.BUSY,
        "record "
            + record.name().brief()
            + " of capsule "
            + capsule.brief()
            + " was erased while the capsule was being exported; export it again");
  }

  /** Everything that is written goes through the hash at the end of the file. */
  private static final class HashingStream {
    private final OutputStream out;
    private final MessageDigest digest = BundleFile.sha256();

    HashingStream(OutputStream out) {
      this.out = out;
    }

    void write(byte[] bytes) throws IOException {
      digest.update(bytes);
      out.write(bytes);
    }

    void finish() throws IOException {
      write(new byte[4]);
      out.write(digest.digest());
    }
  }
}
