package holdfast.node.replication;

import holdfast.base.HoldfastException;
import holdfast.wire.Frame;
import io.grpc.stub.CallStreamObserver;
import io.grpc.stub.ClientCallStreamObserver;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** What one side of a meeting says on its stream, until it has said its last. */
final class Line {
  /** How long a peer may take to end a stream when the round is over. */
  private static final long LINGER_SECONDS = 10;

  private final CallStreamObserver<Frame> stream;
  private final ScheduledExecutorService timer;
  private volatile @Nullable ScheduledFuture<?> hangingUp;
  private boolean silent;

  /** Nothing is said yet. */
  Line(CallStreamObserver<Frame> stream, ScheduledExecutorService timer) {
    this.stream = stream;
    this.timer = timer;
  }

  /** Asks for the peer's next frame. */
  void request() {
    stream.request(1);
  }

  /** Says a message, in as many frames as it takes; nothing when the last has been said. */
  synchronized void send(byte[] message) {
    if (!silent) {
      Frames.split(message, stream::onNext);
    }
  }

  /** Says why it is over, and no more. */
  synchronized void refuse(HoldfastException reason) {
    if (!silent) {
      silent = true;
      stream.onNext(Frames.error(reason));
      stream.onCompleted();
    }
  }

  /** Says no more. */
  synchronized void complete() {
    if (!silent) {
      silent = true;
      stream.onCompleted();
    }
  }

  /** Says no more on a stream that the peer has opened: it would wait for that. */
  void completeIfAnswering() {
    if (!(stream instanceof ClientCallStreamObserver<Frame>)) {
      complete();
    }
  }

  /** Ends a stream that this side has opened, in a while, should the peer not do so. */
  void hangUp() {
    if (stream instanceof ClientCallStreamObserver<Frame> opened) {
      try {
        hangingUp = timer.schedule(() -> cancel(opened, null), LINGER_SECONDS, TimeUnit.SECONDS);
      } catch (RejectedExecutionException e) {
        // This server is stopping.
        cancel(opened, e);
      }
    }
  }

  /** Breaks the stream off; nothing can be said on it from then on. */
  private synchronized void cancel(
      ClientCallStreamObserver<Frame> opened, @Nullable Throwable cause) {
    silent = true;
    opened.cancel("the round is over", cause);
  }

  /** The peer has ended the stream, or it broke: nothing has to be done for that any more. */
  void ended() {
    ScheduledFuture<?> waiting = hangingUp;
    if (waiting != null) {
      waiting.cancel(false);
    }
  }
}
