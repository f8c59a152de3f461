package holdfast.edge;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.crypto.Domain;
import holdfast.crypto.Sha256;
import holdfast.device.Octets;
import holdfast.device.Operation;
import holdfast.store.DerivedTable;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A view that is made anew after an erasure, from the leaves that are left and those in which the
 * edge said again what it knew, comes to the users, enrolments and limits of the one that went on.
 */
class ErasedLeavesTest {
  private static final long HOUR = 3_600_000;
  private static final int RUNS = 60;

  @TempDir Path folder;
  private View live;
  private View anew;

  @BeforeEach
  void open() {
    live = View.open(folder.resolve("live"));
    anew = View.open(folder.resolve("anew"));
  }

  @AfterEach
  void close() {
    live.close();
    anew.close();
  }

  private static void apply(View view, int number, long timeMillis, @Nullable EdgeLeaf leaf) {
    Hash name = Sha256.get().hash(Domain.RECORD, ("record " + number).getBytes(UTF_8));
    List<@Nullable EdgeLeaf> leaves = new ArrayList<>();
    leaves.add(leaf);
    ViewUpdate.apply(view, name, timeMillis, number, leaves);
  }

  private static EdgeLeaf.SpaceLimits limits(long quotaBytes, long retentionMillis) {
    return new EdgeLeaf.SpaceLimits(0, "", "home", quotaBytes, retentionMillis);
  }

  private static EdgeLeaf put(String space, String key) {
    return new EdgeLeaf.Change(
        "ann", "", new Operation.Put(0, 0, space, key, "", Octets.wrap(new byte[] {1})));
  }

  /** What the edge says again, as it does once it follows an erasure. */
  private List<EdgeLeaf> again(long timeMillis) {
    Flush flush = new Flush(live, timeMillis);
    List<@Nullable EdgeLeaf> leaves = new ArrayList<>();
    live.users.keySet().forEach(name -> leaves.add(ErasureWatch.userAgain(flush, name)));
    live.devices("", device -> leaves.add(ErasureWatch.deviceAgain(flush, device.name())));
    live.spaces.keySet().forEach(space -> leaves.add(flush.limitsNow(space)));
    return leaves.stream().filter(Objects::nonNull).toList();
  }

  /** All that is not a value. */
  private static Map<String, String> state(View view) {
    Map<String, String> state = new TreeMap<>();
    view.users.forEach((name, user) -> state.put("user " + name, user.grants().toString()));
    view.devices(
        "", device -> state.put("device " + device.name(), "" + device.enrolled()) == null);
    view.spaces.forEach((name, space) -> {
      if (space.quotaBytes() + space.retentionMillis() > 0) {
        state.put("space " + name, space.quotaBytes() + ", " + space.retentionMillis());
      }
    });
    return state;
  }

  /** Lifted limits stay lifted, and no value is forgotten for one that does not hold any more. */
  @Test
  void aLimitWhoseLiftingWasErasedDoesNotComeBack() {
    List<EdgeLeaf> leaves =
        List.of(limits(1, HOUR), limits(0, 0), put("home", "a"), put("home", "b"));
    for (int i = 0; i < leaves.size(); i++) {
      apply(live, i, 10 * HOUR * i, leaves.get(i));
      apply(anew, i, 10 * HOUR * i, i == 1 ? null : leaves.get(i));
    }
    assertThat(anew.space("home")).isEqualTo(live.space("home"));
    assertThat(anew.space("home").keys()).isEqualTo(2);
    assertThat(again(99 * HOUR)).isEmpty();
  }

  @Test
  void aLimitThatHoldsIsSaidAgain() {
    apply(live, 0, 1, limits(7, HOUR));
    apply(anew, 0, 1, null);
    assertThat(state(anew)).isEmpty();
    List<EdgeLeaf> again = again(2);
    assertThat(again).hasSize(1);
    apply(anew, 1, 2, again.getFirst());
    assertThat(state(anew)).isEqualTo(state(live));
  }

  @Test
  void whateverWasErasedTheViewThatIsMadeAnewIsTheOneThatWentOn() throws Exception {
    for (int seed = 0; seed < RUNS; seed++) {
      Random random = new Random(seed);
      int count = 5 + random.nextInt(30);
      for (int i = 0; i < count; i++) {
        EdgeLeaf leaf = leaf(random);
        apply(live, i, i + 1, leaf);
        apply(anew, i, i + 1, random.nextInt(4) == 0 ? null : leaf);
      }
      List<EdgeLeaf> again = again(count + 1);
      IntStream.range(0, again.size())
          .forEach(i -> apply(anew, count + i, count + 1 + i, again.get(i)));
      // Who is withdrawn is not removed from the devices, so that it can be brought back.
      Map<String, String> expected = new HashMap<>(state(live));
      assertThat(state(anew)).as("seed " + seed).isEqualTo(expected);
      close();
      DerivedTable.delete(folder.resolve("live"));
      DerivedTable.delete(folder.resolve("anew"));
      open();
    }
  }

  private static EdgeLeaf leaf(Random random) {
    String name = List.of("ann", "bob", "eve").get(random.nextInt(3));
    return switch (random.nextInt(4)) {
      case 0 ->
          new EdgeLeaf.User(
              0,
              "",
              name,
              random.nextInt(3) == 0 ? "" : "hash",
              List.of(new EdgeLeaf.Grant("home", random.nextBoolean() ? Right.READ : Right.WRITE)));
      case 1 ->
          new EdgeLeaf.Device(
              0,
              "ann",
              "device-" + name,
              Octets.wrap(new byte[32]),
              Octets.wrap(new byte[64]),
              random.nextInt(3) > 0);
      case 2 ->
          new EdgeLeaf.SpaceLimits(
              0,
              "",
              List.of("home", "garden").get(random.nextInt(2)),
              random.nextInt(3),
              HOUR * random.nextInt(3));
      default -> put("home", "k" + random.nextInt(5));
    };
  }

  /** What an edge that is killed has on the disk is at most a minute old. */
  @Test
  void theViewIsBroughtToTheDiskNowAndThen() throws Exception {
    long now = View.FLUSH_MILLIS;
    apply(live, 0, 1, put("home", "a"));
    live.flushNowAndThen(now);
    apply(live, 1, 2, put("home", "b"));
    live.flushNowAndThen(now + View.FLUSH_MILLIS - 1);
    assertThat(keysOnDisk("early")).isEqualTo(1);
    live.flushNowAndThen(now + View.FLUSH_MILLIS);
    assertThat(keysOnDisk("late")).isEqualTo(2);
  }

  private long keysOnDisk(String copy) throws Exception {
    Site.copy(folder.resolve("live"), folder.resolve(copy));
    try (View killed = View.open(folder.resolve(copy))) {
      return killed.space("home").keys();
    }
  }
}
