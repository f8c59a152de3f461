package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Evidence;
import holdfast.capsule.FinalHeads;
import holdfast.capsule.Freshness;
import holdfast.capsule.Metadata;
import holdfast.capsule.Opener;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.capsule.VerificationCache;
import holdfast.wire.Range;
import holdfast.wire.Read;
import holdfast.wire.Reply;
import holdfast.wire.Request;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Reads and proves records of one capsule. Nothing is returned before it is verified: the name is
 * the hash of the header, the body leads to the root in it, and a chain of headers leads to a
 * signature of an authorised writer or to something verified before. Once the owner's succession is
 * known, what it does not include is refused; see {@link FinalHeads}.
 *
 * <p>When the connection breaks, the next call opens a new session and resumes the verification
 * cache there. Not safe for use by several threads.
 */
public final class CapsuleReader implements AutoCloseable {
  private final Server server;
  private final Hash capsule;
  private final ReaderOptions options;
  private final Opener opener;
  private final ReaderSession reads;

  CapsuleReader(Server server, Hash capsule, List<ContentKey> contentKeys, ReaderOptions options)
      throws ProofException {
    this.server = server;
    this.capsule = capsule;
    this.options = options;
    this.opener = new Opener(capsule, contentKeys);
    this.reads = new ReaderSession(server, capsule, options);
  }

  /**
   * What the owner closed the capsule with; null while no succession is known. A server that shows
   * none withholds it, or there is none.
   */
  public @Nullable FinalHeads closing() throws ProofException {
    return reads.closing();
  }

  /** Makes known a succession that came to its user otherwise than from this server. */
  public void learn(Statement.Succession succession) throws ProofException {
    reads.learn(succession);
  }

  /** The server that is read from. */
  public Server server() {
    return server;
  }

  /** The capsule's metadata, verified. */
  public Metadata metadata() {
    return reads.metadata();
  }

  /** The owner's signature under the creation, as the server holds it. */
  public byte[] ownerSignature() {
    return reads.ownerSignature();
  }

  /** What opens content with the content keys this reader holds. */
  public Opener opener() {
    return opener;
  }

  /** The verification cache. */
  public VerificationCache cache() {
    return reads.cache();
  }

  /** Headers received in proofs so far. */
  public long proofHeaders() {
    return reads.proofHeaders();
  }

  /** Reads and proves one record. */
  public ReadResult read(Hash name) throws ProofException {
    return readAll(List.of(name)).getFirst();
  }

  /** Reads and proves many records. */
  public List<ReadResult> readAll(List<Hash> names) throws ProofException {
    return reads
        .patiently(() -> reads.begin(names, List.of(), Read.Content.RECORDS).await())
        .records();
  }

  /** Reads and proves headers; bodies stay where they are. */
  public List<ReadResult> readHeaders(List<Hash> names) throws ProofException {
    return reads
        .patiently(() -> reads.begin(names, List.of(), Read.Content.HEADERS).await())
        .records();
  }

  /** Reads and proves single leaves. */
  public List<ReadResult.LeafResult> readLeaves(List<ReadResult.LeafName> leaves)
      throws ProofException {
    return reads.patiently(() -> beginLeaves(leaves).await()).leaves();
  }

  /** Proves records without fetching them; an exception if one cannot be proven. */
  public void prove(List<Hash> names) throws ProofException {
    for (ReadResult result : readHeaders(names)) {
      if (result instanceof ReadResult.Outside) {
        throw outside(result.name());
      }
      if (result instanceof ReadResult.Unproven
          || result instanceof ReadResult.Absent
          || result instanceof ReadResult.Damaged) {
        throw new HoldfastException(
            result instanceof ReadResult.Unproven ? ErrorCode.UNPROVEN : ErrorCode.NOT_FOUND,
            "record " + result.name().brief() + " cannot be proven by this server");
      }
    }
  }

  static HoldfastException outside(Hash name) {
    return new HoldfastException(
        ErrorCode.SUCCEEDED,
        "record " + name.brief() + " lies outside of the final heads of the closed capsule");
  }

  /**
   * A proof of a record, or of a leaf of it, that holds up without a server or a cache.
   *
   * @param leaf index of the leaf; negative for the record alone
   */
  public ProofMaterial proofMaterial(Hash record, int leaf) throws ProofException {
    return reads.patiently(() -> ProofMaterial.ask(reads, record, leaf, options.timeoutMillis()));
  }

