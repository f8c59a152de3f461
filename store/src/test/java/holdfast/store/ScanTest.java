package holdfast.store;

import static holdfast.store.StoreFixture.SMALL;
import static holdfast.store.StoreFixture.submit;
import static holdfast.store.StoreFixture.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.capsule.Record;
import holdfast.capsule.Statement.Erased;
import holdfast.store.StoreFixture.Writer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Reading in a row shows the same as reading one by one, also when something changes meanwhile. */
class ScanTest {
  private static final int RECORDS = 40;

  @TempDir Path folder;

  private final Writer writer = new Writer(1);
  private final List<Record> records = new ArrayList<>();

  private StoredCapsule filled(CapsuleStore store) throws Exception {
    for (int i = 0; i < RECORDS; i++) {
      // Every seventh is too large to be beside its header.
      records.add(i % 7 == 0 ? writer.leaves(3, 2000) : writer.record("record " + i));
    }
    write(store, writer, records);
    return store.capsule(writer.name);
  }

  @Test
  void everyRecordIsReadInAnyOrder() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      StoredCapsule capsule = filled(store);
      Scan scan = capsule.scan();
      for (int step : new int[] {1, RECORDS - 1, 7}) {
        for (int i = 0, at = 0; i < RECORDS; i++, at = (at + step) % RECORDS) {
          assertThat(scan.name(at)).isEqualTo(records.get(at).name());
          assertThat(scan.header(at)).isEqualTo(records.get(at).header());
          assertThat(Record.encodeAll(List.of(scan.record(at))))
              .isEqualTo(Record.encodeAll(List.of(records.get(at))));
        }
      }
    }
  }

  @Test
  void aRecordThatArrivesInTheBlockHeldIsFound() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      StoredCapsule capsule = filled(store);
      Scan scan = capsule.scan();
      assertThat(scan.name(RECORDS - 1)).isEqualTo(records.getLast().name());
      Record next = writer.record("one more");
      write(store, writer, List.of(next));
      assertThat(scan.name(RECORDS)).isEqualTo(next.name());
    }
  }

  @Test
  void whatIsErasedInTheBlockHeldIsNotShown() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      StoredCapsule capsule = filled(store);
      Scan scan = capsule.scan();
      assertThat(scan.record(5).state()).isEqualTo(Record.State.WHOLE);
      submit(
              store,
              capsule,
              List.of(),
              List.of(writer.erasure(new Erased.OfRecord(records.get(5).name()))))
          .expectSynced();
      assertThat(scan.record(5).state()).isEqualTo(Record.State.ERASED);
      assertThat(scan.record(6).state()).isEqualTo(Record.State.WHOLE);
      assertThat(scan.name(5)).isEqualTo(records.get(5).name());
    }
  }

  @Test
  void aBlockThatEndsWithinARecordShowsNoneOfIt() throws Exception {
    damage(block -> Arrays.copyOf(block, block.length - 1));
  }

  @Test
  void aBlockWithMoreThanItsRecordsShowsNoneOfIt() throws Exception {
    damage(block -> Arrays.copyOf(block, block.length + 1));
  }

  /** The checksums of the database do not show what was written wrong. */
  private void damage(UnaryOperator<byte[]> how) throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      StoredCapsule capsule = filled(store);
      byte[] key = Keys.record(capsule.number(), 1);
      Tables tables = store.tables();
      byte[] block = tables.db.get(tables.headers, key);
      tables.db.put(tables.headers, key, how.apply(block));
      Scan scan = capsule.scan();
      for (int inside = 16; inside < 32; inside++) {
        int at = inside;
        assertThatThrownBy(() -> scan.name(at)).hasMessageContaining("damaged");
        assertThatThrownBy(() -> scan.header(at)).hasMessageContaining("damaged");
        assertThatThrownBy(() -> scan.record(at)).hasMessageContaining("damaged");
      }
      assertThat(scan.name(15)).isEqualTo(records.get(15).name());
      assertThat(scan.name(32)).isEqualTo(records.get(32).name());
    }
  }

  /** The first byte of a header is its version. */
  @Test
  void aHeaderThatIsNoneShowsNoName() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      StoredCapsule capsule = filled(store);
      byte[] key = Keys.record(capsule.number(), 1);
      Tables tables = store.tables();
      byte[] block = tables.db.get(tables.headers, key);
      block[5] = 99;
      tables.db.put(tables.headers, key, block);
      Scan scan = capsule.scan();
      assertThatThrownBy(() -> scan.name(16)).hasMessageContaining("damaged");
      assertThatThrownBy(() -> scan.record(16)).hasMessageContaining("damaged");
    }
  }
}
