package holdfast.store;

import static holdfast.store.StoreFixture.SMALL;
import static holdfast.store.StoreFixture.UNCACHED;
import static holdfast.store.StoreFixture.filesWith;
import static holdfast.store.StoreFixture.readProven;
import static holdfast.store.StoreFixture.submit;
import static holdfast.store.StoreFixture.write;
import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.ErrorCode;
import holdfast.base.HoldfastException;
import holdfast.capsule.Receipt;
import holdfast.capsule.Record;
import holdfast.capsule.Statement.Erased;
import holdfast.store.StoreFixture.Outcome;
import holdfast.store.StoreFixture.Writer;
import holdfast.testkit.Patience;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.rocksdb.WriteBatch;
import org.rocksdb.WriteOptions;

/** What the owner erases is gone: from answers, from the disk, and for good. */
class ErasureTest {
  @TempDir Path folder;

  private final Writer writer = new Writer(1);

  /** Some sealed bytes of a leaf: nothing else looks like them. */
  private static byte[] pattern(Record record, int leaf) {
    return Arrays.copyOf(record.body().leaf(leaf), 24);
  }

  private Record incompressible(int leaves, int size) {
    Random random = new Random(leaves);
    List<byte[]> made = new ArrayList<>();
    for (int i = 0; i < leaves; i++) {
      byte[] leaf = new byte[size];
      random.nextBytes(leaf);
      made.add(leaf);
    }
    return writer.record(made);
  }

