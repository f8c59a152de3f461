package holdfast.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.client.CapsuleWriter;
import holdfast.client.ReplicaState;
import holdfast.client.Replicas;
import holdfast.client.ReplicationOptions;
import holdfast.client.WriteResult;
import holdfast.client.WriterOptions;
import holdfast.crypto.VerifyKey;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Writes to all members of a placement without end, a few records at a time, and tells the workload
 * of every record that enough of them have signed for. A batch that is not acknowledged ends it.
 */
final class ReplicatedStream {
  static final int NEEDED = 2;
  private static final int TICK_MILLIS = 25;
  private static final int MOST_RECORDS = 5;

  private final Workload workload;
  private final CapsuleWriter writer;
  private final Random random;
  private final ScheduledExecutorService thread =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().daemon().name("stream").factory());

  /** The place of each record in the stream, from 1. */
  private final Map<Hash, Integer> places = new ConcurrentHashMap<>();

  /** For each member, the last record in the stream that it has signed for. */
  private final Map<VerifyKey, Integer> newest = new ConcurrentHashMap<>();

  private final ScheduledFuture<?> ticking;
  private final AtomicInteger appended = new AtomicInteger();
  private final AtomicInteger acknowledged = new AtomicInteger();
  private volatile long longestPauseNanos;
  private long lastNanos = System.nanoTime();
  private volatile @Nullable Throwable failure;

  ReplicatedStream(Workload workload, Replicas replicas, long seed) throws ProofException {
    this.workload = workload;
    this.random = new Random(seed);
    this.writer =
        workload.openWriter(
            replicas, WriterOptions.defaults(), ReplicationOptions.majority().withNeeded(NEEDED));
    writer.onResult(this::settled);
    writer.onAcknowledged(stored -> {
      VerifyKey by = stored.receipt().server();
      stored.names().forEach(name -> newest.merge(by, places.getOrDefault(name, 0), Math::max));
    });
    ticking = thread.scheduleWithFixedDelay(this::write, 0, TICK_MILLIS, TimeUnit.MILLISECONDS);
  }

  private void write() {
    try {
      for (int i = random.nextInt(MOST_RECORDS); i >= 0; i--) {
        places.put(workload.append(writer), appended.get() + 1);
        appended.incrementAndGet();
      }
      writer.send();
    } catch (Throwable e) {
      failure = e;
      thread.shutdown();
    }
  }

  private void settled(WriteResult result) {
    if (!(result instanceof WriteResult.Replicated replicated)) {
      throw new AssertionError("a batch was not acknowledged by " + NEEDED + ": " + result);
    }
    long servers =
        replicated.acknowledgements().stream()
            .map(stored -> stored.receipt().server())
            .distinct()
            .count();
    assertThat(servers).as("distinct servers that signed").isGreaterThanOrEqualTo(NEEDED);
    workload.promise(result.names());
    acknowledged.addAndGet(result.names().size());
    long now = System.nanoTime();
    longestPauseNanos = Math.max(longestPauseNanos, now - lastNanos);
    lastNanos = now;
  }

  /** Records appended so far. */
  int appended() {
    return appended.get();
  }

  /** Records that two servers have signed for, so far. */
  int acknowledged() {
    return acknowledged.get();
  }

  /** The longest time in which nothing was acknowledged, in nanoseconds. */
  long longestPauseNanos() {
    return longestPauseNanos;
  }

  /** Fails when writing has ended. */
  void requireRunning() {
    Throwable why = failure;
    if (why != null) {
      throw new AssertionError("writing has ended", why);
    }
  }

  /** Whether records appended after a place were acknowledged by enough servers. */
  boolean wentOn(int place) {
    requireRunning();
    return acknowledged.get() > place;
  }

  /** Whether every member has signed for something that was appended after a place. */
  boolean allFollow(int place) {
    requireRunning();
    return newest.size() == FaultyReplicas.COUNT
        && newest.values().stream().allMatch(last -> last > place);
  }

  /** Whether a member has said lately that its disk is full. */
  boolean diskFull(VerifyKey member) {
    requireRunning();
    return writer.replicas().stream()
        .filter(state -> state.member().identity().equals(member))
        .anyMatch(state ->
            state.failure() instanceof HoldfastException e && e.code() == ErrorCode.DISK_FULL);
  }

  /** How the members stand, for a message. */
  String standing() {
    StringBuilder text = new StringBuilder();
    for (ReplicaState state : writer.replicas()) {
      text.append(state.member().address())
          .append(' ')
          .append(state.standing())
          .append(", acknowledged ")
          .append(state.acknowledged())
          .append(", missed ")
          .append(state.missed())
          .append(", ")
          .append(state.failure())
          .append('\n');
    }
    return text.toString();
  }

  /** Ends, after everything that was appended has been acknowledged. */
  void end() throws Exception {
    ticking.cancel(false);
    thread.shutdown();
    if (!thread.awaitTermination(1, TimeUnit.MINUTES)) {
      throw new AssertionError("the writer waits and waits: " + standing());
    }
    if (failure == null) {
      writer.close();
    }
  }
}
