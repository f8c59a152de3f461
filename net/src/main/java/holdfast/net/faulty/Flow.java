package holdfast.net.faulty;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * What goes one way through one connection.
 *
 * <p>Two threads: one reads and takes its share of the bandwidth, one holds back what is under way
 * and writes it. While there is no delay and nothing is under way the first writes by itself.
 */
final class Flow {
  /** What one read takes at most. */
  private static final int READ_BYTES = 128 << 10;

  /** What is under way at most; then nothing more is read. */
  private static final int UNDER_WAY_BYTES = 64 << 20;

  /** Something under way: bytes, or without bytes the end, orderly or not. */
  private record Piece(@Nullable ByteBuffer bytes, long enteredNanos, boolean broken) {}

  /** Is told once when nothing more will come out of a flow. */
  interface Ended {
    void ended(boolean broken);
  }

  private final SocketChannel from;
  private final SocketChannel to;
  private final Way way;
  private final Ended ended;
  private final LinkedBlockingQueue<Piece> underWay = new LinkedBlockingQueue<>();
  private final Semaphore room = new Semaphore(UNDER_WAY_BYTES);
  private volatile boolean over;

  Flow(SocketChannel from, SocketChannel to, Way way, Ended ended) {
    this.from = from;
    this.to = to;
    this.way = way;
    this.ended = ended;
  }

  /** Reads until the end, or until the channel is closed. */
  void read() {
    ByteBuffer buffer = ByteBuffer.allocateDirect(READ_BYTES);
    try {
      while (from.read(buffer.clear()) >= 0 && !over) {
        pass(buffer.flip(), System.nanoTime());
      }
      finish(false);
    } catch (IOException e) {
      finish(true);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void pass(ByteBuffer buffer, long enteredNanos) throws InterruptedException {
    int limit = buffer.limit();
    while (buffer.hasRemaining() && !over) {
      int slice = way.enter(buffer.remaining());
      buffer.limit(buffer.position() + slice);
      boolean empty = room.availablePermits() == UNDER_WAY_BYTES;
      if (empty && way.faults().delayMillis() == 0) {
        way.leave(enteredNanos);
        write(buffer);
      } else {
        room.acquire(slice);
        ByteBuffer copy = ByteBuffer.allocate(slice).put(buffer).flip();
        underWay.add(new Piece(copy, System.nanoTime(), false));
      }
      buffer.limit(limit);
    }
  }

  private void write(ByteBuffer bytes) {
    int size = bytes.remaining();
    try {
      while (bytes.hasRemaining()) {
        to.write(bytes);
      }
      way.count(size);
    } catch (IOException e) {
      end(true);
    }
  }

  /** Nothing more comes in; what is under way still comes out first. */
  private void finish(boolean broken) {
    underWay.add(new Piece(null, System.nanoTime(), broken));
  }

  /** Writes what is under way, in its order, each piece when it is due. */
  void deliver() {
    try {
      while (!over) {
        Piece piece = underWay.take();
        way.leave(piece.enteredNanos());
        ByteBuffer bytes = piece.bytes();
        if (bytes == null) {
          if (!piece.broken()) {
            to.shutdownOutput();
          }
          end(piece.broken());
        } else {
          int size = bytes.remaining();
          write(bytes);
          room.release(size);
        }
      }
    } catch (IOException e) {
      end(true);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private synchronized void end(boolean broken) {
    if (over) {
      return;
    }
    over = true;
    if (broken) {
      // The flow that reads from this socket notices, and tells the other side in its own time.
      Passage.close(to, true);
    }
    ended.ended(broken);
  }
}
