package holdfast.bench;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.capsule.ContentKey;
import holdfast.capsule.Metadata;
import holdfast.capsule.Record;
import holdfast.capsule.Sealer;
import holdfast.crypto.Secret;
import holdfast.crypto.SigningKey;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;

/** The capsule of the small benchmarks: one writer, always the same keys. */
final class MicroCapsule {
  final SigningKey writer = SigningKey.ofSeed(new byte[32]);
  final Metadata metadata =
      new Metadata(
          writer.verifyKey(),
          List.of(new Metadata.Writer(writer.verifyKey(), "writer")),
          "",
          1,
          "",
          Bytes.wrap(new byte[16]),
          new TreeMap<>());
  final Hash name = metadata.name();
  final Sealer sealer =
      new Sealer(name, 0, new ContentKey(0, Secret.copyOf(new byte[32])), new byte[16]);

  /** Records of one leaf, each pointing at the one before. */
  List<Record> chain(int count) {
    List<Record> chain = new ArrayList<>();
    List<Hash> pointers = List.of();
    for (int i = 0; i < count; i++) {
      chain.add(sealer.seal(List.of(new byte[16]), i, pointers));
      pointers = List.of(chain.getLast().name());
    }
    return chain;
  }
}
