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
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.store.StoreFixture.Writer;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.rocksdb.ColumnFamilyHandle;
import org.rocksdb.CompactRangeOptions;
import org.rocksdb.CompactRangeOptions.BottommostLevelCompaction;
import org.rocksdb.FlushOptions;
import org.rocksdb.LiveFileMetaData;
import org.rocksdb.Options;
import org.rocksdb.RocksDBException;
import org.rocksdb.SstFileReader;

/** A table with a rotten block does not stop the store for good: it is replaced. */
class RottenTablesTest {
  @TempDir Path folder;

  private final Writer writer = new Writer(1);
  private final Random random = new Random(7);

  /** Fills a store with records of all kinds, in several tables one over another. */
  private List<Record> fill() throws Exception {
    List<Record> records = new ArrayList<>();
    for (int round = 0; round < 3; round++) {
      try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
        List<Record> batch = new ArrayList<>();
        for (int i = 0; i < 90; i++) {
          byte[] content = new byte[i % 3 == 0 ? 6000 : 200];
          random.nextBytes(content);
          batch.add(writer.record(List.of(content)));
        }
        write(store, writer, batch);
        records.addAll(batch);
        if (round == 0) {
          compact(store.tables());
        }
      }
    }
    return records;
  }

  private static void compact(Tables tables) throws RocksDBException {
    try (CompactRangeOptions every =
        new CompactRangeOptions().setBottommostLevelCompaction(BottommostLevelCompaction.kForce)) {
      for (ColumnFamilyHandle family : tables.all()) {
        tables.db.compactRange(family, null, null, every);
      }
    }
  }

  private List<LiveFileMetaData> tables(String family) {
    try (Tables tables = Tables.open(folder.resolve("db"), SMALL, true)) {
      return tables.db.getLiveFilesMetaData().stream()
          .filter(t -> new String(t.columnFamilyName(), StandardCharsets.US_ASCII).equals(family))
          .sorted(Comparator.comparingLong(LiveFileMetaData::size).reversed())
          .toList();
    }
  }

  /** Flips a bit of what a table holds, at a share of it; not of what it says of itself. */
  private static void flip(LiveFileMetaData table, double where) throws Exception {
    long size;
    try (Options options = new Options();
        SstFileReader reader = new SstFileReader(options)) {
      reader.open(RottenTables.fileOf(table).toString());
      size = reader.getTableProperties().getDataSize();
    }
    try (RandomAccessFile out = new RandomAccessFile(RottenTables.fileOf(table).toFile(), "rw")) {
      long at = (long) (where * size);
      out.seek(at);
      int old = out.read();
      out.seek(at);
      out.write(old ^ 4);
    }
  }

  private static void expectWrites(CapsuleStore store, Writer writer, List<Record> written)
      throws Exception {
    Record record = writer.record("more " + written.size());
    write(store, writer, List.of(record));
    written.add(record);
  }

  private void expectSound(List<Record> records) throws Exception {
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      compact(store.tables());
      expectWrites(store, writer, records);
      assertThat(store.damagedCount()).isZero();
      for (Record record : records) {
        Record read = readProven(store.capsule(writer.name), writer, record.name());
        assertThat(read.body().unsafeBytes()).isEqualTo(record.body().unsafeBytes());
      }
      assertThat(store.restartHelps()).isFalse();
    }
    assertThat(RotNotes.present(folder)).isFalse();
    StoreFixture.expectClean(folder);
  }

  @Test
  void afterARepairTheRottenTableIsReplacedAndCompactionGoesOn() throws Exception {
    List<Record> records = fill();
    LiveFileMetaData rotten = tables("bodies").getFirst();
    flip(rotten, 0.5);
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      StoredCapsule capsule = store.capsule(writer.name);
      store.scrubber().pass();
      assertThat(store.damagedCount()).isPositive();
      assertThat(store.restartHelps()).isTrue();
      assertThat(store.repair(capsule, records)).isPositive();
      assertThat(store.damagedCount()).isZero();
      expectWrites(store, writer, records);
    }
    assertThat(Files.exists(RottenTables.fileOf(rotten))).isTrue();
    expectSound(records);
    assertThat(Files.exists(RottenTables.fileOf(rotten))).isFalse();
  }

  @Test
  void whatACompactionMeetsFirstIsToldServedAndWrittenAgain() throws Exception {
    List<Record> records = fill();
    flip(tables("bodies").getFirst(), 0.5);
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      List<String> told = new ArrayList<>();
      store.onRestartHelps(told::add);
      assertThatThrownBy(() -> compact(store.tables())).isInstanceOf(RocksDBException.class);
      assertThat(store.restartHelps()).isTrue();
      assertThat(told).singleElement().asString().contains("bodies");
      StoredCapsule capsule = store.capsule(writer.name);
      Record refused = new Writer(9).record("refused");
      assertThat(submit(store, capsule, List.of(refused), List.of()).expectFailed().code())
          .isEqualTo(ErrorCode.STOPPING);
      readProven(capsule, writer, records.get(1).name());
    }
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      StoredCapsule capsule = store.capsule(writer.name);
      assertThat(store.damagedCount()).as("what was lost is known at once").isPositive();
      assertThat(store.restartHelps()).isFalse();
      long lost = capsule.damaged(1).getFirst().arrival();
      assertThatThrownBy(() -> capsule.record(lost))
          .isInstanceOfSatisfying(
              HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.DAMAGED));
      expectWrites(store, writer, records);
      compact(store.tables());
      assertThat(store.repair(capsule, records)).isPositive();
    }
    expectSound(records);
  }

  @Test
  void whatCannotBeNotedIsNotedAndToldLater() throws Exception {
    List<Record> records = fill();
    flip(tables("bodies").getFirst(), 0.5);
    Path inTheWay = folder.resolve("rotten.new");
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      List<String> told = new ArrayList<>();
      store.onRestartHelps(told::add);
      Files.createDirectory(inTheWay);
      assertThatThrownBy(() -> compact(store.tables())).isInstanceOf(RocksDBException.class);
      assertThat(store.restartHelps()).as("a start that finds no note mends nothing").isFalse();
      assertThat(told).isEmpty();
      assertThat(RotNotes.present(folder)).isFalse();
      Files.delete(inTheWay);
      assertThat(store.restartHelps()).isTrue();
      assertThat(told).singleElement().asString().contains("bodies");
    }
    assertThat(RotNotes.load(folder)).hasOnlyElementsOfType(RotNotes.Rotten.class).isNotEmpty();
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      assertThat(store.repair(store.capsule(writer.name), records)).isPositive();
    }
    expectSound(records);
  }

  @Test
  void theScrubberEndsQuietlyOverADatabaseThatTakesNoWrites() throws Exception {
    fill();
    flip(tables("bodies").getFirst(), 0.5);
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED);
        Scrubber scrubber = store.scrubber()) {
      assertThatThrownBy(() -> compact(store.tables())).isInstanceOf(RocksDBException.class);
      assertThat(store.writable()).isTrue();
      assertThatThrownBy(scrubber::pass).hasMessageContaining("position of the scrubber");
      // What closes the store comes after it: both have to be closed for the next start.
    }
    CapsuleStore.open(folder, UNCACHED).close();
  }

  /** Real bytes are flipped anywhere in the largest tables of every family. */
  @ParameterizedTest
  @ValueSource(strings = {"bodies", "headers", "names", "graph", "statements"})
  void rotAnywhereInATableIsOutlived(String family) throws Exception {
    List<Record> records = fill();
    List<LiveFileMetaData> tables = tables(family);
    assertThat(tables).hasSizeGreaterThan(1);
    for (LiveFileMetaData table : tables) {
      flip(table, 0.9 * random.nextDouble());
    }
    boolean met = false;
    for (int start = 0; start < 3; start++) {
      try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
        store.scrubber().pass();
        compact(store.tables());
      } catch (RocksDBException | HoldfastException e) {
        met = true;
      }
    }
    assertThat(met).as("the rot is met").isTrue();
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      StoredCapsule capsule = store.capsule(writer.name);
      store.repair(capsule, records);
      List<Statement> signatures = new ArrayList<>();
      for (int last = 89; last < 270; last += 90) {
        signatures.add(writer.signature(records.get(last)));
      }
      submit(store, capsule, List.of(), signatures).expectSynced();
      store.scrubber().pass();
    }
    expectSound(records);
  }

  @Test
  void theSettingsAreOutlivedToo() throws Exception {
    List<Record> records = fill();
    Writer other = new Writer(2);
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      store.bindIdentity(new byte[32]);
      write(store, other, List.of(other.record("another capsule")));
    }
    for (LiveFileMetaData table : tables("default")) {
      if (table.level() == 0) {
        flip(table, 0.01);
      }
    }
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      compact(store.tables());
    } catch (RocksDBException | HoldfastException e) {
      assertThat(e).hasMessageContaining("checksum");
    }
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      Writer third = new Writer(3);
      write(store, third, List.of(third.record("its number is its own")));
      assertThat(third.create(store).number()).isGreaterThan(other.create(store).number());
      for (Record record : records) {
        readProven(store.capsule(writer.name), writer, record.name());
      }
      compact(store.tables());
    }
    StoreFixture.expectClean(folder);
  }

  @Test
  void aCapsuleWhoseEntryIsLostIsDamagedNotAbsentAndComesBackWhenCreatedAgain() throws Exception {
    List<Record> records = fill();
    Hash never = new Writer(4).name;
    // The rest of the table is deletions and what is not known: the entry alone is gone.
    try (Tables tables = Tables.openResting(folder.resolve("db"), SMALL)) {
      tables.db.delete(tables.settings, Keys.capsule(writer.name));
      new Aftermath(tables)
          .restore(
              List.of(
                  new RotNotes.Salvaged(
                      Tables.SETTINGS, 1, false, new byte[] {0}, new byte[] {1}, List.of())));
    }
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      assertThat(store.capsule(never)).isNull();
      assertThatThrownBy(() -> store.capsule(writer.name))
          .isInstanceOfSatisfying(
              HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.DAMAGED));
      StoredCapsule capsule = writer.create(store);
      for (Record record : records) {
        readProven(capsule, writer, record.name());
      }
      assertThat(store.capsule(writer.name)).isSameAs(capsule);
    }
    expectSound(records);
  }

  @Test
  void blocksBetweenRottenOnesAreKept() throws Exception {
    List<Record> records = fill();
    LiveFileMetaData table = tables("bodies").getFirst();
    List<String> all = new ArrayList<>();
    assertThat(read(table, all)).isEmpty();
    flip(table, 0.2);
    flip(table, 0.4);
    flip(table, 0.6);
    List<String> left = new ArrayList<>();
    List<TableFile.Gap> gaps = read(table, left);
    assertThat(gaps).hasSize(3);
    // A block holds two of the bodies at most.
    assertThat(left).hasSizeBetween(all.size() - 6, all.size() - 3);
    assertThat(all).containsSubsequence(left);
    List<String> lost = new ArrayList<>(all);
    lost.removeAll(left);
    for (String key : lost) {
      byte[] bytes = java.util.HexFormat.of().parseHex(key);
      assertThat(gaps)
          .as("%s lies in a gap", key)
          .anyMatch(gap ->
              java.util.Arrays.compareUnsigned(gap.from(), bytes) <= 0
                  && java.util.Arrays.compareUnsigned(bytes, gap.to()) < 0);
    }
    assertThat(records).isNotEmpty();
  }

  private static List<TableFile.Gap> read(LiveFileMetaData table, List<String> keys)
      throws Exception {
    return TableFile.read(
        RottenTables.fileOf(table),
        table.smallestKey(),
        table.largestKey(),
        (key, value) -> keys.add(java.util.HexFormat.of().formatHex(key)));
  }

  @Test
  void aCrashInAnyStepLosesNothing() throws Exception {
    List<Record> records = fill();
    List<RotNotes.Note> notes = new ArrayList<>();
    for (String family : List.of("bodies", "names", "graph")) {
      LiveFileMetaData table = tables(family).getFirst();
      flip(table, 0.3);
      notes.add(new RotNotes.Rotten(family, TableFile.numberIn(table.fileName())));
    }
    RotNotes.save(folder, notes);
    // After the second step, and served meanwhile by nobody: the first two are done again.
    List<Manifest.Table> gone = new ArrayList<>();
    RottenTables.salvage(folder, UNCACHED, notes, gone);
    assertThat(gone).hasSize(3);
    List<RotNotes.Note> again = RotNotes.load(folder);
    assertThat(again).filteredOn(n -> n instanceof RotNotes.Salvaged).hasSize(3);
    gone.clear();
    RottenTables.salvage(folder, UNCACHED, again, gone);
    assertThat(gone).hasSize(3);
    // After the third; a draft of the list is left over from another crash.
    Manifest.remove(folder.resolve("db"), gone);
    Files.write(folder.resolve("db/000000.dbtmp"), new byte[10]);
    // After the fourth, as far as it is done at rest.
    RottenTables.run(folder, UNCACHED);
    assertThat(RotNotes.present(folder)).isTrue();
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      assertThat(RotNotes.present(folder)).isFalse();
      assertThat(store.damagedCount()).isPositive();
      assertThat(store.repair(store.capsule(writer.name), records)).isPositive();
    }
    expectSound(records);
  }

  @Test
  void aGraphWaitsForTheHeadersItIsDerivedFrom() throws Exception {
    List<Record> records = fill();
    List<RotNotes.Note> notes = new ArrayList<>();
    for (String family : List.of("headers", "graph")) {
      LiveFileMetaData table = tables(family).getFirst();
      flip(table, 0.3);
      notes.add(new RotNotes.Rotten(family, TableFile.numberIn(table.fileName())));
    }
    RotNotes.save(folder, notes);
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      assertThat(store.damagedCount()).isPositive();
      assertThat(StoreFixture.size(store.capsule(writer.name))).isEqualTo(records.size());
      // What is damaged still is the graph, which no copy of a record brings.
      assertThat(store.repair(store.capsule(writer.name), records)).isZero();
      expectWrites(store, writer, records);
      assertThat(store.capsule(writer.name).damaged(1000))
          .allMatch(damage -> damage.part() == Damage.Part.GRAPH);
      store.restartHelps();
    }
    assertThat(RotNotes.load(folder)).hasOnlyElementsOfType(RotNotes.Graph.class).isNotEmpty();
    expectSound(records);
  }

  @Test
  void whatIsErasedStaysErasedWhenTheTableThatCoveredItGoes() throws Exception {
    Record small = writer.record("a small body, kept beside its header");
    Record large = writer.leaves(3, 4000);
    Record partly = writer.leaves(4, 3000);
    Record beside = writer.record("untouched");
    StoredCapsule capsule;
    List<byte[]> keys = new ArrayList<>();
    List<byte[]> before = new ArrayList<>();
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      write(store, writer, List.of(small, large, partly, beside));
      capsule = store.capsule(writer.name);
      keys.add(Keys.record(capsule.number(), 0));
      keys.add(Keys.chunk(capsule.number(), 1, 0));
      keys.add(Keys.chunk(capsule.number(), 2, 0));
      for (byte[] key : keys) {
        before.add(store.tables().db.get(family(store.tables(), key), key));
      }
      submit(
              store,
              capsule,
              List.of(),
              List.of(
                  writer.erasure(new Statement.Erased.OfRecord(small.name())),
                  writer.erasure(new Statement.Erased.OfRecord(large.name())),
                  writer.erasure(new Statement.Erased.OfLeaf(partly.name(), 1))))
          .expectSynced();
    }
    byte[] erasedLeaf = partly.body().leaf(1);
    cover(keys, before);
    assertThat(StoreFixture.filesWith(folder.resolve("db"), erasedLeaf)).isNotEmpty();
    for (String family : List.of("headers", "bodies")) {
      for (LiveFileMetaData table : tables(family)) {
        if (table.level() == 0) {
          flip(table, 0.01);
        }
      }
    }
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      compact(store.tables());
    } catch (RocksDBException | HoldfastException e) {
      assertThat(e).hasMessageContaining("checksum");
    }
    // The first opening may know of one of the two tables only.
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      compact(store.tables());
    } catch (RocksDBException | HoldfastException e) {
      assertThat(e).hasMessageContaining("checksum");
    }
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      capsule = store.capsule(writer.name);
      assertThat(capsule.record(0).state()).isEqualTo(Record.State.ERASED);
      assertThat(capsule.record(1).state()).isEqualTo(Record.State.ERASED);
      assertThat(capsule.record(2).state()).isEqualTo(Record.State.PARTLY_ERASED);
      assertThat(store.tables().db.get(store.tables().bodies, keys.get(1))).isNull();
      store.repair(capsule, List.of(beside));
      // The freeing of what was erased again waits its turn behind this.
      Statement last = writer.erasure(new Statement.Erased.OfRecord(small.name()));
      submit(store, capsule, List.of(), List.of(last)).expectSynced();
      for (Record erased : List.of(small, large)) {
        assertThat(StoreFixture.filesWith(folder.resolve("db"), erased.body().leaf(0))).isEmpty();
      }
      assertThat(StoreFixture.filesWith(folder.resolve("db"), erasedLeaf)).isEmpty();
    }
    StoreFixture.expectClean(folder);
  }

  private static ColumnFamilyHandle family(Tables tables, byte[] key) {
    return key.length == 12 ? tables.headers : tables.bodies;
  }

  /** Puts what was before the erasures in the lowest level, and what is now into one above it. */
  private void cover(List<byte[]> keys, List<byte[]> before) throws Exception {
    try (Tables tables = Tables.openResting(folder.resolve("db"), UNCACHED);
        FlushOptions wait = new FlushOptions()) {
      List<byte[]> now = new ArrayList<>();
      for (int i = 0; i < keys.size(); i++) {
        ColumnFamilyHandle family = family(tables, keys.get(i));
        now.add(tables.db.get(family, keys.get(i)));
        tables.db.put(family, keys.get(i), before.get(i));
      }
      compact(tables);
      for (int i = 0; i < keys.size(); i++) {
        byte[] value = now.get(i);
        if (value != null) {
          tables.db.put(family(tables, keys.get(i)), keys.get(i), value);
        } else {
          byte[] end = keys.get(i).clone();
          end[11]++;
          tables.db.deleteRange(tables.bodies, keys.get(i), end);
        }
      }
      tables.db.flush(wait, tables.all());
      tables.db.syncWal();
    }
  }

  @Test
  void aGraphIsDerivedAnewWithHolesBranchesErasuresAndItsEnd() throws Exception {
    List<Record> records = fill();
    Hash head;
    try (CapsuleStore store = CapsuleStore.open(folder, SMALL)) {
      StoredCapsule capsule = store.capsule(writer.name);
      Record hole = writer.record("comes last");
      Record above = writer.record("above a hole");
      write(store, writer, List.of(above));
      write(store, writer, List.of(hole));
      Record never = writer.record("never comes");
      Record behind = writer.record("behind what never comes");
      write(store, writer, List.of(behind));
      assertThat(never.name()).isNotEqualTo(behind.name());
      Record branch =
          writer.sealer.seal(List.of(new byte[10]), writer.time, List.of(records.get(10).name()));
      submit(store, capsule, List.of(branch), List.of()).expectSynced();
      submit(
              store,
              capsule,
              List.of(),
              List.of(
                  writer.erasure(new Statement.Erased.OfRecord(records.get(0).name())),
                  writer.erasure(new Statement.Erased.OfLeaf(records.get(3).name(), 0)),
                  Statement.Succession.sign(
                      writer.name, 5, List.of(behind.name()), new Writer(2).name, writer.owner)))
          .expectSynced();
      capsule.keepPeerState(new byte[] {1, 2}, new byte[] {3});
      head = behind.name();
    }
    flip(tables("graph").getFirst(), 0.2);
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      compact(store.tables());
    } catch (RocksDBException | HoldfastException e) {
      assertThat(e).hasMessageContaining("checksum");
    }
    try (CapsuleStore store = CapsuleStore.open(folder, UNCACHED)) {
      StoredCapsule capsule = store.capsule(writer.name);
      assertThat(store.damagedCount()).isZero();
      boolean closed = capsule.withGraph(g -> g.closed() && g.isFinal(g.arrivalOf(head)));
      boolean branchIsFinal = capsule.withGraph(g -> g.isFinal(g.size() - 1));
      List<Hash> missing = capsule.withGraph(g -> g.missingNames(10));
      assertThat(closed).isTrue();
      assertThat(branchIsFinal).isFalse();
      assertThat(missing).hasSize(1);
      assertThat(capsule.record(0).state()).isEqualTo(Record.State.ERASED);
      assertThat(capsule.record(3).state()).isEqualTo(Record.State.PARTLY_ERASED);
      assertThat(capsule.peerState(new byte[] {1, 2})).isNull();
      readProven(capsule, writer, records.get(50).name());
      compact(store.tables());
    }
    StoreFixture.expectClean(folder);
  }
}
