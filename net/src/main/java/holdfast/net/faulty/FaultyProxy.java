package holdfast.net.faulty;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.net.Endpoint;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;

/**
 * Passes everything that arrives at one port on to another, with the faults it is told to have.
 *
 * <p>A connection is accepted at once and made to the target when the way there is open; if the
 * target refuses, it is reset.
 */
public final class FaultyProxy implements AutoCloseable {
  /** Connections at once at most; more are reset. */
  private static final int MAX_CONNECTIONS = 1024;

  private static final long RETRY_NANOS = 1_000_000;

  private final ServerSocketChannel listening;
  private final Endpoint endpoint;
  private final InetSocketAddress target;
  private final Way toTarget = new Way();
  private final Way fromTarget = new Way();
  private final Set<Passage> passages = ConcurrentHashMap.newKeySet();

  /** A direction, as seen from whoever connects. */
  public enum Direction {
    TO_TARGET,
    FROM_TARGET
  }

  private FaultyProxy(ServerSocketChannel listening, Endpoint listen, Endpoint target)
      throws IOException {
    this.listening = listening;
    InetSocketAddress bound = (InetSocketAddress) listening.getLocalAddress();
    this.endpoint = new Endpoint(listen.host(), bound.getPort());
    this.target = target.socketAddress();
  }

  /**
   * Begins to forward; without faults at first.
   *
   * @param listen where to listen; port 0 for any that is free
   * @param target where everything goes
   */
  public static FaultyProxy forward(Endpoint listen, Endpoint target) {
    ServerSocketChannel listening = null;
    try {
      listening = ServerSocketChannel.open();
      listening.setOption(StandardSocketOptions.SO_REUSEADDR, true);
      listening.bind(listen.socketAddress());
      FaultyProxy proxy = new FaultyProxy(listening, listen, target);
      Thread.ofVirtual().name("holdfast-proxy-accept").start(proxy::accept);
      return proxy;
    } catch (IOException e) {
      if (listening != null) {
        close(listening);
      }
      throw new HoldfastException(
          ErrorCode.INVALID, "cannot listen on " + listen + ": " + e.getMessage(), e);
    }
  }

  private void accept() {
    while (listening.isOpen()) {
      try {
        SocketChannel near = listening.accept();
        near.setOption(StandardSocketOptions.TCP_NODELAY, true);
        Passage[] made = new Passage[1];
        made[0] = new Passage(near, toTarget, fromTarget, () -> passages.remove(made[0]));
        passages.add(made[0]);
        if (passages.size() > MAX_CONNECTIONS || !listening.isOpen()) {
          made[0].close(true);
        } else {
          made[0].start(target);
        }
      } catch (IOException e) {
        // Whoever connected is gone again, the process has too many files open, or this was closed.
        LockSupport.parkNanos(RETRY_NANOS);
      }
    }
  }

  /** Where it listens. */
  public Endpoint endpoint() {
    return endpoint;
  }

  /** What is wrong with a direction now. */
  public Faults faults(Direction direction) {
    return way(direction).faults();
  }

  /** From now on a direction has these faults, for open connections too. */
  public void set(Direction direction, Faults faults) {
    way(direction).set(faults);
  }

  /** From now on both directions have these faults. */
  public void set(Faults faults) {
    toTarget.set(faults);
    fromTarget.set(faults);
  }

  /** Resets all connections. New ones are taken. */
  public void cut() {
    passages.forEach(passage -> passage.close(true));
  }

  /** Bytes that have come out of a direction since the start. */
  public long bytes(Direction direction) {
    return way(direction).passed();
  }

  /** Connections that are open now. */
  public int connections() {
    return passages.size();
  }

  private Way way(Direction direction) {
    return switch (direction) {
      case TO_TARGET -> toTarget;
      case FROM_TARGET -> fromTarget;
    };
  }

  /** Listens no more and resets all connections. */
  @Override
  public void close() {
    close(listening);
    cut();
  }

  private static void close(ServerSocketChannel channel) {
    try {
      channel.close();
    } catch (IOException e) {
      // It is closed, then.
    }
  }
}
