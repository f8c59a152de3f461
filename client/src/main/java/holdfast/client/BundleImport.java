package holdfast.client;

import static java.util.stream.Collectors.joining;

import com.google.protobuf.ByteString;
import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.capsule.Release;
import holdfast.capsule.Statement;
import holdfast.wire.CommitPart;
import holdfast.wire.Level;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import holdfast.wire.Write;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;
import java.util.stream.IntStream;

/**
 * Brings a bundle to a server. Whoever holds no writer's key may bring only records that are
 * proven, so they go children first, each batch with its signatures; the owner's statements go
 * before any record, so that nothing erased is stored on the way.
 *
 * <p>Bringing a bundle twice is success: everything in it is there already.
 *
 * <p>An increment is brought only to a server that has proven what it goes on from; else nothing of
 * it is stored, and what is missing is said. It would do no harm there, since every record in it is
 * proven; but a copy with a gap would pass for a whole one.
 */
public final class BundleImport {
  private static final long TIMEOUT_MILLIS = 60_000;
  private static final int RECORDS_PER_BATCH = Limits.RECORDS_PER_BATCH / 4;
  private static final int HEADERS_AT_ONCE = 1000;

  /** Missing records that a message names. */
  private static final int NAMED = 3;

  private final CapsuleSession session;
  private final Hash capsule;
  private final Map<Hash, List<Statement.WriterSignature>> signatures = new HashMap<>();
  private final List<Statement.Erasure> erasures = new ArrayList<>();
  private long records;

  private BundleImport(CapsuleSession session, Hash capsule) {
    this.session = session;
    this.capsule = capsule;
  }

  /**
   * Creates the capsule on the server if it is not there, and brings everything in the bundle.
   *
   * @param progress is told how many records are stored
   * @return the number of records brought, all acknowledged as synced
   */
  public static long bring(Server server, BundleFile bundle, LongConsumer progress)
      throws IOException, ProofException {
    if (bundle.head().incremental()) {
      requireBase(server, bundle);
    }
    server.create(bundle.head().metadata(), bundle.head().creationSignature().toArray());
    Hash capsule = bundle.capsule();
    try (CapsuleSession session =
        CapsuleSession.open(server, capsule, 0, List.of(), TIMEOUT_MILLIS)) {
      BundleImport bringing = new BundleImport(session, capsule);
      List<Statement> last = bringing.statements(bundle.statements());
      bundle.framesFromLast(frame -> {
        for (int to = frame.size(); to > 0; to -= RECORDS_PER_BATCH) {
          bringing.records(frame.subList(Math.max(0, to - RECORDS_PER_BATCH), to));
          progress.accept(bringing.records);
        }
      });
      if (bundle.head().incremental()) {
        bringing.signaturesOfBase(server);
      }
      if (!last.isEmpty()) {
        session.declare(last);
      }
      return bringing.records;
    }
  }

  /** Refuses a server on which something that the increment goes on from is not proven. */
  private static void requireBase(Server server, BundleFile bundle) throws ProofException {
    List<Hash> base = bundle.head().base();
    List<Hash> missing = new ArrayList<>();
    try (CapsuleReader reader =
        server.openReader(bundle.capsule(), List.of(), ReaderOptions.withoutCache())) {
      for (int at = 0; at < base.size(); at += HEADERS_AT_ONCE) {
        List<Hash> asked = base.subList(at, Math.min(base.size(), at + HEADERS_AT_ONCE));
        for (ReadResult result : reader.readHeaders(asked)) {
          if (!(result instanceof ReadResult.Proven)) {
            missing.add(result.name());
          }
        }
      }
    } catch (HoldfastException e) {
      if (e.code() != ErrorCode.UNKNOWN_CAPSULE) {
        throw e;
      }
      missing.addAll(base);
    }
    if (!missing.isEmpty()) {
      throw new HoldfastException(
          ErrorCode.NOT_FOUND,
          "this bundle holds only what came after "
              + base.size()
              + (base.size() == 1 ? " record" : " records")
              + ", and the server has no proven copy of "
              + missing.size()
              + " of them: "
              + missing.stream().limit(NAMED).map(Hash::toString).collect(joining(", "))
              + (missing.size() > NAMED ? ", …" : "")
              + "; nothing was stored. Import the bundle that it goes on from first");
    }
  }

  /** Brings signatures of records that the server held before, as far as it holds them. */
  private void signaturesOfBase(Server server) throws ProofException {
    List<Hash> names = List.copyOf(signatures.keySet());
    try (CapsuleReader reader =
        server.openReader(capsule, List.of(), ReaderOptions.withoutCache())) {
      for (int at = 0; at < names.size(); at += HEADERS_AT_ONCE) {
        List<Hash> asked = names.subList(at, Math.min(names.size(), at + HEADERS_AT_ONCE));
        List<Hash> signed = new ArrayList<>();
        List<ByteString> encoded = new ArrayList<>();
        for (ReadResult result : reader.readHeaders(asked)) {
          if (result instanceof ReadResult.Proven) {
            for (var signature : signatures.getOrDefault(result.name(), List.of())) {
              signed.add(signature.record());
              encoded.add(ServerSession.bytes(signature.encode()));
            }
          }
        }
        if (!signed.isEmpty()) {
          expect(
              bring(List.of(), encoded),
              List.of(new ReceiptCheck.Expected(Receipt.Kind.SIGN, signed)));
        }
      }
    }
  }

