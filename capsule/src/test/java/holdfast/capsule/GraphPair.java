package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.testkit.Gen;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** A record graph and its model, to which the same things happen. */
final class GraphPair {
  static final int ALL = Integer.MAX_VALUE;

  /** A map that shows writes only when they are committed, and can lose them, as a disk does. */
  private static final class HostMap implements OrderedMap {
    private final InMemoryOrderedMap committed = new InMemoryOrderedMap();
    private final List<Runnable> batch = new ArrayList<>();

    @Override
    public byte[] get(byte[] key) {
      return committed.get(key);
    }

    @Override
    public void put(byte[] key, byte[] value) {
      batch.add(() -> committed.put(key, value));
    }

    @Override
    public void remove(byte[] key) {
      batch.add(() -> committed.remove(key));
    }

    @Override
    public void scan(byte[] from, byte[] to, Visitor visitor) {
      committed.scan(from, to, visitor);
    }

    void commit() {
      batch.forEach(Runnable::run);
      batch.clear();
    }

    void fail() {
      batch.clear();
    }
  }

  /** Who signs what. */
  enum Signers {
    /** One writer, who signs its own records. */
    OWN,
    /** Several writers, each of whom signs only what others wrote. */
    OTHERS,
    /** Several writers, who sign anything. */
    MIXED
  }

  final Gen gen;
  final Signers mode;
  final Fixture fixture;
  final HostMap map = new HostMap();
  RecordGraph graph;
  NaiveGraph model = new NaiveGraph();
  NaiveGraph flushed = new NaiveGraph();

  GraphPair(Gen gen, Signers mode) {
    this.gen = gen;
    this.mode = mode;
    this.fixture = new Fixture(mode == Signers.OWN ? 1 : 3);
    this.graph = reopened();
  }

  RecordGraph reopened() {
    return new RecordGraph(map, gen.pick(List.of(0, 1, 2, 100)));
  }

  void insert(List<RecordHeader> batch) {
    List<Hash> fresh = new ArrayList<>();
    List<Long> told = new ArrayList<>();
    for (RecordHeader header : batch) {
      if (model.present.putIfAbsent(header.name(), header) == null) {
        fresh.add(header.name());
      }
    }
    long[] arrivals =
        graph.insertAll(
            batch,
            (position, arrival) -> {
              told.add(arrival);
              assertThat(batch.get(position).name()).isEqualTo(fresh.get(told.size() - 1));
            });
    assertThat(told).hasSameSizeAs(fresh);
    for (int i = 0; i < arrivals.length; i++) {
      assertThat(arrivals[i]).isEqualTo(graph.arrivalOf(batch.get(i).name()));
    }
  }

  void insertAlone(RecordHeader header) {
    if (model.present.putIfAbsent(header.name(), header) == null) {
      graph.insert(header, graph.arrivalsOf(header.pointers()));
    }
  }

  void signSomething() {
    if (model.present.isEmpty()) {
      return;
    }
    RecordHeader header = model.header(gen.pick(model.arrivals()));
    int signer = gen.below(fixture.writers.size());
    if (mode == Signers.OTHERS && signer == header.writer()) {
      signer = (signer + 1) % 3;
    }
    model.signers.computeIfAbsent(header.name(), name -> new HashSet<>()).add(signer);
    long arrival = graph.arrivalOf(header.name());
    Witness before = graph.witness(arrival);
    boolean improved = graph.sign(arrival, signer);
    Witness after = graph.witness(arrival);
    assertThat(improved).isEqualTo(!after.equals(before));
    assertThat(graph.sign(arrival, signer)).as("once more changes nothing").isFalse();
    assertThat(after.proven()).isTrue();
  }

  void close(List<RecordHeader> history) {
    List<Hash> heads = gen.some(history, 4).stream().map(RecordHeader::name).toList();
    model.closed = true;
    model.finalHeads.addAll(heads);
    graph.close(heads);
  }

  void flush() {
    graph.flush();
    map.commit();
    flushed = model.copy();
    List<byte[]> awaited = new ArrayList<>();
    map.scan(new byte[] {'M'}, new byte[] {'N'}, (key, value) -> awaited.add(key));
    assertThat(awaited)
        .as("one entry for each hole, none left behind")
        .hasSize((int) model.holes());
  }

  void failedWrite() {
    if (gen.oneIn(2)) {
      graph.flush();
    }
    map.fail();
    graph.discard();
    model = flushed.copy();
  }

  void restart() {
    map.fail();
    graph = reopened();
    model = flushed.copy();
  }

  // ---- Comparing ---------------------------------------------------------------------------

