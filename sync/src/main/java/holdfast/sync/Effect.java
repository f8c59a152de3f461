package holdfast.sync;

import holdfast.base.ProofException;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import java.util.List;

/** What a {@link Round} asks for. */
public sealed interface Effect {
  /** A message for the peer; messages arrive in this order or the connection breaks. */
  @SuppressWarnings("ArrayRecordComponent") // handed over, not compared
  record Send(byte[] message) implements Effect {}

  /**
   * Verified records and statements to be stored durably, in one batch; answered by {@link
   * Input.Stored} or {@link Input.NotStored}. Some may be here already.
   */
  record Store(int ticket, List<Record> records, List<Statement> statements) implements Effect {}

  /** The round is complete: both sides hold what either held when it began. */
  record Finished(Marker marker, Progress progress) implements Effect {}

  /** The peer broke the protocol or sent something false; the round is over. */
  record Lied(ProofException evidence) implements Effect {}

  /** The round is over for a reason that is nobody's lie. */
  record GaveUp(String reason) implements Effect {}
}
