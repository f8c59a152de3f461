package holdfast.device;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Figures of a queue. Those of what became of operations count since the queue was opened.
 *
 * @param queued operations that wait, those of a batch on its way included
 * @param queuedBytes bytes of their entries
 * @param rejected operations that the edge will never take
 * @param refused operations that the queue never took, since it was full
 * @param diskBytes bytes of the file
 * @param firstSequence the first number that the edge has not taken
 * @param nextSequence the number that the next operation gets
 * @param batchPending whether a batch was made and is not answered
 * @param doubtful whether the edge must be asked what it took before anything is sent
 * @param recovery what opening the queue found
 */
public record QueueStatus(
    Octets incarnation,
    long queued,
    long queuedBytes,
    long collapsed,
    long expired,
    long dropped,
    long rejected,
    long refused,
    long diskBytes,
    long firstSequence,
    long nextSequence,
    boolean batchPending,
    boolean doubtful,
    Recovery recovery) {
  /**
   * What opening a queue found.
   *
   * @param cutBytes bytes of an entry that was being written and never was whole
   * @param lostOperations operations that could not be read
   * @param setAside where the damaged file was put, if there was damage
   * @param renewed whether the queue had to begin a new incarnation, since its own was unreadable
   */
  public record Recovery(
      long cutBytes, long lostOperations, @Nullable Path setAside, boolean renewed) {}
}
