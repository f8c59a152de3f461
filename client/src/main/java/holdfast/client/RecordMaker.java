package holdfast.client;

import holdfast.base.Hash;
import holdfast.capsule.Backpointers;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Sealer;
import holdfast.capsule.Statement;
import holdfast.crypto.SigningKey;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Makes the records of one run of a writer: seals and links them, signs them when the policy says
 * so, and gathers them in batches. Knows no server. Not safe for use by several threads.
 */
final class RecordMaker {
  private final Hash capsule;
  private final int writer;
  private final SigningKey key;
  private final WriterOptions options;
  private final Sealer sealer;
  private final Backpointers links;
  private final List<Record> batch = new ArrayList<>();
  private final List<Statement.WriterSignature> signatures = new ArrayList<>();
  private int batchBytes;
  private @Nullable Record unsigned;

  /** The record that the batch signs and that went in a batch before it. */
  private @Nullable Record signedLater;

  private int sinceSignature;
  private long signedAtMillis = System.currentTimeMillis();

  /**
   * A run that begins.
   *
   * @param writer index of the key among the capsule's writers
   * @param heads where the run begins; see {@link Delivery#headsToFollow}
   */
  RecordMaker(
      Hash capsule,
      int writer,
      SigningKey key,
      ContentKey contentKey,
      List<Hash> heads,
      WriterOptions options) {
    this.capsule = capsule;
    this.writer = writer;
    this.key = key;
    this.options = options;
    this.links = new Backpointers(options.links(), heads);
    byte[] salt = new byte[RecordHeader.SALT_SIZE];
    Server.RANDOM.nextBytes(salt);
    this.sealer = new Sealer(capsule, writer, contentKey, salt);
  }

  int writer() {
    return writer;
  }

  /** Seals and links a record; it is part of the run from then on. */
  Record seal(List<byte[]> leaves, long timeMillis) {
    Record record = sealer.seal(leaves, timeMillis, links.next());
    links.appended(record.name());
    return record;
  }

  /** Adds a record to the batch, and signs it if its turn has come. */
  void add(Record record) {
    batch.add(record);
    batchBytes += record.encodedSize();
    unsigned = record;
    sinceSignature++;
    if (due()) {
      sign();
    }
  }

  private boolean due() {
    return switch (options.signing()) {
      case SigningPolicy.Each() -> true;
      case SigningPolicy.EveryN(int records) -> sinceSignature >= records;
      case SigningPolicy.EveryT(long millis) ->
          System.currentTimeMillis() - signedAtMillis >= millis;
      case SigningPolicy.EachBatch(), SigningPolicy.OnDemand() -> false;
    };
  }

  /** Signs the newest record, unless it is signed. */
  void sign() {
    Record newest = unsigned;
    if (newest != null) {
      if (batch.isEmpty()) {
        signedLater = newest;
      }
      signatures.add(Statement.WriterSignature.sign(capsule, newest.name(), writer, key));
      unsigned = null;
      sinceSignature = 0;
      signedAtMillis = System.currentTimeMillis();
    }
  }

  /** Milliseconds until the newest record is to be signed; very many if none is. */
  long untilDueMillis() {
    boolean pending = unsigned != null || !signatures.isEmpty();
    return pending && options.signing() instanceof SigningPolicy.EveryT(long millis)
        ? signedAtMillis + millis - System.currentTimeMillis()
        : Long.MAX_VALUE;
  }

  /** Whether the batch should be sent before more is added. */
  boolean full() {
    return batch.size() >= options.batchRecords() || batchBytes >= options.batchBytes();
  }

  /** Takes the batch out, signed if the policy says so; null when there is nothing in it. */
  @Nullable Batch take() {
    if (options.signing() instanceof SigningPolicy.EachBatch) {
      sign();
    }
    if (batch.isEmpty() && signatures.isEmpty()) {
      return null;
    }
    Batch taken = Batch.of(batch, signatures, options.level(), signedLater);
    batch.clear();
    signatures.clear();
    signedLater = null;
    batchBytes = 0;
    return taken;
  }
}
