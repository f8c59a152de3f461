package holdfast.device;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What a device last heard of keys, kept in a file of bounded size for when the edge is away. It is
 * no more than a memory: it is not synced, and a file that cannot be read is begun anew.
 *
 * <p>File: entries as in the queue, each holding u64 time ‖ operation; the last of a key counts.
 * What was learnt first is forgotten first.
 */
final class Remembered implements AutoCloseable {
  private static final String FILE = "remembered";
  private static final String NEW_FILE = "remembered.new";
  private static final String MAGIC = "HFKNOWN1";
  private static final int FACT = 1;

  /** A fact about a key. */
  record Fact(long timeMillis, Operation operation) {}

  private record Place(long offset, int size) {}

  private final QueueFolder folder;
  private final long maxBytes;
  private final Map<String, Place> places = new LinkedHashMap<>();
  private QueueFile file;
  private long liveBytes;

  Remembered(QueueFolder folder, long maxBytes) throws IOException {
    this.folder = folder;
    this.maxBytes = maxBytes;
    folder.delete(NEW_FILE);
    this.file = load();
  }

  private QueueFile load() throws IOException {
    if (folder.exists(FILE)) {
      DiskFile disk = folder.open(FILE);
      QueueFile found = QueueFile.bareOf(disk);
      if (found.end() >= MAGIC.length()
          && new String(found.read(0, MAGIC.length()), StandardCharsets.US_ASCII).equals(MAGIC)) {
        long at = MAGIC.length();
        try {
          while (at + QueueFile.OVERHEAD <= found.end()) {
            int size = ByteBuffer.wrap(found.read(at, 4)).getInt() + QueueFile.OVERHEAD;
            if (size < QueueFile.OVERHEAD || at + size > found.end()) {
              break;
            }
            Fact fact = decode(found.payload(at, size));
            note(fact.operation(), at, size);
            at += size;
          }
        } catch (MalformedException e) {
          // Torn or altered: what stands before it is kept, the rest is learnt again.
        }
        disk.truncate(at);
        return QueueFile.bareOf(disk);
      }
      found.close();
    }
    QueueFile made = QueueFile.bare(folder.create(FILE));
    made.appendRaw(MAGIC.getBytes(StandardCharsets.US_ASCII));
    return made;
  }

  private static Fact decode(byte[] payload) throws MalformedException {
    if (payload.length < 8) {
      throw new MalformedException("a fact ends early");
    }
    return new Fact(
        Math.max(0, ByteBuffer.wrap(payload).getLong()),
        Operation.decode(payload, 8, payload.length - 8));
  }

  private static String name(String space, String key) {
    return space + "/" + key;
  }

  private void note(Operation operation, long offset, int size) {
    String name = name(operation.space(), operation.key());
    Place before = places.remove(name);
    liveBytes += size - (before == null ? 0 : before.size());
    places.put(name, new Place(offset, size));
  }

  /** Keeps that a key has this value, or none, as heard at a time. */
  synchronized void learn(Operation operation, long timeMillis) throws IOException {
    byte[] payload = new byte[8 + operation.encodedSize()];
    ByteBuffer out = ByteBuffer.wrap(payload).putLong(Math.max(0, timeMillis));
    operation.encode(out);
    if (payload.length + QueueFile.OVERHEAD > maxBytes / 2) {
      return;
    }
    long offset = file.append(FACT, payload);
    note(operation, offset, payload.length + QueueFile.OVERHEAD);
    if (file.end() > maxBytes) {
      shrink();
    }
  }

  /** What was last heard of a key. */
  synchronized Optional<Fact> recall(String space, String key) throws IOException {
    Place place = places.get(name(space, key));
    if (place == null) {
      return Optional.empty();
    }
    try {
      return Optional.of(decode(file.payload(place.offset(), place.size())));
    } catch (MalformedException e) {
      places.remove(name(space, key));
      liveBytes -= place.size();
      return Optional.empty();
    }
  }

  /** Makes the file anew with the latest half of what it may hold. */
  private void shrink() throws IOException {
    QueueFile made = QueueFile.bare(folder.create(NEW_FILE));
    made.appendRaw(MAGIC.getBytes(StandardCharsets.US_ASCII));
    Map<String, Place> kept = new LinkedHashMap<>();
    long bytes = 0;
    for (Map.Entry<String, Place> one : places.entrySet()) {
      liveBytes -= one.getValue().size();
      if (liveBytes <= maxBytes / 2) {
        long offset = made.end();
        made.appendRaw(file.read(one.getValue().offset(), one.getValue().size()));
        kept.put(one.getKey(), new Place(offset, one.getValue().size()));
        bytes += one.getValue().size();
      }
    }
    folder.rename(NEW_FILE, FILE);
    file.close();
    file = made;
    places.clear();
    places.putAll(kept);
    liveBytes = bytes;
  }

  synchronized long diskBytes() {
    return file.end();
  }

  @Override
  public synchronized void close() throws IOException {
    file.close();
  }
}
