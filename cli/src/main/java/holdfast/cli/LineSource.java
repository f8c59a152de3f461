package holdfast.cli;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The lines of a stream, read by a thread of its own, so that lines already read need not wait for
 * those to come. A line is any bytes up to a newline, which is not part of it. One that is too long
 * is cut, to one byte more than there may be.
 */
final class LineSource implements AutoCloseable {
  private static final int CHUNK_BYTES = 1 << 16;
  private static final int CHUNKS = 32;

  /** Lines in order; the last chunk says that nothing follows, or why. */
  private record Chunk(List<byte[]> lines, boolean last, @Nullable IOException failure) {}

  private final BlockingQueue<Chunk> chunks = new ArrayBlockingQueue<>(CHUNKS);
  private final Thread thread;
  private final int mostBytes;
  private boolean ended;

  LineSource(InputStream in, int mostBytes) {
    this.mostBytes = mostBytes;
    this.thread = Thread.ofPlatform().daemon().name("holdfast-lines").start(() -> read(in));
  }

  private void read(InputStream in) {
    try {
      try {
        readLines(in);
      } catch (IOException e) {
        chunks.put(new Chunk(List.of(), true, e));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void readLines(InputStream in) throws IOException, InterruptedException {
    byte[] buffer = new byte[CHUNK_BYTES];
    ByteArrayOutputStream begun = new ByteArrayOutputStream();
    int count;
    while ((count = in.read(buffer)) > 0) {
      List<byte[]> lines = new ArrayList<>();
      int start = 0;
      for (int i = 0; i < count; i++) {
        if (buffer[i] == '\n') {
          add(begun, buffer, start, i);
          lines.add(begun.toByteArray());
          begun.reset();
          start = i + 1;
        }
      }
      add(begun, buffer, start, count);
      if (!lines.isEmpty()) {
        chunks.put(new Chunk(lines, false, null));
      }
    }
    chunks.put(new Chunk(begun.size() > 0 ? List.of(begun.toByteArray()) : List.of(), true, null));
  }

  private void add(ByteArrayOutputStream begun, byte[] from, int start, int end) {
    begun.write(from, start, Math.min(end - start, mostBytes + 1 - begun.size()));
  }

  /** Whether a line was cut, since it has more bytes than there may be. */
  boolean tooLong(byte[] line) {
    return line.length > mostBytes;
  }

  /** Whether all lines have been returned. */
  boolean ended() {
    return ended;
  }

  /** The next lines; empty when none came in time, and at the end. */
  List<byte[]> next(long timeoutMillis) throws IOException, InterruptedException {
    Chunk chunk = ended ? null : chunks.poll(timeoutMillis, TimeUnit.MILLISECONDS);
    if (chunk == null) {
      return List.of();
    }
    if (chunk.failure() != null) {
      throw chunk.failure();
    }
    ended = chunk.last();
    return chunk.lines();
  }

  @Override
  public void close() {
    thread.interrupt();
  }
}
