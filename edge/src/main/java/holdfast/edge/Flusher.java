package holdfast.edge;

import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes what is asked for, in one order. While one record is on its way to the disk the tasks for
 * the next gather (group commit).
 *
 * <pre>
 *   stage    decide each task, in order; who may not is told at once
 *   commit   append one record, wait until it is synced
 *   apply    bring its leaves into the view
 *   publish  tell those who wait
 * </pre>
 *
 * <p>Nobody is told of success before the commit. When it is not known whether a record was stored,
 * the view is brought up to date from the capsule before anything else is decided.
 */
final class Flusher implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Flusher.class);
  private static final int LEAVES_PER_FLUSH = 8192;
  private static final long BYTES_PER_FLUSH = 12L << 20;
  private static final long RECOVERY_MILLIS = 1000;
  private static final long RECENT_BYTES = 16L << 20;

  /** How often those are looked for whose patience is at an end. */
  static final long REMINDER_MILLIS = 1000;

  private static final Outcome NOTHING_TO_WRITE =
      new Outcome(new Place(Hash.ZERO, 0), 0, false, true);

  private final View view;
  private final EdgeLog log;
  private final int mostTasks;
  private final long mostBytes;
  private final Thread thread;
  private final Thread reminder;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition arrived = lock.newCondition();
  private final ArrayDeque<Task> queue = new ArrayDeque<>();
  private long queuedBytes;

  /** What is being written. */
  private List<Task> current = List.of();

  private boolean stopping;

  /** What was written last, for those who follow changes. */
  final RecentChanges recent = new RecentChanges(RECENT_BYTES);

  final LongAdder flushes = new LongAdder();
  final LongAdder changes = new LongAdder();

  /** Why nothing can be written now; null while all is well. */
  private volatile @Nullable String trouble;

  private boolean behind;

  /** No record gets an earlier time: the owner has erased what came before. */
  private volatile long notBeforeMillis;

  /** Called when a record was written into a time that is erased. */
  private volatile Runnable whenErased = () -> {};

  /**
   * A flusher that runs.
   *
   * @param mostTasks tasks that may wait
   * @param mostBytes bytes that they may bring
   */
  Flusher(View view, EdgeLog log, int mostTasks, long mostBytes) {
    this.view = view;
    this.log = log;
    this.mostTasks = mostTasks;
    this.mostBytes = mostBytes;
    this.thread = Thread.ofPlatform().name("holdfast-flush").daemon(true).unstarted(this::run);
    this.reminder =
        Thread.ofPlatform().name("holdfast-patience").daemon(true).unstarted(this::remind);
  }

  void start() {
    thread.start();
    reminder.start();
  }

  /** Gives records no time before this from now on. */
  void notBefore(long timeMillis) {
    notBeforeMillis = Math.max(notBeforeMillis, timeMillis);
  }

  /** Has somebody called when the owner turns out to have erased the present. */
  void onErased(Runnable listener) {
    whenErased = listener;
  }

  /** Why nothing can be written now; null while all is well. */
  @Nullable String trouble() {
    return trouble;
  }

  /**
   * Hands over a task.
   *
   * @throws Problem BUSY when too much waits already
   */
  void submit(Task task) {
    lock.lock();
    try {
      if (stopping) {
        throw stopped();
      }
      if (queue.size() >= mostTasks || queuedBytes + task.bytes() > mostBytes) {
        throw new Problem(Problem.Code.BUSY, "more is waiting to be written than fits", 1);
      }
      queue.add(task);
      queuedBytes += task.bytes();
      arrived.signal();
    } finally {
      lock.unlock();
    }
  }

  private static Problem stopped() {
    return new Problem(Problem.Code.STOPPING, "the edge is stopping", 1);
  }

  private static Problem unknown() {
    return new Problem(Problem.Code.UNKNOWN, "the edge failed while it wrote", 1);
  }

  /** How many tasks wait for the next record. */
  int waiting() {
    lock.lock();
    try {
      return queue.size();
    } finally {
      lock.unlock();
    }
  }

  private void run() {
    try {
      while (flushSome()) {
        // What fails concerns its own tasks alone.
      }
    } finally {
      // However it has come to this: nobody may wait for what nobody does any more.
      ended();
    }
  }

  /** Takes tasks and writes them; false when it is time to stop. */
  private boolean flushSome() {
    List<Task> tasks = List.of();
    try {
      tasks = take();
      if (tasks.isEmpty()) {
        return false;
      }
      flush(tasks);
    } catch (InterruptedException e) {
      return false;
    } catch (RuntimeException | Error e) {
      LOG.error("a flush failed", e);
      behind = true;
      fail(tasks, unknown());
    }
    return true;
  }

  /** Refuses what waits and what comes. */
  private void ended() {
    List<Task> left;
    lock.lock();
    try {
      if (!stopping) {
        trouble = "the edge writes no more; start it anew";
      }
      stopping = true;
      left = new ArrayList<>(queue);
      queue.clear();
      queuedBytes = 0;
    } finally {
      lock.unlock();
    }
    fail(left, stopped());
    fail(current.stream().filter(task -> !task.ticket().settled()).toList(), unknown());
  }

  /** Waits for tasks and takes as many as one record holds; none when it is time to stop. */
  private List<Task> take() throws InterruptedException {
    lock.lock();
    try {
      while (queue.isEmpty()) {
        if (stopping) {
          return List.of();
        }
        arrived.await();
      }
      List<Task> taken = new ArrayList<>(Math.min(queue.size(), LEAVES_PER_FLUSH));
      int leaves = 0;
      long bytes = 0;
      for (Task next = queue.peek(); next != null; next = queue.peek()) {
        leaves += next.leaves();
        bytes += next.bytes();
        if (!taken.isEmpty() && (leaves > LEAVES_PER_FLUSH || bytes > BYTES_PER_FLUSH)) {
          break;
        }
        taken.add(queue.remove());
        queuedBytes -= next.bytes();
      }
      current = taken;
      return taken;
    } finally {
      lock.unlock();
    }
  }

  /** Wakes those who have waited long enough, as long as somebody may wait. */
  private void remind() {
    try {
      do {
        try {
          remindOnce();
        } catch (RuntimeException | Error e) {
          LOG.error("those who wait could not be woken, and are in a moment", e);
        }
      } while (!thread.join(Duration.ofMillis(REMINDER_MILLIS)));
    } catch (InterruptedException e) {
      LOG.warn("nobody is woken any more whose patience is at an end", e);
    }
  }

  private void remindOnce() {
    List<Task> waiting;
    lock.lock();
    try {
      waiting = new ArrayList<>(current);
      waiting.addAll(queue);
    } finally {
      lock.unlock();
    }
    long now = System.nanoTime();
    waiting.forEach(task -> task.ticket().remind(now));
  }

  private void flush(List<Task> tasks) {
    if (behind && !recover(tasks)) {
      return;
    }
    // Stage.
    long timeMillis =
        Math.max(notBeforeMillis, Math.max(view.clock.getAsLong(), view.mark().timeMillis() + 1));
    Flush flush = new Flush(view, timeMillis);
    tasks.forEach(flush::decide);
    if (flush.leaves().isEmpty()) {
      drop(flush);
      flush.waiting().forEach(one -> one.ticket().done(NOTHING_TO_WRITE));
      return;
    }
    List<byte[]> leaves = new ArrayList<>(flush.leaves().size());
    flush.leaves().forEach(leaf -> leaves.add(leaf.encode()));
    // Commit.
    view.tried(new View.Tried(timeMillis, flush.leaves()));
    switch (log.append(leaves, timeMillis)) {
      case EdgeLog.Appended.Synced(Hash record) -> {
        trouble = null;
        List<ViewUpdate.Effect> effects = apply(flush, record);
        drop(flush);
        publish(flush, record, effects);
      }
      case EdgeLog.Appended.Erased(Hash record) -> {
        ViewUpdate.apply(view, record, flush.timeMillis(), log.arrival(), List.<EdgeLeaf>of());
        // Read again it would be a record with erased leaves, behind which nobody is trusted.
        view.table.flush();
        whenErased.run();
        Problem problem =
            new Problem(Problem.Code.BUSY, "the owner has just erased the present; try again", 1);
        flush.waiting().forEach(one -> one.ticket().failed(problem));
      }
      case EdgeLog.Appended.Refused(HoldfastException reason) -> {
        trouble = reason.getMessage();
        LOG.warn("a flush was refused: {}", reason.getMessage());
        Problem problem = Problem.of(reason);
        flush.waiting().forEach(one -> one.ticket().failed(problem));
      }
      case EdgeLog.Appended.Unknown(Exception reason) -> {
        LOG.warn("it is not known what became of a flush", reason);
        trouble = "it is not known what became of a flush";
        behind = true;
        Problem problem =
            new Problem(
                Problem.Code.UNKNOWN,
                "it is not known whether the change was made; with an idempotency key it is safe"
                    + " to try again",
                1);
        flush.waiting().forEach(one -> one.ticket().failed(problem));
      }
    }
  }

  private List<ViewUpdate.Effect> apply(Flush flush, Hash record) {
    flushes.increment();
    changes.add(flush.leaves().size());
    // Before the view tells of it.
    recent.add(record, flush.leaves());
    return ViewUpdate.apply(view, record, flush.timeMillis(), log.arrival(), flush.leaves());
  }

  private void drop(Flush flush) {
    if (!flush.dropped().isEmpty()) {
      ViewUpdate.drop(view, flush.dropped());
      recent.clear();
    }
  }

  private static void publish(Flush flush, Hash record, List<ViewUpdate.Effect> effects) {
    for (Flush.Waiting one : flush.waiting()) {
      boolean created = one.firstLeaf() < effects.size() && !effects.get(one.firstLeaf()).existed();
      one.ticket()
          .done(
              new Outcome(
                  new Place(record, one.firstLeaf()), one.changes(), created, one.repeated()));
    }
  }

  /** Brings the view up to date after a failure; as long as that does not work nothing is done. */
  private boolean recover(List<Task> tasks) {
    try {
      if (!log.catchUp(view)) {
        throw new HoldfastException(
            holdfast.base.ErrorCode.DAMAGED,
            "the view does not follow from the capsule; a restart makes it anew");
      }
      behind = false;
      // Some of what was read may have been erased meanwhile; it must not be read again.
      view.table.flush();
      view.tried(null);
      return true;
    } catch (HoldfastException | ProofException e) {
      LOG.warn("the view cannot be brought up to date", e);
      trouble = e.getMessage();
      fail(tasks, new Problem(Problem.Code.STOPPING, "the edge recovers from a failure", 1));
      try {
        TimeUnit.MILLISECONDS.sleep(RECOVERY_MILLIS);
      } catch (InterruptedException stop) {
        Thread.currentThread().interrupt();
      }
      return false;
    }
  }

  private static void fail(List<Task> tasks, Problem problem) {
    tasks.forEach(task -> task.ticket().failed(problem));
  }

  /** Writes what waits, and ends. */
  @Override
  public void close() {
    lock.lock();
    try {
      stopping = true;
      arrived.signalAll();
    } finally {
      lock.unlock();
    }
    try {
      thread.join(TimeUnit.SECONDS.toMillis(30));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
