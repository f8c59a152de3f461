package holdfast.store;

import static holdfast.store.StoreFixture.UNCACHED;
import static holdfast.store.StoreFixture.readProven;
import static holdfast.store.StoreFixture.submit;
import static holdfast.store.StoreFixture.write;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.capsule.Record;
import holdfast.store.StoreFixture.Writer;
import holdfast.testkit.Patience;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** However many capsules there are, those in memory stay within their budget, and each is one. */
class OpenCapsulesTest {
  @TempDir Path folder;

  @Test
  void capsulesThatNobodyUsesAreLetGo() throws Exception {
    List<Writer> writers = new ArrayList<>();
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED.withCapsuleBytes(1 << 20))) {
      for (int i = 0; i < 100; i++) {
        Writer writer = new Writer(i);
        writers.add(writer);
        write(store, writer, List.of(writer.record("a"), writer.record("b")));
      }
      assertThat(store.open().kept()).isBetween(2, 20);
      long deadline = System.nanoTime() + Patience.NANOS;
      while (store.open().loaded() > 25) {
        assertThat(System.nanoTime()).as("they are collected").isLessThan(deadline);
        System.gc();
      }
      for (Writer writer : writers) {
        readProven(store.capsule(writer.name), writer, writer.links.next().getFirst());
      }
      assertThat(store.open().kept()).isBetween(2, 20);
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void whoeverUsesACapsuleThatIsLetGoSharesItWithOthers() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED.withCapsuleBytes(1))) {
      Writer writer = new Writer(1);
      StoredCapsule used = writer.create(store);
      for (int i = 2; i < 10; i++) {
        new Writer(i).create(store);
      }
      assertThat(store.open().kept()).isEqualTo(1);
      System.gc();
      assertThat(store.capsule(writer.name)).isSameAs(used);
    }
  }

  @Test
  void aTinyBudgetLosesNothingUnderManyHands() throws Exception {
    int threads = 4;
    int capsules = 12;
    List<Writer> writers = new ArrayList<>();
    List<List<Record>> written = new ArrayList<>();
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED.withCapsuleBytes(1));
        ExecutorService hands = Executors.newFixedThreadPool(threads)) {
      for (int i = 0; i < capsules; i++) {
        Writer writer = new Writer(i);
        writer.create(store);
        writers.add(writer);
        List<Record> records = new ArrayList<>();
        for (int r = 0; r < 120; r++) {
          records.add(writer.record("record " + r));
        }
        written.add(records);
      }
      List<Callable<Integer>> work = new ArrayList<>();
      for (int t = 0; t < threads; t++) {
        int hand = t;
        work.add(() -> {
          List<int[]> turns = new ArrayList<>();
          for (int c = 0; c < capsules; c++) {
            for (int r = hand; r < 120; r += threads) {
              turns.add(new int[] {c, r});
            }
          }
          java.util.Collections.shuffle(turns, new Random(hand));
          for (int[] turn : turns) {
            Record record = written.get(turn[0]).get(turn[1]);
            Writer writer = writers.get(turn[0]);
            submit(
                    store,
                    store.capsule(writer.name),
                    List.of(record),
                    List.of(writer.signature(record)))
                .expectSynced();
            if (turn[1] % 7 == 0) {
              System.gc();
            }
          }
          return turns.size();
        });
      }
      for (Future<Integer> done : hands.invokeAll(work)) {
        assertThat(done.get()).isPositive();
      }
      for (int i = 0; i < capsules; i++) {
        StoredCapsule capsule = store.capsule(writers.get(i).name);
        assertThat(StoreFixture.size(capsule)).isEqualTo(120);
        for (Record record : written.get(i)) {
          readProven(capsule, writers.get(i), record.name());
        }
      }
    }
    StoreFixture.expectClean(folder);
  }
}
