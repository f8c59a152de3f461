package holdfast.client;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What the receiver of an increment holds already, as whoever makes the increment takes it: the
 * records of an earlier bundle, or all that lies below records of given names.
 *
 * <p>With an earlier bundle it is known record by record, so that one which has filled a hole below
 * since then is brought. With names alone what lies below them is taken to be there; what is not is
 * for anti-entropy, or a whole bundle, to bring.
 */
public final class BundleBase {
  private final List<Hash> heads;
  private final List<Hash> below;
  private final @Nullable BundleFile earlier;
  private final Set<Statement> statements;

  private BundleBase(List<Hash> heads, List<Hash> below, @Nullable BundleFile earlier) {
    this.heads = heads;
    this.below = below;
    this.earlier = earlier;
    this.statements = earlier == null ? Set.of() : Set.copyOf(earlier.statements());
  }

  /** Nothing: a bundle that goes on from it is whole. */
  static BundleBase nothing() {
    return new BundleBase(List.of(), List.of(), null);
  }

  /** All that lies below these records, and they themselves. */
  public static BundleBase below(List<Hash> heads) {
    List<Hash> ascending = List.copyOf(new TreeSet<>(heads));
    return new BundleBase(ascending, ascending, null);
  }

  /**
   * What an earlier bundle brought, and if it was an increment, what lies below the heads that it
   * went on from. Reads the file once more, for the names of its heads.
   */
  public static BundleBase of(BundleFile earlier) throws IOException, ProofException {
    var contents = earlier.contents();
    Set<Long> tops = new HashSet<>();
    for (long arrival : contents.graph().heads(Integer.MAX_VALUE)) {
      if (!contents.isLink(arrival)) {
        tops.add(arrival);
      }
    }
    TreeSet<Hash> heads = new TreeSet<>(earlier.head().base());
    earlier.framesFromLast(frame -> {
      for (Record record : frame) {
        long arrival = contents.graph().arrivalOf(record.name());
        if (arrival < 0) {
          throw new ProofException(
              Violation.MALFORMED, "the earlier bundle changed while it was being read");
        }
        if (tops.contains(arrival)) {
          heads.add(record.name());
        }
        record.header().pointers().forEach(heads::remove);
      }
    });
    return new BundleBase(List.copyOf(heads), earlier.head().base(), earlier);
  }

  /** The heads, ascending, as the increment names them; empty when there is nothing before it. */
  List<Hash> heads() {
    return heads;
  }

  /** Records that are held together with all that lies below them. */
  List<Hash> below() {
    return below;
  }

  /** The capsule of the earlier bundle; null when only names are given. */
  @Nullable Hash capsule() {
    return earlier == null ? null : earlier.capsule();
  }

  /** Whether a record, or its header, was in the earlier bundle. */
  boolean holds(Hash record) {
    return earlier != null && earlier.contents().graph().arrivalOf(record) >= 0;
  }

  /** Whether a statement was in the earlier bundle. */
  boolean holds(Statement statement) {
    return statements.contains(statement);
  }
}
