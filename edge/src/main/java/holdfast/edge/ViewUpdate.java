package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;

import holdfast.base.Bytes;
import holdfast.base.Hash;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import holdfast.device.Claim;
import holdfast.device.Operation;
import holdfast.store.DerivedTable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Brings one record into the view. This is the one place where a leaf takes effect, whether it has
 * just been written or is read again when an edge recovers; so both come to the same view.
 *
 * <p>Nothing here asks for the time: what is forgotten is forgotten by the time of the record.
 */
final class ViewUpdate {
  /** How long an idempotency key is remembered. */
  static final long ANSWERS_MILLIS = 24L * 3600 * 1000;

  /** How much one record makes the view forget at most, so that none takes long. */
  private static final int FORGOTTEN_AT_ONCE = 4096;

  private final View view;
  private final Hash record;
  private final long timeMillis;
  private final DerivedTable.Batch batch = new DerivedTable.Batch();

  /** Sizes of values that were asked for, as they are after what is in the batch. */
  private final Map<Bytes, Integer> sizes = new HashMap<>();

  private final Map<String, View.SpaceState> spaces = new HashMap<>();
  private final Map<String, EdgeLeaf.User> users = new HashMap<>();
  private final Map<String, EdgeLeaf.Device> devices = new HashMap<>();
  private long number;

  /** What is known of the oldest answer when this is committed. */
  private long oldestAnswerMillis;

  private static final byte[] NOTHING = {};

  private ViewUpdate(View view, Hash record, long timeMillis) {
    this.view = view;
    this.record = record;
    this.timeMillis = timeMillis;
    this.number = view.mark().number();
    this.oldestAnswerMillis = view.oldestAnswerMillis;
  }

  /**
   * What a leaf did.
   *
   * @param took whether it took effect
   * @param existed whether the key had a value before
   */
  record Effect(boolean took, boolean existed) {
    static final Effect NONE = new Effect(false, false);
  }

  /**
   * Applies a record.
   *
   * @param nextArrival the arrival number after that of the record, as far as is known
   * @param leaves of the record, in order; null where the owner had one erased
   * @return what each leaf did
   */
  static List<Effect> apply(
      View view,
      Hash record,
      long timeMillis,
      long nextArrival,
      List<? extends @Nullable EdgeLeaf> leaves) {
    ViewUpdate update = new ViewUpdate(view, record, timeMillis);
    List<Effect> effects = update.effects(leaves);
    update.spaces.keySet().forEach(update::forgetValues);
    update.spaces.forEach((space, state) -> update.put(ViewKeys.space(space), state.encode()));
    update.forgetAnswers();
    View.Mark mark = new View.Mark(record, nextArrival, update.number, timeMillis);
    update.put(ViewKeys.MARK, mark.encode());
    view.table.commit(update.batch);
    view.sizes.committed(update.sizes);
    view.oldestAnswerMillis = update.oldestAnswerMillis;
    view.spaces.putAll(update.spaces);
    if (update.devices.values().stream().anyMatch(EdgeLeaf.Device::enrolled)) {
      view.enrolments = true;
    }
    update.users.forEach((name, user) -> {
      if (user.removed()) {
        view.users.remove(name);
      } else {
        view.users.put(name, user);
      }
    });
    view.moved(mark);
    return effects;
  }

  // ---- The table with what is pending -----------------------------------------------------------

  private byte @Nullable [] get(byte[] key) {
    return batch.changes(key) ? batch.get(key) : view.table.get(key);
  }

  private void put(byte[] key, byte[] value) {
    batch.put(key, value);
  }

  private void remove(byte[] key) {
    batch.remove(key);
  }

  /** Bytes of the value that a key has now; {@link ValueSizes#NONE} when it has none. */
  private int size(byte[] valueKey) {
    Bytes wrapped = Bytes.wrap(valueKey);
    Integer mine = sizes.get(wrapped);
    Integer known = mine == null ? view.sizes.of(wrapped) : mine;
    if (known != null) {
      return known;
    }
    Version.Current current = Version.Current.decode(get(valueKey));
    return current == null ? ValueSizes.NONE : current.sizeBytes();
  }

  private View.SpaceState space(String name) {
    View.SpaceState mine = spaces.get(name);
    return mine == null ? view.space(name) : mine;
  }

  // ---- Leaves -----------------------------------------------------------------------------------

