package holdfast.edge;

import holdfast.base.Hash;
import holdfast.device.Claim;
import holdfast.device.Octets;
import holdfast.device.Operation;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One record in the making. Tasks are decided upon one after the other, each in view of those
 * before it, and those that may be done become leaves.
 */
final class Flush {
  private final View view;
  private final long timeMillis;
  private final List<EdgeLeaf> leaves = new ArrayList<>();
  private final List<Waiting> waiting = new ArrayList<>();
  private final List<ViewKeys.VersionOf> dropped = new ArrayList<>();

  /** Whether a key that is changed in this flush has a value after it. */
  private final Map<Key, Size> keys = new HashMap<>();

  private final Map<String, Long> added = new HashMap<>();
  private final Map<Queue, Long> lasts = new HashMap<>();
  private final Map<Queue, Map<Long, TakenNow>> claims = new HashMap<>();
  private final Map<Answered, AnsweredNow> answers = new HashMap<>();
  private final Map<String, EdgeLeaf.User> users = new HashMap<>();
  private final Map<String, EdgeLeaf.Device> devices = new HashMap<>();
  private final Map<String, EdgeLeaf.SpaceLimits> limits = new HashMap<>();

  private record Key(String space, String key) {}

  /** Bytes of key and value; negative when there is no value. */
  private record Size(long bytes) {}

  private record Queue(String device, Octets incarnation) {}

  private record TakenNow(Hash claim, int leaf) {}

  private record Answered(String user, Hash key) {}

  private record AnsweredNow(Hash request, int leaf, int changes) {}

  /** Who waits for leaves of this flush. */
  record Waiting(Ticket ticket, int firstLeaf, int changes, boolean repeated) {}

  Flush(View view, long timeMillis) {
    this.view = view;
    this.timeMillis = timeMillis;
  }

  long timeMillis() {
    return timeMillis;
  }

  List<EdgeLeaf> leaves() {
    return leaves;
  }

  List<Waiting> waiting() {
    return waiting;
  }

  /** Decides upon a task; who may not have it done is told so at once. */
  void decide(Task task) {
    int before = leaves.size();
    try {
      switch (task) {
        case Task.Write write -> write(write);
        case Task.DeviceWrite write -> device(write);
        case Task.Administer change -> administer(change);
        case Task.Restate restate -> restate(restate);
      }
    } catch (Problem problem) {
      task.ticket().failed(problem);
    } catch (IllegalArgumentException e) {
      if (leaves.size() != before) {
        // Part of it is in the record already, which must not be written.
        throw e;
      }
      // A value that no leaf can hold is its sender's mistake, and nobody else's.
      task.ticket().failed(Problem.invalid(String.valueOf(e.getMessage())));
    }
  }

  // ---- Changes of keys --------------------------------------------------------------------------

  private void write(Task.Write task) {
    Task.Once once = task.once();
    if (once != null && answeredBefore(task, once)) {
      return;
    }
    Operation first = task.operations().getFirst();
    requireCondition(task, first);
    requireQuota(task.operations());
    if (once != null) {
      leaves.add(
          new EdgeLeaf.Answered(task.user(), once.key(), once.request(), task.operations().size()));
      answers.put(
          new Answered(task.user(), once.key()),
          new AnsweredNow(once.request(), leaves.size(), task.operations().size()));
    }
    waiting.add(new Waiting(task.ticket(), leaves.size(), task.operations().size(), false));
    for (Operation operation : task.operations()) {
      add(task.user(), "", operation);
    }
  }

  private boolean answeredBefore(Task.Write task, Task.Once once) {
    AnsweredNow now = answers.get(new Answered(task.user(), once.key()));
    View.Answer before = now == null ? view.answer(task.user(), once.key()) : null;
    if (now == null && before == null) {
      return false;
    }
    Hash request = now == null ? Objects.requireNonNull(before).request() : now.request();
    if (!request.equals(once.request())) {
      throw new Problem(
          Problem.Code.IDEMPOTENCY_KEY_REUSED,
          "this idempotency key came with another request before");
    }
    if (now != null) {
      waiting.add(new Waiting(task.ticket(), now.leaf(), now.changes(), true));
    } else if (before != null) {
      task.ticket().done(new Outcome(before.first(), before.changes(), before.created(), true));
    }
    return true;
  }

  private void requireCondition(Task.Write task, Operation first) {
    if (task.condition() instanceof Condition.None && !task.mustExist()) {
      return;
    }
    Size mine = keys.get(new Key(first.space(), first.key()));
    Version.Current current = mine == null ? view.get(first.space(), first.key()) : null;
    boolean exists = mine == null ? current != null : mine.bytes() >= 0;
    if (!task.condition().holds(exists, current == null ? null : current.place())) {
      throw new Problem(
          Problem.Code.PRECONDITION_FAILED, "the value is not the one that the condition asks for");
    }
    if (task.mustExist() && !exists) {
      throw new Problem(Problem.Code.NOT_FOUND, "the key has no value");
    }
  }

