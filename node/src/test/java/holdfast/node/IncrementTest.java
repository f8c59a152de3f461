package holdfast.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.capsule.Record;
import holdfast.capsule.Statement;
import holdfast.client.ArrivalPage;
import holdfast.client.BundleBase;
import holdfast.client.BundleExport;
import holdfast.client.BundleFile;
import holdfast.client.BundleImport;
import holdfast.client.CapsuleReader;
import holdfast.client.ReadResult;
import holdfast.client.ReaderOptions;
import holdfast.client.Server;
import holdfast.client.WriterOptions;
import holdfast.testkit.Gen;
import holdfast.testkit.Patience;
import holdfast.testkit.Property;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A capsule that is carried on foot, what is new each time. */
@Timeout(Patience.TEST_SECONDS)
class IncrementTest {
  @TempDir Path folder;

  private NodeFixture source;
  private NodeFixture target;
  private int files;

  @BeforeEach
  void start() throws Exception {
    source = NodeFixture.start(folder.resolve("source"));
    target = NodeFixture.start(folder.resolve("target"));
  }

  @AfterEach
  void stop() {
    source.close();
    target.close();
  }

  private BundleFile export(BundleBase base) throws Exception {
    Path file = folder.resolve("bundle-" + files++ + ".capsule");
    try (CapsuleReader reader = source.reader(ReaderOptions.withoutCache())) {
      BundleExport.write(reader, base, file, written -> {});
    }
    return BundleFile.verify(file);
  }

  private BundleFile whole() throws Exception {
    Path file = folder.resolve("bundle-" + files++ + ".capsule");
    try (CapsuleReader reader = source.reader(ReaderOptions.withoutCache())) {
      BundleExport.write(reader, file, written -> {});
    }
    return BundleFile.verify(file);
  }

  private long bring(BundleFile bundle) throws Exception {
    return BundleImport.bring(target.server, bundle, stored -> {});
  }

  /** The proven records and all statements of the capsule on a server. */
  private Set<Object> proven(Server server) throws Exception {
    Set<Object> all = new HashSet<>();
    try (CapsuleReader reader =
        server.openReader(source.capsule, List.of(), ReaderOptions.withoutCache())) {
      ArrivalPage page;
      long from = 0;
      do {
        page = reader.page(from, 1000, false);
        for (int i = 0; i < page.records().size(); i++) {
          if (page.proven().get(i)) {
            all.add(page.records().get(i).name());
          }
        }
        from = page.next();
      } while (!page.end());
      all.addAll(reader.statements(false));
    }
    return all;
  }

  private void expectSame() throws Exception {
    assertThat(proven(target.server)).isEqualTo(proven(source.server));
  }

  @Test
  void anIncrementHoldsWhatIsNewAndBringsAnotherServerToTheSame() throws Exception {
    source.append(300, WriterOptions.defaults().withBatchRecords(50));
    BundleFile first = whole();
    bring(first);
    List<Hash> more = source.append(40, WriterOptions.defaults().withBatchRecords(7));
    source.server.declare(
        Statement.Erasure.sign(
            source.capsule,
            5,
            new Statement.Erased.OfRecord(more.getFirst()),
            "on request",
            source.owner));
    BundleFile second = export(BundleBase.of(first));
    assertThat(second.contents().records()).isEqualTo(40);
    assertThat(second.contents().links()).isZero();
    assertThat(second.head().base()).hasSize(1);
    assertThat(bring(second)).isEqualTo(40);
    expectSame();
    // From an increment the next one goes on, and from names alone.
    source.append(10, WriterOptions.defaults());
    BundleFile third = export(BundleBase.of(second));
    assertThat(third.contents().records()).isEqualTo(10);
    assertThat(third.head().base()).containsExactly(more.getLast());
    BundleFile named = export(BundleBase.below(List.of(more.getLast())));
    assertThat(named.contents().records()).isEqualTo(10);
    bring(third);
    bring(third);
    expectSame();
    BundleFile nothing = export(BundleBase.of(third));
    assertThat(nothing.contents().records()).isZero();
    assertThat(bring(nothing)).isZero();
    expectSame();
  }