  private List<Effect> effects(List<? extends @Nullable EdgeLeaf> leaves) {
    List<Effect> effects = new ArrayList<>(leaves.size());
    int passed = 0;
    View.Tried tried = view.tried(timeMillis);
    for (int i = 0; i < leaves.size(); i++) {
      EdgeLeaf leaf = leaves.get(i);
      Effect effect = Effect.NONE;
      switch (leaf) {
        case null -> {
          passed = Math.max(0, passed - 1);
          if (tried != null && tried.leaves().size() == leaves.size()) {
            known(tried.leaves().get(i));
          } else {
            withdraw();
          }
        }
        case EdgeLeaf.Change change -> {
          if (passed > 0) {
            passed--;
          } else {
            effect = change(new Place(record, i), change);
          }
        }
        case EdgeLeaf.DeviceBatch claimed -> {
          boolean fresh = take(new Place(record, i), claimed);
          passed = fresh ? 0 : claimed.signed().claim().operations();
          effect = new Effect(fresh, false);
        }
        case EdgeLeaf.Answered answered -> answer(answered, i + 1, leaves);
        case EdgeLeaf.User user -> {
          put(user);
          effect = new Effect(true, false);
        }
        case EdgeLeaf.Device device -> {
          put(device);
          effect = new Effect(true, false);
        }
        case EdgeLeaf.SpaceLimits limits -> {
          limit(limits.space(), limits.quotaBytes(), limits.retentionMillis());
          effect = new Effect(true, false);
        }
        case EdgeLeaf.LastTaken last -> restate(last);
        case EdgeLeaf.Settled settled -> put(ViewKeys.settled(settled.statement()), NOTHING);
      }
      effects.add(effect);
    }
    return effects;
  }

  private void put(EdgeLeaf.User user) {
    if (user.removed()) {
      remove(ViewKeys.user(user.name()));
    } else {
      put(ViewKeys.user(user.name()), user.encodePlain());
    }
    users.put(user.name(), user);
  }

  private void put(EdgeLeaf.Device device) {
    put(ViewKeys.device(device.name()), device.encodePlain());
    devices.put(device.name(), device);
  }

  private void limit(String space, long quotaBytes, long retentionMillis) {
    View.SpaceState now = space(space);
    spaces.put(
        space,
        new View.SpaceState(now.keys(), now.bytes(), now.last(), quotaBytes, retentionMillis));
  }

  /**
   * A leaf was erased before its effect was known, and this edge knows what it held: what it says
   * of users, devices and limits holds, and will be said again. Of values nothing holds.
   */
  private void known(EdgeLeaf erased) {
    switch (erased) {
      case EdgeLeaf.User user -> put(user);
      case EdgeLeaf.Device device -> put(device);
      case EdgeLeaf.SpaceLimits limits ->
          limit(limits.space(), limits.quotaBytes(), limits.retentionMillis());
      case EdgeLeaf.Change _,
          EdgeLeaf.DeviceBatch _,
          EdgeLeaf.Answered _,
          EdgeLeaf.LastTaken _,
          EdgeLeaf.Settled _ -> {}
    }
  }

  /**
   * A leaf was erased, and may have been the one that took a right away, or lifted a limit: no
   * user, no enrolment and no limit from before it holds, unless it is stated again after it.
   */
  private void withdraw() {
    Set<String> limited = new HashSet<>(view.spaces.keySet());
    limited.addAll(spaces.keySet());
    for (String name : limited) {
      View.SpaceState now = space(name);
      if (now.quotaBytes() != 0 || now.retentionMillis() != 0) {
        limit(name, 0, 0);
      }
    }
    Set<String> known = new HashSet<>(view.users.keySet());
    known.addAll(users.keySet());
    for (String name : known) {
      EdgeLeaf.User pendingNow = users.get(name);
      if (pendingNow == null || !pendingNow.removed()) {
        put(new EdgeLeaf.User(timeMillis, "", name, "", List.of()));
      }
    }
    List<EdgeLeaf.Device> enrolled = new ArrayList<>();
    if (view.enrolments) {
      view.devices(
          "",
          device -> {
            if (!devices.containsKey(device.name())) {
              enrolled.add(device);
            }
            return true;
          });
    }
    enrolled.addAll(devices.values());
    for (EdgeLeaf.Device one : enrolled) {
      if (one.enrolled()) {
        put(
            new EdgeLeaf.Device(
                one.timeMillis(), one.user(), one.name(), one.key(), one.signature(), false));
      }
    }
    view.enrolments = false;
  }

  private void restate(EdgeLeaf.LastTaken taken) {
    byte[] incarnation = ViewKeys.incarnation(taken.device(), taken.incarnation());
    byte[] last = get(incarnation);
    if (last == null || View.number(last) < taken.last()) {
      put(incarnation, java.nio.ByteBuffer.allocate(8).putLong(taken.last()).array());
    }
    put(
        ViewKeys.claim(taken.device(), taken.incarnation(), taken.first()),
        new View.Taken(taken.last(), taken.claim(), taken.place()).encode());
  }

  private Effect change(Place place, EdgeLeaf.Change change) {
    Operation operation = change.operation();
    String space = operation.space();
    byte[] key = operation.key().getBytes(UTF_8);
    byte[] valueKey = ViewKeys.value(space, key);
    int before = size(valueKey);
    boolean existed = before != ValueSizes.NONE;
    Version version = Version.of(++number, place, timeMillis, change);
    long bytes = existed ? -(key.length + (long) before) : 0;
    int keys = existed ? -1 : 0;
    switch (operation) {
      case Operation.Put put -> {
        byte[] value = put.value().unsafeArray();
        put(valueKey, Version.Current.encode(version, value));
        sizes.put(Bytes.wrap(valueKey), value.length);
        bytes += key.length + (long) value.length;
        keys++;
      }
      case Operation.Delete _ -> {
        if (existed) {
          remove(valueKey);
        }
        sizes.put(Bytes.wrap(valueKey), ValueSizes.NONE);
      }
    }
    put(ViewKeys.history(space, operation.key(), number), version.encode());
    put(ViewKeys.log(space, number), key);
    spaces.put(space, space(space).plus(keys, bytes, number));
    return new Effect(true, existed);
  }

