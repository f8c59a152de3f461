package holdfast.sync;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.ProofException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/** Two reconcilers and the messages between them, which somebody may alter. */
final class Exchange {
  /** No exchange of a test's small sets takes more. */
  private static final int MESSAGES_MOST = 10_000;

  @SuppressWarnings("ArrayRecordComponent") // handed over, not compared
  private record Message(boolean toInitiator, byte[] bytes) {}

  final Reconciler initiator;
  final Reconciler other;
  final List<byte[]> messages = new ArrayList<>();
  private final ArrayDeque<Message> way = new ArrayDeque<>();
  private long bytes;
  private int largest;

  Exchange(Reconciler initiator, Reconciler other) {
    this.initiator = initiator;
    this.other = other;
  }

  /** Runs until nothing is on its way any more. */
  void run() throws ProofException {
    run(at -> null);
  }

  /** Runs with another message in place of number {@code n}, where there is one for n. */
  void run(IntFunction<byte[]> altered) throws ProofException {
    initiator.begin(sent -> carry(true, sent));
    other.begin(sent -> carry(false, sent));
    for (Message next = way.poll(); next != null; next = way.poll()) {
      byte[] other = altered.apply(messages.size());
      byte[] message = other == null ? next.bytes : other;
      messages.add(message);
      assertThat(messages.size()).as("messages").isLessThan(MESSAGES_MOST);
      if (next.toInitiator) {
        initiator.receive(message, sent -> carry(true, sent));
      } else {
        this.other.receive(message, sent -> carry(false, sent));
      }
    }
  }

  private void carry(boolean fromInitiator, byte[] message) {
    bytes += message.length;
    largest = Math.max(largest, message.length);
    way.add(new Message(!fromInitiator, message));
    assertThat(way.size()).as("messages on their way at once").isLessThan(4);
  }

  /** Bytes of all messages, as they were sent. */
  long bytes() {
    return bytes;
  }

  /** Bytes of the largest message. */
  int largest() {
    return largest;
  }
}
