package holdfast.client;

import holdfast.base.Bytes;
import holdfast.base.Encoder;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Bundle;
import holdfast.capsule.Metadata;
import holdfast.capsule.PackedOrderedMap;
import holdfast.capsule.Record;
import holdfast.capsule.RecordGraph;
import holdfast.capsule.Statement;
import holdfast.capsule.Witness;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
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

  /** Records that are asked for though they are not wanted, rather than asking twice. */
  private static final int GAP_RECORDS = 16;

  /** Memory that a statement takes at most, roughly. */
  private static final int STATEMENT_BYTES = 500;

  /** Blocks of 256 records of the graph that stay decoded. */
  private static final int GRAPH_BLOCKS = 1 << 12;

  /** Memory of the graph that is decoded, beyond which it is decoded anew. */
  private static final long DECODED_BYTES = 64L << 20;

  /** Signatures after which what follows from them is packed. */
  private static final int SIGNATURES = 1 << 12;

  private final CapsuleReader reader;
  private final BundleBase base;
  private final Hash capsule;
  private final PackedOrderedMap packed = new PackedOrderedMap();
  private final RecordGraph graph = new RecordGraph(packed, GRAPH_BLOCKS);
  private final List<Statement> statements = new ArrayList<>();
  private final BitSet held = new BitSet();
  private final BitSet links = new BitSet();

  /** What stands in the frames: records that are wanted, and links. */
  private final BitSet carried = new BitSet();

  private long records;

  private BundleExport(CapsuleReader reader, BundleBase base) {
    this.reader = reader;
    this.base = base;
    this.capsule = reader.metadata().name();
  }

  /**
   * What was written.
   *
   * @param records records with their bodies
   * @param leftOut records that nothing proves, or that lie outside a closed capsule
   * @param base the heads that an increment goes on from; empty for a whole bundle
   * @param links headers of the base that lead to records of the increment
   */
  public record Written(
      long records, long statements, long leftOut, List<Hash> base, long links, long bytes) {}

  /**
   * Writes a capsule to a file, which appears when it is complete.
   *
   * @param progress is told how many records are written
   */
  public static Written write(CapsuleReader reader, Path file, LongConsumer progress)
      throws IOException, ProofException {
    return write(reader, BundleBase.nothing(), file, progress);
  }

  /**
   * Writes what came after a base to a file; all of the capsule when the base is empty.
   *
   * @throws HoldfastException when the base is of another capsule, or a record whose ancestors are
   *     to be left out is not here
   */
  public static Written write(
      CapsuleReader reader, BundleBase base, Path file, LongConsumer progress)
      throws IOException, ProofException {
    BundleExport export = new BundleExport(reader, base);
    export.requireSameCapsule();
    CompleteFile.write(
        file,
        out -> {
          export.survey();
          export.write(new HashingStream(out), progress);
        });
    return new Written(
        export.records,
        export.statements.size(),
        export.leftOut(),
        base.heads(),
        export.links.cardinality(),
        Files.size(file));
  }

  /**
   * Finds the records that are there now, and which of them the signatures that are there prove.
   */
  private void survey() throws ProofException {
    ArrivalPage page;
    long from = 0;
    do {
      page = reader.page(from, PAGE_RECORDS, false);
      for (Record record : page.records()) {
        if (graph.arrivalOf(record.name()) >= 0) {
          throw new ProofException(
              Violation.MALFORMED, "the server lists record " + record.name().brief() + " twice");
        }
        long arrival = graph.insert(record.header(), graph.arrivalsOf(record.header().pointers()));
        held.set((int) arrival, base.holds(record.name()));
      }
      graph.flush();
      requireRoom(0);
      from = page.next();
    } while (!page.end());
    List<Statement> all = reader.statements(false);
    requireRoom(all.size());
    for (Statement statement : all) {
      if (statement instanceof Statement.Succession closing) {
        graph.close(closing.finalHeads());
      }
    }
    int signed = 0;
    for (Statement statement : all) {
      if (statement instanceof Statement.WriterSignature signature) {
        long arrival = graph.arrivalOf(signature.record());
        if (arrival >= 0 && belongs(arrival)) {
          graph.sign(arrival, signature.signer());
          if (++signed % SIGNATURES == 0) {
            pack();
          }
        }
      }
    }
    pack();
    leaveOutWhatIsHeld();
    for (long arrival = 0; arrival < graph.size(); arrival++) {
      carried.set((int) arrival, wanted(arrival));
    }
    records = carried.cardinality();
    findLinks();
    carried.or(links);
    for (Statement statement : all) {
      if (!(statement instanceof Statement.WriterSignature signature) || wanted(signature)) {
        statements.add(statement);
      }
    }
  }

  private void pack() {
    graph.flush();
    if (graph.memoryBytes() > DECODED_BYTES) {
      graph.forgetDecoded();
    }
  }

  private void requireSameCapsule() {
    Hash other = base.capsule();
    if (other != null && !other.equals(capsule)) {
      throw new HoldfastException(
          ErrorCode.INVALID,
          "the earlier bundle is of capsule " + other.brief() + ", not of " + capsule.brief());
    }
  }

  /** Marks what lies below the heads of the base, beside what the earlier bundle held. */
  private void leaveOutWhatIsHeld() {
    BitSet below = new BitSet();
    ArrayDeque<Long> next = new ArrayDeque<>();
    for (Hash head : base.below()) {
      long arrival = graph.arrivalOf(head);
      if (arrival < 0 || !provenHere(arrival)) {
        throw new HoldfastException(
            ErrorCode.NOT_FOUND,
            "record "
                + head.brief()
                + (arrival < 0 ? " is not here" : " is not proven here")
                + ", so what lies below it is not known; export from a server that has it, or all");
      }
      next.add(arrival);
    }
    for (Long arrival = next.poll(); arrival != null; arrival = next.poll()) {
      if (!below.get(arrival.intValue())) {
        below.set(arrival.intValue());
        for (long target : graph.pointers(arrival)) {
          if (target >= 0) {
            next.add(target);
          }
        }
      }
    }
    held.or(below);
  }

  /** Finds the headers of the base that what is new is proven by, where nothing new proves it. */
  private void findLinks() {
    ArrayDeque<Long> next = new ArrayDeque<>();
    for (long arrival = 0; arrival < graph.size(); arrival++) {
      if (wanted(arrival)) {
        linkAbove(arrival, next);
      }
    }
    for (Long arrival = next.poll(); arrival != null; arrival = next.poll()) {
      linkAbove(arrival, next);
    }
  }

  private void linkAbove(long arrival, ArrayDeque<Long> next) {
    Witness witness = graph.witness(arrival);
    if (!witness.signed()) {
      link(witness.nextHop(), next);
    }
    if (graph.closed()) {
      link(graph.finalHop(arrival), next);
    }
  }

  private void link(long arrival, ArrayDeque<Long> next) {
    if (held.get((int) arrival) && !links.get((int) arrival)) {
      links.set((int) arrival);
      next.add(arrival);
    }
  }

  /**
   * Whether a signature is written: of what is in the file always; of a record of the base when the
   * receiver is known not to have it.
   */
  private boolean wanted(Statement.WriterSignature signature) {
    long arrival = graph.arrivalOf(signature.record());
    if (arrival < 0 || !belongs(arrival)) {
      return false;
    }
    return !held.get((int) arrival)
        || links.get((int) arrival)
        || (base.holds(signature.record()) && !base.holds(signature));
  }

  private long leftOut() {
    long unproven = 0;
    for (long arrival = 0; arrival < graph.size(); arrival++) {
      unproven += provenHere(arrival) ? 0 : 1;
    }
    return unproven;
  }

  /** Whether a record lies below the final heads, if the capsule is closed. */
  private boolean belongs(long arrival) {
    return !graph.closed() || graph.isFinal(arrival);
  }

  private boolean provenHere(long arrival) {
    return belongs(arrival) && graph.witness(arrival).proven();
  }

  private boolean wanted(long arrival) {
    return provenHere(arrival) && !held.get((int) arrival);
  }

  private void write(HashingStream out, LongConsumer progress) throws IOException, ProofException {
    Metadata metadata = reader.metadata();
    Bytes creation = Bytes.wrap(reader.ownerSignature());
    out.write(new Bundle.Head(metadata, creation, base.heads()).encode());
    out.write(new Encoder().u32(statements.size()).toBytes());
    for (Statement statement : statements) {
      out.write(new Encoder().bytes32(statement.encode()).toBytes());
    }
    int all = carried.cardinality();
    out.write(new Encoder().u64(all).toBytes());
    int written = 0;
    for (int from = carried.nextSetBit(0); from >= 0; ) {
      ArrivalPage page = reader.page(from, run(from), true);
      List<Record> frame = new ArrayList<>();
      long frameBytes = 0;
      for (Record listed : page.records()) {
        long arrival = graph.arrivalOf(listed.name());
        if (arrival < 0 || !carried.get((int) arrival)) {
          continue;
        }
        // Once only, whatever the server lists.
        carried.clear((int) arrival);
        Record record = links.get((int) arrival) ? headerOf(listed) : explained(listed);
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
      from = page.end() ? -1 : carried.nextSetBit(Math.toIntExact(page.next()));
    }
    if (written < all) {
      throw new ProofException(
          Violation.MISSING, "the server leaves out records that it listed before");
    }
    out.finish();
  }

  private Record explained(Record listed) throws ProofException {
    Record record = reader.whole(listed);
    requireExplained(record);
    return record;
  }

  private static Record headerOf(Record record) {
    return new Record(record.header(), Record.State.HEADER_ONLY, null);
  }

  /** How many records are asked for at once: as many as are wanted, with small gaps. */
  private int run(int from) {
    int end = from + 1;
    for (int next = carried.nextSetBit(end);
        next >= 0 && next - end < GAP_RECORDS && next - from < PAGE_RECORDS;
        next = carried.nextSetBit(end)) {
      end = next + 1;
    }
    return end - from;
  }

  private static int write(HashingStream out, List<Record> frame) throws IOException {
    if (!frame.isEmpty()) {
      out.write(new Encoder().bytes32(Record.encodeAll(frame)).toBytes());
    }
    return frame.size();
  }

  /** Refuses, early, what there is no memory for. A quarter is left for all else. */
  private void requireRoom(int all) {
    long held = packed.memoryBytes() + graph.memoryBytes() + (long) STATEMENT_BYTES * all;
    long most = Runtime.getRuntime().maxMemory() / 4 * 3;
    if (held > most) {
      throw new HoldfastException(
          ErrorCode.TOO_LARGE,
          "an export holds the graph of the capsule in memory, and for "
              + graph.size()
              + " records and "
              + all
              + " statements there is no room; give the command more: JAVA_TOOL_OPTIONS=-Xmx…");
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
