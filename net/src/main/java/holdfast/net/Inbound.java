package holdfast.net;

import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.ServerStreamTracer;
import io.grpc.Status;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * What one stream holds of messages that are coming in, or have come in and are not handled yet. A
 * message may have many megabytes and takes its time, so that many streams together could hold more
 * than there is memory: all of them share one budget, and a stream whose message goes beyond it is
 * told so.
 *
 * <p>Messages below {@value #SMALL} bytes are never refused, and cost nothing here.
 */
public final class Inbound extends ServerStreamTracer {
  static final int SMALL = 64 << 10;

  private static final Context.Key<Inbound> KEY = Context.key("holdfast.inbound");

  private final Budget budget;
  private final AtomicLong held = new AtomicLong();
  private final AtomicLong charged = new AtomicLong();
  private final AtomicBoolean refused = new AtomicBoolean();
  private volatile @Nullable Runnable onOverflow;

  private Inbound(Budget budget) {
    this.budget = budget;
  }

  /** The budget that all streams of a port share. */
  static final class Budget extends Factory {
    private final long bytes;
    private final AtomicLong held = new AtomicLong();

    Budget(long bytes) {
      this.bytes = bytes;
    }

    /** Bytes held of messages that are not small. */
    long held() {
      return held.get();
    }

    @Override
    public ServerStreamTracer newServerStreamTracer(String method, Metadata headers) {
      return new Inbound(this);
    }
  }

  /** That of the stream being opened. */
  public static Inbound current() {
    Inbound current = KEY.get();
    if (current == null) {
      throw new IllegalStateException("no stream is being opened on this thread");
    }
    return current;
  }

  /**
   * Says what ends the stream when its message goes beyond the budget; called once at most, on a
   * thread of the network that must not wait.
   */
  public void onOverflow(Runnable end) {
    onOverflow = end;
  }

  /** Says that the message that came last was handled. */
  public void handled() {
    if (held.get() > 0) {
      held.set(0);
      budget.held.addAndGet(-charged.getAndSet(0));
    }
  }

  @Override
  public Context filterContext(Context context) {
    return context.withValue(KEY, this);
  }

  @Override
  public void inboundWireSize(long bytes) {
    if (bytes < 0) {
      // So gRPC says that it was on no wire: it comes from this very process.
      return;
    }
    long mine = held.addAndGet(bytes);
    if (mine < SMALL || refused.get()) {
      return;
    }
    long more = mine - charged.get();
    charged.addAndGet(more);
    Runnable end = onOverflow;
    if (budget.held.addAndGet(more) > budget.bytes
        && end != null
        && refused.compareAndSet(false, true)) {
      // At once, not when the stream is closed: until then the honest would be refused as well.
      handled();
      end.run();
    }
  }

  @Override
  public void streamClosed(Status status) {
    handled();
  }
}