  @Test
  void anErasedRecordIsGoneFromEveryFileAndItsSpaceIsFreed() throws Exception {
    Record large = incompressible(400, 50_000);
    Record kept = incompressible(3, 100);
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      write(store, writer, List.of(large, kept));
      StoredCapsule capsule = store.capsule(writer.name);
      readProven(capsule, writer, large.name());
      assertThat(filesWith(folder, pattern(large, 0))).isNotEmpty();
      assertThat(filesWith(folder, pattern(large, 399))).isNotEmpty();
      long before = StoreFixture.sizeOf(folder);
      assertThat(before).isGreaterThan(20_000_000);

      List<Receipt.Entry> entries =
          submit(
                  store,
                  capsule,
                  List.of(),
                  List.of(writer.erasure(new Erased.OfRecord(large.name()))))
              .expectSynced();
      assertThat(entries.getFirst().outcome()).isEqualTo(Receipt.Outcome.ERASED);

      assertThat(filesWith(folder, pattern(large, 0))).isEmpty();
      assertThat(filesWith(folder, pattern(large, 200))).isEmpty();
      assertThat(filesWith(folder, pattern(large, 399))).isEmpty();
      assertThat(StoreFixture.sizeOf(folder)).isLessThan(before - 20_000_000);
      assertThat(readProven(capsule, writer, large.name()).state()).isEqualTo(Record.State.ERASED);
      assertThat(capsule.leafReads().sealed(0, large.header(), 7)).isNull();
      readProven(capsule, writer, kept.name());

      submit(store, capsule, List.of(), List.of(writer.erasure(new Erased.OfRecord(large.name()))))
          .expectSynced();

      Outcome again = submit(store, capsule, List.of(large), List.of());
      assertThat(again.expectSynced().getFirst().outcome()).isEqualTo(Receipt.Outcome.ERASED);
      assertThat(filesWith(folder, pattern(large, 0))).isEmpty();
    }
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      StoredCapsule capsule = store.capsule(writer.name);
      assertThat(readProven(capsule, writer, large.name()).state()).isEqualTo(Record.State.ERASED);
      assertThat(capsule.erasuresOf(large.header())).hasSize(1);
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void anErasedLeafLeavesItsNeighboursProvable() throws Exception {
    Record small = incompressible(5, 100);
    Record large = incompressible(200, 5_000);
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      write(store, writer, List.of(small, large));
      StoredCapsule capsule = store.capsule(writer.name);
      for (Record record : List.of(small, large)) {
        submit(
                store,
                capsule,
                List.of(),
                List.of(
                    writer.erasure(new Erased.OfLeaf(record.name(), 2)),
                    writer.erasure(new Erased.OfLeaf(record.name(), 4))))
            .expectSynced();
        assertThat(filesWith(folder, pattern(record, 2))).isEmpty();
        assertThat(filesWith(folder, pattern(record, 4))).isEmpty();
        assertThat(filesWith(folder, pattern(record, 3))).isNotEmpty();
      }
    }
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      StoredCapsule capsule = store.capsule(writer.name);
      for (Record record : List.of(small, large)) {
        Record read = readProven(capsule, writer, record.name());
        assertThat(read.state()).isEqualTo(Record.State.PARTLY_ERASED);
        long arrival = capsule.withGraph(g -> g.arrivalOf(record.name()));
        assertThat(capsule.leafReads().sealed(arrival, record.header(), 2)).isNull();
        assertThat(capsule.leafReads().sealed(arrival, record.header(), 3))
            .isEqualTo(record.body().leaf(3));
        assertThat(capsule.erasureOf(record.header(), 2)).isNotNull();
        assertThat(capsule.erasureOf(record.header(), 3)).isNull();
      }
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void aTimeRangeMeetsLateArrivalsAlsoAfterARestart() throws Exception {
    List<Record> records = new ArrayList<>();
    for (int i = 0; i < 600; i++) {
      records.add(writer.record("record " + i + " ".repeat(30)));
    }
    List<Record> early = records.subList(0, 400);
    List<Record> late = records.subList(400, 600);
    Erased range = new Erased.OfTimes(1000 + 300, 1000 + 500);
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      write(store, writer, early);
      submit(store, store.capsule(writer.name), List.of(), List.of(writer.erasure(range)))
          .expectSynced();
      write(store, writer, late.subList(0, 50));
      expectStates(store, records.subList(0, 450));
    }
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      write(store, writer, late);
      expectStates(store, records);
    }
    assertThat(filesWith(folder, pattern(records.get(350), 0))).isEmpty();
    assertThat(filesWith(folder, pattern(records.get(430), 0))).isEmpty();
    assertThat(filesWith(folder, pattern(records.get(480), 0))).isEmpty();
    assertThat(filesWith(folder, pattern(records.get(550), 0))).isNotEmpty();
    StoreFixture.expectClean(folder);
  }

  private void expectStates(CapsuleStore store, List<Record> records) throws Exception {
    for (int i = 0; i < records.size(); i++) {
      Record read = readProven(store.capsule(writer.name), writer, records.get(i).name());
      assertThat(read.state())
          .as("record %s", i)
          .isEqualTo(i >= 300 && i < 500 ? Record.State.ERASED : Record.State.WHOLE);
    }
  }

  @Test
  void aBatchMayEraseWhatItBrings() throws Exception {
    Record byRecord = incompressible(2, 100);
    Record byLeaf = incompressible(3, 100);
    Record byTime = incompressible(4, 100);
    long time = byTime.header().timeMillis();
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      StoredCapsule capsule = writer.create(store);
      submit(
              store,
              capsule,
              List.of(byRecord, byLeaf, byTime),
              List.of(
                  writer.signature(byTime),
                  writer.erasure(new Erased.OfRecord(byRecord.name())),
                  writer.erasure(new Erased.OfLeaf(byLeaf.name(), 1)),
                  writer.erasure(new Erased.OfLeaf(byLeaf.name(), 2)),
                  writer.erasure(new Erased.OfTimes(time, time + 1))))
          .expectSynced();
      assertThat(readProven(capsule, writer, byRecord.name()).state())
          .isEqualTo(Record.State.ERASED);
      assertThat(readProven(capsule, writer, byTime.name()).state()).isEqualTo(Record.State.ERASED);
      assertThat(readProven(capsule, writer, byLeaf.name()).body().erased(2)).isTrue();
      assertThat(readProven(capsule, writer, byLeaf.name()).body().erased(1)).isTrue();
      for (Record record : List.of(byRecord, byTime)) {
        assertThat(filesWith(folder, pattern(record, 0))).isEmpty();
      }
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void aBatchMayEraseWhatStandsBesideWhatItBrings() throws Exception {
    Record before = incompressible(2, 50);
    Record brought = incompressible(3, 50);
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      write(store, writer, List.of(before));
      StoredCapsule capsule = store.capsule(writer.name);
      submit(
              store,
              capsule,
              List.of(brought),
              List.of(
                  writer.signature(brought), writer.erasure(new Erased.OfRecord(before.name()))))
          .expectSynced();
      assertThat(readProven(capsule, writer, before.name()).state()).isEqualTo(Record.State.ERASED);
      assertThat(readProven(capsule, writer, brought.name()).state()).isEqualTo(Record.State.WHOLE);
      assertThat(filesWith(folder, pattern(before, 0))).isEmpty();
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void aBodyLeftOutMustBeErasedByTheOwner() throws Exception {
    Record record = incompressible(3, 100);
    Record other = incompressible(2, 100);
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      StoredCapsule capsule = writer.create(store);
      submit(
              store,
              capsule,
              List.of(),
              List.of(writer.erasure(new Erased.OfLeaf(record.name(), 1))))
          .expectSynced();
      Record without = new Record(record.header(), Record.State.ERASED, null);
      assertThat(submit(store, capsule, List.of(other, without), List.of()).expectFailed().code())
          .isEqualTo(ErrorCode.INVALID);
      assertThat(StoreFixture.size(capsule)).isZero();
      Record partly =
          new Record(
              record.header(), Record.State.PARTLY_ERASED, record.body().erase(leaf -> leaf == 1));
      submit(store, capsule, List.of(partly), List.of(writer.signature(record))).expectSynced();
      assertThat(readProven(capsule, writer, record.name()).body().erased(0)).isFalse();
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void anErasureBrokenOffBeforeTheBytesWereFreedIsFinishedAtTheNextStart() throws Exception {
    Record record = incompressible(100, 10_000);
    Path crashed = folder.resolve("crashed");
    Path data = folder.resolve("data");
    try (CapsuleStore store = CapsuleStore.open(data, SMALL)) {
      write(store, writer, List.of(record, incompressible(2, 100)));
      Outcome outcome =
          new Outcome() {
            @Override
            public synchronized void received(List<Receipt.Entry> made) {
              try {
                // The erasure is committed; nothing has begun to free its bytes.
                StoreFixture.copy(data, crashed);
              } catch (java.io.IOException e) {
                throw new java.io.UncheckedIOException(e);
              }
            }
          };
      store.submit(
          new StoreBatch(
              store.capsule(writer.name),
              List.of(),
              List.of(writer.erasure(new Erased.OfRecord(record.name()))),
              1,
              outcome));
      outcome.expectSynced();
    }
    assertThat(filesWith(crashed, pattern(record, 50))).isNotEmpty();
    try (CapsuleStore store = CapsuleStore.open(crashed, SMALL)) {
      long deadline = System.nanoTime() + Patience.NANOS;
      while (!filesWith(crashed, pattern(record, 50)).isEmpty()) {
        assertThat(System.nanoTime()).as("freed").isLessThan(deadline);
        LockSupport.parkNanos(10_000_000);
      }
      assertThat(readProven(store.capsule(writer.name), writer, record.name()).state())
          .isEqualTo(Record.State.ERASED);
    }
    StoreFixture.expectClean(crashed);
  }

  /**
   * A record and a leaf are erased together: the first by a deleted range, the second by writing
   * its chunk again, in one batch and one table. Others write at the same time, so that the
   * database inserts from several threads at once.
   */
  @Test
  void erasingBesideOtherWritersTakesNothingElseAway() throws Exception {
    List<Record> kept = new ArrayList<>();
    AtomicBoolean enough = new AtomicBoolean();
    List<Thread> others = new ArrayList<>();
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      StoredCapsule capsule = writer.create(store);
      try {
        for (int i = 0; i < 4; i++) {
          byte[] peer = {(byte) i};
          others.add(
              Thread.ofPlatform()
                  .start(() -> {
                    while (!enough.get()) {
                      capsule.keepPeerState(peer, new byte[8]);
                    }
                  }));
        }
        for (int round = 0; round < 20; round++) {
          List<Record> records = new ArrayList<>();
          for (int i = 0; i < 10; i++) {
            records.add(writer.leaves(2, 2000));
          }
          submit(store, capsule, records, List.of(writer.signature(records.getLast())))
              .expectSynced();
          submit(
                  store,
                  capsule,
                  List.of(),
                  List.of(
                      writer.erasure(new Erased.OfRecord(records.get(1).name())),
                      writer.erasure(new Erased.OfLeaf(records.get(3).name(), 0))))
              .expectSynced();
          kept.addAll(records.subList(4, 10));
        }
      } finally {
        enough.set(true);
        for (Thread other : others) {
          other.join();
        }
      }
      for (Record record : kept) {
        assertThat(readProven(capsule, writer, record.name()).state())
            .isEqualTo(Record.State.WHOLE);
      }
    }
    StoreFixture.expectClean(folder);
  }

  /** A read that is under way while tables are merged keeps the old ones; nobody else may come. */
  @Test
  void anErasureIsDoneSoonAlthoughOthersRead() throws Exception {
    AtomicBoolean enough = new AtomicBoolean();
    List<Thread> readers = new ArrayList<>();
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      List<Record> records = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        records.add(writer.leaves(2, 2000));
      }
      write(store, writer, records);
      StoredCapsule capsule = store.capsule(writer.name);
      try {
        for (int i = 0; i < 6; i++) {
          readers.add(
              Thread.ofPlatform()
                  .start(() -> {
                    while (!enough.get()) {
                      capsule.record(39);
                    }
                  }));
        }
        for (int i = 0; i < 30; i++) {
          long begin = System.nanoTime();
          submit(
                  store,
                  capsule,
                  List.of(),
                  List.of(writer.erasure(new Erased.OfRecord(records.get(i).name()))))
              .expectSynced();
          assertThat(System.nanoTime() - begin).isLessThan(Patience.NANOS);
        }
      } finally {
        enough.set(true);
        for (Thread reader : readers) {
          reader.join();
        }
      }
    }
    StoreFixture.expectClean(folder);
  }

  /** Who erased something waits for the word that the bytes are gone, or why they are not. */
  @Test
  void whateverKeepsBytesFromBeingFreedIsTold() throws Exception {
    CapsuleStore.open(folder, SMALL).close();
    Path database = CapsuleStore.databaseFolder(folder);
    try (Tables tables = Tables.open(database, SMALL, false);
        WriteBatch batch = new WriteBatch();
        WriteOptions options = new WriteOptions()) {
      Freeing.noteAtRest(tables, batch, 1, 0, 0);
      tables.db.write(options, batch);
      AtomicBoolean planted = new AtomicBoolean(true);
      try (Freeing freeing =
          new Freeing(
              tables,
              database,
              () -> {
                if (planted.get()) {
                  throw new AssertionError("planted");
                }
                return false;
              })) {
        CompletableFuture<Optional<HoldfastException>> told = new CompletableFuture<>();
        freeing.free(failure -> told.complete(Optional.ofNullable(failure)));
        assertThat(told.get(20, TimeUnit.SECONDS))
            .hasValueSatisfying(e -> assertThat(e.code()).isEqualTo(ErrorCode.INTERNAL));
        planted.set(false);
        CompletableFuture<Optional<HoldfastException>> then = new CompletableFuture<>();
        freeing.free(failure -> then.complete(Optional.ofNullable(failure)));
        assertThat(then.get(60, TimeUnit.SECONDS)).isEmpty();
      }
    }
  }
}