  /** Asks for records without waiting. */
  public PendingRead beginRead(List<Hash> names) throws ProofException {
    return reads.begin(names, List.of(), Read.Content.RECORDS);
  }

  /** Asks for proofs of records without waiting; their headers come only inside the proofs. */
  public PendingRead beginProve(List<Hash> names) throws ProofException {
    return reads.begin(names, List.of(), Read.Content.NOTHING);
  }

  /** Asks for leaves without waiting. */
  public PendingRead beginLeaves(List<ReadResult.LeafName> leaves) throws ProofException {
    return reads.begin(List.of(), leaves, Read.Content.HEADERS);
  }

  /** Sends the reads that have gathered, without waiting for more to share their message. */
  public void send() throws ProofException {
    reads.send();
  }

  /**
   * Reads and proves everything from an arrival number on, in order, a little ahead of its user.
   */
  public Cursor scan(long from) {
    return new Cursor(this, from);
  }

  /** The heads, signed by the server for this question. */
  public Freshness heads() throws ProofException {
    return reads.patiently(() -> reads.session().fresh());
  }

  /**
   * Asks this server whether it still has a record that it has signed for.
   *
   * @param promised the server's receipt for a record, synced
   * @return what shows to anybody that it has not; nothing when it says that it has, which reading
   *     the record bears out or not
   */
  public Optional<Evidence> audit(Receipt.Extract promised) throws ProofException {
    return reads.patiently(() -> reads.session().audit(promised));
  }

  /** The owner's statements, or all, verified. */
  public List<Statement> statements(boolean ownerOnly) throws ProofException {
    return reads.patiently(() -> reads.session().statements(ownerOnly));
  }

  /** Completes the beginning of a record's name. */
  public Hash resolve(String prefix) throws ProofException {
    return reads.patiently(() -> reads.session().resolveRecord(prefix));
  }

  /** What the server says of itself and the capsule. */
  public holdfast.wire.ServerStatus status() throws ProofException {
    return reads.patiently(() -> reads.session().status());
  }

  /**
   * The records from an arrival number on, checked for name and body and not proven; for copying
   * and listing. A body too large for a page is left out: {@link #whole} brings it.
   *
   * @param bodies whether bodies are wanted
   * @throws HoldfastException {@link ErrorCode#DAMAGED} naming the arrival numbers of records that
   *     the server holds damaged
   */
  public ArrivalPage page(long from, int limit, boolean bodies) throws ProofException {
    return pageWithDamage(from, limit, bodies).whole();
  }

  /** The same, with the arrival numbers of records that the server holds damaged beside it. */
  ArrivalPage pageWithDamage(long from, int limit, boolean bodies) throws ProofException {
    return page(
        Range.newBuilder()
            .setFrom(from)
            .setLimit(limit)
            .setContent(bodies ? Read.Content.RECORDS : Read.Content.HEADERS)
            .build());
  }

  /** The records whose claimed time lies in a range, headers only. */
  public ArrivalPage page(long from, int limit, long fromMillis, long toMillis)
      throws ProofException {
    return page(Range.newBuilder()
            .setFrom(from)
            .setLimit(limit)
            .setContent(Read.Content.HEADERS)
            .setFromMillis(fromMillis)
            .setToMillis(toMillis)
            .build())
        .whole();
  }

  /**
   * A record with its body, which is fetched if it was left out; checked for its body and not
   * proven.
   */
  Record whole(Record record) throws ProofException {
    return record.state() == Record.State.HEADER_ONLY
        ? reads.patiently(() -> reads.fetch(record.header())).record()
        : record;
  }

  private ArrivalPage page(Range range) throws ProofException {
    ArrivalPage page =
        reads.patiently(() ->
            ArrivalPage.of(
                capsule,
                reads
                    .session()
                    .session()
                    .call(
                        Request.newBuilder().setRange(range),
                        Reply.ResultCase.PAGE,
                        options.timeoutMillis())
                    .getPage()));
    if (!page.end() && page.next() <= range.getFrom()) {
      throw new ProofException(
          Violation.MALFORMED, "a page of records is not the last and leads nowhere");
    }
    return page;
  }

  /** Subscribes to records from an arrival number on. */
  public Subscription watch(long from) throws ProofException {
    return new Subscription(this, capsule, from);
  }

  CapsuleSession openAside(int ahead) throws ProofException {
    return CapsuleSession.paced(server, capsule, ahead, options.timeoutMillis());
  }

  @Override
  public void close() {
    reads.close();
  }
}
