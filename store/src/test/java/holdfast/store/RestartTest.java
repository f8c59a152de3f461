package holdfast.store;

import static holdfast.store.StoreFixture.readProven;
import static holdfast.store.StoreFixture.submit;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.capsule.Record;
import holdfast.store.StoreFixture.Outcome;
import holdfast.store.StoreFixture.Writer;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Opening takes time for the log that is left, not for the records stored: nothing is rebuilt. One
 * million records: {@code -Dholdfast.restart=1000000}.
 */
class RestartTest {
  private static final int BATCH = 1000;
  private static final double MOST_SECONDS = 10;

  @TempDir Path folder;

  @Test
  void openingDoesNotDependOnTheNumberOfRecords() throws Exception {
    int count = Integer.getInteger("holdfast.restart", 20_000);
    StoreOptions options = StoreOptions.defaults();
    Writer writer = new Writer(1);
    List<Hash> some = new ArrayList<>();
    Path data = folder.resolve("data");
    Path crashed = folder.resolve("crashed");
    try (CapsuleStore store = CapsuleStore.open(data, options)) {
      StoredCapsule capsule = writer.create(store);
      ArrayDeque<Outcome> waiting = new ArrayDeque<>();
      for (int written = 0; written < count; written += BATCH) {
        List<Record> batch = new ArrayList<>(BATCH);
        for (int i = 0; i < BATCH; i++) {
          batch.add(writer.record("sixteen bytes..."));
        }
        some.add(batch.getFirst().name());
        waiting.add(submit(store, capsule, batch, List.of(writer.signature(batch.getLast()))));
        while (waiting.size() > 8) {
          waiting.remove().expectSynced();
        }
      }
      while (!waiting.isEmpty()) {
        waiting.remove().expectSynced();
      }
      StoreFixture.copy(data, crashed);
    }
    open(data, options, writer, some, "closed cleanly, " + count);
    open(crashed, options, writer, some, "killed, " + count);
  }

  private static void open(
      Path data, StoreOptions options, Writer writer, List<Hash> some, String what)
      throws Exception {
    long bytes = StoreFixture.sizeOf(data);
    long begin = System.nanoTime();
    CapsuleStore store = CapsuleStore.open(data, options);
    try (store) {
      StoredCapsule capsule = store.capsule(writer.name);
      readProven(capsule, writer, some.getLast());
      double seconds = (System.nanoTime() - begin) / 1e9;
      System.out.printf(
          "restart, %s records, %d MiB: %.2f s to the first proven read%n",
          what, bytes >> 20, seconds);
      assertThat(seconds).isLessThan(MOST_SECONDS);
      for (Hash name : some) {
        readProven(capsule, writer, name);
      }
    }
  }
}
