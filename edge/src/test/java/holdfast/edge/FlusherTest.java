package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import holdfast.base.Hash;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import holdfast.device.Batch;
import holdfast.device.DeviceKey;
import holdfast.device.Octets;
import holdfast.device.Operation;
import holdfast.testkit.Gen;
import holdfast.testkit.Patience;
import java.nio.file.Path;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The flusher over a capsule that fails: what is acknowledged is there, nothing is there twice, and
 * what cannot be done is said.
 */
@Timeout(Patience.TEST_SECONDS)
class FlusherTest {
  @TempDir Path folder;
  private final FaultyLog log = new FaultyLog();
  private View view;
  private Flusher flusher;

  @BeforeEach
  void start() {
    view = View.open(folder.resolve("view"));
    flusher = new Flusher(view, log, 4, 16 << 20);
    flusher.start();
  }

  @AfterEach
  void stop() {
    flusher.close();
    view.close();
  }

  private static Operation put(String key, String value) {
    return new Operation.Put(0, 0, "home", key, "", Octets.wrap(value.getBytes(UTF_8)));
  }

  private Outcome write(@Nullable String once, Operation... operations) {
    Ticket ticket = new Ticket();
    Task.Once repeatable =
        once == null ? null : new Task.Once(hash(once), hash(List.of(operations).toString()));
    flusher.submit(
        Task.Write.of(ticket, "ann", List.of(operations), Condition.none(), false, repeatable));
    return ticket.await(60_000);
  }

  private static Hash hash(String text) {
    return Sha256.get().hash(Domain.IDEMPOTENCY, text.getBytes(UTF_8));
  }

  private Problem.Code refused(@Nullable String once, Operation... operations) {
    return catchThrowableOfType(Problem.class, () -> write(once, operations)).code();
  }

  private String value(String key) {
    Version.Current current = view.get("home", key);
    return current == null ? "" : new String(current.value(), UTF_8);
  }

  private int versions(String key) {
    int[] count = new int[1];
    view.history("home", key, Long.MAX_VALUE, version -> ++count[0] > 0);
    return count[0];
  }

  @Test
  void whatWasDurableAndNotAnsweredIsThereOnceAndIsAnsweredWhenAskedAgain() {
    log.next(FaultyLog.Fault.LOST_BUT_DONE);
    assertThat(refused("key", put("a", "1"))).isEqualTo(Problem.Code.UNKNOWN);
    Outcome again = write("key", put("a", "1"));
    assertThat(again.repeated()).isTrue();
    assertThat(again.created()).isTrue();
    assertThat(value("a")).isEqualTo("1");
    assertThat(versions("a")).isEqualTo(1);
    assertThat(log.records()).isEqualTo(1);
  }

  @Test
  void whatWasLostIsMadeWhenAskedAgain() {
    log.next(FaultyLog.Fault.LOST_AND_NOT_DONE);
    assertThat(refused("key", put("a", "1"))).isEqualTo(Problem.Code.UNKNOWN);
    assertThat(write("key", put("a", "1")).repeated()).isFalse();
    assertThat(versions("a")).isEqualTo(1);
  }

  @Test
  void aFullDiskIsSaidAndReadsGoOn() {
    write(null, put("a", "1"));
    log.next(FaultyLog.Fault.DISK_FULL);
    Problem full = catchThrowableOfType(Problem.class, () -> write(null, put("a", "2")));
    assertThat(full.code()).isEqualTo(Problem.Code.DISK_FULL);
    assertThat(full.code().status()).isEqualTo(507);
    assertThat(full.retryAfterSeconds()).isPositive();
    assertThat(flusher.trouble()).contains("full");
    assertThat(value("a")).isEqualTo("1");
    write(null, put("a", "3"));
    assertThat(flusher.trouble()).isNull();
    assertThat(value("a")).isEqualTo("3");
  }

  @Test
  void whatDoesNotFitIntoTheQueueIsRefusedAtOnceAndTheRestIsDone() throws Exception {
    log.gate.acquire();
    CountDownLatch done = new CountDownLatch(5);
    boolean busy = false;
    List<Thread> threads = new ArrayList<>();
    // One is being written, four wait.
    for (int i = 0; i < 5; i++) {
      String key = "k" + i;
      threads.add(
          Thread.ofVirtual()
              .start(() -> {
                while (true) {
                  try {
                    write(null, put(key, "v"));
                    done.countDown();
                    return;
                  } catch (Problem problem) {
                    assertThat(problem.code()).isEqualTo(Problem.Code.BUSY);
                    Thread.onSpinWait();
                  }
                }
              }));
    }
    // As soon as the queue is full, the next is told so.
    while (!busy) {
      Ticket ticket = new Ticket();
      try {
        flusher.submit(
            Task.Write.of(ticket, "ann", List.of(put("x", "v")), Condition.none(), false, null));
      } catch (Problem problem) {
        assertThat(problem.code()).isEqualTo(Problem.Code.BUSY);
        assertThat(problem.retryAfterSeconds()).isPositive();
        busy = true;
      }
    }
    log.gate.release();
    done.await();
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(value("k4")).isEqualTo("v");
  }

