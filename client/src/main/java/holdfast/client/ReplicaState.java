package holdfast.client;

import holdfast.capsule.Statement;
import org.jspecify.annotations.Nullable;

/**
 * How far one member of a placement has come with what a writer sends.
 *
 * @param standing whether it is written to
 * @param acknowledged batches for which its receipt was verified
 * @param missed batches that it did not take, or of which it is not known; servers repair that
 *     among themselves
 * @param failure what went wrong last; null when nothing has since it was connected
 */
public record ReplicaState(
    Statement.Placement.Member member,
    Standing standing,
    long acknowledged,
    long missed,
    @Nullable Exception failure) {

  /** Whether a member is written to. */
  public enum Standing {
    /** A session is being opened. */
    CONNECTING,
    /** Batches are sent to it. */
    CONNECTED,
    /** It gave bad evidence, or may not be written to, and is left alone. */
    LEFT_ALONE,
    /** The writer has ended. */
    CLOSED
  }

  /** Whether it lacks something that was appended since the writer was opened. */
  public boolean behind() {
    return missed > 0;
  }
}
