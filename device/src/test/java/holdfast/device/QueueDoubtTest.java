package holdfast.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A doubt begins and ends, and a new count begins, at once or not at all: whatever is left when the
 * process is killed, or when the disk is full, at any step. What was accepted arrives once, and
 * nothing ends in a conflict.
 */
class QueueDoubtTest {
  private static final QueueOptions OPTIONS =
      QueueOptions.DEFAULTS.withSyncing(Syncing.NONE).withOverflow(Overflow.REFUSE);

  @TempDir Path folder;

  /** How a queue comes to a new file, or to a doubt. */
  private enum Way {
    /** The edge has numbers that the file forgot. */
    TAKEN_BEYOND(true),
    /** The same, and some of what waits has collapsed. */
    TAKEN_BEYOND_AND_COLLAPSED(true),
    /** Somebody asks for a new count. */
    RENEWED(false),
    /** The end is torn when the queue is opened. */
    TORN(true),
    /** The head is altered when the queue is opened, and nothing says what it said. */
    HEADLESS(false);

    final boolean forgets;

    Way(boolean forgets) {
      this.forgets = forgets;
    }
  }

  /** What is there when the interesting part begins, and what it is. */
  private record Begun(ReferenceEdge edge, List<String> accepted) {}

  private static void put(DeviceQueue queue, String key) throws Exception {
    queue.put("home", key, "", Octets.wrap(key.getBytes(StandardCharsets.UTF_8)));
  }

  private static void send(DeviceQueue queue, ReferenceEdge edge) throws Exception {
    edge.take(queue.batch().orElseThrow().encode(), Fixture.KEY.publicKey());
  }

  private static DeviceQueue open(QueueFolder path) throws IOException {
    return new DeviceQueue(path, Fixture.KEY, OPTIONS, () -> 1000);
  }

  /** The queue before anything interesting happens to it. */
  private static Begun begin(Way way, Path path) throws Exception {
    ReferenceEdge edge = new ReferenceEdge();
    try (DeviceQueue queue = open(new QueueFolder(path))) {
      if (way == Way.HEADLESS) {
        put(queue, "c");
        put(queue, "d");
        put(queue, "c");
      } else {
        put(queue, "a");
        put(queue, "b");
        send(queue, edge);
        if (way == Way.RENEWED) {
          queue.done(2);
          put(queue, "c");
          put(queue, "d");
          assertThat(queue.batch()).isPresent();
          put(queue, "c");
        }
      }
    }
    Path file = path.resolve("queue");
    byte[] bytes = Files.readAllBytes(file);
    if (way == Way.HEADLESS) {
      bytes[40] ^= 1;
      Files.write(file, bytes);
    } else if (way.forgets) {
      Files.write(file, Arrays.copyOf(bytes, QueueFile.HEADER_SIZE + 10));
    }
    return new Begun(edge, new ArrayList<>());
  }

  /** The interesting part. What is accepted in it is noted. */
  private static void happen(Way way, QueueFolder path, Begun begun, FaultyFolder.Faults faults)
      throws Exception {
    List<String> accepted = begun.accepted();
    boolean opening = way == Way.TORN || way == Way.HEADLESS;
    int left = faults.left;
    FaultyFolder.Look look = faults.look;
    if (!opening) {
      faults.left = Integer.MAX_VALUE;
      faults.look = step -> {};
    }
    if (way == Way.RENEWED || way == Way.HEADLESS) {
      accepted.addAll(List.of("c", "d", "c"));
    }
    try (DeviceQueue queue = open(path)) {
      if (way == Way.TAKEN_BEYOND_AND_COLLAPSED) {
        put(queue, "x");
        put(queue, "y");
        put(queue, "x");
        accepted.addAll(List.of("x", "y", "x"));
      }
      if (way.forgets) {
        assertThat(queue.doubtful()).isTrue();
        put(queue, "c");
        put(queue, "d");
        accepted.addAll(List.of("c", "d"));
      }
      faults.left = left;
      faults.look = look;
      try {
        if (way == Way.RENEWED) {
          queue.renew();
        } else if (queue.doubtful()) {
          queue.settle(begun.edge().last(queue.incarnation()));
        }
      } catch (IOException e) {
        assertThat(e).hasMessageFindingMatch("no space|since a write or sync failed");
      }
      faults.look = step -> {};
      faults.left = Integer.MAX_VALUE;
      // There is room again, and the same process goes on, unless it does not know what is on disk.
      try {
        put(queue, "later");
        accepted.add("later");
        arrive(queue, begun.edge());
      } catch (IOException e) {
        assertThat(e).hasMessageContaining("since a write or sync failed");
      }
    } catch (IOException e) {
      assertThat(e).hasMessageFindingMatch("no space|since a write or sync failed");
    } finally {
      faults.look = step -> {};
      faults.left = Integer.MAX_VALUE;
    }
  }