  private void add(String user, String device, Operation operation) {
    leaves.add(new EdgeLeaf.Change(user, device, operation));
    Size after = new Size(size(operation));
    keys.put(new Key(operation.space(), operation.key()), after);
  }

  private static long size(Operation operation) {
    return switch (operation) {
      case Operation.Put put -> utf8Size(put.key()) + (long) put.value().size();
      case Operation.Delete _ -> -1;
    };
  }

  private static int utf8Size(String key) {
    return key.getBytes(java.nio.charset.StandardCharsets.UTF_8).length;
  }

  /** Refuses what would not fit into a space; counts it if it does. */
  private void requireQuota(List<Operation> operations) {
    Map<String, Long> more = null;
    Map<Key, Long> sizes = null;
    for (Operation operation : operations) {
      if (quotaNow(operation.space()) == 0) {
        continue;
      }
      more = more == null ? new HashMap<>() : more;
      sizes = sizes == null ? new HashMap<>() : sizes;
      Key key = new Key(operation.space(), operation.key());
      long before = sizes.getOrDefault(key, sizeNow(key));
      long after = Math.max(0, size(operation));
      sizes.put(key, after);
      more.merge(operation.space(), after - before, Long::sum);
    }
    if (more == null) {
      return;
    }
    more.forEach((space, bytes) -> {
      long quota = quotaNow(space);
      long total = total(space) + bytes;
      // What nobody sees any more takes no room from what comes.
      while (bytes > 0 && total > quota && forgets(space)) {
        total = total(space) + bytes;
      }
      if (bytes > 0 && total > quota) {
        throw new Problem(
            Problem.Code.QUOTA,
            "space " + space + " would hold " + total + " bytes, and its quota is " + quota);
      }
    });
    more.forEach((space, bytes) -> added.merge(space, bytes, Long::sum));
  }

  private long total(String space) {
    return view.space(space).bytes() + added.getOrDefault(space, 0L);
  }

  /** Lets some of what has expired be forgotten; by limits that are in force, not new ones. */
  private boolean forgets(String space) {
    return !limits.containsKey(space) && ViewUpdate.forget(view, space, timeMillis);
  }

  /** The quota of a space after what this flush has decided; 0 for none. */
  private long quotaNow(String space) {
    EdgeLeaf.SpaceLimits mine = limits.get(space);
    return mine == null ? view.space(space).quotaBytes() : mine.quotaBytes();
  }

  private long sizeNow(Key key) {
    Size mine = keys.get(key);
    if (mine != null) {
      return Math.max(0, mine.bytes());
    }
    Version.Current current = view.get(key.space(), key.key());
    return current == null ? 0 : utf8Size(key.key()) + (long) current.sizeBytes();
  }

  // ---- Devices ----------------------------------------------------------------------------------

  private void device(Task.DeviceWrite task) {
    Claim claim = task.batch().claim();
    EdgeLeaf.Device device = deviceNow(task.device());
    if (device == null || !device.key().equals(claim.device())) {
      throw new Problem(
          Problem.Code.CONFLICT, "no device is enrolled here under this name with this key");
    }
    if (!device.enrolled()) {
      throw new Problem(Problem.Code.DENIED, "the device was revoked");
    }
    Queue queue = new Queue(task.device(), claim.incarnation());
    if (takenBefore(task, queue, claim)) {
      return;
    }
    long last = lasts.getOrDefault(queue, view.lastSequence(task.device(), claim.incarnation()));
    if (claim.first() <= last) {
      throw new Problem(
          Problem.Code.CONFLICT,
          "the queue's operations up to "
              + last
              + " were taken already, in other batches; two devices use one queue, or somebody"
              + " else uses the key",
          0,
          Json.object().put("last", last));
    }
    requireNothingRejected(task);
    requireQuota(task.batch().operations());
    int leaf = leaves.size();
    leaves.add(new EdgeLeaf.DeviceBatch(task.user(), task.device(), task.batch().signed()));
    lasts.put(queue, claim.last());
    claims
        .computeIfAbsent(queue, one -> new HashMap<>())
        .put(claim.first(), new TakenNow(ViewUpdate.nameOf(claim), leaf));
    waiting.add(new Waiting(task.ticket(), leaf, 0, false));
    for (Operation operation : task.batch().operations()) {
      add(task.user(), task.device(), operation);
    }
  }