  /** One is being written, the other waits behind it; both hear of it though nothing happens. */
  @Test
  @Timeout(Patience.TEST_SECONDS)
  void whoHasWaitedLongEnoughIsToldThatItIsNotKnown() throws Exception {
    log.gate.acquire();
    List<Problem.Code> told = new CopyOnWriteArrayList<>();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      String key = "k" + i;
      threads.add(
          Thread.ofVirtual()
              .start(() -> {
                Ticket ticket = new Ticket();
                flusher.submit(
                    Task.Write.of(
                        ticket, "ann", List.of(put(key, "v")), Condition.none(), false, null));
                try {
                  ticket.await(10);
                } catch (Problem problem) {
                  told.add(problem.code());
                }
              }));
      while (!log.gate.hasQueuedThreads()) {
        Thread.onSpinWait();
      }
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(told).containsExactly(Problem.Code.UNKNOWN, Problem.Code.UNKNOWN);
    log.gate.release();
    write(null, put("after", "v"));
    assertThat(value("k1")).isEqualTo("v");
  }

  /** What one asks for and cannot be fails by itself, not with all that share the record. */
  @Test
  void aMistakeFailsNobodyElsesChange() throws Exception {
    log.gate.acquire();
    Thread held = Thread.ofVirtual().start(() -> write(null, put("first", "v")));
    while (!log.gate.hasQueuedThreads()) {
      Thread.onSpinWait();
    }
    Ticket before = new Ticket();
    Ticket mistaken = new Ticket();
    Ticket after = new Ticket();
    flusher.submit(
        Task.Write.of(before, "ann", List.of(put("a", "1")), Condition.none(), false, null));
    flusher.submit(
        new Task.Administer(
            mistaken, flush -> new EdgeLeaf.SpaceLimits(flush.timeMillis(), "", "Home", 0, 0)));
    flusher.submit(
        Task.Write.of(after, "ann", List.of(put("b", "1")), Condition.none(), false, null));
    log.gate.release();
    held.join();
    before.await(60_000);
    after.await(60_000);
    assertThat(catchThrowableOfType(Problem.class, () -> mistaken.await(60_000)).code())
        .isEqualTo(Problem.Code.INVALID);
    assertThat(value("a")).isEqualTo("1");
    assertThat(value("b")).isEqualTo("1");
  }

  /** A list of operations whose size cannot be told when the flusher asks for it. */
  private static List<Operation> failing(int times, Operation operation) {
    AtomicInteger left = new AtomicInteger(times);
    return new AbstractList<>() {
      @Override
      public Operation get(int index) {
        return operation;
      }

      @Override
      public int size() {
        if (left.getAndDecrement() > 0) {
          throw new OutOfMemoryError("made up");
        }
        return 1;
      }
    };
  }

  /** What fails before a task is taken would end the flusher, and all who wait would wait on. */
  @Test
  void anErrorBeforeATaskIsTakenEndsNothing() {
    Ticket ticket = new Ticket();
    flusher.submit(
        new Task.Write(
            ticket, "ann", failing(1, put("a", "1")), Condition.none(), false, null, 100));
    ticket.await(60_000);
    assertThat(value("a")).isEqualTo("1");
    write(null, put("b", "1"));
    assertThat(value("b")).isEqualTo("1");
  }

  /** Whatever ends the flusher's thread: who waits hears of it, and who comes is refused. */
  @Test
  void whenTheFlusherEndsNobodyWaits() throws Exception {
    log.gate.acquire();
    Ticket held =
        new Ticket(() -> {
          throw new OutOfMemoryError("made up");
        });
    flusher.submit(
        Task.Write.of(held, "ann", List.of(put("a", "1")), Condition.none(), false, null));
    while (!log.gate.hasQueuedThreads()) {
      Thread.onSpinWait();
    }
    Ticket waiting = new Ticket();
    flusher.submit(
        Task.Write.of(waiting, "ann", List.of(put("b", "1")), Condition.none(), false, null));
    log.gate.release();
    // Told of success it fails, and told of that it fails again.
    assertThat(catchThrowableOfType(Problem.class, () -> waiting.await(60_000)).code())
        .isEqualTo(Problem.Code.STOPPING);
    assertThat(refused(null, put("c", "1"))).isEqualTo(Problem.Code.STOPPING);
    assertThat(flusher.trouble()).contains("writes no more");
  }

