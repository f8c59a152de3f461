package holdfast.net.faulty;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadFactory;
import org.jspecify.annotations.Nullable;

/** One connection through a proxy: two sockets and a flow each way. */
final class Passage {
  private static final ThreadFactory THREADS =
      Thread.ofVirtual().name("holdfast-proxy-", 0).factory();

  private final SocketChannel near;
  private final Way toTarget;
  private final Way fromTarget;
  private final Runnable gone;
  private final List<Thread> threads = new ArrayList<>();
  private @Nullable SocketChannel far;
  private boolean closed;
  private int flowing = 2;
  private boolean broken;

  /**
   * A connection that was accepted.
   *
   * @param gone is run once when it is closed
   */
  Passage(SocketChannel near, Way toTarget, Way fromTarget, Runnable gone) {
    this.near = near;
    this.toTarget = toTarget;
    this.fromTarget = fromTarget;
    this.gone = gone;
  }

  /** Connects to the target, when the way there is open, and begins to pass things on. */
  void start(InetSocketAddress target) {
    run(() -> {
      try {
        toTarget.leave(System.nanoTime());
        SocketChannel connected = connect(target);
        if (connected != null) {
          flow(connected);
        } else {
          fromTarget.leave(System.nanoTime());
          close(true);
        }
      } catch (InterruptedException e) {
        close(true);
      }
    });
  }

  private static @Nullable SocketChannel connect(InetSocketAddress target) {
    try {
      SocketChannel connected = SocketChannel.open(target);
      connected.setOption(StandardSocketOptions.TCP_NODELAY, true);
      return connected;
    } catch (IOException e) {
      return null;
    }
  }

  private synchronized void flow(SocketChannel connected) {
    far = connected;
    if (closed) {
      close(connected, true);
      return;
    }
    for (Flow flow :
        List.of(
            new Flow(near, connected, toTarget, this::ended),
            new Flow(connected, near, fromTarget, this::ended))) {
      run(flow::read);
      run(flow::deliver);
    }
  }

  private synchronized void ended(boolean failed) {
    flowing--;
    broken |= failed;
    if (flowing == 0) {
      close(broken);
    }
  }

  private synchronized void run(Runnable work) {
    if (!closed) {
      Thread thread = THREADS.newThread(work);
      threads.add(thread);
      thread.start();
    }
  }

  /**
   * Ends it.
   *
   * @param abruptly whether both sides see a reset instead of an orderly end
   */
  synchronized void close(boolean abruptly) {
    if (closed) {
      return;
    }
    closed = true;
    close(near, abruptly);
    SocketChannel connected = far;
    if (connected != null) {
      close(connected, abruptly);
    }
    threads.forEach(Thread::interrupt);
    gone.run();
  }

  static void close(SocketChannel channel, boolean abruptly) {
    try {
      if (abruptly) {
        channel.setOption(StandardSocketOptions.SO_LINGER, 0);
      }
      channel.close();
    } catch (IOException e) {
      // It is closed, then.
    }
  }
}