  /**
   * Refuses a batch of which some operations can never be taken, and names all of them, so that the
   * device can leave them out. Before this nothing of the batch was taken, nor will a copy of it
   * that is sent later: the device may make another batch of the same numbers.
   */
  private void requireNothingRejected(Task.DeviceWrite task) {
    EdgeLeaf.User user = userNow(task.user());
    if (user == null) {
      throw new Problem(Problem.Code.DENIED, "there is no such user any more");
    }
    List<Long> rejected = new ArrayList<>();
    Problem.Code code = null;
    String why = "";
    String space = "";
    boolean denied = true;
    long quota = 0;
    for (Operation operation : task.batch().operations()) {
      if (!operation.space().equals(space)) {
        space = operation.space();
        denied = !user.may(Right.WRITE, space);
        quota = quotaNow(space);
      }
      if (denied || (quota != 0 && size(operation) > quota)) {
        rejected.add(operation.sequence());
        if (code == null) {
          code = denied ? Problem.Code.DENIED : Problem.Code.QUOTA;
          why =
              denied
                  ? "user " + user.name() + " may not write in space " + space
                  : "key and value have "
                      + size(operation)
                      + " bytes, and the quota of all of"
                      + " space "
                      + space
                      + " is "
                      + quota;
        }
      }
    }
    if (code != null) {
      throw new Problem(
          code,
          why + (rejected.size() == 1 ? "" : "; " + rejected.size() + " changes are rejected"),
          0,
          Json.object().put("rejected", rejected));
    }
  }

  private boolean takenBefore(Task.DeviceWrite task, Queue queue, Claim claim) {
    Hash name = ViewUpdate.nameOf(claim);
    TakenNow now = claims.getOrDefault(queue, Map.of()).get(claim.first());
    if (now != null && now.claim().equals(name)) {
      waiting.add(new Waiting(task.ticket(), now.leaf(), 0, true));
      return true;
    }
    View.Taken before = view.taken(task.device(), claim.incarnation(), claim.first());
    if (before != null && before.claim().equals(name)) {
      task.ticket().done(new Outcome(before.place(), 0, false, true));
      return true;
    }
    return false;
  }

  // ---- Administration ---------------------------------------------------------------------------

  private void administer(Task.Administer task) {
    EdgeLeaf leaf = task.decide().apply(this);
    if (leaf == null) {
      task.ticket().done(new Outcome(new Place(Hash.ZERO, 0), 0, false, true));
      return;
    }
    waiting.add(new Waiting(task.ticket(), leaves.size(), 1, false));
    add(leaf);
  }

  private void add(EdgeLeaf leaf) {
    switch (leaf) {
      case EdgeLeaf.User user -> users.put(user.name(), user);
      case EdgeLeaf.Device device -> devices.put(device.name(), device);
      case EdgeLeaf.SpaceLimits given -> limits.put(given.space(), given);
      case EdgeLeaf.LastTaken taken -> {}
      case EdgeLeaf.Settled settled -> {}
      default -> throw new AssertionError("no change of users, devices or limits: " + leaf);
    }
    leaves.add(leaf);
  }

  private void restate(Task.Restate task) {
    waiting.add(new Waiting(task.ticket(), leaves.size(), 0, false));
    for (ViewKeys.VersionOf erased : task.drop()) {
      boolean changedNow = keys.containsKey(new Key(erased.space(), erased.key()));
      if (!changedNow && view.newest(erased.space(), erased.key()) == erased.number()) {
        add("", "", new Operation.Delete(0, timeMillis, erased.space(), erased.key()));
      }
    }
    dropped.addAll(task.drop());
    task.restate().apply(this).forEach(this::add);
  }

  /** Versions that were erased, to be taken out of the view when the leaves are in it. */
  List<ViewKeys.VersionOf> dropped() {
    return dropped;
  }

  /** A user as it is after what this flush has decided; null when there is none. */
  EdgeLeaf.@Nullable User userNow(String name) {
    EdgeLeaf.User mine = users.get(name);
    if (mine == null) {
      return view.users.get(name);
    }
    return mine.removed() ? null : mine;
  }

  /** The limits of a space as they are now; null when it has none. */
  EdgeLeaf.@Nullable SpaceLimits limitsNow(String space) {
    EdgeLeaf.SpaceLimits mine = limits.get(space);
    View.SpaceState now = view.space(space);
    long quota = mine == null ? now.quotaBytes() : mine.quotaBytes();
    long retention = mine == null ? now.retentionMillis() : mine.retentionMillis();
    return quota == 0 && retention == 0
        ? null
        : new EdgeLeaf.SpaceLimits(timeMillis, "", space, quota, retention);
  }

  /** A device as it is after what this flush has decided; null when there is none. */
  EdgeLeaf.@Nullable Device deviceNow(String name) {
    EdgeLeaf.Device mine = devices.get(name);
    return mine == null ? view.device(name) : mine;
  }
}