  @Test
  void aServerWithoutTheBaseSaysWhatIsMissingAndKeepsNothing() throws Exception {
    List<Hash> before = source.append(5, WriterOptions.defaults());
    BundleFile first = whole();
    source.append(5, WriterOptions.defaults());
    BundleFile second = export(BundleBase.of(first));
    for (int i = 0; i < 2; i++) {
      assertThatThrownBy(() -> bring(second))
          .isInstanceOfSatisfying(
              HoldfastException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.NOT_FOUND))
          .hasMessageContaining(before.getLast().toString())
          .hasMessageContaining("nothing was stored");
      if (i == 0) {
        assertThatThrownBy(() -> proven(target.server)).hasMessageContaining("capsule");
        // The capsule is there now, and the record too, but nothing proves it.
        target.server.create(source.metadata, source.owner);
        carryUnproven(before.getLast());
      } else {
        assertThat(proven(target.server)).isEmpty();
      }
    }
    bring(first);
    bring(second);
    expectSame();
  }

  /** Copies the bytes of a record without the signature; only a writer may. */
  private void carryUnproven(Hash name) throws Exception {
    Record record;
    try (CapsuleReader reader = source.reader(ReaderOptions.withoutCache())) {
      record = ((ReadResult.Proven) reader.read(name)).record();
    }
    target.metadata = source.metadata;
    target.capsule = source.capsule;
    try (RawClient raw = new RawClient(target, source.owner)) {
      raw.expectReceipt(raw.write(List.of(record), List.of()));
    }
  }

  @Test
  void whatFilledAHoleComesWithTheHeadersThatProveIt() throws Exception {
    try (RawClient raw = new RawClient(source, source.owner)) {
      Record late = raw.record(0, List.of(), new byte[1]);
      Record above = raw.record(0, List.of(late.name()), new byte[2]);
      Record top = raw.record(0, List.of(above.name()), new byte[3]);
      raw.expectReceipt(raw.write(List.of(above, top), List.of(raw.sign(top.name()))));
      BundleFile first = whole();
      bring(first);
      raw.expectReceipt(raw.write(List.of(late), List.of()));
      BundleFile second = export(BundleBase.of(first));
      assertThat(second.contents().records()).isEqualTo(1);
      assertThat(second.contents().links()).isEqualTo(2);
      assertThat(second.contents().signatures()).isEqualTo(1);
      assertThat(bring(second)).isEqualTo(1);
      expectSame();
      // A signature that came later of what is held already comes too.
      try (RawClient other = new RawClient(source, source.second)) {
        raw.expectReceipt(raw.write(List.of(), List.of(other.sign(above.name()))));
      }
      BundleFile third = export(BundleBase.of(second));
      assertThat(third.contents().records()).isZero();
      bring(third);
      expectSame();
      // The next one goes on from the whole of it, not from the record that filled the hole.
      assertThat(third.head().base()).containsExactly(top.name());
    }
  }

  @Test
  void aClosedCapsuleIsCarriedToItsEnd() throws Exception {
    List<Hash> names = source.append(10, WriterOptions.defaults());
    BundleFile first = whole();
    bring(first);
    List<Hash> more = source.append(10, WriterOptions.defaults().withBatchRecords(1));
    source.server.declare(
        Statement.Succession.sign(
            source.capsule, 9, List.of(more.get(4)), source.capsule, source.owner));
    BundleFile second = export(BundleBase.of(first));
    assertThat(second.contents().records()).isEqualTo(5);
    assertThat(second.contents().closing()).isNotNull();
    bring(second);
    try (CapsuleReader reader =
        target.server.openReader(source.capsule, List.of(), ReaderOptions.withoutCache())) {
      assertThat(reader.heads().heads()).containsExactly(more.get(4));
      assertThat(reader.read(names.getFirst())).isInstanceOf(ReadResult.Proven.class);
    }
    BundleFile third = export(BundleBase.of(second));
    assertThat(third.contents().records()).isZero();
    bring(third);
  }

  @Test
  void anyCapsuleCarriedInStepsIsTheSameThere() {
    Property.check(8, this::carry);
  }

  private void carry(Gen gen) throws Exception {
    source.begin();
    List<Record> made = new ArrayList<>();
    List<Record> waiting = new ArrayList<>();
    BundleFile last = null;
    try (RawClient raw = new RawClient(source, source.owner);
        RawClient other = new RawClient(source, source.second)) {
      for (int step = 0; step < 4; step++) {
        List<Record> now = new ArrayList<>(waiting);
        waiting.clear();
        for (int i = gen.between(1, 6); i > 0; i--) {
          Set<Hash> pointers = new HashSet<>();
          for (int n = gen.below(3); n > 0 && !made.isEmpty(); n--) {
            pointers.add(made.get(gen.below(made.size())).name());
          }
          Record record = raw.record(gen.below(2), List.copyOf(pointers), new byte[] {(byte) i});
          made.add(record);
          // Some come a step later: until then there is a hole where they belong.
          (gen.below(3) == 0 ? waiting : now).add(record);
        }
        List<Statement> signatures = new ArrayList<>();
        for (Record record : now) {
          if (gen.below(2) == 0) {
            signatures.add((gen.below(2) == 0 ? raw : other).sign(record.name()));
          }
        }
        if (!now.isEmpty()) {
          raw.expectReceipt(raw.write(now, signatures));
        }
        last = last == null ? whole() : export(BundleBase.of(last));
        bring(last);
        Set<Object> there = proven(target.server);
        Set<Object> here = proven(source.server);
        assertThat(there).isSubsetOf(here);
        here.removeAll(there);
        assertThat(here).as("not carried").allMatch(Statement.WriterSignature.class::isInstance);
      }
    }
  }
}