  /** Takes a claim, unless it, or one that overlaps it, was taken before. */
  private boolean take(Place place, EdgeLeaf.DeviceBatch leaf) {
    Claim claim = leaf.signed().claim();
    byte[] incarnation = ViewKeys.incarnation(leaf.device(), claim.incarnation());
    byte[] last = get(incarnation);
    if (last != null && claim.first() <= View.number(last)) {
      return false;
    }
    put(incarnation, java.nio.ByteBuffer.allocate(8).putLong(claim.last()).array());
    put(
        ViewKeys.claim(leaf.device(), claim.incarnation(), claim.first()),
        new View.Taken(claim.last(), nameOf(claim), place).encode());
    return true;
  }

  /** What a claim is recognised by. */
  static Hash nameOf(Claim claim) {
    return Sha256.get().hash(Domain.DEVICE_BATCH, claim.encode());
  }

  private void answer(
      EdgeLeaf.Answered answered, int first, List<? extends @Nullable EdgeLeaf> leaves) {
    boolean created =
        first < leaves.size()
            && leaves.get(first) instanceof EdgeLeaf.Change(var u, var d, var operation)
            && size(ViewKeys.value(operation.space(), operation.key())) == ValueSizes.NONE;
    put(
        ViewKeys.answer(answered.user(), answered.key()),
        new View.Answer(answered.request(), new Place(record, first), answered.changes(), created)
            .encode());
    put(ViewKeys.answerByTime(timeMillis, answered.user(), answered.key()), NOTHING);
    oldestAnswerMillis = Math.min(oldestAnswerMillis, timeMillis);
  }

  // ---- Erasures -----------------------------------------------------------------------------

  /** Takes versions out that were erased; a value among them must have been deleted before. */
  static void drop(View view, List<ViewKeys.VersionOf> versions) {
    DerivedTable.Batch batch = new DerivedTable.Batch();
    for (ViewKeys.VersionOf one : versions) {
      batch.remove(ViewKeys.history(one.space(), one.key(), one.number()));
      batch.remove(ViewKeys.log(one.space(), one.number()));
    }
    view.table.commit(batch);
  }

  // ---- Forgetting -------------------------------------------------------------------------------

  /**
   * Forgets some of what a space keeps no longer, without a record: it would be forgotten with the
   * next one of the space.
   *
   * @return whether anything was forgotten
   */
  static boolean forget(View view, String space, long timeMillis) {
    ViewUpdate update = new ViewUpdate(view, view.mark().record(), timeMillis);
    if (update.forgetValues(space) == 0) {
      return false;
    }
    View.SpaceState left = update.space(space);
    update.put(ViewKeys.space(space), left.encode());
    view.table.commit(update.batch);
    view.sizes.committed(update.sizes);
    view.spaces.put(space, left);
    return true;
  }

  /** Forgets what a space keeps no longer; returns how many versions. */
  private int forgetValues(String space) {
    long retention = space(space).retentionMillis();
    if (retention == 0) {
      return 0;
    }
    int[] left = {FORGOTTEN_AT_ONCE};
    long[] freed = new long[2];
    view.changes(
        space,
        0,
        (changed, key) -> {
          Version version = view.version(space, key, changed);
          if (version != null && timeMillis - version.timeMillis() <= retention) {
            return false;
          }
          batch.remove(ViewKeys.log(space, changed));
          batch.remove(ViewKeys.history(space, key, changed));
          byte[] valueKey = ViewKeys.value(space, key);
          Version.Current current = Version.Current.decode(get(valueKey));
          if (current != null && current.number() == changed) {
            remove(valueKey);
            sizes.put(Bytes.wrap(valueKey), ValueSizes.NONE);
            freed[0]++;
            freed[1] += key.getBytes(UTF_8).length + (long) current.sizeBytes();
          }
          return --left[0] > 0;
        });
    View.SpaceState now = space(space);
    spaces.put(space, now.plus(-freed[0], -freed[1], now.last()));
    return FORGOTTEN_AT_ONCE - left[0];
  }

  /** Looks into the table only when there may be something to forget: every record asks. */
  private void forgetAnswers() {
    long before = timeMillis - ANSWERS_MILLIS;
    if (oldestAnswerMillis >= before) {
      return;
    }
    int[] left = {FORGOTTEN_AT_ONCE};
    long[] oldest = {timeMillis};
    view.table.scan(
        ViewKeys.first('y'),
        ViewKeys.end('y'),
        (key, value) -> {
          long time = ViewKeys.timeOfAnswer(key);
          if (time >= before || left[0] == 0) {
            oldest[0] = Math.min(oldest[0], time);
            return false;
          }
          batch.remove(key);
          batch.remove(ViewKeys.answerOfTime(key));
          left[0]--;
          return true;
        });
    oldestAnswerMillis = oldest[0];
  }
}
