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
import holdfast.base.ProofException;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.store.StoreFixture.Writer;
import holdfast.testkit.Patience;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.rocksdb.FlushOptions;

/** Rot is found before it is asked for, kept from readers, and mended from a copy. */
class ScrubberTest {
  @TempDir Path folder;

  private final Writer writer = new Writer(1);

  private List<Record> chain(CapsuleStore store, int count) throws Exception {
    List<Record> records = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      records.add(writer.record("record " + i));
    }
    write(store, writer, records);
    return records;
  }

  /** Changes what is stored as rot would that no checksum of the database shows. */
  private static void rot(CapsuleStore store, StoredCapsule capsule, long arrival)
      throws Exception {
    byte[] key = Keys.record(capsule.number(), arrival >>> RecordBlocks.SHIFT);
    byte[] block = store.tables().db.get(store.tables().headers, key);
    block[block.length / 2] ^= 1;
    store.tables().db.put(store.tables().headers, key, block);
  }

  private static void scrub(CapsuleStore store) {
    store.scrubber().pass();
  }

  private static List<Long> damaged(StoredCapsule capsule) {
    return capsule.damaged(1000).stream().map(Damage::arrival).toList();
  }

  private static void expectDamaged(StoredCapsule capsule, long arrival) {
    assertThatThrownBy(() -> capsule.record(arrival))
        .isInstanceOfSatisfying(
            HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.DAMAGED));
  }

  @Test
  void aFlippedBitOnTheDiskIsFoundNamedAndMendedFromACopy() throws Exception {
    List<Record> records = new ArrayList<>();
    Random random = new Random(1);
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      for (int i = 0; i < 40; i++) {
        byte[] content = new byte[9000];
        random.nextBytes(content);
        records.add(writer.record(List.of(content)));
      }
      write(store, writer, records);
    }
    Record victim = records.get(17);
    flip(victim.body().leaf(0));
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      StoredCapsule capsule = store.capsule(writer.name);
      scrub(store);
      assertThat(damaged(capsule)).contains(17L).hasSizeLessThan(4);
      Damage damage = capsule.damaged(10).get(damaged(capsule).indexOf(17L));
      assertThat(damage.name()).isEqualTo(victim.name());
      assertThat(damage.part()).isEqualTo(Damage.Part.BODY);
      expectDamaged(capsule, 17);
      assertThatThrownBy(() -> capsule.leafReads().sealed(17, victim.header(), 0))
          .isInstanceOf(HoldfastException.class);
      // The header goes on proving what lies below it.
      readProven(capsule, writer, records.get(3).name());

      List<Record> copies = new ArrayList<>();
      damaged(capsule).forEach(arrival -> copies.add(records.get((int) (long) arrival)));
      assertThat(store.repair(capsule, copies)).isEqualTo(copies.size());
      assertThat(store.damagedCount()).isZero();
      scrub(store);
      assertThat(store.damagedCount()).isZero();
    }
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      for (Record record : records) {
        Record read = readProven(store.capsule(writer.name), writer, record.name());
        assertThat(read.body().unsafeBytes()).isEqualTo(record.body().unsafeBytes());
      }
    }
  }

  private void flip(byte[] pattern) throws Exception {
    List<Path> files = StoreFixture.filesWith(folder.resolve("db"), pattern);
    assertThat(files).hasSize(1);
    Path file = files.getFirst();
    int at =
        new String(Files.readAllBytes(file), java.nio.charset.StandardCharsets.ISO_8859_1)
            .indexOf(new String(pattern, java.nio.charset.StandardCharsets.ISO_8859_1));
    try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
      out.seek(at + 4000);
      int old = out.read();
      out.seek(at + 4000);
      out.write(old ^ 4);
    }
  }

  @Test
  void aRottenBlockIsQuarantinedAcrossRestartsAndMendedRecordByRecord() throws Exception {
    List<Record> records;
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      records = chain(store, 60);
      StoredCapsule capsule = store.capsule(writer.name);
      rot(store, capsule, 20);
      scrub(store);
    }
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      StoredCapsule capsule = store.capsule(writer.name);
      List<Damage> known = capsule.damaged(100);
      assertThat(known).isNotEmpty().allMatch(d -> d.arrival() >> 4 == 1);
      for (Damage damage : known) {
        assertThat(damage.name()).isEqualTo(records.get((int) damage.arrival()).name());
        expectDamaged(capsule, damage.arrival());
      }
      readProven(capsule, writer, records.get(50).name());

      // One comes back; its neighbours stay refused, and can still be told apart.
      long first = known.getFirst().arrival();
      assertThat(store.repair(capsule, List.of(records.get((int) first)))).isEqualTo(1);
      capsule.record(first).expect(writer.name, records.get((int) first).name());
      assertThat(damaged(capsule)).hasSize(known.size() - 1).doesNotContain(first);
      for (long arrival : damaged(capsule)) {
        expectDamaged(capsule, arrival);
      }
      write(store, writer, List.of(writer.record("goes on")));
      assertThat(store.repair(capsule, records)).isEqualTo(known.size() - 1);
      for (Record record : records) {
        readProven(capsule, writer, record.name());
      }
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void damageThatAReadMeetsIsNotedAtOnce() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      chain(store, 20);
    }
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      StoredCapsule capsule = store.capsule(writer.name);
      store.tables().db.delete(store.tables().headers, Keys.record(capsule.number(), 0));
      expectDamaged(capsule, 3);
      assertThat(damaged(capsule)).containsExactly(3L);
      assertThat(capsule.breaksProofs(3)).isTrue();
    }
  }

  @Test
  void aNameThatLeadsElsewhereIsFoundAndMended() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      List<Record> records = chain(store, 20);
      StoredCapsule capsule = store.capsule(writer.name);
      Hash name = records.get(5).name();
      store
          .tables()
          .db
          .delete(store.tables().names, Keys.within(capsule.number(), name.toBytes(), 0));
      scrub(store);
      assertThat(capsule.damaged(10))
          .anyMatch(d -> d.arrival() == 5 && d.part() == Damage.Part.HEADER)
          .anyMatch(d -> d.arrival() == 6 && d.part() == Damage.Part.GRAPH);
      expectDamaged(capsule, 5);
      assertThat(store.repair(capsule, List.of(records.get(5)))).isEqualTo(1);
      readProven(capsule, writer, name);
      scrub(store);
      assertThat(store.damagedCount()).isZero();
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void aSignatureThatRotsIsFoundAndLiftedOnceItIsBroughtAgain() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      List<Record> records = chain(store, 20);
      StoredCapsule capsule = store.capsule(writer.name);
      byte[] key = Keys.signature(capsule.number(), 19, 0);
      byte[] signature = store.tables().db.get(store.tables().statements, key);
      signature[signature.length - 1] ^= 1;
      store.tables().db.put(store.tables().statements, key, signature);
      scrub(store);
      assertThat(capsule.damaged(10))
          .singleElement()
          .matches(d -> d.arrival() == 19 && d.part() == Damage.Part.SIGNATURE);
      submit(store, capsule, List.of(), List.of(writer.signature(records.get(19)))).expectSynced();
      scrub(store);
      assertThat(store.damagedCount()).isZero();
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void tilesOfALargeBodyAreCheckedAndMended() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      Record record = writer.leaves(5000, 16);
      write(store, writer, List.of(record));
      StoredCapsule capsule = store.capsule(writer.name);
      byte[] key = Keys.tile(capsule.number(), 0, 0, 0);
      byte[] tile = store.tables().db.get(store.tables().bodies, key);
      tile[7] ^= 1;
      store.tables().db.put(store.tables().bodies, key, tile);
      scrub(store);
      assertThat(capsule.damaged(10))
          .singleElement()
          .matches(d -> d.part() == Damage.Part.BODY && d.what().contains("tree"));
      assertThat(store.repair(capsule, List.of(record))).isEqualTo(1);
      readProven(capsule, writer, record.name());
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void onlyADamagedRecordIsReplacedAndOnlyByItself() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      List<Record> records = chain(store, 20);
      StoredCapsule capsule = store.capsule(writer.name);
      byte[] key = Keys.record(capsule.number(), 0);
      byte[] before = store.tables().db.get(store.tables().headers, key);
      assertThat(store.repair(capsule, records)).isZero();
      assertThat(store.tables().db.get(store.tables().headers, key)).isEqualTo(before);

      Record forged = Record.whole(records.get(3).header(), records.get(4).body());
      assertThatThrownBy(() -> store.repair(capsule, List.of(forged)))
          .isInstanceOf(ProofException.class);
      Record never = writer.record("never written");
      assertThatThrownBy(() -> store.repair(capsule, List.of(never)))
          .isInstanceOfSatisfying(
              HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.NOT_FOUND));
      rot(store, capsule, 3);
      scrub(store);
      long arrival = damaged(capsule).getFirst();
      Record bare = new Record(records.get((int) arrival).header(), Record.State.HEADER_ONLY, null);
      assertThatThrownBy(() -> store.repair(capsule, List.of(bare)))
          .isInstanceOfSatisfying(
              HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID));
      expectDamaged(capsule, arrival);
    }
  }

  @Test
  void anErasedBodyStaysErasedWhenItsHeaderIsMended() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      List<Record> records = chain(store, 16);
      StoredCapsule capsule = store.capsule(writer.name);
      Statement erasure = writer.erasure(new Statement.Erased.OfRecord(records.get(5).name()));
      submit(store, capsule, List.of(), List.of(erasure)).expectSynced();
      store.tables().db.delete(store.tables().headers, Keys.record(capsule.number(), 0));
      scrub(store);
      assertThat(damaged(capsule)).hasSize(16);
      assertThat(store.repair(capsule, records)).isEqualTo(16);
      assertThat(capsule.record(5).state()).isEqualTo(Record.State.ERASED);
      assertThat(capsule.record(6).state()).isEqualTo(Record.State.WHOLE);
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void aBodyThatIsErasedIsNotDamagedAnyMore() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      Record record = writer.leaves(3, 5000);
      write(store, writer, List.of(record));
      StoredCapsule capsule = store.capsule(writer.name);
      store.tables().db.delete(store.tables().bodies, Keys.chunk(capsule.number(), 0, 0));
      scrub(store);
      assertThat(damaged(capsule)).containsExactly(0L);
      Statement erasure = writer.erasure(new Statement.Erased.OfRecord(record.name()));
      submit(store, capsule, List.of(), List.of(erasure)).expectSynced();
      assertThat(store.damagedCount()).isZero();
      assertThat(capsule.record(0).state()).isEqualTo(Record.State.ERASED);
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void aPassGoesOnWhereTheLastServerStopped() throws Exception {
    int whole = 0;
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      for (int i = 0; i < 5; i++) {
        Writer other = new Writer(10 + i);
        List<Record> records = new ArrayList<>();
        for (int r = 0; r < 600; r++) {
          records.add(other.record("record " + r));
        }
        write(store, other, records);
      }
      Scrubber scrubber = store.scrubber();
      assertThat(scrubber.progress()).isEqualTo(new Scrubber.Progress(0, 1));
      do {
        scrubber.step();
        whole++;
      } while (scrubber.progress().completedMillis() == 0);
    }
    assertThat(whole).isGreaterThan(10);
    long completed;
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL);
        Scrubber scrubber = store.scrubber()) {
      completed = scrubber.progress().completedMillis();
      assertThat(completed).isPositive();
      for (int i = 0; i < whole / 2; i++) {
        scrubber.step();
      }
      assertThat(scrubber.progress().share()).isBetween(0.2, 0.8);
    }
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      Scrubber scrubber = store.scrubber();
      assertThat(scrubber.progress().share()).isBetween(0.1, 0.8);
      int left = 0;
      do {
        scrubber.step();
        left++;
      } while (scrubber.progress().share() < 1);
      // The last step of a pass only finds that no capsule is left.
      assertThat(left).isEqualTo(whole - whole / 2 - 1);
      assertThat(scrubber.progress().completedMillis()).isGreaterThanOrEqualTo(completed);
    }
  }

  @Test
  void whatIsWrittenAndErasedMeanwhileIsNotTakenForDamage() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      StoredCapsule capsule = writer.create(store);
      AtomicBoolean enough = new AtomicBoolean();
      Thread scrubbing =
          Thread.ofPlatform()
              .start(() -> {
                while (store.writable() && !enough.get()) {
                  scrub(store);
                }
              });
      try {
        for (int round = 0; round < 6; round++) {
          List<Record> records = new ArrayList<>();
          for (int i = 0; i < 30; i++) {
            records.add(writer.leaves(1 + i % 4, i % 3 == 0 ? 2000 : 20));
          }
          submit(store, capsule, records, List.of(writer.signature(records.getLast())))
              .expectSynced();
          submit(
                  store,
                  capsule,
                  List.of(),
                  List.of(
                      writer.erasure(new Statement.Erased.OfRecord(records.get(3).name())),
                      writer.erasure(new Statement.Erased.OfLeaf(records.get(6).name(), 0))))
              .expectSynced();
        }
      } finally {
        // The database must not be closed below whoever reads it.
        enough.set(true);
        scrubbing.join();
      }
      assertThat(store.quarantine().list(capsule.number(), 10)).isEmpty();
    }
    StoreFixture.expectClean(folder);
  }

  /** One record must not end the scrubbing of all others. */
  @Test
  void whatFailsUnexpectedlyIsPassedOver() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      chain(store, 300);
      rot(store, store.capsule(writer.name), 3);
      rot(store, store.capsule(writer.name), 290);
      AtomicBoolean planted = new AtomicBoolean();
      store.onDamage(name -> {
        if (!planted.getAndSet(true)) {
          throw new AssertionError("planted");
        }
      });
      scrub(store);
      assertThat(planted).isTrue();
      assertThat(damaged(store.capsule(writer.name))).anyMatch(arrival -> arrival > 256);
    }
  }

  @Test
  void inTheBackgroundItFindsRotByItself() throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      chain(store, 20);
      rot(store, store.capsule(writer.name), 3);
      try (FlushOptions wait = new FlushOptions()) {
        store.tables().db.flush(wait, store.tables().all());
      }
      try (Scrubber scrubber = store.scrubber()) {
        scrubber.start(1 << 20);
        long deadline = System.nanoTime() + Patience.NANOS;
        while (scrubber.progress().completedMillis() == 0) {
          assertThat(System.nanoTime()).as("a pass ends").isLessThan(deadline);
          Thread.onSpinWait();
        }
      }
      assertThat(store.damagedCount()).isPositive();
    }
  }
}
