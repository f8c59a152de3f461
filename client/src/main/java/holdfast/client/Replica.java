package holdfast.client;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Metadata;
import holdfast.capsule.Statement;
import holdfast.client.ReplicaState.Standing;
import holdfast.client.ReplicatedDelivery.Undecided;
import holdfast.crypto.SigningKey;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * One member of a placement, as a writer sees it: a thread of its own, a session of its own, and a
 * bounded queue. A batch that finds the queue full is missed, and so is one that has waited too
 * long for a connection; what comes later is sent all the same, since records may arrive before
 * those they point at. Bad evidence ends it. Its state is guarded by the monitor of the whole.
 */
final class Replica implements Runnable {
  private static final long FIRST_BACKOFF_MILLIS = 50;
  private static final long MOST_BACKOFF_MILLIS = 2000;

  private final ReplicatedDelivery whole;
  private final Statement.Placement.Member member;
  private final Server server;

  /** Whether the server is closed when this ends. */
  private final boolean own;

  private final Hash capsule;
  private final SigningKey key;
  private final WriterOptions options;
  private final ReplicationOptions bounds;
  private final Thread thread;

  private final ArrayDeque<Undecided> queue = new ArrayDeque<>();
  private long queuedBytes;
  private Standing standing = Standing.CONNECTING;
  private @Nullable Exception failure;
  private @Nullable Start start;
  private boolean finishing;
  private long acknowledged;
  private long missed;

  /** Sent in this session and not settled; touched by the thread alone. */
  private final ArrayDeque<Undecided> sent = new ArrayDeque<>();

  /** What is learned when the session opens for the first time. */
  record Start(Server server, Metadata metadata, int writer, List<Hash> heads) {}

  Replica(
      ReplicatedDelivery whole,
      Statement.Placement.Member member,
      Server server,
      boolean own,
      Hash capsule,
      SigningKey key,
      WriterOptions options,
      ReplicationOptions bounds) {
    this.whole = whole;
    this.member = member;
    this.server = server;
    this.own = own;
    this.capsule = capsule;
    this.key = key;
    this.options = options;
    this.bounds = bounds;
    this.thread =
        Thread.ofPlatform().daemon().name("holdfast-replica " + member.address()).unstarted(this);
  }

  Statement.Placement.Member member() {
    return member;
  }

  Server server() {
    return server;
  }

  // ---- Under the monitor of the whole -----------------------------------------------------------

  boolean connected() {
    return standing == Standing.CONNECTED;
  }

  void start() {
    thread.start();
  }

  ReplicaState state() {
    return new ReplicaState(member, standing, acknowledged, missed, failure);
  }

  /** What was learned at the first connection; null while there was none. */
  @Nullable Start started() {
    return start;
  }

  /** Whether a connection has been made, or has failed. */
  boolean tried() {
    return start != null || failure != null;
  }

  /** Takes a batch, or misses it. */
  void offer(Undecided one) {
    boolean ended = standing == Standing.LEFT_ALONE || standing == Standing.CLOSED;
    boolean room =
        queue.size() < bounds.queueBatches()
            && (queue.isEmpty() || queuedBytes + one.batch.bytes() <= bounds.queueBytes());
    if (room && !ended) {
      queue.add(one);
      queuedBytes += one.batch.bytes();
      LockSupport.unpark(thread);
    } else {
      Exception why = failure;
      miss(one, why != null ? why : behind());
    }
  }

  private HoldfastException behind() {
    return new HoldfastException(
        ErrorCode.UNREACHABLE, "the server at " + member.address() + " is behind");
  }

  private void miss(Undecided one, Exception why) {
    missed++;
    whole.failed(this, one, why);
  }

  /** Nothing more will be offered. Who is not connected ends at once. */
  void finish() {
    finishing = true;
    if (standing == Standing.CONNECTING) {
      thread.interrupt();
    }
    LockSupport.unpark(thread);
  }

  // ---- The thread -------------------------------------------------------------------------------

