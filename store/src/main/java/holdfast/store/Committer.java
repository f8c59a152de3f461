package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.capsule.Receipt;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.rocksdb.RocksDBException;
import org.rocksdb.WriteBatch;
import org.rocksdb.WriteOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The write path. Thread "holdfast-commit" takes whatever batches wait and runs {@link #commit}:
 *
 * <ol>
 *   <li>stage: every batch becomes changes of its capsule's graph and of one write batch;
 *   <li>commit point: the write batch goes to RocksDB's log and memtables;
 *   <li>publish: locks are released, readers see the records, RECEIVED is said.
 * </ol>
 *
 * <p>Thread "holdfast-sync" takes whatever groups are committed and runs {@link #sync}: the log is
 * made durable, the synced mark moved, SYNCED said. So one fsync serves all that came while the one
 * before it ran.
 *
 * <p>When the log or the mark cannot be made durable nobody can know any more what is on the disk
 * (the kernel may have dropped the dirty pages); the store stops for good and says nothing more.
 */
final class Committer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Committer.class);
  private static final int GROUP_RECORDS = 1 << 14;
  private static final long RETRY_MILLIS = 50;

  private final CapsuleStore store;
  private final SyncedMark mark;

  /**
   * Remembers where in a memtable the key before was inserted. Not for batches that delete ranges:
   * RocksDB keeps those in a list of their own, and goes by the one hint for both; when several
   * threads insert at once, keys are linked into the wrong list then, and lost.
   */
  private final WriteOptions hinting = new WriteOptions().setMemtableInsertHintPerBatch(true);

  private final WriteOptions plain = new WriteOptions();
  private final ReentrantLock lock = new ReentrantLock();

  /**
   * Of what each thread waits for by itself: what is news to one would wake the other for nothing.
   */
  private final Condition toCommit = lock.newCondition();

  private final Condition toSync = lock.newCondition();
  private final ArrayDeque<StoreBatch> waiting = new ArrayDeque<>();
  private final ArrayDeque<Group> committed = new ArrayDeque<>();
  private final Thread commitThread;
  private final Thread syncThread;
  private long waitingBytes;
  private boolean stopping;
  private boolean commitDone;
  private volatile boolean failed;

  /** What is committed and waits to be durable. */
  private record Group(
      List<Staged> batches,
      boolean erases,
      Runnable then,
      Consumer<HoldfastException> otherwise,
      long sequence,
      long bytes) {}

  private record Staged(StoreBatch batch, List<Receipt.Entry> entries) {}

  private record Refused(StoreBatch batch, HoldfastException reason) {}

  Committer(CapsuleStore store, SyncedMark mark) {
    this.store = store;
    this.mark = mark;
    this.commitThread = Thread.ofPlatform().name("holdfast-commit").unstarted(this::commitLoop);
    this.syncThread = Thread.ofPlatform().name("holdfast-sync").unstarted(this::syncLoop);
    commitThread.start();
    syncThread.start();
  }

  boolean failed() {
    return failed;
  }

  long waitingBytes() {
    lock.lock();
    try {
      return waitingBytes;
    } finally {
      lock.unlock();
    }
  }

  /** Queues a batch, or refuses it when too much waits already. */
  void submit(StoreBatch batch) {
    lock.lock();
    try {
      if (failed || stopping) {
        throw new HoldfastException(ErrorCode.STOPPING, "the server is stopping");
      }
      if (waitingBytes + batch.bytes() > store.options().pendingBytes() && waitingBytes > 0) {
        throw new HoldfastException(
            ErrorCode.BUSY,
            "more is waiting to be written than this server takes on",
            RETRY_MILLIS);
      }
      waitingBytes += batch.bytes();
      waiting.add(batch);
      toCommit.signal();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Runs something once everything committed so far is durable.
   *
   * @param otherwise is told in its place when it will not be
   */
  void whenSynced(Runnable then, Consumer<HoldfastException> otherwise) {
    lock.lock();
    try {
      if (failed || stopping) {
        throw new HoldfastException(ErrorCode.STOPPING, "the server is stopping");
      }
      committed.add(
          new Group(
              List.of(), false, then, otherwise, store.tables().db.getLatestSequenceNumber(), 0));
      toSync.signal();
    } finally {
      lock.unlock();
    }
  }

  private void commitLoop() {
    try {
      for (List<StoreBatch> group = next(); !group.isEmpty(); group = next()) {
        commit(group);
      }
    } catch (InterruptedException | RuntimeException | Error e) {
      fail("the commit thread failed", e);
    } finally {
      locked(() -> {
        commitDone = true;
        toSync.signal();
      });
    }
  }

  /** Waits for batches; empty when the store closes. An erasure makes a group of its own. */
  private List<StoreBatch> next() throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (waiting.isEmpty() && !stopping) {
        toCommit.await();
      }
      if (failed) {
        return List.of();
      }
      List<StoreBatch> group = new ArrayList<>();
      int records = 0;
      while (!waiting.isEmpty() && records < GROUP_RECORDS) {
        boolean erases = waiting.peek().erases();
        if (erases && !group.isEmpty()) {
          break;
        }
        StoreBatch batch = waiting.remove();
        records += batch.records().size() + batch.statements().size();
        group.add(batch);
        if (erases) {
          break;
        }
      }
      return group;
    } finally {
      lock.unlock();
    }
  }

  private void commit(List<StoreBatch> group) {
    long bytes = group.stream().mapToLong(StoreBatch::bytes).sum();
    Set<StoredCapsule> capsules = new LinkedHashSet<>();
    group.forEach(batch -> capsules.add(batch.capsule()));
    List<Staged> staged = new ArrayList<>();
    List<Refused> refusals = new ArrayList<>();
    boolean erases = false;
    boolean handedOver = false;
    Throwable failure = null;
    capsules.forEach(capsule -> capsule.lock.lock());
    try (WriteBatch out = new WriteBatch()) {
      // The reserve is for what the owner has to say: an erasure makes room again.
      if (!group.stream().allMatch(StoreBatch::ownersAlone)) {
        store.requireSpace();
      }
      capsules.forEach(capsule -> capsule.table().lend(out));
      Staging staging = new Staging(store, out);
      for (StoreBatch batch : group) {
        try {
          staged.add(new Staged(batch, staging.apply(batch)));
        } catch (HoldfastException refused) {
          if (isRefusal(refused)) {
            refusals.add(new Refused(batch, refused));
          } else {
            throw refused;
          }
        }
      }
      staging.finish();
      capsules.forEach(capsule -> capsule.graph().flush());
      staging.noteErased();
      // Also when it erases nothing new: said again, it waits until the first has freed the bytes.
      erases = group.getFirst().erases();
      handedOver = true;
      store.tables().db.write(erases ? plain : hinting, out);
      staging.publish();
    } catch (RocksDBException | RuntimeException | Error e) {
      failure = e;
      try {
        capsules.forEach(capsule -> capsule.graph().discard());
      } catch (HoldfastException again) {
        handedOver = true;
        failure.addSuppressed(again);
      }
    } finally {
      capsules.forEach(capsule -> capsule.table().lend(null));
      capsules.forEach(capsule -> capsule.lock.unlock());
    }
    if (failure != null) {
      failGroup(group, handedOver, failure);
      return;
    }
    for (Refused one : refusals) {
      tell(() -> one.batch().completion().failed(one.reason()));
    }
    for (Staged one : staged) {
      tell(() -> one.batch().completion().received(one.entries()));
    }
    for (StoredCapsule capsule : capsules) {
      tell(() ->
          store.announce(
              capsule,
              staged.stream()
                  .filter(one -> one.batch().capsule().equals(capsule))
                  .flatMap(one -> one.batch().statements().stream())
                  .toList()));
    }
    Group done =
        new Group(
            staged,
            erases,
            () -> {},
            reason -> {},
            store.tables().db.getLatestSequenceNumber(),
            bytes);
    boolean tooLate;
    lock.lock();
    try {
      tooLate = failed;
      if (!tooLate) {
        committed.add(done);
        toSync.signal();
      }
    } finally {
      lock.unlock();
    }
    if (tooLate) {
      abandon(List.of(done));
    }
  }

  /**
   * A completion that fails is its own affair, not the store's. After an error of the process the
   * store stops; the others are told of their end first.
   */
  private void tell(Runnable completion) {
    try {
      completion.run();
    } catch (RuntimeException e) {
      LOG.warn("a completion failed: {}", e.toString());
    } catch (Error e) {
      fail("a completion failed", e);
    }
  }

  private static boolean isRefusal(HoldfastException e) {
    return switch (e.code()) {
      case NOT_FOUND, SUCCEEDED, SUPERSEDED, INVALID, QUOTA -> true;
      default -> false;
    };
  }

  /**
   * A group that could not be staged is tried again batch by batch, so that only the culprit is
   * refused. One that was handed to the database may be in the log, wholly or not; only when the
   * disk is full is it known that it is not.
   */
  private void failGroup(List<StoreBatch> group, boolean handedOver, Throwable reason) {
    HoldfastException failure =
        switch (reason) {
          case HoldfastException known -> known;
          case RocksDBException e -> Tables.failure("cannot write", e);
          default -> null;
        };
    boolean passing = failure != null && (!handedOver || failure.code() == ErrorCode.DISK_FULL);
    if (failure == null || !passing) {
      for (StoreBatch batch : group) {
        release(batch.bytes());
        tell(() -> batch.completion().failed(stopping()));
      }
      fail("the database cannot be written", reason);
      return;
    }
    if (group.size() > 1 && !handedOver) {
      group.forEach(batch -> commit(List.of(batch)));
      return;
    }
    if (failure.code() == ErrorCode.INTERNAL) {
      LOG.error("a batch could not be written", failure);
    }
    if (handedOver) {
      store.databaseWatch().refusedForRoom();
    }
    for (StoreBatch batch : group) {
      release(batch.bytes());
      tell(() -> batch.completion().failed(failure));
    }
  }

  private static HoldfastException stopping() {
    return new HoldfastException(
        ErrorCode.STOPPING, "the server is stopping; whether this will be there is not known");
  }

  private void release(long bytes) {
    locked(() -> waitingBytes -= bytes);
  }

  private void locked(Runnable change) {
    lock.lock();
    try {
      change.run();
    } finally {
      lock.unlock();
    }
  }

  private void syncLoop() {
    List<Group> groups = List.of();
    try {
      for (groups = nextCommitted(); !groups.isEmpty(); groups = nextCommitted()) {
        sync(groups);
        groups.forEach(this::tellSynced);
      }
    } catch (InterruptedException | RocksDBException | IOException | RuntimeException | Error e) {
      fail("what was written cannot be made durable", e);
      abandon(groups);
    }
  }

  private List<Group> nextCommitted() throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (committed.isEmpty() && !(stopping && commitDone)) {
        toSync.await();
      }
      List<Group> groups = new ArrayList<>(committed);
      committed.clear();
      return groups;
    } finally {
      lock.unlock();
    }
  }

  private void sync(List<Group> groups) throws RocksDBException, IOException {
    long sequence = groups.getLast().sequence();
    if (sequence > mark.sequence()) {
      store.tables().db.syncWal();
      mark.move(sequence);
    }
  }

  private void tellSynced(Group group) {
    release(group.bytes());
    if (group.erases()) {
      store
          .freeing()
          .free(failure -> {
            for (Staged one : group.batches()) {
              tell(
                  failure == null
                      ? () -> one.batch().completion().synced(one.entries())
                      : () -> one.batch().completion().failed(failure));
            }
          });
    } else {
      for (Staged one : group.batches()) {
        tell(() -> one.batch().completion().synced(one.entries()));
      }
    }
    tell(group.then());
  }

  /** Tells batches whose end will not come. */
  private void abandon(List<Group> groups) {
    for (Group group : groups) {
      release(group.bytes());
      for (Staged one : group.batches()) {
        tell(() -> one.batch().completion().failed(stopping()));
      }
      tell(() -> group.otherwise().accept(stopping()));
    }
  }

  private void fail(String what, Throwable reason) {
    List<StoreBatch> queued;
    List<Group> unsyncedGroups;
    lock.lock();
    try {
      if (failed) {
        return;
      }
      failed = true;
      stopping = true;
      queued = List.copyOf(waiting);
      waiting.clear();
      unsyncedGroups = List.copyOf(committed);
      committed.clear();
      toCommit.signal();
      toSync.signal();
    } finally {
      lock.unlock();
    }
    try {
      LOG.error("{}; the store stops", what, reason);
      for (StoreBatch batch : queued) {
        release(batch.bytes());
        tell(() -> batch.completion().failed(stopping()));
      }
      abandon(unsyncedGroups);
    } finally {
      store.stopped(what + ": " + reason.getMessage());
    }
  }

  /** Finishes what is queued, then stops both threads. */
  @Override
  public void close() {
    locked(() -> {
      stopping = true;
      toCommit.signal();
      toSync.signal();
    });
    awaitEnd(commitThread);
    awaitEnd(syncThread);
    hinting.close();
    plain.close();
  }

  /** Also when interrupted: what this thread uses is closed next. */
  private static void awaitEnd(Thread thread) {
    boolean interrupted = false;
    while (thread.isAlive() && !Thread.currentThread().equals(thread)) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
