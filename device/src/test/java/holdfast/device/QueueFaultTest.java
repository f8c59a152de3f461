package holdfast.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The disk fails at its n-th write, sync or rename, for every n: once, or from then on. */
class QueueFaultTest {
  private static final QueueOptions OPTIONS =
      QueueOptions.DEFAULTS.withSyncing(Syncing.EACH).withBatches(4, 4000).withMaxOperations(20);

  @TempDir Path folder;

  /** Puts 14 keys and sends now and then; returns the keys whose put returned. */
  private static List<String> work(DeviceQueue queue, ReferenceEdge edge, List<String> told) {
    for (int i = 0; i < 14; i++) {
      String key = "k" + i;
      try {
        queue.put("home", key, "", Octets.wrap(new byte[200]));
        told.add(key);
      } catch (IOException e) {
        assertThat(e).hasMessageFindingMatch("no space|since a write or sync failed");
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
      if (i % 5 == 4) {
        try {
          deliver(queue, edge);
        } catch (IOException e) {
          assertThat(e).hasMessageFindingMatch("no space|since a write or sync failed");
        }
      }
    }
    return told;
  }

  private static void deliver(DeviceQueue queue, ReferenceEdge edge) throws IOException {
    if (queue.doubtful()) {
      queue.settle(edge.last(queue.incarnation()));
    }
    var batch = queue.batch();
    if (batch.isPresent()) {
      var answer = edge.take(batch.get().encode(), Fixture.KEY.publicKey());
      assertThat(answer).isInstanceOf(ReferenceEdge.Answer.Taken.class);
      queue.done(((ReferenceEdge.Answer.Taken) answer).last());
    }
  }

  /** Returns whether a failure happened at all. */
  private boolean failAt(int n, boolean forEver) throws Exception {
    Path path = folder.resolve("queue-" + n + "-" + forEver);
    FaultyFolder.Faults faults = new FaultyFolder.Faults(n, forEver);
    ReferenceEdge edge = new ReferenceEdge();
    List<String> told = new ArrayList<>();
    try (DeviceQueue queue =
        new DeviceQueue(new FaultyFolder(path, faults), Fixture.KEY, OPTIONS, () -> 1)) {
      work(queue, edge, told);
    } catch (IOException e) {
      assertThat(e).hasMessageFindingMatch("no space|since a write or sync failed");
    }
    // The disk has room again, and the process is started anew.
    try (DeviceQueue queue =
        new DeviceQueue(new QueueFolder(path), Fixture.KEY, OPTIONS, () -> 1)) {
      while (queue.anythingToSend()) {
        deliver(queue, edge);
      }
      assertThat(queue.status().recovery().setAside()).isNull();
    }
    assertThat(edge.values.keySet()).containsAll(told.stream().map(k -> "home/" + k).toList());
    assertThat(edge.gaps).isEmpty();
    assertThat(edge.lost(Reason.DROPPED)).isZero();
    assertThat(Files.exists(path.resolve("queue.new"))).isFalse();
    return faults.left < 0;
  }

  /** Every put that returned arrives, whenever the disk was full, and however long. */
  @Test
  void aFullDiskLosesNothingThatWasAccepted() throws Exception {
    for (boolean forEver : List.of(false, true)) {
      int n = 0;
      while (failAt(n, forEver)) {
        n++;
      }
      assertThat(n).as("places where the disk can fail").isGreaterThan(30);
    }
  }

  /** The same while the file is made anew: the old one is used until the new one has its name. */
  @Test
  void aDiskThatFillsDuringCompactionLosesNothing() throws Exception {
    QueueOptions unsynced = QueueOptions.DEFAULTS.withSyncing(Syncing.NONE);
    boolean compacted = false;
    int places = 0;
    for (int n = 0; !compacted; n++) {
      places = n;
      Path path = folder.resolve("compacting-" + n);
      FaultyFolder.Faults faults = new FaultyFolder.Faults(Integer.MAX_VALUE, false);
      int told = 0;
      try (DeviceQueue queue =
          new DeviceQueue(new FaultyFolder(path, faults), Fixture.KEY, unsynced, () -> 1)) {
        Octets value = Octets.wrap(new byte[100_000]);
        for (int i = 0; i < 12; i++) {
          queue.put("home", "same", "", value);
        }
        // The next one is written, and then the file is made anew: create, write, sync, rename,
        // sync.
        faults.left = 1 + n;
        try {
          queue.put("home", "same", "", value);
          compacted = faults.left >= 0;
          faults.left = Integer.MAX_VALUE;
          for (int i = 0; i < 3; i++) {
            queue.put("home", "k" + i, "", value);
            told++;
          }
        } catch (IOException e) {
          assertThat(e).hasMessageFindingMatch("no space|since a write or sync failed");
        }
      } catch (IOException e) {
        assertThat(e).hasMessageFindingMatch("no space|since a write or sync failed");
      }
      try (DeviceQueue queue =
          new DeviceQueue(new QueueFolder(path), Fixture.KEY, unsynced, () -> 1)) {
        assertThat(queue.latest("home", "same")).isPresent();
        assertThat(queue.status().queued()).isGreaterThanOrEqualTo(1 + told);
        assertThat(queue.status().recovery().lostOperations()).isZero();
      }
      assertThat(n).isLessThan(20);
    }
    assertThat(places).as("places where compaction can fail").isEqualTo(6);
  }

  /** An interrupted caller gets an exception or its number; the queue goes on for the others. */
  @Test
  void anInterruptDoesNotCloseTheQueue() throws Exception {
    try (DeviceQueue queue =
        new DeviceQueue(
            new QueueFolder(folder.resolve("interrupted")), Fixture.KEY, OPTIONS, () -> 1)) {
      Thread.currentThread().interrupt();
      queue.sync();
      queue.latest("home", "a");
      queue.expire();
      assertThat(Thread.interrupted()).isTrue();
      assertThat(queue.put("home", "a", "", Octets.EMPTY)).hasValue(1);
      Thread.currentThread().interrupt();
      assertThat(queue.batch()).isPresent();
      queue.done(1);
      assertThat(Thread.interrupted()).isTrue();
    }
  }

  /** While the process lives: a write that failed leaves nothing behind, and the next one works. */
  @Test
  void theQueueGoesOnWhenThereIsRoomAgain() throws Exception {
    Path path = folder.resolve("again");
    QueueOptions unsynced = OPTIONS.withSyncing(Syncing.NONE);
    try (DeviceQueue queue =
        new DeviceQueue(new QueueFolder(path), Fixture.KEY, unsynced, () -> 1)) {
      queue.put("home", "a", "", Octets.EMPTY);
    }
    // After the folder is synced and one is put.
    FaultyFolder.Faults faults = new FaultyFolder.Faults(2, false);
    try (DeviceQueue queue =
        new DeviceQueue(new FaultyFolder(path, faults), Fixture.KEY, unsynced, () -> 1)) {
      assertThat(queue.put("home", "b", "", Octets.EMPTY)).hasValue(2);
      assertThatThrownBy(() -> queue.put("home", "c", "", Octets.EMPTY))
          .hasMessageContaining("no space");
      assertThat(queue.put("home", "d", "", Octets.EMPTY)).hasValue(3);
      assertThat(queue.batch().orElseThrow().operations())
          .extracting(Operation::key)
          .containsExactly("a", "b", "d");
    }
  }
}
