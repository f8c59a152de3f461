package holdfast.node;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.function.BooleanSupplier;

/**
 * Work that costs the server much and that anybody may ask for. Little of it is done at once; the
 * rest waits, and addresses take turns, so that one that asks without end keeps the others waiting
 * for no more than its turn.
 *
 * <p>One answer does not do for two who ask the same: it would be made of what was there before the
 * second one asked.
 */
final class Turns {
  private static final int RETRY_MILLIS = 200;

  /** What limits it: done at once, waiting of one address, and waiting in all. */
  record Bounds(int atOnce, int ofOne, int inAll) {}

  private record Waiting(Object session, BooleanSupplier gone, Runnable work) {}

  private final Bounds bounds;
  private final Executor workers;

  /** By address, the one whose turn it is first; none is empty. */
  private final Map<String, Queue<Waiting>> waiting = new LinkedHashMap<>();

  /** Sessions whose work waits or is done. */
  private final Set<Object> sessions = Collections.newSetFromMap(new IdentityHashMap<>());

  private int running;

  Turns(Bounds bounds, Executor workers) {
    this.bounds = bounds;
    this.workers = workers;
  }

  /**
   * Does something when its turn comes.
   *
   * @param from the address of whoever asks
   * @param session has one such piece of work at a time
   * @param gone whether nobody waits for it any more
   * @param work throws nothing
   * @throws HoldfastException BUSY when too much waits
   */
  synchronized void take(String from, Object session, BooleanSupplier gone, Runnable work) {
    Queue<Waiting> own = waiting.get(from);
    int others = waiting.values().stream().mapToInt(Queue::size).sum();
    if (sessions.contains(session)
        || others >= bounds.inAll()
        || (own != null && own.size() >= bounds.ofOne())) {
      throw new HoldfastException(
          ErrorCode.BUSY, "the server is counting what it holds for others", RETRY_MILLIS);
    }
    sessions.add(session);
    waiting.computeIfAbsent(from, none -> new ArrayDeque<>()).add(new Waiting(session, gone, work));
    next();
  }

  /** Begins what there is room for. */
  private void next() {
    while (running < bounds.atOnce() && !waiting.isEmpty()) {
      Map.Entry<String, Queue<Waiting>> turn = waiting.entrySet().iterator().next();
      String from = turn.getKey();
      Queue<Waiting> own = turn.getValue();
      Waiting one = own.remove();
      waiting.remove(from);
      if (!own.isEmpty()) {
        waiting.put(from, own);
      }
      if (one.gone().getAsBoolean()) {
        sessions.remove(one.session());
      } else {
        running++;
        workers.execute(() -> run(one));
      }
    }
  }

  private void run(Waiting one) {
    try {
      one.work().run();
    } finally {
      synchronized (this) {
        running--;
        sessions.remove(one.session());
        next();
      }
    }
  }
}
