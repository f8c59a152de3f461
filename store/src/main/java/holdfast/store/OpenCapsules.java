package holdfast.store;

import holdfast.base.Hash;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The capsules that are loaded. Those used last are kept within a budget of memory; others are let
 * go once nobody uses them any more.
 *
 * <p>There is never more than one object of a capsule, for its lock is what keeps the record graph
 * whole: whoever holds one, a session or a batch, keeps it alive, and whoever asks meanwhile is
 * given the same. What a capsule in use keeps decoded is dropped all the same when its turn comes.
 */
final class OpenCapsules {
  private final long budgetBytes;
  private final Map<Hash, Known> known = new ConcurrentHashMap<>();
  private final ReferenceQueue<StoredCapsule> gone = new ReferenceQueue<>();

  /** The capsules kept alive here, used longest ago first, and what each was taken to hold. */
  private final LinkedHashMap<StoredCapsule, Long> recent = new LinkedHashMap<>(16, 0.75f, true);

  private long recentBytes;

  private static final class Known extends WeakReference<StoredCapsule> {
    final Hash name;

    Known(StoredCapsule capsule, ReferenceQueue<StoredCapsule> gone) {
      super(capsule, gone);
      this.name = capsule.name();
    }
  }

  OpenCapsules(long budgetBytes) {
    this.budgetBytes = budgetBytes;
  }

  /** The capsule if it is loaded; null otherwise. */
  @Nullable StoredCapsule find(Hash name) {
    Known reference = known.get(name);
    StoredCapsule found = reference == null ? null : reference.get();
    if (found != null) {
      used(found, false);
    }
    return found;
  }

  /** The capsule, loaded now if it is not. */
  StoredCapsule get(Hash name, Supplier<StoredCapsule> load) {
    StoredCapsule[] found = new StoredCapsule[1];
    boolean[] loaded = new boolean[1];
    known.compute(
        name,
        (key, before) -> {
          StoredCapsule alive = before == null ? null : before.get();
          loaded[0] = alive == null;
          found[0] = alive == null ? load.get() : alive;
          return alive == null ? new Known(found[0], gone) : before;
        });
    used(found[0], loaded[0]);
    return found[0];
  }

  private void used(StoredCapsule capsule, boolean loaded) {
    while (gone.poll() instanceof Known collected) {
      known.remove(collected.name, collected);
    }
    synchronized (recent) {
      long bytes = capsule.memoryBytes();
      Long before = recent.put(capsule, bytes);
      recentBytes += bytes - (before == null ? 0 : before);
      if (loaded) {
        // The others have grown since they were last asked for.
        recent.replaceAll((other, old) -> other.memoryBytes());
        recentBytes = recent.values().stream().mapToLong(Long::longValue).sum();
      }
      var eldest = recent.entrySet().iterator();
      while (recentBytes > budgetBytes && recent.size() > 1) {
        Map.Entry<StoredCapsule, Long> first = eldest.next();
        recentBytes -= first.getValue();
        StoredCapsule let = first.getKey();
        eldest.remove();
        let.letGo();
      }
    }
  }

  /** How many are kept alive here. */
  int kept() {
    synchronized (recent) {
      return recent.size();
    }
  }

  /** How many are loaded, in use or kept. */
  int loaded() {
    return (int) known.values().stream().filter(one -> one.get() != null).count();
  }
}
