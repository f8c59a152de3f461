package holdfast.sync;

import holdfast.base.Hash;
import holdfast.capsule.Metadata;
import holdfast.capsule.ProvenLog;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** What a round reads of its own side: the proven set of one capsule, and the record graph. */
public interface Replica {
  /** The capsule's metadata. */
  Metadata metadata();

  /** The owner's statements held: erasures, grants, succession, placements. In any order. */
  List<Statement> ownerStatements();

  /**
   * Number of entries that have entered the proven set; also the position of the next one. An entry
   * is a record or the signature of one.
   */
  long entries();

  /**
   * The entries at positions {@code from} to {@code to - 1}, in order; see {@link Entry}. Those of
   * records whose header cannot be read are left out, so positions may be missing.
   */
  List<Entry> entries(long from, long to);

  /** Visits the same entries in the same order, holding a page of them at a time. */
  default void eachEntry(long from, long to, Consumer<Entry> visitor) {
    for (long at = from; at < to; at += Entry.PAGE) {
      entries(at, Math.min(to, at + Entry.PAGE)).forEach(visitor);
    }
  }

  /**
   * Visits the same positions without looking at the records: those of records whose header cannot
   * be read are among them.
   */
  void eachPlace(long from, long to, ProvenLog.Visitor visitor);

  /** The arrival number of each record, -1 for those that are not here. */
  long[] arrivalsOf(List<Hash> names);

  /**
   * The arrival number of each record that is here and in the proven set, -1 for the others.
   *
   * @param exchanged whether it has to belong to what is exchanged, too
   */
  default long[] provenOf(List<Hash> names, boolean exchanged) {
    long[] arrivals = arrivalsOf(names);
    for (int i = 0; i < arrivals.length; i++) {
      if (arrivals[i] >= 0 && !(proven(arrivals[i]) && (!exchanged || exchanged(arrivals[i])))) {
        arrivals[i] = -1;
      }
    }
    return arrivals;
  }

  /** Whether a present record is in the proven set. */
  boolean proven(long arrival);

  /** The name of a present record. */
  Hash nameOf(long arrival);

  /** A present record with its body, as far as it is not erased; null when it is damaged. */
  @Nullable Record record(long arrival);

  /** All signatures of a present record. */
  List<Statement.WriterSignature> signaturesOf(long arrival);

  /** Arrival numbers of a record's backpointers, -1 for those that are missing. */
  long[] pointers(long arrival);

  /** Heads of the proven set: proven records at which no proven record points. */
  long[] provenHeads(int limit);

  /** Names of absent records that some present record points at. */
  List<Hash> missingNames(int limit);

  /**
   * Whether a record of this name is welcome although nothing that comes with it proves it: a
   * proven record points at it, and it is absent, or it was proven before it was damaged here.
   */
  boolean awaitedByProven(Hash name);

  /**
   * Whether the record belongs to what is exchanged: in a closed capsule its final part, and
   * nothing that is damaged here.
   */
  boolean exchanged(long arrival);
}