  @Test
  void manyTasksShareARecord() throws Exception {
    log.gate.acquire();
    List<Thread> threads = new ArrayList<>();
    threads.add(Thread.ofVirtual().start(() -> write(null, put("first", "v"))));
    while (!log.gate.hasQueuedThreads()) {
      Thread.onSpinWait();
    }
    for (int i = 0; i < 4; i++) {
      String key = "k" + i;
      threads.add(Thread.ofVirtual().start(() -> write(null, put(key, "v"))));
    }
    while (flusher.waiting() < 4) {
      Thread.onSpinWait();
    }
    log.gate.release();
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(log.records()).isEqualTo(2);
    assertThat(value("k3")).isEqualTo("v");
  }

  /** Trap: the same key twice in one flush keeps the last. */
  @Test
  void aBatchThatNamesAKeyTwiceKeepsTheLast() {
    write(null, put("a", "first"), put("a", "last"));
    assertThat(value("a")).isEqualTo("last");
    assertThat(view.space("home").keys()).isEqualTo(1);
    assertThat(view.space("home").bytes()).isEqualTo(5);
  }

  @Test
  void quotasCountKeysAndValues() {
    administer(new EdgeLeaf.SpaceLimits(0, "", "home", 10, 0));
    write(null, put("a", "123456789"));
    assertThat(refused(null, put("b", "1"))).isEqualTo(Problem.Code.QUOTA);
    write(null, put("a", "1"));
    write(null, put("b", "1"), put("c", "1"));
    assertThat(refused(null, put("a", "1"), put("d", "12345"))).isEqualTo(Problem.Code.QUOTA);
    assertThat(value("d")).isEmpty();
    write(null, new Operation.Delete(0, 0, "home", "b"), put("d", "1234"));
    assertThat(view.space("home").bytes()).isEqualTo(9);
  }

  @Test
  void aQuotaCountsForWhatComesBehindItInTheSameFlush() throws Exception {
    administer(new EdgeLeaf.SpaceLimits(0, "", "home", 10, 0));
    log.gate.acquire();
    Thread held = Thread.ofVirtual().start(() -> write(null, put("a", "1")));
    while (!log.gate.hasQueuedThreads()) {
      Thread.onSpinWait();
    }
    Ticket raised = new Ticket();
    flusher.submit(
        new Task.Administer(raised, flush -> new EdgeLeaf.SpaceLimits(0, "", "home", 100, 0)));
    Ticket written = new Ticket();
    flusher.submit(
        Task.Write.of(
            written, "ann", List.of(put("b", "x".repeat(50))), Condition.none(), false, null));
    log.gate.release();
    held.join();
    raised.await(60_000);
    written.await(60_000);
    assertThat(log.records()).isEqualTo(3);
    assertThat(view.space("home").bytes()).isEqualTo(53);
  }

  @Test
  void whatASpaceKeepsNoLongerIsForgottenByTheTimeOfTheRecords() {
    long day = 24L * 3600 * 1000;
    List<EdgeLeaf> old =
        List.of(
            new EdgeLeaf.SpaceLimits(0, "", "home", 0, day),
            new EdgeLeaf.Change("ann", "", put("old", "1")));
    long now = System.currentTimeMillis();
    ViewUpdate.apply(view, hash("1"), now - 2 * day, 1, old);
    // Nobody sees it any more, though nothing was written since.
    assertThat(view.get("home", "old")).isNull();
    assertThat(view.space("home").keys()).isEqualTo(1);
    ViewUpdate.apply(
        view, hash("2"), now, 2, List.of(new EdgeLeaf.Change("ann", "", put("new", "1"))));
    assertThat(view.space("home").keys()).isEqualTo(1);
    assertThat(view.space("home").bytes()).isEqualTo(4);
    assertThat(versions("old")).isZero();
    assertThat(value("new")).isEqualTo("1");
  }

