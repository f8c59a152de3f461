package holdfast.store;

import static holdfast.store.StoreFixture.SMALL;
import static holdfast.store.StoreFixture.submit;
import static holdfast.store.StoreFixture.write;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.ErrorCode;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.capsule.Statement.Erased;
import holdfast.store.StoreFixture.Writer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What owners have here is counted, kept over a restart, and bounded. */
class UsageTest {
  @TempDir Path folder;

  private final Writer writer = new Writer(1);
  private final Writer other = new Writer(2);

  private List<Record> records(int count, int size) {
    List<Record> records = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      records.add(writer.leaves(1, size));
    }
    return records;
  }

  private static long bytes(List<Record> records) {
    return records.stream().mapToLong(r -> r.header().size() + r.header().sealedSize()).sum();
  }

  private void expect(CapsuleStore store, long bytes) {
    assertThat(store.capsule(writer.name).usedBytes()).isEqualTo(bytes);
    assertThat(store.usage().ofOwner(writer.metadata.owner())).isEqualTo(bytes);
    assertThat(store.usage().ofOwners()).containsEntry(writer.metadata.owner(), bytes);
  }

  @Test
  void headersAndSealedBodiesAreCountedOnceAndKeptOverARestart() throws Exception {
    List<Record> records = records(40, 100);
    records.addAll(records(5, 5000));
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      write(store, writer, records);
      expect(store, bytes(records));
      // Said again, nothing is added.
      submit(store, store.capsule(writer.name), records, List.of()).expectSynced();
      expect(store, bytes(records));
      write(store, other, List.of(other.record("something")));
      expect(store, bytes(records));
      assertThat(store.usage().ofOwners()).hasSize(2);
    }
    long erased = records.get(3).header().sealedSize() + records.get(42).header().sealedSize();
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      expect(store, bytes(records));
      submit(
              store,
              store.capsule(writer.name),
              List.of(),
              List.of(
                  writer.erasure(new Erased.OfRecord(records.get(3).name())),
                  writer.erasure(new Erased.OfRecord(records.get(42).name()))))
          .expectSynced();
      expect(store, bytes(records) - erased);
    }
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      expect(store, bytes(records) - erased);
      // A store from before there was a count.
      store
          .tables()
          .db
          .delete(store.tables().settings, Keys.usage(store.capsule(writer.name).number()));
    }
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      expect(store, bytes(records) - erased);
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void anOwnerThatHasAllItMayHaveIsRefusedUntilItErases() throws Exception {
    List<Record> first = records(10, 1000);
    List<Record> second = records(10, 1000);
    long limit = bytes(first) + bytes(second) - 1;
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL.withOwnerBytes(limit))) {
      write(store, writer, first);
      StoredCapsule capsule = store.capsule(writer.name);
      Statement signature = writer.signature(second.getLast());
      assertThat(submit(store, capsule, second, List.of(signature)).expectFailed())
          .satisfies(e -> {
            assertThat(e.code()).isEqualTo(ErrorCode.QUOTA);
            assertThat(e.getMessage())
                .contains(limit + " bytes", "has " + bytes(first), "add " + bytes(second));
          });
      expect(store, bytes(first));
      assertThat(StoreFixture.size(capsule)).isEqualTo(10);
      // What is here may be sent again, and others have room of their own.
      submit(store, capsule, first, List.of()).expectSynced();
      write(store, other, List.of(other.leaves(1, 5000)));
    }
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL.withOwnerBytes(limit))) {
      StoredCapsule capsule = store.capsule(writer.name);
      submit(store, capsule, second.subList(0, 9), List.of()).expectSynced();
      submit(store, capsule, second, List.of(writer.signature(second.getLast()))).expectFailed();
      submit(
              store,
              capsule,
              List.of(),
              List.of(writer.erasure(new Erased.OfRecord(first.getFirst().name()))))
          .expectSynced();
      submit(store, capsule, second, List.of(writer.signature(second.getLast()))).expectSynced();
      expect(store, bytes(first) + bytes(second) - first.getFirst().header().sealedSize());
    }
  }

  @Test
  void batchesCommittedTogetherShareWhatIsLeft() throws Exception {
    List<Record> records = records(60, 200);
    long limit = bytes(records.subList(0, 30));
    int taken = 0;
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL.withOwnerBytes(limit))) {
      StoredCapsule capsule = writer.create(store);
      List<StoreFixture.Outcome> outcomes = new ArrayList<>();
      for (Record record : records) {
        outcomes.add(submit(store, capsule, List.of(record), List.of()));
      }
      for (StoreFixture.Outcome outcome : outcomes) {
        outcome.await();
        taken += outcome.failure == null ? 1 : 0;
      }
      assertThat(taken).isEqualTo(30);
      expect(store, limit);
    }
  }
}
