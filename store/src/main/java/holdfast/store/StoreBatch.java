package holdfast.store;

import holdfast.base.HoldfastException;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import java.util.List;

/**
 * A batch of operations on one capsule, ready to be applied: every hash, limit and signature in it
 * has been checked.
 *
 * @param records whole records, in any order
 * @param statements signatures and owner's statements
 * @param bytes about how much memory it holds
 * @param goesBy the version of the newest placement that whoever writes it knows; it is refused
 *     when a newer one was applied before it. {@link #ANY_PLACEMENT} for what is not refused so
 * @param completion is told what became of it
 */
public record StoreBatch(
    StoredCapsule capsule,
    List<Record> records,
    List<Statement> statements,
    long bytes,
    long goesBy,
    Completion completion) {
  /** Of what is no writer's: copies of what is proven, and the owner's statements. */
  public static final long ANY_PLACEMENT = Long.MAX_VALUE;

  /** So many copies at once are no catching up. */
  private static final int FEW = 256;

  /** A batch that is taken whatever placements are known. */
  public StoreBatch(
      StoredCapsule capsule,
      List<Record> records,
      List<Statement> statements,
      long bytes,
      Completion completion) {
    this(capsule, records, statements, bytes, ANY_PLACEMENT, completion);
  }

  /**
   * Hears what becomes of a batch: exactly one of {@link #synced} and {@link #failed}, also when
   * the store fails or closes; before it, {@link #received} unless the batch was refused. Called on
   * the store's threads; must be quick.
   */
  public interface Completion {
    /** The batch is visible and handed to the operating system. */
    void received(List<Receipt.Entry> entries);

    /** The batch is durable, and what it erases is gone from the disk. */
    void synced(List<Receipt.Entry> entries);

    /**
     * The batch was refused, or could not be stored: nothing of it is. With {@link
     * holdfast.base.ErrorCode#STOPPING} it is not known how much of it will be there.
     */
    void failed(HoldfastException reason);
  }

  /**
   * Whether what it brings is likely to be read soon: what a writer writes, or a few records that
   * have just been written elsewhere. Copies by the thousand, as they come to a server that is far
   * behind, would push out of the cache what is read, and be dropped by the next of their kind.
   */
  boolean worthCaching() {
    return goesBy != ANY_PLACEMENT || records.size() <= FEW;
  }

  /** Whether it holds statements of the owner and nothing else. */
  boolean ownersAlone() {
    return records.isEmpty()
        && statements.stream().noneMatch(s -> s instanceof Statement.WriterSignature);
  }

  boolean erases() {
    return statements.stream().anyMatch(s -> s instanceof Statement.Erasure);
  }
}