  /** A clock that is years ahead for an hour must not cost what a space keeps for a day. */
  @Test
  void aClockThatJumpsYearsAheadMakesNothingForgotten() {
    long day = 24L * 3600 * 1000;
    AtomicLong ahead = new AtomicLong();
    long start = System.currentTimeMillis();
    EdgeClock clock = new EdgeClock(() -> start + ahead.get(), () -> 0, start - day);
    view.clock = clock;
    administer(new EdgeLeaf.SpaceLimits(0, "", "home", 0, 2 * day));
    write(null, put("a", "1"));
    ahead.set(3650 * day);
    write(null, put("b", "1"));
    assertThat(clock.trouble()).contains("3650 days");
    assertThat(value("a")).isEqualTo("1");
    assertThat(view.space("home").keys()).isEqualTo(2);
    assertThat(view.mark().timeMillis()).isLessThan(start + day);
    ahead.set(0);
    write(null, put("c", "1"));
    assertThat(clock.trouble()).isNull();
    assertThat(value("a")).isEqualTo("1");
  }

  /** What nobody sees any more must not keep a space full for ever. */
  @Test
  void whatHasExpiredMakesRoomUnderAQuota() {
    long day = 24L * 3600 * 1000;
    List<EdgeLeaf> old =
        List.of(
            new EdgeLeaf.SpaceLimits(0, "", "home", 10, day),
            new EdgeLeaf.Change("ann", "", put("old", "1234567")));
    ViewUpdate.apply(view, hash("1"), System.currentTimeMillis() - 2 * day, 1, old);
    assertThat(view.space("home").bytes()).isEqualTo(10);
    // As the value that has expired, under another key; and then no more than fits.
    write(null, put("new", "1234567"));
    assertThat(view.space("home").bytes()).isEqualTo(10);
    assertThat(view.space("home").keys()).isEqualTo(1);
    assertThat(refused(null, put("a", "1"))).isEqualTo(Problem.Code.QUOTA);
    assertThat(value("new")).isEqualTo("1234567");
    // What was forgotten is a new key when it comes again.
    write(null, new Operation.Delete(0, 0, "home", "new"));
    write(null, put("old", "7654321"));
    assertThat(view.space("home").bytes()).isEqualTo(10);
    assertThat(view.space("home").keys()).isEqualTo(1);
  }

  @Test
  void answersToIdempotencyKeysAreForgottenAfterADay() {
    long start = 1_000_000;
    List<EdgeLeaf> first =
        List.of(
            new EdgeLeaf.Answered("ann", hash("key"), hash("request"), 1),
            new EdgeLeaf.Change("ann", "", put("a", "1")));
    ViewUpdate.apply(view, hash("1"), start, 1, first);
    assertThat(view.answer("ann", hash("key"))).isNotNull();
    EdgeLeaf other = new EdgeLeaf.Change("ann", "", put("b", "1"));
    long day = ViewUpdate.ANSWERS_MILLIS;
    ViewUpdate.apply(view, hash("2"), start + day, 2, List.of(other));
    assertThat(view.answer("ann", hash("key"))).isNotNull();
    ViewUpdate.apply(view, hash("3"), start + day + 1, 3, List.of(other));
    assertThat(view.answer("ann", hash("key"))).isNull();
    // So is one that comes when the view knows that there is no older.
    EdgeLeaf again = new EdgeLeaf.Answered("ann", hash("key"), hash("request"), 1);
    long later = start + day + 2;
    ViewUpdate.apply(view, hash("4"), later, 4, List.of(again, other));
    ViewUpdate.apply(view, hash("5"), later + day, 5, List.of(other));
    assertThat(view.answer("ann", hash("key"))).isNotNull();
    ViewUpdate.apply(view, hash("6"), later + day + 1, 6, List.of(other));
    assertThat(view.answer("ann", hash("key"))).isNull();
    // A restored capsule may bring records in another order than that of their times.
    EdgeLeaf early = new EdgeLeaf.Answered("ann", hash("early"), hash("request"), 1);
    ViewUpdate.apply(view, hash("7"), later + 5, 7, List.of(early, other));
    ViewUpdate.apply(view, hash("8"), later + day + 6, 8, List.of(other));
    assertThat(view.answer("ann", hash("early"))).isNull();
  }

  private void administer(EdgeLeaf leaf) {
    Ticket ticket = new Ticket();
    flusher.submit(new Task.Administer(ticket, flush -> leaf));
    ticket.await(60_000);
  }