  private Hash nameAt(long arrival) {
    return model.arrivals().get((int) arrival);
  }

  private Set<Hash> names(long[] arrivals) {
    List<Hash> order = model.arrivals();
    Set<Hash> names = new TreeSet<>();
    for (long arrival : arrivals) {
      assertThat(names.add(order.get((int) arrival))).isTrue();
    }
    return names;
  }

  void compare() {
    List<Hash> order = model.arrivals();
    assertThat(graph.size()).isEqualTo(order.size());
    for (int i = 0; i < order.size(); i++) {
      assertThat(graph.arrivalOf(order.get(i))).isEqualTo(i);
    }
    assertThat(graph.arrivalOf(gen.hash())).isEqualTo(-1);
    assertThat(names(graph.heads(ALL))).isEqualTo(model.heads());
    assertThat(names(graph.roots(ALL))).isEqualTo(model.roots());
    assertThat(new TreeSet<>(graph.missingNames(ALL))).isEqualTo(model.missing());
    assertThat(graph.missingNames(ALL)).doesNotHaveDuplicates();
    assertThat(graph.missingNames(2)).hasSize(Math.min(2, model.missing().size()));
    assertThat(graph.holeCount()).isEqualTo(model.holes());
    assertThat(names(graph.provenHeads(ALL))).isEqualTo(model.provenHeads());
    Set<Hash> tips = model.heads();
    tips.removeAll(model.provenDistances().keySet());
    assertThat(names(graph.unprovenTips(ALL))).isEqualTo(tips);
    assertThat(graph.unprovenTips(1)).hasSize(Math.min(1, tips.size()));
    compareWitnesses(order);
    compareClosing();
  }

  private void compareWitnesses(List<Hash> order) {
    Map<Hash, Integer> proven = model.provenDistances();
    Map<Hash, Integer> authored = model.authoredDistances();
    assertThat(graph.provenCount()).isEqualTo(proven.size());
    for (int arrival = 0; arrival < order.size(); arrival++) {
      RecordHeader header = model.header(order.get(arrival));
      assertThat(graph.writer(arrival)).isEqualTo(header.writer());
      long[] pointers = graph.pointers(arrival);
      assertThat(pointers)
          .isEqualTo(
              header.pointers().stream()
                  .mapToLong(name -> model.present.containsKey(name) ? order.indexOf(name) : -1)
                  .toArray());
      Witness witness = graph.witness(arrival);
      assertThat(witness.proven()).isEqualTo(proven.containsKey(header.name()));
      assertThat(witness.authored()).isEqualTo(authored.containsKey(header.name()));
      if (witness.authored()) {
        assertThat(witness.distance()).isEqualTo(authored.get(header.name()));
      } else if (witness.proven() && mode != Signers.MIXED) {
        assertThat(witness.distance()).isEqualTo(proven.get(header.name()));
      } else if (witness.proven()) {
        // One witness a record: below an authored chain a shorter vouched one may go unseen.
        assertThat(witness.distance()).isGreaterThanOrEqualTo(proven.get(header.name()));
      }
      if (witness.proven()) {
        followChain(arrival, witness.authored());
      }
    }
  }

  /** Each hop is a present record that points at the one below; the last is signed. */
  private void followChain(long start, boolean authored) {
    long at = start;
    while (graph.witness(at).distance() > 0) {
      long above = graph.witness(at).nextHop();
      assertThat(graph.pointers(above)).contains(at);
      if (authored) {
        assertThat(graph.witness(above).authored()).isTrue();
        assertThat(graph.witness(above).distance()).isEqualTo(graph.witness(at).distance() - 1);
        assertThat(graph.writer(above)).isEqualTo(graph.writer(at));
      }
      at = above;
    }
    Set<Integer> signers = model.signers.get(nameAt(at));
    assertThat(signers).isNotNull().isNotEmpty();
    if (authored) {
      assertThat(signers).contains(graph.writer(start));
    }
  }

  private void compareClosing() {
    assertThat(graph.closed()).isEqualTo(model.closed);
    Set<Hash> finals = model.finalNames();
    Set<Hash> proven = model.provenDistances().keySet();
    for (Hash name : model.missing()) {
      assertThat(graph.belongsToFinal(name)).isEqualTo(finals.contains(name));
      boolean awaited =
          proven.stream().anyMatch(child -> model.header(child).pointers().contains(name));
      assertThat(graph.awaitedByProven(name)).isEqualTo(awaited);
    }
    assertThat(graph.belongsToFinal(gen.hash())).isFalse();
    assertThat(graph.awaitedByProven(gen.hash())).isFalse();
  }
}
