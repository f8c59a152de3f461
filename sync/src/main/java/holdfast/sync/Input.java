package holdfast.sync;

/** What a {@link Round} is told. */
public sealed interface Input {
  /** The round begins; the initiator speaks first. */
  record Begin() implements Input {}

  /** A message of the peer, in the order in which it was sent. */
  @SuppressWarnings("ArrayRecordComponent") // handed over, not compared
  record Received(byte[] message) implements Input {}

  /** What was to be stored under this ticket is durable. */
  record Stored(int ticket) implements Input {}

  /** What was to be stored under this ticket was not; the round cannot go on. */
  record NotStored(int ticket, String reason) implements Input {}
}
