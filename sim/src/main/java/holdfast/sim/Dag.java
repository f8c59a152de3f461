package holdfast.sim;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.capsule.Record;
import holdfast.capsule.Sealer;
import holdfast.capsule.Statement;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.testkit.Gen;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;

/** A capsule whose records branch and merge as a seed says; parents before children. */
public final class Dag {
  private final SigningKey owner;
  private final List<SigningKey> writers = new ArrayList<>();
  private final Metadata metadata;
  private final List<Record> records = new ArrayList<>();
  private final List<Statement.WriterSignature> signatures = new ArrayList<>();
  private final Gen gen;
  private final List<Sealer> sealers = new ArrayList<>();

  /** A capsule with that many writers and no record yet. */
  public Dag(Gen gen, int writerCount) {
    this.gen = gen;
    this.owner = SigningKey.ofSeed(gen.bytes(32));
    List<Metadata.Writer> named = new ArrayList<>();
    for (int i = 0; i < writerCount; i++) {
      writers.add(SigningKey.ofSeed(gen.bytes(32)));
      named.add(new Metadata.Writer(writers.get(i).verifyKey(), "writer " + i));
    }
    this.metadata =
        new Metadata(
            owner.verifyKey(), named, "", 0, "", Bytes.wrap(gen.bytes(16)), new TreeMap<>());
    ContentKey content = new ContentKey(0, Secret.copyOf(gen.bytes(32)));
    for (int i = 0; i < writerCount; i++) {
      sealers.add(new Sealer(metadata.name(), i, content, gen.bytes(16)));
    }
  }

  /** The capsule. */
  public Metadata metadata() {
    return metadata;
  }

  /** The owner's key. */
  public SigningKey owner() {
    return owner;
  }

  /** All records made so far, parents first. */
  public List<Record> records() {
    return Collections.unmodifiableList(records);
  }

  /** All signatures made so far. */
  public List<Statement.WriterSignature> signatures() {
    return Collections.unmodifiableList(signatures);
  }

  /** Adds records, each pointing at recent, older and skipped ones; signs some, and all tips. */
  public void grow(int count) {
    for (int i = 0; i < count; i++) {
      Record record = add(1000L + i);
      if (gen.oneIn(6)) {
        sign(record, gen.below(writers.size()));
      }
    }
  }

  /** Adds one record of this claimed time, not signed yet. */
  public Record add(long timeMillis) {
    Record record = seal(timeMillis);
    records.add(record);
    return record;
  }

  /** A record that is none of this capsule's history, though it points into it. */
  public Record stray() {
    return seal(0);
  }

  private Record seal(long timeMillis) {
    Set<Hash> pointers = new LinkedHashSet<>();
    if (!records.isEmpty() && !gen.oneIn(40)) {
      int back = gen.oneIn(4) ? gen.below(records.size()) : gen.below(Math.min(3, records.size()));
      pointers.add(records.get(records.size() - 1 - back).name());
      for (int more = gen.oneIn(3) ? gen.between(1, 3) : 0; more > 0; more--) {
        pointers.add(gen.pick(records).name());
      }
    }
    int writer = gen.below(writers.size());
    return sealers
        .get(writer)
        .seal(List.of(gen.bytes(gen.between(1, 20))), timeMillis, List.copyOf(pointers));
  }

  /** Signs whatever no record points at, so that everything is proven. */
  public void signTips() {
    Set<Hash> pointedAt = new LinkedHashSet<>();
    records.forEach(record -> pointedAt.addAll(record.header().pointers()));
    for (Record record : records) {
      if (!pointedAt.contains(record.name())) {
        sign(record, gen.below(writers.size()));
      }
    }
  }

  /** Signs a record by one of the writers. */
  public Statement.WriterSignature sign(Record record, int signer) {
    Statement.WriterSignature signature = signature(record, signer);
    signatures.add(signature);
    return signature;
  }

  /** A true signature that is kept out of this capsule's history. */
  public Statement.WriterSignature signature(Record record, int signer) {
    return Statement.WriterSignature.sign(
        metadata.name(), record.name(), signer, writers.get(signer));
  }

  /** Number of writers. */
  public int writers() {
    return writers.size();
  }
}
