package holdfast.store;

import static holdfast.store.StoreFixture.SMALL;
import static holdfast.store.StoreFixture.readProven;
import static holdfast.store.StoreFixture.submit;
import static holdfast.store.StoreFixture.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.store.StoreFixture.Outcome;
import holdfast.store.StoreFixture.Writer;
import holdfast.testkit.Patience;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.rocksdb.FlushOptions;

/** What happens when the disk fails or is full. */
class FailureTest {
  @TempDir Path folder;

  private final Writer writer = new Writer(1);

  @Test
  void afterTheMarkFailsNothingIsSyncedAndEveryBatchHearsOfIt() throws Exception {
    Path data = folder.resolve("data");
    Path after = folder.resolve("after");
    List<Record> durable = List.of(writer.record("a"), writer.record("b"));
    CapsuleStore store = CapsuleStore.open(data, SMALL);
    CountDownLatch stopped = new CountDownLatch(1);
    AtomicReference<String> why = new AtomicReference<>();
    store.onFailure(reason -> {
      why.set(reason);
      stopped.countDown();
    });
    write(store, writer, durable);
    StoredCapsule capsule = store.capsule(writer.name);
    store.breakMark();
    List<Outcome> outcomes = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      try {
        outcomes.add(submit(store, capsule, List.of(writer.record("lost " + i)), List.of()));
      } catch (HoldfastException e) {
        assertThat(e.code()).isEqualTo(ErrorCode.STOPPING);
      }
    }
    assertThat(stopped.await(Patience.SECONDS, TimeUnit.SECONDS)).isTrue();
    assertThat(why.get()).contains("cannot be made durable");
    for (Outcome outcome : outcomes) {
      assertThat(outcome.expectFailed().code()).isEqualTo(ErrorCode.STOPPING);
      assertThat(outcome.synced).isZero();
      assertThat(outcome.failures).isEqualTo(1);
      assertThat(outcome.received).isLessThanOrEqualTo(1);
    }
    assertThat(store.writable()).isFalse();
    assertThatThrownBy(() -> new Writer(2).create(store)).isInstanceOf(HoldfastException.class);
    assertThatThrownBy(() -> store.whenSynced(() -> {}, reason -> {}))
        .isInstanceOf(HoldfastException.class);
    for (Record record : durable) {
      readProven(capsule, writer, record.name());
    }
    StoreFixture.copy(data, after);
    store.close();
    for (Path left : List.of(data, after)) {
      try (CapsuleStore again = CapsuleStore.open(left, SMALL)) {
        for (Record record : durable) {
          readProven(again.capsule(writer.name), writer, record.name());
        }
      }
      StoreFixture.expectClean(left);
    }
  }

  /** Who waits for what will not be durable hears of it as a batch does. */
  @Test
  void whoWaitsForWhatIsVisibleHearsThatItIsNotDurable() throws Exception {
    CapsuleStore store = CapsuleStore.open(folder, SMALL);
    StoredCapsule capsule = writer.create(store);
    store.breakMark();
    CompletableFuture<HoldfastException> told = new CompletableFuture<>();
    Outcome outcome =
        new Outcome() {
          @Override
          public synchronized void received(List<Receipt.Entry> made) {
            // It is visible, and waits for no sync yet.
            store.whenSynced(
                () -> told.completeExceptionally(new AssertionError("durable")), told::complete);
          }
        };
    store.submit(new StoreBatch(capsule, List.of(writer.record("a")), List.of(), 512, outcome));
    assertThat(told.get(20, TimeUnit.SECONDS).code()).isEqualTo(ErrorCode.STOPPING);
    assertThat(outcome.expectFailed().code()).isEqualTo(ErrorCode.STOPPING);
    store.close();
  }

  @Test
  void anErrorInOneCompletionKeepsTheStopFromNobody() throws Exception {
    CapsuleStore store = CapsuleStore.open(folder, SMALL);
    Record record = writer.record("a");
    write(store, writer, List.of(record));
    StoredCapsule capsule = store.capsule(writer.name);
    CountDownLatch stopped = new CountDownLatch(1);
    store.onFailure(reason -> stopped.countDown());
    store.breakMark();
    // Something to be made durable that no batch waits for.
    capsule.keepPeerState(new byte[] {1}, new byte[] {2});
    Outcome planted =
        new Outcome() {
          @Override
          public synchronized void failed(HoldfastException reason) {
            super.failed(reason);
            throw new AssertionError("planted");
          }
        };
    Outcome last;
    Outcome first;
    capsule.lock.lock();
    try {
      // An erasure makes a group of its own, so that the others wait behind it.
      first =
          submit(
              store,
              capsule,
              List.of(),
              List.of(writer.erasure(new Statement.Erased.OfRecord(record.name()))));
      store.submit(new StoreBatch(capsule, List.of(writer.record("b")), List.of(), 512, planted));
      last = submit(store, capsule, List.of(writer.record("c")), List.of());
      store.whenSynced(() -> {}, reason -> {});
      assertThat(stopped.await(20, TimeUnit.SECONDS)).as("who started it is told").isTrue();
      last.expectFailed();
    } finally {
      capsule.lock.unlock();
    }
    planted.expectFailed();
    first.expectFailed();
    store.close();
  }

  @Test
  void aCrashBetweenLogAndMarkLosesNothing() throws Exception {
    Path data = folder.resolve("data");
    Random random = new Random(5);
    List<Record> promised = new ArrayList<>();
    try (CapsuleStore store = CapsuleStore.open(data, SMALL)) {
      StoredCapsule capsule = writer.create(store);
      for (int round = 0; round < 6; round++) {
        List<Outcome> outcomes = new ArrayList<>();
        List<Record> records = new ArrayList<>();
        for (int i = 0; i < 30; i++) {
          Record record = writer.leaves(1 + random.nextInt(5), 1 + random.nextInt(5000));
          records.add(record);
          outcomes.add(submit(store, capsule, List.of(record), List.of(writer.signature(record))));
        }
        for (Outcome outcome : outcomes.subList(0, 15)) {
          outcome.expectSynced();
        }
        promised.addAll(records.subList(0, 15));
        Path crashed = folder.resolve("crashed" + round);
        StoreFixture.copy(data, crashed);
        try (CapsuleStore again = CapsuleStore.open(crashed, SMALL)) {
          for (Record record : promised) {
            readProven(again.capsule(writer.name), writer, record.name());
          }
        }
        StoreFixture.expectClean(crashed);
        for (Outcome outcome : outcomes) {
          outcome.expectSynced();
        }
        promised.addAll(records.subList(15, 30));
      }
    }
  }

  @Test
  void belowTheReserveWritesAreRefusedAndReadsGoOn() throws Exception {
    List<Record> records = List.of(writer.record("a"));
    Record later = writer.record("later");
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      write(store, writer, records);
    }
    try (CapsuleStore store =
        CapsuleStore.open(folder, SMALL.withReserveBytes(Long.MAX_VALUE / 2))) {
      StoredCapsule capsule = store.capsule(writer.name);
      HoldfastException reason = submit(store, capsule, List.of(later), List.of()).expectFailed();
      assertThat(reason.code()).isEqualTo(ErrorCode.DISK_FULL);
      assertThat(reason).hasMessageContaining("reads go on");
      readProven(capsule, writer, records.getFirst().name());
      assertThat(store.writable()).isTrue();
    }
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      write(store, writer, List.of(later));
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void theReserveIsForWhatTheOwnerHasToSay() throws Exception {
    Record erased = writer.record("a");
    Record last = writer.record("b");
    Record later = writer.record("later");
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      write(store, writer, List.of(erased, last));
    }
    try (CapsuleStore store =
        CapsuleStore.open(folder, SMALL.withReserveBytes(Long.MAX_VALUE / 2))) {
      StoredCapsule capsule = store.capsule(writer.name);
      Statement erasure = writer.erasure(new Statement.Erased.OfRecord(erased.name()));
      Statement closing =
          Statement.Succession.sign(
              writer.name, 5, List.of(last.name()), new Writer(2).name, writer.owner);
      Outcome written;
      Outcome signed;
      Outcome closed;
      capsule.lock.lock();
      try {
        written = submit(store, capsule, List.of(later), List.of());
        signed = submit(store, capsule, List.of(), List.of(writer.signature(erased)));
        closed = submit(store, capsule, List.of(), List.of(closing));
      } finally {
        capsule.lock.unlock();
      }
      assertThat(written.expectFailed().code()).isEqualTo(ErrorCode.DISK_FULL);
      assertThat(signed.expectFailed().code()).isEqualTo(ErrorCode.DISK_FULL);
      closed.expectSynced();
      submit(store, capsule, List.of(), List.of(erasure)).expectSynced();
      assertThat(capsule.record(0).state()).isEqualTo(Record.State.ERASED);
      assertThat(capsule.succession()).isEqualTo(closing);
    }
    StoreFixture.expectClean(folder);
  }

  /** What it closes next is what those threads use. */
  @Test
  void anInterruptedCloseStillWaitsForWhatIsBeingCommitted() throws Exception {
    Record record = writer.record("a");
    CapsuleStore store = CapsuleStore.open(folder, SMALL);
    StoredCapsule capsule = writer.create(store);
    AtomicReference<Boolean> interrupted = new AtomicReference<>();
    Thread closing =
        Thread.ofPlatform()
            .unstarted(() -> {
              store.close();
              interrupted.set(Thread.interrupted());
            });
    Outcome outcome;
    capsule.lock.lock();
    try {
      outcome = submit(store, capsule, List.of(record), List.of(writer.signature(record)));
      closing.start();
      closing.interrupt();
      // Either it has given up waiting, or it has heard of the interruption and waits again.
      while (closing.isAlive()
          && (closing.isInterrupted() || closing.getState() != Thread.State.WAITING)) {
        Thread.onSpinWait();
      }
      assertThat(closing.isAlive()).as("it waits").isTrue();
    } finally {
      capsule.lock.unlock();
    }
    outcome.expectSynced();
    closing.join();
    assertThat(interrupted.get()).as("whoever interrupted it is not forgotten").isTrue();
    StoreFixture.expectClean(folder);
  }

  /** A log whose every byte is refused, as on a full disk; the disk has room all the time. */
  private void fillLogs(Path data, boolean full) throws Exception {
    for (int number = 1; number < 200; number++) {
      Path log = CapsuleStore.databaseFolder(data).resolve("%06d.log".formatted(number));
      if (full && !Files.exists(log)) {
        Files.createSymbolicLink(log, Path.of("/dev/full"));
      } else if (!full && Files.isSymbolicLink(log)) {
        Files.delete(log);
      }
    }
  }

  @Test
  void aDatabaseThatRefusesToWriteThoughTheDiskHasRoomAgainIsOpenedAnew() throws Exception {
    assumeTrue(Files.exists(Path.of("/dev/full")), "needs /dev/full; NOT TESTED here");
    Record before = writer.record("before");
    Record refused = writer.record("refused");
    AtomicBoolean room = new AtomicBoolean();
    List<String> reasons = new CopyOnWriteArrayList<>();
    CapsuleStore store = CapsuleStore.open(folder, SMALL);
    write(store, writer, List.of(before));
    StoredCapsule capsule = store.capsule(writer.name);
    store.onRestartHelps(reasons::add);
    fillLogs(folder, true);
    try (FlushOptions wait = new FlushOptions().setWaitForFlush(true)) {
      // The next log begins.
      assertThatThrownBy(() -> store.tables().db.flush(wait, store.tables().all()))
          .hasMessageContaining("No space left");
    }
    assertThat(store.restartHelps()).as("nothing was refused yet").isFalse();
    HoldfastException reason = submit(store, capsule, List.of(refused), List.of()).expectFailed();
    assertThat(reason.code()).isEqualTo(ErrorCode.DISK_FULL);
    assertThat(store.writable()).as("it may pass").isTrue();
    for (int asked = 0; asked < 3; asked++) {
      store.restartHelps();
    }
    assertThat(store.restartHelps()).isTrue();
    assertThat(reasons).singleElement().asString().contains("the disk was full");
    // The same, where the test says whether there is room.
    try (DatabaseWatch watch = new DatabaseWatch(store.tables(), folder, room::get)) {
      List<String> told = new ArrayList<>();
      watch.onRestartHelps(told::add);
      room.set(true);
      for (int asked = 0; asked < 5; asked++) {
        assertThat(watch.restartHelps()).as("it was not refused anything").isFalse();
      }
      watch.refusedForRoom();
      room.set(false);
      for (int asked = 0; asked < 5; asked++) {
        assertThat(watch.restartHelps()).as("the disk is full").isFalse();
      }
      room.set(true);
      assertThat(watch.restartHelps()).isFalse();
      assertThat(watch.restartHelps()).isFalse();
      room.set(false);
      assertThat(watch.restartHelps()).as("full again: counted anew").isFalse();
      room.set(true);
      assertThat(watch.restartHelps()).isFalse();
      assertThat(watch.restartHelps()).isFalse();
      assertThat(told).isEmpty();
      assertThat(watch.restartHelps()).isTrue();
      assertThat(watch.restartHelps()).isTrue();
      assertThat(told).hasSize(1);
    }
    store.close();
    fillLogs(folder, false);
    try (CapsuleStore again = CapsuleStore.open(folder, SMALL)) {
      readProven(again.capsule(writer.name), writer, before.name());
      write(again, writer, List.of(refused));
      assertThat(again.restartHelps()).isFalse();
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void aDatabaseThatGoesOnByItselfAfterAFullDiskIsLeftAlone() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL);
        DatabaseWatch watch = new DatabaseWatch(store.tables(), folder, () -> true)) {
      watch.refusedForRoom();
      for (int asked = 0; asked < 5; asked++) {
        assertThat(watch.restartHelps()).isFalse();
      }
    }
  }

  /** The reserve is 0 here, so that the database itself meets the end of the disk. */
  @Test
  void aDiskThatIsReallyFullCorruptsNothing() throws Exception {
    Path disk = Files.createDirectory(folder.resolve("disk"));
    assumeTrue(
        run("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk.toString()),
        "needs the right to mount a small tmpfs (run as root); NOT TESTED here");
    try {
      fillAndRecover(disk);
    } finally {
      run("umount", disk.toString());
    }
  }

  private void fillAndRecover(Path disk) throws Exception {
    Path data = disk.resolve("data");
    Path ballast = disk.resolve("ballast");
    Files.write(ballast, new byte[8 << 20]);
    List<Record> promised = new ArrayList<>();
    Random random = new Random(3);
    HoldfastException refusal = null;
    CapsuleStore store = CapsuleStore.open(data, SMALL.withReserveBytes(0));
    StoredCapsule capsule = writer.create(store);
    for (int i = 0; i < 4000 && refusal == null; i++) {
      byte[] content = new byte[20_000];
      random.nextBytes(content);
      Record record = writer.record(List.of(content));
      try {
        Outcome outcome =
            submit(store, capsule, List.of(record), List.of(writer.signature(record))).await();
        refusal = outcome.failure;
        if (refusal == null) {
          promised.add(record);
        }
      } catch (HoldfastException e) {
        refusal = e;
      }
    }
    assertThat(refusal).isNotNull();
    assertThat(promised).isNotEmpty();
    assertThat(refusal.code()).isIn(ErrorCode.DISK_FULL, ErrorCode.STOPPING);
    for (Record record : promised) {
      readProven(capsule, writer, record.name());
    }
    Files.delete(ballast);
    if (store.writable()) {
      Record later = writer.record("later");
      long deadline = System.nanoTime() + Patience.NANOS;
      Outcome outcome = null;
      while (outcome == null || outcome.failure != null) {
        assertThat(System.nanoTime()).as("writes are taken again").isLessThan(deadline);
        LockSupport.parkNanos(10_000_000);
        outcome = submit(store, capsule, List.of(later), List.of(writer.signature(later))).await();
        assertThat(outcome.failure == null || outcome.failure.code() == ErrorCode.DISK_FULL)
            .isTrue();
      }
      promised.add(later);
    }
    store.close();
    try (CapsuleStore again = CapsuleStore.open(data, SMALL.withReserveBytes(0))) {
      Record last = writer.record("last");
      write(again, writer, List.of(last));
      promised.add(last);
      for (Record record : promised) {
        readProven(again.capsule(writer.name), writer, record.name());
      }
    }
    StoreFixture.expectClean(data);
  }

  private static boolean run(String... command) throws Exception {
    try {
      return new ProcessBuilder(command).redirectErrorStream(true).start().waitFor() == 0;
    } catch (java.io.IOException e) {
      return false;
    }
  }
}
