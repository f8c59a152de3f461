package holdfast.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.testkit.Gen;
import holdfast.testkit.Property;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class QueueTest {
  private static final QueueOptions OPTIONS =
      QueueOptions.DEFAULTS.withSyncing(Syncing.NONE).withOverflow(Overflow.REFUSE);

  @TempDir Path folder;
  private final AtomicLong clock = new AtomicLong(1_700_000_000_000L);
  private DeviceQueue queue;

  private DeviceQueue open(QueueOptions options) throws IOException {
    if (queue != null) {
      queue.close();
    }
    queue = new DeviceQueue(new QueueFolder(folder), Fixture.KEY, options, clock::get);
    return queue;
  }

  @AfterEach
  void close() throws IOException {
    if (queue != null) {
      queue.close();
    }
  }

  private static Octets value(String text) {
    return Octets.wrap(text.getBytes(StandardCharsets.UTF_8));
  }

  private OptionalLong put(String key, String text) throws Exception {
    return queue.put("home", key, "", value(text));
  }

  private Batch batch() throws IOException {
    return queue.batch().orElseThrow();
  }

  private List<String> keys(Batch batch) {
    return batch.operations().stream().map(Operation::key).toList();
  }

  /** I11: writes and deletes leave in the order in which they came. */
  @Test
  void i11OperationsAreSentInTheirOrder() throws Exception {
    open(OPTIONS);
    assertThat(put("a", "1")).hasValue(1);
    assertThat(put("b", "")).hasValue(2);
    assertThat(queue.delete("home", "c")).hasValue(3);
    Batch batch = batch();
    assertThat(batch.operations())
        .containsExactly(
            new Operation.Put(1, clock.get(), "home", "a", "", value("1")),
            new Operation.Put(2, clock.get(), "home", "b", "", Octets.EMPTY),
            new Operation.Delete(3, clock.get(), "home", "c"));
    assertThat(batch.verifies()).isTrue();
    queue.done(3);
    assertThat(queue.batch()).isEmpty();
    assertThat(queue.anythingToSend()).isFalse();
  }

  /** I14, and the trap of the same key twice in the queue: the last value is the one that stays. */
  @Test
  void i14TheLastOfAKeyIsSentAndTheOthersAreNamed() throws Exception {
    open(OPTIONS);
    put("a", "1");
    put("b", "1");
    put("a", "2");
    queue.delete("home", "b");
    put("a", "3");
    Batch batch = batch();
    assertThat(batch.claim().ranges()).containsExactly(new Range(Reason.COLLAPSED, 1, 3));
    assertThat(keys(batch)).containsExactly("b", "a");
    assertThat(batch.operations().getLast())
        .isEqualTo(new Operation.Put(5, clock.get(), "home", "a", "", value("3")));
    assertThat(queue.status().collapsed()).isEqualTo(3);
  }

  /** The same key in another space, or with the boundary elsewhere, is another key. */
  @Test
  void spaceAndKeyTogetherAreTheKey() throws Exception {
    open(OPTIONS);
    queue.put("home", "a", "", value("1"));
    queue.put("away", "a", "", value("1"));
    queue.put("homea", "b", "", value("1"));
    queue.put("home", "ab", "", value("1"));
    assertThat(batch().operations()).hasSize(4);
  }

  /** What is in a batch may be on its way: it does not collapse, and is found until it is done. */
  @Test
  void whatIsInABatchDoesNotCollapse() throws Exception {
    open(OPTIONS);
    put("a", "1");
    Batch first = batch();
    put("a", "2");
    open(OPTIONS);
    assertThat(batch()).isEqualTo(first);
    assertThat(queue.latest("home", "a").orElseThrow().sequence()).isEqualTo(2);
    queue.done(1);
    assertThat(batch().claim().first()).isEqualTo(2);
    assertThat(keys(batch())).containsExactly("a");
    assertThat(queue.status().collapsed()).isZero();
  }

  /** I17. */
  @Test
  void i17OnesOwnWritesAreSeen() throws Exception {
    open(OPTIONS);
    assertThat(queue.latest("home", "a")).isEmpty();
    put("a", "1");
    put("a", "");
    assertThat(queue.latest("home", "a"))
        .contains(new Operation.Put(2, clock.get(), "home", "a", "", Octets.EMPTY));
    queue.delete("home", "a");
    open(OPTIONS);
    assertThat(queue.latest("home", "a"))
        .contains(new Operation.Delete(3, clock.get(), "home", "a"));
    batch();
    queue.done(3);
    assertThat(queue.latest("home", "a")).isEmpty();
  }

  /** A retry, also after a restart and with more waiting, sends the same bytes. */
  @Test
  void aBatchIsMadeOnce() throws Exception {
    open(OPTIONS.withBatches(2, 1 << 20));
    put("a", "1");
    put("b", "1");
    put("c", "1");
    byte[] first = batch().encode();
    put("d", "1");
    open(OPTIONS.withBatches(100, 1 << 20));
    assertThat(batch().encode()).isEqualTo(first);
    queue.done(2);
    assertThat(keys(batch())).containsExactly("c", "d");
  }

  @Test
  void aQueueThatIsEmptyGoesOnCounting() throws Exception {
    open(OPTIONS);
    put("a", "1");
    Octets incarnation = batch().claim().incarnation();
    queue.done(1);
    open(OPTIONS);
    assertThat(put("a", "2")).hasValue(2);
    assertThat(batch().claim().first()).isEqualTo(2);
    assertThat(batch().claim().incarnation()).isEqualTo(incarnation);
  }

  @Test
  void batchesAreBoundByBytes() throws Exception {
    open(OPTIONS.withBatches(100, 3000));
    for (int i = 0; i < 5; i++) {
      put("k" + i, "x".repeat(1000));
    }
    put("large", "x".repeat(Operation.MAX_VALUE_BYTES));
    assertThat(keys(batch())).containsExactly("k0", "k1");
    queue.done(2);
    assertThat(keys(batch())).containsExactly("k2", "k3");
    queue.done(4);
    assertThat(keys(batch())).containsExactly("k4");
    queue.done(5);
    assertThat(keys(batch())).containsExactly("large");
  }

  /** The policy REFUSE loses nothing that was taken; what replaces an operation still fits. */
  @Test
  void aFullQueueRefuses() throws Exception {
    open(OPTIONS.withBatches(2, 1000).withMaxOperations(4));
    for (int i = 0; i < 4; i++) {
      assertThat(put("k" + i, "1")).isPresent();
    }
    assertThat(put("k4", "1")).isEmpty();
    assertThat(put("k0", "2")).hasValue(5);
    assertThat(queue.status().refused()).isEqualTo(1);
    batch();
    queue.done(batch().claim().last());
    assertThat(put("k4", "1")).isPresent();
  }

  /** The policy DROP_OLDEST counts what it drops and says so in the claim, in bounded memory. */
  @Test
  void aFullQueueDropsTheOldestAndSaysSo() throws Exception {
    open(OPTIONS.withBatches(2, 1000).withMaxOperations(4).withOverflow(Overflow.DROP_OLDEST));
    for (int i = 1; i <= 10; i++) {
      assertThat(put("k" + i, "1")).hasValue(i);
    }
    assertThat(queue.status().dropped()).isEqualTo(6);
    open(OPTIONS.withBatches(2, 1000).withMaxOperations(4));
    assertThat(batch().claim().ranges()).containsExactly(new Range(Reason.DROPPED, 1, 6));
    assertThat(keys(batch())).containsExactly("k7", "k8");
  }

  /** What is in a batch cannot be dropped any more, for the edge may have it. */
  @Test
  void whatIsInABatchIsNotDropped() throws Exception {
    open(OPTIONS.withBatches(2, 1000).withMaxOperations(4).withOverflow(Overflow.DROP_OLDEST));
    put("k1", "1");
    put("k2", "1");
    Batch batch = batch();
    for (int i = 3; i <= 9; i++) {
      put("k" + i, "1");
    }
    assertThat(batch()).isEqualTo(batch);
    queue.done(2);
    assertThat(batch().claim().ranges()).containsExactly(new Range(Reason.DROPPED, 3, 7));
  }

  /** The policy BLOCK: the caller goes on once there is room. */
  @Test
  void aFullQueueLetsTheCallerWait() throws Exception {
    open(OPTIONS.withBatches(2, 1000).withMaxOperations(4).withOverflow(Overflow.BLOCK));
    for (int i = 0; i < 4; i++) {
      put("k" + i, "1");
    }
    AtomicLong sequence = new AtomicLong();
    Thread caller =
        Thread.ofPlatform()
            .start(() -> {
              try {
                sequence.set(put("late", "1").orElseThrow());
              } catch (Exception e) {
                throw new IllegalStateException(e);
              }
            });
    while (caller.getState() != Thread.State.WAITING) {
      Thread.onSpinWait();
    }
    assertThat(queue.status().queued()).isEqualTo(4);
    queue.done(batch().claim().last());
    caller.join();
    assertThat(sequence).hasValue(5);
  }

  @Test
  void whatIsTooOldExpires() throws Exception {
    open(OPTIONS.withMaxAge(Duration.ofHours(1)));
    put("a", "1");
    clock.addAndGet(30 * 60_000);
    put("b", "1");
    clock.addAndGet(31 * 60_000);
    queue.expire();
    assertThat(queue.status().expired()).isEqualTo(1);
    clock.addAndGet(28 * 60_000);
    open(OPTIONS.withMaxAge(Duration.ofHours(1)));
    clock.addAndGet(2 * 60_000);
    put("c", "1");
    assertThat(batch().claim().ranges()).containsExactly(new Range(Reason.EXPIRED, 1, 2));
    assertThat(keys(batch())).containsExactly("c");
  }

  /** A clock that wakes in 1970 and is set right, or that falls back, makes nothing old. */
  @Test
  void aClockWrongByYearsExpiresNothing() throws Exception {
    clock.set(5);
    open(OPTIONS.withMaxAge(Duration.ofHours(1)));
    put("a", "1");
    clock.set(1_700_000_000_000L);
    queue.expire();
    put("b", "1");
    clock.set(1_000_000_000_000L);
    put("c", "1");
    clock.set(-1);
    put("d", "1");
    open(OPTIONS.withMaxAge(Duration.ofHours(1)));
    queue.expire();
    assertThat(keys(batch())).containsExactly("a", "b", "c", "d");
  }

  /** The file is not rewritten for each write, and does not grow for ever. */
  @Test
  void i29TheFileIsCompactedNowAndThen() throws Exception {
    open(OPTIONS);
    long most = 0;
    for (int i = 0; i < 30_000; i++) {
      put("k" + i % 50, "x".repeat(200));
      most = Math.max(most, queue.status().diskBytes());
    }
    assertThat(most).isLessThan(1_300_000);
    open(OPTIONS);
    assertThat(batch().operations()).hasSize(50);
    assertThat(batch().claim().ranges()).containsExactly(new Range(Reason.COLLAPSED, 1, 29_950));
    assertThat(Files.exists(folder.resolve("queue.new"))).isFalse();
  }

  /** A pending batch, losses and what waits survive compaction byte for byte. */
  @Test
  void compactionChangesNothingThatIsSent() throws Exception {
    QueueOptions options =
        OPTIONS.withBatches(3, 10_000).withMaxOperations(6).withOverflow(Overflow.DROP_OLDEST);
    open(options);
    for (int i = 0; i < 5; i++) {
      put("k" + i, "1");
    }
    byte[] pending = batch().encode();
    for (int i = 5; i < 12_000; i++) {
      put("k" + i, "x".repeat(100));
    }
    assertThat(queue.status().diskBytes()).isLessThan(1_200_000);
    open(options);
    assertThat(batch().encode()).isEqualTo(pending);
    queue.done(3);
    assertThat(batch().claim().ranges()).containsExactly(new Range(Reason.DROPPED, 4, 11_997));
  }

  @Test
  void i18OneProcessAtATime() throws Exception {
    open(OPTIONS);
    assertThatThrownBy(
            () -> new DeviceQueue(new QueueFolder(folder), Fixture.KEY, OPTIONS, () -> 0))
        .hasMessageContaining("in use");
    put("a", "1");
    open(OPTIONS);
    assertThat(queue.latest("home", "a")).isPresent();
  }

  @Test
  void aQueueOfAnotherDeviceIsRefused() throws Exception {
    open(OPTIONS);
    put("a", "1");
    queue.close();
    DeviceKey other = DeviceKey.ofSeed(Fixture.filled(7, 32));
    assertThatThrownBy(() -> new DeviceQueue(new QueueFolder(folder), other, OPTIONS, () -> 0))
        .hasMessageContaining("belongs to the device key");
    open(OPTIONS);
    assertThat(queue.latest("home", "a")).isPresent();
  }

  /** A batch that is given up leaves a queue as if it had never been made. */
  @Test
  void whatWasInABatchThatIsRejectedInPartCollapsesAsItWouldHave() throws Exception {
    open(OPTIONS);
    put("x", "1");
    put("a", "1");
    put("b", "1");
    Batch first = batch();
    put("a", "2");
    put("x", "2");
    queue.reject(List.of(first.operations().getFirst()), "not there");
    assertThat(queue.status().rejected()).isEqualTo(1);
    assertThat(queue.status().collapsed()).isEqualTo(1);
    put("b", "2");
    Batch second = batch();
    open(OPTIONS);
    assertThat(batch()).isEqualTo(second);
    assertThat(second.claim().ranges())
        .containsExactly(new Range(Reason.REJECTED, 1, 1), new Range(Reason.COLLAPSED, 2, 3));
    assertThat(keys(second)).containsExactly("a", "x", "b");
  }

  /** The same when it is given up since some of it cannot be read: the file is made anew then. */
  @Test
  void whatWasInABatchThatIsDamagedCollapsesAsItWouldHave() throws Exception {
    open(OPTIONS);
    put("a", "the first of a");
    put("b", "to be altered");
    batch();
    put("a", "2");
    queue.close();
    Path file = folder.resolve("queue");
    byte[] bytes = Files.readAllBytes(file);
    int at = new String(bytes, StandardCharsets.ISO_8859_1).indexOf("to be altered");
    bytes[at] ^= 1;
    Files.write(file, bytes);
    open(OPTIONS);
    queue.settle(0);
    Batch made = batch();
    open(OPTIONS);
    assertThat(batch()).isEqualTo(made);
    assertThat(made.claim().ranges())
        .containsExactly(new Range(Reason.COLLAPSED, 1, 1), new Range(Reason.DROPPED, 2, 2));
    assertThat(keys(made)).containsExactly("a");
  }

  /** Any history of puts, deletes, batches, answers and restarts arrives as if it were all sent. */
  @Test
  void i12EverythingArrivesOnceAndInOrder() {
    Property.check(12, this::history);
  }

  private void history(Gen gen) throws Exception {
    Path own = Files.createTempDirectory(folder, "history");
    Overflow overflow = gen.pick(List.of(Overflow.REFUSE, Overflow.DROP_OLDEST));
    QueueOptions options =
        OPTIONS.withBatches(gen.between(1, 6), 2000).withMaxOperations(40).withOverflow(overflow);
    DeviceQueue device = new DeviceQueue(new QueueFolder(own), Fixture.KEY, options, clock::get);
    ReferenceEdge edge = new ReferenceEdge();
    edge.forbidden.add("attic");
    Map<String, String> model = new HashMap<>();
    long accepted = 0;
    try {
      for (int step = 0; step < 200; step++) {
        switch (gen.below(10)) {
          case 0 -> {
            device.close();
            device = new DeviceQueue(new QueueFolder(own), Fixture.KEY, options, clock::get);
          }
          case 1, 2 -> deliver(device, edge, gen.oneIn(3));
          default -> {
            String key = "k" + gen.below(60);
            Octets bytes = Octets.wrap(gen.bytesUpTo(300));
            boolean delete = gen.oneIn(5);
            String space = gen.oneIn(10) ? "attic" : "home";
            OptionalLong sequence =
                delete ? device.delete(space, key) : device.put(space, key, "", bytes);
            if (sequence.isPresent()) {
              assertThat(sequence).hasValue(++accepted);
              if (space.equals("attic")) {
                continue;
              }
              if (delete) {
                model.remove("home/" + key);
              } else {
                model.put("home/" + key, bytes.toHex());
              }
            }
          }
        }
      }
      while (device.anythingToSend()) {
        deliver(device, edge, false);
      }
      assertThat(edge.gaps).isEmpty();
      assertThat(edge.last(device.incarnation())).isEqualTo(accepted);
      assertThat(edge.applied).extracting(Operation::sequence).isSorted();
      if (edge.lost(Reason.DROPPED) == 0) {
        assertThat(edge.values).isEqualTo(model);
      }
    } finally {
      device.close();
    }
  }

  private static void deliver(DeviceQueue device, ReferenceEdge edge, boolean answerLost)
      throws IOException {
    var batch = device.batch();
    if (batch.isPresent()) {
      var answer = edge.take(batch.get().encode(), Fixture.KEY.publicKey());
      if (answer instanceof ReferenceEdge.Answer.Rejected(var sequences)) {
        device.reject(
            batch.get().operations().stream()
                .filter(one -> sequences.contains(one.sequence()))
                .toList(),
            "not there");
        return;
      }
      assertThat(answer).isInstanceOf(ReferenceEdge.Answer.Taken.class);
      if (!answerLost) {
        device.done(((ReferenceEdge.Answer.Taken) answer).last());
      }
    }
  }
}
