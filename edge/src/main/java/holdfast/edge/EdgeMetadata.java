package holdfast.edge;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.capsule.Metadata;
import holdfast.crypto.VerifyKey;
import java.security.SecureRandom;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** What the metadata of an edge's capsule says: the edge's name, and what came before. */
public final class EdgeMetadata {
  /** The extension that names the capsule which this one continues: its name, 32 bytes. */
  public static final int PREDECESSOR = 1;

  private static final String LABEL = "edge ";

  private EdgeMetadata() {}

  /**
   * The metadata of a new capsule.
   *
   * @param predecessor the capsule that it continues; null for none
   */
  static Metadata make(
      String edge,
      VerifyKey owner,
      VerifyKey writer,
      @Nullable Hash predecessor,
      long nowMillis,
      SecureRandom random) {
    byte[] nonce = new byte[Metadata.NONCE_SIZE];
    random.nextBytes(nonce);
    TreeMap<Integer, Bytes> extensions = new TreeMap<>();
    if (predecessor != null) {
      extensions.put(PREDECESSOR, Bytes.wrap(predecessor.toBytes()));
    }
    return new Metadata(
        owner,
        List.of(new Metadata.Writer(writer, LABEL + edge)),
        LABEL + edge,
        nowMillis,
        "ask the operator of the edge",
        Bytes.wrap(nonce),
        extensions);
  }

  /** The name of the edge whose capsule this is; empty when it is of none. */
  public static Optional<String> edge(Metadata metadata) {
    String label = metadata.writers().getFirst().label();
    return metadata.writers().size() == 1
            && label.equals(metadata.description())
            && label.startsWith(LABEL)
        ? Optional.of(label.substring(LABEL.length()))
        : Optional.empty();
  }

  /** The capsule that one continues; empty when it is the first. */
  public static Optional<Hash> predecessor(Metadata metadata) {
    Bytes name = metadata.extensions().get(PREDECESSOR);
    return name == null || name.size() != Hash.SIZE
        ? Optional.empty()
        : Optional.of(Hash.of(name.toArray()));
  }
}
