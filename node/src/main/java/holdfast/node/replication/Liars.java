package holdfast.node.replication;

import com.google.protobuf.UnsafeByteOperations;
import holdfast.base.Hash;
import holdfast.crypto.VerifyKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What peers sent that was false, kept in a file so that a restart forgets none of it. There is a
 * limit for each peer and one for all, and the oldest of the peer of which most is kept goes first:
 * a peer that lies all the time fills neither disk nor memory, and pushes out nothing but its own.
 *
 * <p>A line of the file is: milliseconds since 1970, capsule, key of the peer, what it did. It is
 * for whoever operates the server; that a peer lied can be shown to nobody by it.
 */
public final class Liars {
  private static final Logger LOG = LoggerFactory.getLogger(Liars.class);
  private static final int KEPT = 256;
  private static final int KEPT_OF_ONE = 32;
  private static final int TEXT = 400;

  private final Path file;
  private final ArrayDeque<Lie> lies = new ArrayDeque<>();

  /**
   * Something false that a peer sent.
   *
   * @param what in words, on one line
   */
  public record Lie(long timeMillis, Hash capsule, VerifyKey peer, String what) {
    /** The same for a client. */
    public holdfast.wire.Lie toStatus() {
      return holdfast.wire.Lie.newBuilder()
          .setMillis(timeMillis)
          .setCapsule(UnsafeByteOperations.unsafeWrap(capsule.toBytes()))
          .setPeer(UnsafeByteOperations.unsafeWrap(peer.bytes().toArray()))
          .setWhat(what)
          .build();
    }
  }

  /** What is kept in a file, which need not be there. */
  public Liars(Path file) {
    this.file = file;
    try {
      if (Files.exists(file)) {
        Files.readAllLines(file).forEach(this::load);
      }
    } catch (IOException e) {
      LOG.error("what is kept of peers that lied cannot be read: {}", e.getMessage());
    }
  }

  private void load(String line) {
    String[] parts = line.split(" ", 4);
    try {
      add(
          new Lie(
              Long.parseLong(parts[0]), Hash.parse(parts[1]), VerifyKey.parse(parts[2]), parts[3]));
    } catch (IllegalArgumentException | ArrayIndexOutOfBoundsException e) {
      LOG.warn("a line of {} cannot be read and is left out", file);
    }
  }

  private void add(Lie lie) {
    lies.addLast(lie);
    Map<VerifyKey, Integer> counts = new HashMap<>();
    lies.forEach(one -> counts.merge(one.peer(), 1, Integer::sum));
    int most = Collections.max(counts.values());
    if (lies.size() > KEPT || most > KEPT_OF_ONE) {
      // The oldest of a peer of which most is kept.
      for (Iterator<Lie> oldest = lies.iterator(); oldest.hasNext(); ) {
        if (counts.getOrDefault(oldest.next().peer(), 0) == most) {
          oldest.remove();
          break;
        }
      }
    }
  }

  /** Keeps what a peer did. */
  synchronized void note(long timeMillis, Hash capsule, VerifyKey peer, String what) {
    String line = what.replaceAll("\\p{Cntrl}", " ");
    add(new Lie(timeMillis, capsule, peer, line.substring(0, Math.min(TEXT, line.length()))));
    StringBuilder text = new StringBuilder();
    for (Lie lie : lies) {
      text.append(lie.timeMillis())
          .append(' ')
          .append(lie.capsule())
          .append(' ')
          .append(lie.peer())
          .append(' ')
          .append(lie.what())
          .append('\n');
    }
    Path draft = file.resolveSibling(file.getFileName() + ".new");
    try {
      try (FileChannel out =
          FileChannel.open(
              draft,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE)) {
        ByteBuffer bytes = ByteBuffer.wrap(text.toString().getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
          out.write(bytes);
        }
        out.force(true);
      }
      Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      LOG.error("that a peer lied is noted in memory only: {}", e.getMessage());
    }
  }

  /** Everything that is kept, oldest first. */
  public synchronized List<Lie> all() {
    return List.copyOf(lies);
  }

  /** What is kept of a peer of a capsule, oldest first. */
  synchronized List<Lie> of(Hash capsule, VerifyKey peer) {
    return lies.stream()
        .filter(lie -> lie.capsule().equals(capsule) && lie.peer().equals(peer))
        .toList();
  }
}