  /**
   * Clients that retry with idempotency keys, and a device that retries its batches, over faults.
   */
  @Test
  void nothingAcknowledgedIsLostAndNothingIsAppliedTwice() {
    Gen gen = new Gen(Long.getLong("holdfast.faultSeed", 11));
    DeviceKey key = DeviceKey.ofSeed(new byte[32]);
    administer(
        new EdgeLeaf.User(
            0, "", "ann", "x".repeat(60), List.of(new EdgeLeaf.Grant("home", Right.WRITE))));
    administer(
        new EdgeLeaf.Device(0, "ann", "sensor", key.publicKey(), Octets.wrap(new byte[64]), true));
    Octets queue = Octets.wrap(new byte[16]);
    Map<String, String> expected = new HashMap<>();
    Map<String, Integer> writes = new HashMap<>();
    for (int i = 1; i <= 300; i++) {
      for (int fault = gen.below(3); fault > 0; fault--) {
        log.next(
            gen.pick(
                List.of(
                    FaultyLog.Fault.LOST_BUT_DONE,
                    FaultyLog.Fault.LOST_AND_NOT_DONE,
                    FaultyLog.Fault.DISK_FULL)));
      }
      String name = "k" + gen.below(20);
      String value = "v" + i;
      boolean byDevice = gen.oneIn(3);
      String once = "once " + i;
      boolean acknowledged = false;
      while (!acknowledged) {
        try {
          if (byDevice) {
            batch(key, queue, i, name, value);
          } else {
            write(once, put(name, value));
          }
          acknowledged = true;
        } catch (Problem passing) {
          assertThat(passing.code()).isIn(Problem.Code.UNKNOWN, Problem.Code.DISK_FULL);
        }
      }
      expected.put(name, value);
      writes.merge(name, 1, Integer::sum);
    }
    expected.forEach((name, value) -> assertThat(value(name)).isEqualTo(value));
    writes.forEach((name, count) -> assertThat(versions(name)).isEqualTo(count));
  }

  private void batch(DeviceKey key, Octets queue, long sequence, String name, String value) {
    Operation operation =
        new Operation.Put(sequence, 0, "home", name, "", Octets.wrap(value.getBytes(UTF_8)));
    Batch batch = Batch.sign(key, queue, sequence, sequence, List.of(), List.of(operation));
    Ticket ticket = new Ticket();
    flusher.submit(new Task.DeviceWrite(ticket, "ann", "sensor", batch, 100));
    Objects.requireNonNull(ticket.await(60_000));
  }

  // ---- What was erased before the view had it
  // ----------------------------------------------------

  private static EdgeLeaf.User user(String name) {
    return new EdgeLeaf.User(0, "", name, "hash", List.of());
  }

  /** The record was stored, nobody knew, and then the owner erased it. */
  @Test
  void anErasureWhileTheViewIsBehindCostsNoUsersAndNoLimits() {
    administer(user("ann"));
    administer(new EdgeLeaf.SpaceLimits(0, "", "home", 100, 0));
    log.next(FaultyLog.Fault.LOST_BUT_DONE);
    assertThat(refused(null, put("a", "secret"))).isEqualTo(Problem.Code.UNKNOWN);
    log.erase();
    write(null, put("b", "1"));
    assertThat(view.users).containsOnlyKeys("ann");
    assertThat(view.space("home").quotaBytes()).isEqualTo(100);
    assertThat(value("a")).isEmpty();
    assertThat(value("b")).isEqualTo("1");
  }

  /** If what was erased ended a user, the user is gone. */
  @Test
  void aRemovalThatWasErasedWhileTheViewIsBehindHolds() {
    administer(user("ann"));
    administer(user("eve"));
    log.next(FaultyLog.Fault.LOST_BUT_DONE);
    assertThat(
            catchThrowableOfType(
                    Problem.class, () -> administer(new EdgeLeaf.User(0, "", "eve", "", List.of())))
                .code())
        .isEqualTo(Problem.Code.UNKNOWN);
    log.erase();
    write(null, put("b", "1"));
    assertThat(view.users).containsOnlyKeys("ann");
  }

  /** Its leaves are erased, and nothing else would be known of them when they are read again. */
  @Test
  void anEdgeThatIsKilledAfterItWroteIntoAnErasedTimeKeepsItsUsers() throws Exception {
    administer(user("ann"));
    log.next(FaultyLog.Fault.ERASED);
    assertThat(refused(null, put("a", "1"))).isEqualTo(Problem.Code.BUSY);
    Site.copy(folder.resolve("view"), folder.resolve("killed"));
    try (View killed = View.open(folder.resolve("killed"))) {
      assertThat(log.catchUp(killed)).isTrue();
      assertThat(killed.users).containsOnlyKeys("ann");
    }
  }
}