  private List<Receipt.Entry> expect(Reply reply, List<ReceiptCheck.Expected> operations)
      throws ProofException {
    return ReceiptCheck.verify(reply, session.server(), capsule, Receipt.Level.SYNCED, operations)
        .entries();
  }

  /**
   * Brings the owner's statements and keeps the writers' signatures for their records.
   *
   * @return what can be brought only after the records: a succession names final heads
   */
  private List<Statement> statements(List<Statement> all) throws ProofException {
    List<Statement> grants = new ArrayList<>();
    List<Statement> successions = new ArrayList<>();
    List<Statement.Placement> placements = new ArrayList<>();
    List<Statement> releases = new ArrayList<>();
    for (Statement statement : all) {
      switch (statement) {
        case Statement.WriterSignature signature ->
            signatures
                .computeIfAbsent(signature.record(), none -> new ArrayList<>())
                .add(signature);
        case Statement.Erasure erasure -> erasures.add(erasure);
        case Statement.Grant grant -> grants.add(grant);
        case Statement.Succession succession -> successions.add(succession);
        case Statement.Placement placement -> placements.add(placement);
        case Release release -> releases.add(release);
      }
    }
    session.declareAll(erasures);
    session.declareAll(grants);
    // What the owner had erased here since the bundle was made stays erased; its word for that is
    // the server's to show and is verified like any other.
    List<Statement> known = session.statements(true);
    Statement.Placement placed = Statement.Placement.current(known);
    placements.removeIf(p -> placed != null && Statement.Placement.ORDER.compare(p, placed) <= 0);
    placements.sort(Statement.Placement.ORDER);
    // Placements that were released since do not count among those that a server takes at once.
    session.declareAll(releases);
    session.declareAll(placements);
    for (Statement statement : known) {
      if (statement instanceof Statement.Erasure erasure) {
        erasures.add(erasure);
      }
    }
    return successions;
  }

  private void records(List<Record> frame) throws ProofException {
    List<Record> batch =
        frame.stream().filter(one -> one.state() != Record.State.HEADER_ONLY).toList();
    if (batch.isEmpty()) {
      return;
    }
    List<Hash> names = new ArrayList<>();
    List<Hash> signed = new ArrayList<>();
    List<ByteString> encoded = new ArrayList<>();
    for (Record record : batch) {
      names.add(record.name());
      List<Statement.WriterSignature> own = signatures.remove(record.name());
      for (var signature : own == null ? List.<Statement.WriterSignature>of() : own) {
        encoded.add(ServerSession.bytes(signature.encode()));
        signed.add(signature.record());
      }
    }
    List<Receipt.Entry> entries =
        expect(
            bring(batch, encoded),
            List.of(
                new ReceiptCheck.Expected(Receipt.Kind.WRITE, names),
                new ReceiptCheck.Expected(Receipt.Kind.SIGN, signed)));
    for (int i = 0; i < batch.size(); i++) {
      requireKept(batch.get(i), entries.get(i).outcome());
    }
    records += batch.size();
  }

  /** Sends a batch, in parts when it is one large record; waits for the receipt. */
  private Reply bring(List<Record> batch, List<ByteString> encodedSignatures)
      throws ProofException {
    Record first = batch.size() == 1 ? batch.getFirst() : null;
    List<Request.Builder> requests =
        first != null && first.body() != null && first.encodedSize() > BodyParts.PART_BYTES
            ? BodyParts.commit(
                first,
                true,
                CommitPart.newBuilder().addAllSignatures(encodedSignatures).setLevel(Level.SYNCED))
            : List.of(
                Request.newBuilder()
                    .setWrite(
                        Write.newBuilder()
                            .setRecords(ServerSession.bytes(Record.encodeAll(batch)))
                            .addAllSignatures(encodedSignatures)
                            .setLevel(Level.SYNCED)));
    Reply reply = Reply.getDefaultInstance();
    for (int i = 0; i < requests.size(); i++) {
      boolean last = i == requests.size() - 1;
      Reply.ResultCase kind = last ? Reply.ResultCase.RECEIPT : Reply.ResultCase.DONE;
      reply = session.session().call(requests.get(i), kind, TIMEOUT_MILLIS);
    }
    return reply;
  }

  /**
   * Everything in a bundle is proven, and its statements were brought first; a server that says
   * otherwise of a record has not kept what it was given.
   */
  private void requireKept(Record record, Receipt.Outcome outcome) throws ProofException {
    boolean kept =
        switch (outcome) {
          case PROVEN -> true;
          case ERASED -> erasedWholly(record);
          case UNPROVEN -> false;
        };
    if (!kept) {
      throw new ProofException(
          Violation.BAD_RECEIPT,
          "the server says of record "
              + record.name().brief()
              + (outcome == Receipt.Outcome.ERASED
                  ? " that it is erased, and no statement of the owner erases it"
                  : " that it is not proven, though its proof came with it"));
    }
  }

  private boolean erasedWholly(Record record) {
    List<Statement.Erasure> touching =
        erasures.stream().filter(one -> one.touches(record.header())).toList();
    return IntStream.range(0, record.header().leafCount())
        .allMatch(leaf -> touching.stream().anyMatch(one -> one.covers(record.header(), leaf)));
  }
}