  /** Waits until the thread has done what it had to, or until a time has come. */
  void awaitEnd(long deadlineNanos) {
    try {
      long left = TimeUnit.NANOSECONDS.toMillis(deadlineNanos - System.nanoTime());
      if (left > 0) {
        thread.join(left);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    thread.interrupt();
  }

  @Override
  public void run() {
    try {
      Delivery delivery = connect();
      while (delivery != null) {
        boolean done;
        try {
          done = deliver(delivery);
        } finally {
          delivery.close();
        }
        delivery = done ? null : connect();
      }
      end(Standing.CLOSED, behind());
    } catch (ProofException e) {
      end(Standing.LEFT_ALONE, e);
    } catch (RuntimeException e) {
      end(thread.isInterrupted() ? Standing.CLOSED : Standing.LEFT_ALONE, e);
    } catch (Error e) {
      // Who writes would wait for what nobody sends any more.
      end(
          Standing.LEFT_ALONE,
          new HoldfastException(
              ErrorCode.INTERNAL, "what sends to " + member.address() + " has failed: " + e, e));
    } finally {
      if (own) {
        server.close();
      }
    }
  }

  /** Tries until there is a session; null when the writer ends before that. */
  private @Nullable Delivery connect() throws ProofException {
    for (long backoff = FIRST_BACKOFF_MILLIS;
        ;
        backoff = Math.min(2 * backoff, MOST_BACKOFF_MILLIS)) {
      Delivery delivery = null;
      try {
        delivery =
            new Delivery(server, capsule, key, options, whole, () -> LockSupport.unpark(thread));
        connected(delivery);
        return delivery;
      } catch (HoldfastException e) {
        if (delivery != null) {
          delivery.close();
        }
        boolean lasting =
            e.code() == ErrorCode.SUCCEEDED
                || e.code() == ErrorCode.DENIED
                || e.code() == ErrorCode.VERSION;
        if (lasting) {
          throw e;
        }
        expire(e);
        try {
          Thread.sleep(backoff);
        } catch (InterruptedException ended) {
          Thread.currentThread().interrupt();
          return null;
        }
      }
    }
  }

  private void connected(Delivery delivery) throws ProofException {
    Start known;
    synchronized (whole) {
      known = start;
    }
    Start made =
        known != null
            ? known
            : new Start(server, delivery.metadata(), delivery.writer(), delivery.headsToFollow());
    synchronized (whole) {
      start = made;
      standing = Standing.CONNECTED;
      failure = null;
      whole.notifyAll();
    }
  }

  /** Misses what has waited for a connection longer than a batch is retried. */
  private void expire(HoldfastException why) {
    long patience = TimeUnit.MILLISECONDS.toNanos(options.retryMillis());
    synchronized (whole) {
      failure = why;
      standing = Standing.CONNECTING;
      Undecided oldest = queue.peek();
      while (oldest != null && System.nanoTime() - oldest.sentNanos >= patience) {
        poll();
        miss(oldest, why);
        oldest = queue.peek();
      }
      whole.notifyAll();
    }
  }

  private @Nullable Undecided poll() {
    synchronized (whole) {
      Undecided one = queue.poll();
      if (one != null) {
        queuedBytes -= one.batch.bytes();
      }
      return one;
    }
  }

  private boolean finished() {
    synchronized (whole) {
      return finishing && queue.isEmpty();
    }
  }

  /** Sends and settles; true when there is nothing more to do, false when the server is gone. */
  private boolean deliver(Delivery delivery) throws ProofException {
    while (!thread.isInterrupted()) {
      long wait = delivery.untilSettledNanos();
      if (wait == 0) {
        if (!settle(delivery)) {
          return false;
        }
        continue;
      }
      Undecided next = delivery.underWay() < options.inFlight() ? poll() : null;
      if (next != null) {
        sent.add(next);
        delivery.send(next.batch);
      } else if (delivery.underWay() == 0 && finished()) {
        return true;
      } else {
        LockSupport.parkNanos(this, wait);
      }
    }
    return true;
  }

  /** Settles the oldest batch; false when the server is gone, and what was sent is missed. */
  private boolean settle(Delivery delivery) throws ProofException {
    WriteResult result = delivery.settle();
    switch (result) {
      case WriteResult.Stored stored -> {
        synchronized (whole) {
          acknowledged++;
        }
        whole.stored(sent.remove(), stored);
      }
      case WriteResult.Refused refused -> {
        synchronized (whole) {
          missed++;
          failure = refused.reason();
        }
        whole.refused(this, sent.remove(), refused.reason());
      }
      case WriteResult.Unknown unknown -> {
        synchronized (whole) {
          standing = Standing.CONNECTING;
          failure = unknown.reason();
          missSent(unknown.reason());
        }
        return false;
      }
      case WriteResult.Replicated replicated ->
          throw new AssertionError("one server does not replicate");
    }
    return true;
  }

  private void missSent(Exception why) {
    for (Undecided one = sent.poll(); one != null; one = sent.poll()) {
      miss(one, why);
    }
  }

  private void end(Standing how, Exception why) {
    synchronized (whole) {
      standing = how;
      if (how == Standing.LEFT_ALONE) {
        failure = why;
      }
      missSent(why);
      for (Undecided one = poll(); one != null; one = poll()) {
        miss(one, why);
      }
      whole.notifyAll();
    }
  }
}
