package holdfast.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The file of a queue, cut off after every byte and altered in every byte. Whatever is left is
 * sent; what is lost is said to be lost; nothing is sent twice, and no number means two things.
 */
class QueueTornTest {
  private static final QueueOptions OPTIONS =
      QueueOptions.DEFAULTS.withSyncing(Syncing.NONE).withOverflow(Overflow.REFUSE);

  @TempDir Path folder;

  private DeviceQueue open(Path path) throws IOException {
    return new DeviceQueue(new Unsynced(path), Fixture.KEY, OPTIONS, () -> 1000);
  }

  /** Thousands of queues, none of which has to survive a loss of power. */
  private static final class Unsynced extends QueueFolder {
    Unsynced(Path path) throws IOException {
      super(path);
    }

    @Override
    void sync() {}
  }

  private static void put(DeviceQueue queue, String key) throws Exception {
    queue.put("home", key, "", Octets.wrap(key.getBytes(StandardCharsets.UTF_8)));
  }

  /** What the edge and the file are when a queue with every kind of entry is closed. */
  private record Made(Octets bytes, ReferenceEdge edge) {
    byte[] file() {
      return bytes.toArray();
    }
  }

  /**
   * Operations 1 to 3 taken; 4 to 6 in a batch which the edge took as well, but whose answer was
   * lost; 7 and 8 behind it, one of them collapsed by 9.
   */
  private Made make(boolean answerLost) throws Exception {
    Path path = folder.resolve("made-" + answerLost);
    ReferenceEdge edge = new ReferenceEdge();
    try (DeviceQueue queue = open(path)) {
      for (String key : List.of("a", "b", "c")) {
        put(queue, key);
      }
      edge.take(queue.batch().orElseThrow().encode(), Fixture.KEY.publicKey());
      queue.done(3);
      for (String key : List.of("d", "e", "d")) {
        put(queue, key);
      }
      edge.take(queue.batch().orElseThrow().encode(), Fixture.KEY.publicKey());
      if (!answerLost) {
        queue.done(6);
      }
      for (String key : List.of("f", "g", "f")) {
        put(queue, key);
      }
    }
    return new Made(Octets.wrap(Files.readAllBytes(path.resolve("queue"))), edge);
  }

  /** Opens what is left, puts one more, brings everything to the edge. */
  private void goOn(Path path, ReferenceEdge edge, boolean tornEnd) throws Exception {
    boolean renewed = false;
    try (DeviceQueue queue = open(path)) {
      put(queue, "new");
      for (int round = 0; queue.anythingToSend(); round++) {
        assertThat(round).isLessThan(5);
        if (queue.doubtful()) {
          queue.settle(edge.last(queue.incarnation()));
          continue;
        }
        var batch = queue.batch();
        if (batch.isPresent()) {
          var answer = edge.take(batch.get().encode(), Fixture.KEY.publicKey());
          if (tornEnd && answer instanceof ReferenceEdge.Answer.Conflict) {
            // Cut off between two entries: nothing shows that there was more, except the edge.
            queue.renew();
            renewed = true;
            continue;
          }
          assertThat(answer).isInstanceOf(ReferenceEdge.Answer.Taken.class);
          queue.done(((ReferenceEdge.Answer.Taken) answer).last());
        }
      }
      assertThat(edge.values).containsKey("home/new");
      assertThat(edge.values.keySet())
          .containsAll(List.of("home/a", "home/b", "home/c", "home/d", "home/e"));
      // Each operation was applied once: under its number and name there is no other.
      if (!renewed) {
        assertThat(edge.applied.stream().filter(o -> o.key().equals("a"))).hasSize(1);
        assertThat(edge.applied.stream().filter(o -> o.key().equals("e"))).hasSize(1);
      }
      assertThat(edge.gaps).isEmpty();
      long there = List.of("home/f", "home/g").stream().filter(edge.values::containsKey).count();
      if (!tornEnd && there < 2) {
        assertThat(
                queue.status().recovery().lostOperations() + queue.status().recovery().cutBytes())
            .isPositive();
      }
      if (queue.status().recovery().setAside() != null) {
        assertThat(queue.status().recovery().setAside()).exists();
      }
    }
    try (DeviceQueue again = open(path)) {
      assertThat(again.status().recovery()).isEqualTo(new QueueStatus.Recovery(0, 0, null, false));
      assertThat(again.anythingToSend()).isFalse();
    }
  }

  private void bent(Made made, String name, byte[] file, boolean tornEnd) throws Exception {
    Path path = folder.resolve("bent");
    Files.createDirectories(path);
    Files.write(path.resolve("queue"), file);
    try {
      goOn(path, made.edge().copy(), tornEnd);
    } catch (Exception | AssertionError e) {
      throw new AssertionError(name + ": " + e, e);
    } finally {
      try (var files = Files.list(path)) {
        for (Path left : files.toList()) {
          Files.delete(left);
        }
      }
    }
  }

  /** I13: cut off anywhere. Below the second batch the edge has numbers that the file has not. */
  @Test
  void aFileCutOffAnywhereGoesOn() throws Exception {
    for (boolean answerLost : List.of(true, false)) {
      Made made = make(answerLost);
      int step = answerLost ? 1 : 7;
      for (int size = QueueFile.HEADER_SIZE; size < made.file().length; size += step) {
        bent(made, "cut to " + size, Arrays.copyOf(made.file(), size), true);
      }
    }
  }

