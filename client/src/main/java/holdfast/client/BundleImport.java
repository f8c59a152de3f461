package holdfast.client;

import com.google.protobuf.ByteString;
import holdfast.base.Hash;
import holdfast.base.Limits;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
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
 */
public final class BundleImport {
  private static final long TIMEOUT_MILLIS = 60_000;
  private static final int RECORDS_PER_BATCH = Limits.RECORDS_PER_BATCH / 4;

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
      if (!last.isEmpty()) {
        session.declare(last);
      }
      return bringing.records;
    }
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
    session.declareAll(placements);
    for (Statement statement : known) {
      if (statement instanceof Statement.Erasure erasure) {
        erasures.add(erasure);
      }
    }
    return successions;
  }

  private void records(List<Record> batch) throws ProofException {
    List<Hash> names = new ArrayList<>();
    List<Hash> signed = new ArrayList<>();
    List<ByteString> encoded = new ArrayList<>();
    for (Record record : batch) {
      names.add(record.name());
      for (var signature : signatures.getOrDefault(record.name(), List.of())) {
        encoded.add(ServerSession.bytes(signature.encode()));
        signed.add(signature.record());
      }
    }
    List<Receipt.Entry> entries =
        ReceiptCheck.verify(
                bring(batch, encoded),
                session.server(),
                capsule,
                Receipt.Level.SYNCED,
                List.of(
                    new ReceiptCheck.Expected(Receipt.Kind.WRITE, names),
                    new ReceiptCheck.Expected(Receipt.Kind.SIGN, signed)))
            .entries();
    for (int i = 0; i < batch.size(); i++) {
      requireKept(batch.get(i), entries.get(i).outcome());
    }
    records += batch.size();
  }

  /** Sends a batch, in parts when it is one large record; waits for the receipt. */
  private Reply bring(List<Record> batch, List<ByteString> encodedSignatures)
      throws ProofException {
    Record first = batch.getFirst();
    List<Request.Builder> requests =
        batch.size() == 1 && first.body() != null && first.encodedSize() > BodyParts.PART_BYTES
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
