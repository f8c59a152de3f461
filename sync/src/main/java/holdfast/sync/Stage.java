package holdfast.sync;

import holdfast.base.ProofException;
import holdfast.base.Violation;

/** The stages of a {@link Round}, which tells what each is for. */
enum Stage {
  HELLO,
  STATEMENTS,
  SINCE,
  DIFFERENCE,
  PUSH,
  LATE,
  VERDICT,
  ENDS,
  OVER;

  /** Whether a message of the peer belongs to this stage. */
  boolean takes(Message message) {
    return switch (message) {
      case Message.Hello hello -> this == HELLO;
      case Message.StatementNames names -> this == STATEMENTS;
      case Message.Statements statements -> this == STATEMENTS;
      case Message.Ready ready -> this == STATEMENTS;
      case Message.Since since -> this == SINCE;
      case Message.Difference difference -> this == DIFFERENCE;
      case Message.Push push -> this == PUSH;
      case Message.Taken taken -> this == PUSH;
      case Message.PushEnd end -> this == PUSH;
      case Message.Late late -> this == LATE;
      case Message.Verdict verdict -> this == VERDICT;
      case Message.Ends ends -> this == ENDS;
      case Message.Wanted wanted -> this == ENDS;
      case Message.Stop stop -> true;
    };
  }

  /** What a peer is guilty of that sends such a message now. */
  ProofException unexpected(Message message) {
    return new ProofException(
        Violation.MALFORMED,
        "the peer sent " + message.getClass().getSimpleName() + " in the stage " + this);
  }
}
