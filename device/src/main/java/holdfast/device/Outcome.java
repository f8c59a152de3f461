package holdfast.device;

import java.util.List;

/** How an attempt to bring something to the edge ended. */
sealed interface Outcome {
  /** The edge has taken the batch, now or before. */
  record Taken(long last) implements Outcome {}

  /** The edge said what it has taken of this queue: up to {@code last}, 0 for nothing. */
  record Told(long last) implements Outcome {}

  /** No answer, or one that makes no sense: nobody knows whether the edge took it. */
  record Unreachable(String reason) implements Outcome {}

  /** The edge asks to come again later; 0 when it does not say when. */
  record Busy(String reason, long retryAfterMillis) implements Outcome {}

  /** 409: the edge took other contents under these numbers. */
  record Conflict(String reason, long last) implements Outcome {}

  /** The edge takes the batch without these operations only; they were set aside. */
  record Rejected(String reason, List<Operation> operations) implements Outcome {
    public Rejected {
      operations = List.copyOf(operations);
    }
  }

  /** 401 or 403: the credentials, or the rights, do not suffice. */
  record Denied(String reason) implements Outcome {}

  /** Any other refusal, which sending again will not change soon. */
  record Refused(String reason) implements Outcome {}
}
