package holdfast.store;

import static holdfast.store.StoreFixture.SMALL;
import static holdfast.store.StoreFixture.submit;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.capsule.Record;
import holdfast.store.StoreFixture.Outcome;
import holdfast.store.StoreFixture.Writer;
import holdfast.testkit.Patience;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What is cached as it is written: what is likely to be read soon. */
@Timeout(Patience.TEST_SECONDS)
class RecordCacheTest {
  @TempDir Path folder;

  private final Writer writer = new Writer(1);

  private List<Record> records(int count) {
    return IntStream.range(0, count).mapToObj(i -> writer.record("record " + i)).toList();
  }

  @Test
  void copiesByTheThousandLeaveTheCacheToWhatIsRead() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      StoredCapsule capsule = writer.create(store);
      List<Record> written = records(1000);
      Outcome outcome = new Outcome();
      store.submit(new StoreBatch(capsule, written, List.of(), 1 << 20, 1, outcome));
      outcome.expectSynced();
      submit(store, capsule, records(1000), List.of()).expectSynced();
      submit(store, capsule, records(10), List.of()).expectSynced();
      assertThat(cached(store, capsule, 0, 1000)).as("written here").isEqualTo(1000);
      assertThat(cached(store, capsule, 1000, 2000)).as("many copies").isZero();
      assertThat(cached(store, capsule, 2000, 2010)).as("a few copies").isEqualTo(10);
      // They are read as well as any.
      assertThat(capsule.record(0).name()).isEqualTo(written.getFirst().name());
      assertThat(capsule.headerOf(1500).size()).isPositive();
    }
  }

  private static long cached(CapsuleStore store, StoredCapsule capsule, int from, int to) {
    return IntStream.range(from, to)
        .filter(arrival -> store.cache().get(capsule.number(), arrival) != null)
        .count();
  }
}
