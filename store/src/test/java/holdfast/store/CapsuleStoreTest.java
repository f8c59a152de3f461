package holdfast.store;

import static holdfast.store.StoreFixture.SMALL;
import static holdfast.store.StoreFixture.UNCACHED;
import static holdfast.store.StoreFixture.readProven;
import static holdfast.store.StoreFixture.submit;
import static holdfast.store.StoreFixture.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.store.StoreFixture.Outcome;
import holdfast.store.StoreFixture.Writer;
import holdfast.testkit.Gen;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is stored comes back, proven, also after a restart. */
class CapsuleStoreTest {
  @TempDir Path folder;

  @Test
  void severalCapsulesComeBackAfterARestart() throws Exception {
    List<Writer> writers = List.of(new Writer(1), new Writer(2), new Writer(3));
    List<List<Record>> written = new ArrayList<>();
    for (int round = 0; round < 3; round++) {
      try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
        for (Writer writer : writers) {
          List<Record> records = new ArrayList<>();
          for (int i = 0; i < 700; i++) {
            records.add(writer.record("record " + i));
          }
          write(store, writer, records);
          written.add(records);
        }
      }
      try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
        for (int i = 0; i < written.size(); i++) {
          Writer writer = writers.get(i % writers.size());
          StoredCapsule capsule = store.capsule(writer.name);
          for (Record record : written.get(i)) {
            Record read = readProven(capsule, writer, record.name());
            assertThat(read.body().unsafeBytes()).isEqualTo(record.body().unsafeBytes());
          }
          long[] heads = capsule.withGraph(g -> g.provenHeads(10));
          assertThat(heads).hasSize(1);
        }
        assertThat(store.capsulesThatBegin("", 10)).hasSize(3);
      }
    }
    StoreFixture.expectClean(folder);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 64, 65, 1000, 4097, 5000})
  void bodiesOfManySmallLeavesAreReadAndProvenByLeaf(int leaves) throws Exception {
    bodies(leaves, 16);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 65, 130})
  void bodiesOfLargeLeavesAreReadAndProvenByLeaf(int leaves) throws Exception {
    bodies(leaves, 100_000);
  }

  private void bodies(int leaves, int size) throws Exception {
    Writer writer = new Writer(1);
    Record record = writer.leaves(leaves, size);
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      write(store, writer, List.of(record));
      readProven(store.capsule(writer.name), writer, record.name());
    }
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      StoredCapsule capsule = store.capsule(writer.name);
      Record read = readProven(capsule, writer, record.name());
      assertThat(Arrays.equals(read.body().unsafeBytes(), record.body().unsafeBytes())).isTrue();
      for (int leaf = 0; leaf < leaves; leaf += 1 + leaves / 40) {
        assertThat(capsule.leafReads().sealed(0, record.header(), leaf))
            .isEqualTo(record.body().leaf(leaf));
      }
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void d46WritingTheSameAgainIsSuccessAndChangesNothing() throws Exception {
    Writer writer = new Writer(1);
    List<Record> records = List.of(writer.record("a"), writer.record("b"));
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      write(store, writer, records);
      write(store, writer, records);
      List<Record> mixed = List.of(records.get(1), writer.record("c"), records.get(0));
      List<Record> twice = new ArrayList<>(mixed);
      twice.add(mixed.get(1));
      submit(store, store.capsule(writer.name), twice, List.of()).expectSynced();
      assertThat(StoreFixture.size(store.capsule(writer.name))).isEqualTo(3);
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void holesAreKeptAndFilled() throws Exception {
    Writer writer = new Writer(1);
    List<Record> records = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      records.add(writer.record("record " + i));
    }
    List<Record> late = List.of(records.get(7), records.get(8), records.get(31));
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      for (Record record : records) {
        if (!late.contains(record)) {
          write(store, writer, List.of(record));
        }
      }
      StoredCapsule capsule = store.capsule(writer.name);
      List<Hash> missing = capsule.withGraph(g -> g.missingNames(10));
      Hash[] pointedAt =
          records.stream()
              .filter(record -> !late.contains(record))
              .flatMap(record -> record.header().pointers().stream())
              .filter(name -> late.stream().anyMatch(record -> record.name().equals(name)))
              .distinct()
              .toArray(Hash[]::new);
      assertThat(pointedAt).hasSizeGreaterThan(1);
      assertThat(missing).containsExactlyInAnyOrder(pointedAt);
    }
    StoreFixture.expectClean(folder);
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      write(store, writer, List.of(late.get(1)));
      submit(store, store.capsule(writer.name), List.of(late.get(2), late.get(0)), List.of())
          .expectSynced();
      for (Record record : records) {
        readProven(store.capsule(writer.name), writer, record.name());
      }
      long holes = store.capsule(writer.name).withGraph(g -> g.holeCount());
      assertThat(holes).isZero();
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void ofAGroupOnlyTheCulpritIsRefused() throws Exception {
    Writer writer = new Writer(1);
    Writer other = new Writer(2);
    List<Outcome> good = new ArrayList<>();
    List<Record> records = new ArrayList<>();
    Outcome bad;
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      StoredCapsule capsule = writer.create(store);
      StoredCapsule second = other.create(store);
      Record absent = writer.sealer.seal(List.of(new byte[1]), 1, List.of());
      capsule.lock.lock();
      try {
        for (int i = 0; i < 20; i++) {
          Record record = writer.record("record " + i);
          records.add(record);
          good.add(submit(store, capsule, List.of(record), List.of(writer.signature(record))));
        }
        bad =
            submit(
                store,
                capsule,
                List.of(writer.sealer.seal(List.of(new byte[2]), 1, List.of())),
                List.of(writer.signature(absent)));
        Record last = other.record("other");
        good.add(submit(store, second, List.of(last), List.of(other.signature(last))));
      } finally {
        capsule.lock.unlock();
      }
      assertThat(bad.expectFailed().code()).isEqualTo(ErrorCode.NOT_FOUND);
      for (Outcome outcome : good) {
        assertThat(outcome.expectSynced())
            .allMatch(entry -> entry.outcome() == Receipt.Outcome.PROVEN);
      }
      assertThat(StoreFixture.size(capsule)).isEqualTo(20);
      for (Record record : records) {
        assertThat(readProven(capsule, writer, record.name()).state())
            .isEqualTo(Record.State.WHOLE);
      }
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void aClosedCapsuleTakesOnlyAncestorsOfItsFinalHeads() throws Exception {
    Writer writer = new Writer(1);
    List<Record> early = List.of(writer.record("a"), writer.record("b"), writer.record("c"));
    Record late = writer.record("late");
    Hash successor = new Writer(2).name;
    Statement closing =
        Statement.Succession.sign(
            writer.name, 5, List.of(early.get(2).name()), successor, writer.owner);
    Statement conflicting =
        Statement.Succession.sign(writer.name, 6, List.of(late.name()), successor, writer.owner);
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      StoredCapsule capsule = writer.create(store);
      submit(store, capsule, List.of(early.get(0)), List.of()).expectSynced();
      Outcome first;
      Outcome second;
      capsule.lock.lock();
      try {
        first = submit(store, capsule, List.of(), List.of(closing));
        second = submit(store, capsule, List.of(), List.of(conflicting));
      } finally {
        capsule.lock.unlock();
      }
      first.expectSynced();
      assertThat(second.expectFailed().code()).isEqualTo(ErrorCode.SUCCEEDED);
    }
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      StoredCapsule capsule = store.capsule(writer.name);
      assertThat(capsule.succession()).isEqualTo(closing);
      assertThat(submit(store, capsule, List.of(late), List.of()).expectFailed().code())
          .isEqualTo(ErrorCode.SUCCEEDED);
      submit(store, capsule, List.of(), List.of(closing)).expectSynced();
      submit(
              store,
              capsule,
              List.of(early.get(1), early.get(2)),
              List.of(writer.signature(early.get(2))))
          .expectSynced();
      readProven(capsule, writer, early.get(0).name());
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void thePlacementOfTheHighestVersionHoldsInWhateverOrderTheyCome() throws Exception {
    Writer writer = new Writer(1);
    List<Statement.Placement> placements = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      for (int version = 1; version <= 3; version++) {
        List<Statement.Placement.Member> one =
            List.of(new Statement.Placement.Member(writer.owner.verifyKey(), "host-" + i + ":1"));
        placements.add(Statement.Placement.sign(writer.name, 5, version, one, writer.owner));
      }
    }
    Statement.Placement expected =
        placements.stream()
            .filter(p -> p.version() == 3)
            .min(Comparator.comparing(Statement::name))
            .orElseThrow();
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      StoredCapsule capsule = writer.create(store);
      assertThat(capsule.placement()).isNull();
      for (Statement.Placement one : new Gen(1).shuffled(placements)) {
        submit(store, capsule, List.of(), List.of(one)).expectSynced();
      }
      assertThat(capsule.placement()).isEqualTo(expected);
    }
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      StoredCapsule capsule = store.capsule(writer.name);
      assertThat(capsule.placement()).isEqualTo(expected);
      assertThat(capsule.statements(new byte[0], 100, true).statements()).hasSize(9);
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  @Timeout(60)
  void aClosedCapsuleTakesALongHistoryInAnyOrder() throws Exception {
    Writer writer = new Writer(1);
    List<Record> history = new ArrayList<>();
    for (int i = 0; i < 12_000; i++) {
      history.add(writer.record("record"));
    }
    Record outside = writer.record("outside");
    Statement closing =
        Statement.Succession.sign(
            writer.name, 5, List.of(history.getLast().name()), new Writer(2).name, writer.owner);
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      StoredCapsule capsule = writer.create(store);
      submit(store, capsule, List.of(), List.of(closing)).expectSynced();
      List<Record> withOutsider = new ArrayList<>(history);
      withOutsider.add(outside);
      assertThat(submit(store, capsule, withOutsider, List.of()).expectFailed().code())
          .isEqualTo(ErrorCode.SUCCEEDED);
      // Oldest first: what makes a record welcome comes last.
      submit(store, capsule, history, List.of(writer.signature(history.getLast()))).expectSynced();
      readProven(capsule, writer, history.getFirst().name());
      // Again, now that all of it is here.
      submit(store, capsule, history.reversed(), List.of()).expectSynced();
      assertThat(StoreFixture.size(capsule)).isEqualTo(history.size());
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void everyBatchHearsExactlyOneEndWhenTheStoreCloses() throws Exception {
    Writer writer = new Writer(1);
    List<Outcome> outcomes = new ArrayList<>();
    List<Record> records = new ArrayList<>();
    CapsuleStore store = CapsuleStore.open(folder, SMALL);
    StoredCapsule capsule = writer.create(store);
    capsule.lock.lock();
    try {
      for (int i = 0; i < 500; i++) {
        Record record = writer.record("record " + i);
        records.add(record);
        outcomes.add(submit(store, capsule, List.of(record), List.of(writer.signature(record))));
      }
    } finally {
      capsule.lock.unlock();
    }
    store.close();
    store.close();
    for (Outcome outcome : outcomes) {
      outcome.expectSynced();
      assertThat(outcome.synced + outcome.failures).isEqualTo(1);
      assertThat(outcome.received).isEqualTo(1);
    }
    assertThatThrownBy(() -> submit(store, capsule, List.of(records.getFirst()), List.of()))
        .isInstanceOf(HoldfastException.class);
    try (CapsuleStore again = CapsuleStore.open(folder, SMALL)) {
      for (Record record : records) {
        readProven(again.capsule(writer.name), writer, record.name());
      }
    }
  }

  @Test
  void aCompletionThatThrowsDoesNotStopTheStore() throws Exception {
    Writer writer = new Writer(1);
    Record record = writer.record("a");
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      StoredCapsule capsule = writer.create(store);
      store.submit(
          new StoreBatch(
              capsule,
              List.of(record),
              List.of(),
              1,
              new StoreBatch.Completion() {
                @Override
                public void received(List<Receipt.Entry> entries) {
                  throw new IllegalStateException("received");
                }

                @Override
                public void synced(List<Receipt.Entry> entries) {
                  throw new IllegalStateException("synced");
                }

                @Override
                public void failed(HoldfastException reason) {
                  throw new IllegalStateException("failed");
                }
              }));
      submit(store, capsule, List.of(writer.record("b")), List.of()).expectSynced();
      assertThat(store.writable()).isTrue();
    }
  }

  @Test
  void aFirstStartBrokenOffIsBegunAnew() throws Exception {
    Files.createDirectories(folder.resolve("db"));
    SyncedMark.create(folder.resolve("synced"), 0);
    CapsuleStore.open(folder, SMALL).close();

    Path other = Files.createDirectory(folder.resolve("other"));
    SyncedMark.create(other.resolve("synced"), 0);
    Files.createDirectories(other.resolve("db"));
    Tables.open(other.resolve("db"), SMALL, false).close();
    CapsuleStore.open(other, SMALL).close();
    StoreFixture.expectClean(other);
  }

  @Test
  void aMissingPartIsReportedAndFsckChangesNothing() throws Exception {
    Writer writer = new Writer(1);
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      write(store, writer, List.of(writer.record("a")));
    }
    Path mark = folder.resolve("synced");
    byte[] kept = Files.readAllBytes(mark);
    Files.delete(mark);
    expectDamaged();
    List<String> problems = new ArrayList<>();
    assertThat(Fsck.check(folder, SMALL, problems::add).clean()).isFalse();
    assertThat(mark).doesNotExist();
    expectDamaged();

    byte[] rotten = kept.clone();
    rotten[3] ^= 1;
    rotten[512 + 3] ^= 1;
    Files.write(mark, rotten);
    expectDamaged();
    Fsck.acceptLoss(folder, SMALL);
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      readProven(store.capsule(writer.name), writer, writer.links.next().getFirst());
    }
    Files.delete(folder.resolve("db/CURRENT"));
    expectDamaged();
  }

  private void expectDamaged() {
    assertThatThrownBy(() -> CapsuleStore.open(folder, SMALL).close())
        .isInstanceOf(HoldfastException.class)
        .extracting(e -> ((HoldfastException) e).code())
        .isEqualTo(ErrorCode.DAMAGED);
  }

  @Test
  void theMarkSurvivesATornWrite() throws Exception {
    Path file = folder.resolve("mark");
    SyncedMark.create(file, 7);
    try (SyncedMark mark = SyncedMark.open(file)) {
      mark.move(8);
      mark.move(9);
    }
    Random random = new Random(1);
    for (int slot = 0; slot < 2; slot++) {
      Path torn = folder.resolve("torn" + slot);
      Files.copy(file, torn);
      try (RandomAccessFile out = new RandomAccessFile(torn.toFile(), "rw")) {
        out.seek(512L * slot + random.nextInt(16));
        out.write(random.nextInt(256));
      }
      try (SyncedMark mark = SyncedMark.open(torn)) {
        assertThat(mark.sequence()).isBetween(8L, 9L);
      }
    }
  }
}