  private static void arrive(DeviceQueue queue, ReferenceEdge edge) throws IOException {
    for (int round = 0; queue.anythingToSend() || queue.doubtful(); round++) {
      assertThat(round).isLessThan(5);
      if (queue.doubtful()) {
        queue.settle(edge.last(queue.incarnation()));
        continue;
      }
      var answer = edge.take(queue.batch().orElseThrow().encode(), Fixture.KEY.publicKey());
      assertThat(answer).isInstanceOf(ReferenceEdge.Answer.Taken.class);
      queue.done(((ReferenceEdge.Answer.Taken) answer).last());
    }
  }

  /** A process is started where the other left the folder; all that was accepted is there, once. */
  private static void goOn(Path path, ReferenceEdge edge, List<String> accepted) throws Exception {
    try (DeviceQueue queue = open(new QueueFolder(path))) {
      put(queue, "new");
      arrive(queue, edge);
    }
    for (String key : accepted) {
      // Once, unless it was put twice: then the first may have been in a batch before the second.
      assertThat(edge.applied.stream().filter(one -> one.key().equals(key)))
          .as(key)
          .hasSizeBetween(1, Collections.frequency(accepted, key));
    }
    assertThat(edge.applied).extracting(Operation::key).contains("new");
    assertThat(edge.gaps).isEmpty();
    assertThat(path.resolve("queue.new")).doesNotExist();
  }

  @ParameterizedTest
  @EnumSource(Way.class)
  void aDiskThatIsFullAtAnyStepLosesNothing(Way way) throws Exception {
    for (boolean forEver : List.of(false, true)) {
      boolean failed = true;
      for (int n = 0; failed; n++) {
        Path path = folder.resolve("full-" + n + "-" + forEver);
        FaultyFolder.Faults faults = new FaultyFolder.Faults(n, forEver);
        Begun begun = begin(way, path);
        boolean[] reached = new boolean[1];
        int steps = n;
        int[] seen = new int[1];
        faults.look =
            step -> {
              if (!step.startsWith("within") && !step.endsWith("truncate")) {
                reached[0] |= seen[0]++ == steps;
              }
            };
        happen(way, new FaultyFolder(path, faults), begun, faults);
        try {
          goOn(path, begun.edge(), begun.accepted());
        } catch (Exception | AssertionError e) {
          throw new AssertionError("full at step " + n + ", for ever " + forEver + ": " + e, e);
        }
        failed = reached[0];
        assertThat(n).isLessThan(40);
        assertThat(failed || n >= 2).as("steps at which the disk can fail").isTrue();
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Way.class)
  void i13AProcessThatIsKilledAtAnyStepLosesNothing(Way way) throws Exception {
    Path path = folder.resolve("whole");
    Begun begun = begin(way, path);
    FaultyFolder.Faults faults = new FaultyFolder.Faults(Integer.MAX_VALUE, false);
    record Image(String step, Path path, ReferenceEdge edge, List<String> accepted) {}
    List<Image> images = new ArrayList<>();
    faults.look =
        step -> {
          Path copy = folder.resolve("image-" + images.size());
          Files.createDirectories(copy);
          try (var files = Files.list(path)) {
            for (Path file : files.toList()) {
              // Not the lock: to close it would give it up.
              if (!file.endsWith("lock")) {
                Files.copy(file, copy.resolve(file.getFileName().toString()));
              }
            }
          }
          images.add(
              new Image(
                  images.size() + ", " + step,
                  copy,
                  begun.edge().copy(),
                  List.copyOf(begun.accepted())));
        };
    happen(way, new FaultyFolder(path, faults), begun, faults);
    assertThat(images).hasSizeGreaterThan(4);
    for (Image image : images) {
      try {
        goOn(image.path(), image.edge(), image.accepted());
      } catch (Exception | AssertionError e) {
        throw new AssertionError("killed at step " + image.step() + ": " + e, e);
      }
    }
  }
}
