package holdfast.bench;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.capsule.Backpointers;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.capsule.Record;
import holdfast.capsule.Sealer;
import holdfast.capsule.Statement;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import holdfast.sync.MemoryReplica;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeMap;

/** A capsule's history as one writer makes it, of which replicas are given parts. */
final class History {
  private static final int SIGNED_EVERY = 1000;

  private final SplittableRandom random;
  private final SigningKey key;
  private final Metadata metadata;
  private final Sealer sealer;
  private final int valueSize;
  final List<Record> records = new ArrayList<>();
  final List<Statement> signatures = new ArrayList<>();

  History(int count, int valueSize, long seed) {
    this.random = new SplittableRandom(seed);
    this.valueSize = valueSize;
    this.key = SigningKey.ofSeed(bytes(32));
    this.metadata =
        new Metadata(
            key.verifyKey(),
            List.of(new Metadata.Writer(key.verifyKey(), "bench")),
            "bench",
            0,
            "",
            Bytes.wrap(bytes(16)),
            new TreeMap<>());
    ContentKey content = new ContentKey(0, Secret.copyOf(bytes(32)));
    this.sealer = new Sealer(metadata.name(), 0, content, bytes(16));
    run(List.of(), count);
  }

  private byte[] bytes(int count) {
    byte[] bytes = new byte[count];
    random.nextBytes(bytes);
    return bytes;
  }

  /** Adds a run of records that begins at these heads; its last one is signed. */
  void run(List<Hash> heads, int count) {
    Backpointers pointers = new Backpointers(new Backpointers.Strategy.Skip(), heads);
    for (int i = 0; i < count; i++) {
      Record record = sealer.seal(List.of(bytes(valueSize)), i, pointers.next());
      pointers.appended(record.name());
      records.add(record);
      if (i % SIGNED_EVERY == SIGNED_EVERY - 1 || i == count - 1) {
        signatures.add(Statement.WriterSignature.sign(metadata.name(), record.name(), 0, key));
      }
    }
  }

  /** Signs a record that is not signed yet. */
  void sign(int at) {
    signatures.add(Statement.WriterSignature.sign(metadata.name(), records.get(at).name(), 0, key));
  }

  Record any(int bound) {
    return records.get(random.nextInt(bound));
  }

  /** A random choice of {@code count} of the first {@code bound} records. */
  BitSet some(int count, int bound) {
    BitSet chosen = new BitSet();
    while (chosen.cardinality() < count) {
      chosen.set(random.nextInt(bound));
    }
    return chosen;
  }

  /** A replica that has everything but some. */
  MemoryReplica without(BitSet missing) {
    MemoryReplica replica = new MemoryReplica(metadata);
    List<Record> held = new ArrayList<>();
    java.util.Set<Hash> names = new java.util.HashSet<>();
    for (int i = 0; i < records.size(); i++) {
      if (!missing.get(i)) {
        held.add(records.get(i));
        names.add(records.get(i).name());
      }
    }
    replica.store(
        held,
        signatures.stream()
            .filter(s -> names.contains(((Statement.WriterSignature) s).record()))
            .toList());
    return replica;
  }
}
