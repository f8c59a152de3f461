package holdfast.client;

/**
 * When a writer signs. Signing late is cheap; until then the server cannot prove a record. While
 * the capsule moves to other servers every batch is signed, whatever the policy: only what is
 * proven is brought from server to server.
 */
public sealed interface SigningPolicy {
  /** Every record. */
  record Each() implements SigningPolicy {}

  /** The last record of every batch that is sent. */
  record EachBatch() implements SigningPolicy {}

  /** Every {@code records}-th record. */
  record EveryN(int records) implements SigningPolicy {
    /** Checks the number. */
    public EveryN {
      if (records < 1) {
        throw new IllegalArgumentException("signing every n records needs n of 1 or more");
      }
    }
  }

  /**
   * The newest record once {@code millis} have gone by since the last signature: with the next
   * append, or by a timer, which also sends what has been appended.
   */
  record EveryT(long millis) implements SigningPolicy {
    /** Checks the time. */
    public EveryT {
      if (millis < 1) {
        throw new IllegalArgumentException("signing every t milliseconds needs t of 1 or more");
      }
    }
  }

  /** Only when {@link CapsuleWriter#sign} is called, and when the writer closes. */
  record OnDemand() implements SigningPolicy {}
}
