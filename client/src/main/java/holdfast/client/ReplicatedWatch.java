package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A watch over a capsule that several servers keep. It follows one of them; when that is gone, or
 * gives something that does not hold, it goes on with the next, and passes over what it has given
 * already.
 *
 * <p>Each server numbers records as they came to it, so a place with one says nothing to another.
 * Therefore all are asked beforehand how many records they hold: their <em>marks</em>. Another
 * server is followed from its mark on. So that memory is bounded, marks are taken again after so
 * many records, and only names given since the marks before are remembered. A server that is
 * further behind than that may show records twice, or be the only one that never showed some. One
 * that could not be asked is taken up where the least of the others stood.
 *
 * <p>Not safe for use by several threads, nor beside other use of the reader.
 */
public final class ReplicatedWatch implements AutoCloseable {
  /** Begins with what is new. */
  static final long NEW = -1;

  private static final int REMEMBERED = 1 << 16;
  private static final long MARKING_MILLIS = 2000;

  private final ReplicatedReader reader;
  private final Hash capsule;

  /** How many records each server held before the last one, and at the last taking of marks. */
  private Map<Server, Long> marks;

  private Map<Server, Long> nextMarks;

  /** Names given since each of the two. */
  private Set<Hash> givenBefore = new HashSet<>();

  private Set<Hash> given = new HashSet<>();
  private final int remembered;

  private @Nullable CapsuleReader followed;
  private @Nullable Subscription subscription;

  ReplicatedWatch(ReplicatedReader reader, Hash capsule, long from) {
    this(reader, capsule, from, REMEMBERED);
  }

  /** The same, with marks taken again after so many records. */
  ReplicatedWatch(ReplicatedReader reader, Hash capsule, long from, int remembered) {
    this.reader = reader;
    this.capsule = capsule;
    this.remembered = remembered;
    this.marks = from == NEW ? taken() : Map.of(reader.servers().getFirst(), from);
    this.nextMarks = marks;
  }

  /** Asks all servers at once how many records they hold; who does not answer in time has none. */
  private Map<Server, Long> taken() {
    Map<Server, Long> found = new ConcurrentHashMap<>();
    List<Server> asked = reader.servers();
    CountDownLatch left = new CountDownLatch(asked.size());
    for (Server server : asked) {
      Thread.ofVirtual()
          .start(() -> {
            try (CapsuleReader one =
                server.openReader(capsule, List.of(), ReaderOptions.withoutCache())) {
              found.put(server, one.status().getCapsule().getRecords());
            } catch (HoldfastException | ProofException e) {
              // It is taken up where the others stood. Bad evidence shows again when it is
              // followed.
            } finally {
              left.countDown();
            }
          });
    }
    try {
      boolean all = left.await(MARKING_MILLIS, TimeUnit.MILLISECONDS);
      if (!all && found.isEmpty()) {
        left.await();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new HoldfastException(ErrorCode.UNREACHABLE, "interrupted while watching", e);
    }
    return Map.copyOf(found);
  }

  private long mark(Server server) {
    Long known = marks.get(server);
    // Of servers none of which could be asked, all that they have is new.
    return known != null
        ? known
        : marks.values().stream().mapToLong(Long::longValue).min().orElse(0);
  }

  /**
   * Waits for records. After a failure the same watch may be polled again.
   *
   * @return records that became proven; empty when the time is up
   * @throws ProofException when no server can be followed and one has given bad evidence
   * @throws HoldfastException when no server can be followed now, with what the first one said
   */
  public List<ReadResult> poll(long timeoutMillis) throws ProofException {
    List<ReadResult> fresh = new ArrayList<>();
    for (ReadResult result : reader.ask(one -> following(one).poll(timeoutMillis))) {
      if (!givenBefore.contains(result.name()) && given.add(result.name())) {
        fresh.add(result);
      }
    }
    if (given.size() >= remembered) {
      givenBefore = given;
      given = new HashSet<>();
      marks = nextMarks;
      nextMarks = taken();
    }
    return fresh;
  }

  private Subscription following(CapsuleReader one) throws ProofException {
    Subscription known = subscription;
    if (known != null && one.equals(followed)) {
      return known;
    }
    close();
    Subscription made = one.watch(mark(one.server()));
    followed = one;
    subscription = made;
    return made;
  }

  @Override
  public void close() {
    Subscription known = subscription;
    subscription = null;
    followed = null;
    if (known != null) {
      known.close();
    }
  }
}