  @Test
  void aFileAlteredInAnyByteGoesOn() throws Exception {
    for (boolean answerLost : List.of(true, false)) {
      Made made = make(answerLost);
      for (int at = 0; at < made.file().length; at += answerLost ? 1 : 11) {
        byte[] changed = made.file().clone();
        changed[at] ^= (byte) (at % 2 == 0 ? 0x01 : 0xFF);
        bent(made, "byte " + at, changed, false);
      }
    }
  }

  /** Pages that were not written are zeros, and what follows them may be whole. */
  @Test
  void holesInTheFileAreLostAndSaidToBe() throws Exception {
    Made made = make(false);
    for (int at = QueueFile.HEADER_SIZE; at + 60 < made.file().length; at += 29) {
      byte[] changed = made.file().clone();
      Arrays.fill(changed, at, at + 60, (byte) 0);
      bent(made, "hole at " + at, changed, false);
    }
  }

  /** An unreadable head without any batch to tell the incarnation: a new one, and nothing lost. */
  @Test
  void aQueueWithoutItsHeadBeginsANewIncarnation() throws Exception {
    Path path = folder.resolve("headless");
    Octets before;
    try (DeviceQueue queue = open(path)) {
      before = queue.incarnation();
      put(queue, "a");
      put(queue, "b");
      put(queue, "a");
    }
    byte[] file = Files.readAllBytes(path.resolve("queue"));
    file[10] ^= 1;
    Files.write(path.resolve("queue"), file);
    try (DeviceQueue queue = open(path)) {
      assertThat(queue.incarnation()).isNotEqualTo(before);
      assertThat(queue.status().recovery().renewed()).isTrue();
      Batch batch = queue.batch().orElseThrow();
      assertThat(batch.claim().ranges()).containsExactly(new Range(Reason.COLLAPSED, 1, 1));
      assertThat(batch.operations()).extracting(Operation::key).containsExactly("b", "a");
      assertThat(batch.claim().origin()).isEqualTo(Origin.UNKNOWN);
    }
  }

  /** What a conflict leaves to whoever looks after the device: a new incarnation, nothing lost. */
  @Test
  void renewingKeepsEverythingThatWaits() throws Exception {
    try (DeviceQueue queue = open(folder.resolve("renewed"))) {
      put(queue, "a");
      put(queue, "b");
      queue.done(queue.batch().orElseThrow().claim().last());
      put(queue, "c");
      assertThat(queue.batch()).isPresent();
      put(queue, "d");
      put(queue, "c");
      Octets before = queue.incarnation();
      queue.renew();
      assertThat(queue.incarnation()).isNotEqualTo(before);
      Batch batch = queue.batch().orElseThrow();
      assertThat(batch.claim().first()).isEqualTo(1);
      assertThat(batch.operations()).extracting(Operation::key).containsExactly("d", "c");
      assertThat(batch.claim().ranges()).containsExactly(new Range(Reason.COLLAPSED, 1, 1));
      // The edge has confirmed 1 and 2 of the count before, and the device signs that it has.
      Origin origin = new Origin(Origin.Kind.CONTINUES, before, 2);
      assertThat(batch.claim().origin()).isEqualTo(origin);
      // Nothing of this one was confirmed: the next goes on from the same.
      queue.renew();
      assertThat(queue.batch().orElseThrow().claim().origin()).isEqualTo(origin);
    }
    // It is in the file.
    try (DeviceQueue queue = open(folder.resolve("renewed"))) {
      Claim first = queue.batch().orElseThrow().claim();
      assertThat(first.origin()).isNotNull().isNotEqualTo(Origin.FIRST);
      queue.done(first.last());
      put(queue, "e");
      assertThat(queue.batch().orElseThrow().claim().origin()).isNull();
    }
  }

  /** Numbers that the edge took and the file forgot: what came since is sent under new ones. */
  @Test
  void numbersTheFileForgotAreNotUsedAgain() throws Exception {
    Path path = folder.resolve("forgot");
    ReferenceEdge edge = new ReferenceEdge();
    Octets before;
    try (DeviceQueue queue = open(path)) {
      put(queue, "a");
      put(queue, "b");
      edge.take(queue.batch().orElseThrow().encode(), Fixture.KEY.publicKey());
      before = queue.incarnation();
    }
    byte[] file = Files.readAllBytes(path.resolve("queue"));
    Files.write(path.resolve("queue"), Arrays.copyOf(file, QueueFile.HEADER_SIZE + 10));
    try (DeviceQueue queue = open(path)) {
      put(queue, "c");
      put(queue, "d");
      assertThat(queue.doubtful()).isTrue();
      queue.settle(edge.last(queue.incarnation()));
      assertThat(queue.incarnation()).isNotEqualTo(before);
      Batch batch = queue.batch().orElseThrow();
      assertThat(batch.claim().first()).isEqualTo(1);
      assertThat(batch.operations()).extracting(Operation::key).containsExactly("c", "d");
      assertThat(edge.take(batch.encode(), Fixture.KEY.publicKey()))
          .isEqualTo(new ReferenceEdge.Answer.Taken(2, false));
      // What the edge says it had is all that the device knows.
      assertThat(batch.claim().origin())
          .isEqualTo(new Origin(Origin.Kind.CONTINUES_AT_LEAST, before, 2));
    }
    assertThat(edge.lasts()).hasSize(2).containsEntry(before, 2L);
  }
}
