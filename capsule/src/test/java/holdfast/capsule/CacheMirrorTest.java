package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;

import holdfast.base.Hash;
import holdfast.testkit.Gen;
import holdfast.testkit.Property;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The mirror on the server against the cache of the reader, and both against a plain queue. */
class CacheMirrorTest {
  private static final Voucher VOUCHER = new Voucher(0, true);

  /** What first in, first out means, written with a set that remembers its order. */
  private static final class Fifo {
    final int capacity;
    final LinkedHashSet<Long> keys = new LinkedHashSet<>();

    Fifo(int capacity) {
      this.capacity = capacity;
    }

    void add(long key) {
      if (capacity > 0 && keys.add(key) && keys.size() > capacity) {
        keys.removeFirst();
      }
    }
  }

  @Test
  void d51TheMirrorIsAFifoWhateverTheKeys() {
    Property.check(
        150,
        gen -> {
          int capacity = gen.pick(List.of(0, 1, 2, 3, 7, 64, 65, 100, 1000));
          CacheMirror mirror = new CacheMirror(capacity);
          Fifo model = new Fifo(capacity);
          // Few distinct keys, so that they come again; close together, so that they collide.
          List<Long> keys =
              gen.list(
                  gen.between(1, 2 * capacity + 10),
                  () -> gen.oneIn(2) ? CacheMirror.key(gen.below(50)) : gen.anyLong() >>> 1);
          for (int i = 0; i < 1500; i++) {
            long key = gen.pick(keys);
            mirror.add(key);
            model.add(key);
            long asked = gen.pick(keys);
            assertThat(mirror.contains(asked)).isEqualTo(model.keys.contains(asked));
          }
          assertThat(mirror.size()).isEqualTo(model.keys.size());
          assertThat(mirror.capacity()).isEqualTo(capacity);
          for (long key : keys) {
            assertThat(mirror.contains(key)).isEqualTo(model.keys.contains(key));
          }
        });
  }

  @Test
  void keysOfRecordsAndNodesAreDistinct() {
    Set<Long> seen = new HashSet<>();
    for (long arrival : new long[] {0, 1, 1L << 40}) {
      assertThat(seen.add(CacheMirror.key(arrival))).isTrue();
      for (int level = 0; level <= 20; level++) {
        int last = (1 << (20 - level)) - 1;
        for (int index : last > 1 ? new int[] {0, 1, last} : new int[] {last}) {
          assertThat(seen.add(CacheMirror.key(arrival, CacheMirror.node(level, index)))).isTrue();
        }
      }
    }
  }

  /** Names and nodes that a session is about, by the numbers that the server has for them. */
  private static final class Names {
    final List<Hash> names = new ArrayList<>();
    final Map<Hash, Long> arrivals = new HashMap<>();

    Names(Gen gen, int count) {
      for (long i = 0; i < count; i++) {
        names.add(gen.hash());
        arrivals.put(names.getLast(), i);
      }
    }
  }

  private record Addition(Hash name, int node) {
    long key(Names names) {
      long arrival = names.arrivals.get(name);
      return node == 0 ? CacheMirror.key(arrival) : CacheMirror.key(arrival, node);
    }

    void apply(VerificationCache cache) {
      if (node == 0) {
        cache.addRecord(name, VOUCHER);
      } else {
        cache.addNode(new VerificationCache.NodeKey(name, node), name);
      }
    }

    boolean in(VerificationCache cache) {
      return node == 0
          ? cache.record(name) != null
          : cache.node(new VerificationCache.NodeKey(name, node)) != null;
    }
  }

  private record Answer(long number, List<Addition> additions) {}

  /**
   * Answers are made, arrive and are acknowledged at their own pace; sessions end with answers and
   * acknowledgements lost, and are resumed with the names that are left.
   */
  @Test
  void d18d19d20TheMirrorHoldsTheNewestOfWhatTheReaderHas() {
    Property.check(
        200,
        gen -> {
          Names names = new Names(gen, 40);
          int capacity = gen.pick(List.of(1, 3, 8, 30));
          VerificationCache cache = new VerificationCache(capacity, gen.below(10));
          CacheMirror mirror = new CacheMirror(capacity);
          Fifo model = new Fifo(capacity);
          Deque<Answer> underWay = new ArrayDeque<>();
          List<Addition> all = new ArrayList<>();
          long number = 0;
          long verified = 0;
          for (int step = 0; step < 120; step++) {
            switch (gen.below(8)) {
              case 0, 1, 2 -> {
                List<Addition> additions =
                    gen.list(
                        gen.between(1, 6),
                        () -> new Addition(gen.pick(names.names), gen.oneIn(3) ? 0 : gen.below(5)));
                all.addAll(additions);
                underWay.add(new Answer(++number, additions));
                mirror.await(number, additions.stream().mapToLong(a -> a.key(names)).toArray());
              }
              case 3, 4, 5 -> {
                Answer answer = underWay.poll();
                if (answer != null) {
                  for (Addition addition : answer.additions()) {
                    addition.apply(cache);
                    model.add(addition.key(names));
                  }
                  verified = answer.number();
                }
              }
              case 6 -> {
                mirror.acknowledge(verified);
                assertInStep(mirror, cache, model, all, names);
                assertThat(mirror.awaiting()).isEqualTo(underWay.size());
              }
              default -> {
                if (gen.oneIn(4)) {
                  // The session ends: answers under way and the last acknowledgements are lost.
                  underWay.clear();
                  int granted = gen.between(0, 2 * capacity);
                  List<Hash> kept = cache.names(gen.below(20));
                  cache = resume(cache, kept, granted);
                  mirror = new CacheMirror(granted);
                  capacity = granted;
                  model = new Fifo(granted);
                  for (Hash name : kept) {
                    mirror.add(CacheMirror.key(names.arrivals.get(name)));
                    model.add(CacheMirror.key(names.arrivals.get(name)));
                  }
                  number = 0;
                  verified = 0;
                  assertInStep(mirror, cache, model, all, names);
                }
              }
            }
          }
          mirror.acknowledge(verified);
          assertInStep(mirror, cache, model, all, names);
        });
  }

  private static VerificationCache resume(VerificationCache cache, List<Hash> names, int granted) {
    VerificationCache resumed = cache.resumed(names, granted);
    assertThat(resumed.capacity()).isEqualTo(granted);
    return resumed;
  }

  private static void assertInStep(
      CacheMirror mirror, VerificationCache cache, Fifo model, List<Addition> all, Names names) {
    assertThat(mirror.size()).isEqualTo(model.keys.size());
    for (Addition addition : all) {
      long key = addition.key(names);
      assertThat(mirror.contains(key)).isEqualTo(model.keys.contains(key));
      if (mirror.contains(key)) {
        assertThat(addition.in(cache)).as("the reader has what its mirror has").isTrue();
      }
    }
  }

  @Test
  void d20NothingIsAppliedBeforeItIsAcknowledged() {
    CacheMirror mirror = new CacheMirror(10);
    mirror.await(1, new long[] {CacheMirror.key(1)});
    mirror.await(2, new long[] {CacheMirror.key(2)});
    assertThat(mirror.contains(CacheMirror.key(1))).isFalse();
    assertThat(mirror.awaiting()).isEqualTo(2);
    mirror.acknowledge(1);
    assertThat(mirror.contains(CacheMirror.key(1))).isTrue();
    assertThat(mirror.contains(CacheMirror.key(2))).isFalse();
    mirror.acknowledge(1);
    mirror.acknowledge(99);
    assertThat(mirror.contains(CacheMirror.key(2))).isTrue();
    assertThat(mirror.awaiting()).isZero();
  }

  @Test
  void d17LookingUpChangesNothing() {
    VerificationCache cache = new VerificationCache(2, 0);
    Gen gen = new Gen(0);
    Hash first = gen.hash();
    Hash second = gen.hash();
    cache.addRecord(first, VOUCHER);
    cache.addRecord(second, VOUCHER);
    assertThat(cache.record(first)).isEqualTo(VOUCHER);
    cache.addRecord(first, VOUCHER);
    cache.addRecord(gen.hash(), VOUCHER);
    assertThat(cache.record(first)).as("the oldest goes, however often it was asked for").isNull();
    assertThat(cache.record(second)).isEqualTo(VOUCHER);
    assertThat(cache.size()).isEqualTo(2);
    cache.clear();
    assertThat(cache.size()).isZero();
  }

  @Test
  void slackKeepsWhatTheServerMayStillRelyOn() {
    VerificationCache cache = new VerificationCache(2, 3);
    Gen gen = new Gen(0);
    List<Hash> names = gen.list(6, gen::hash);
    names.forEach(name -> cache.addRecord(name, VOUCHER));
    assertThat(cache.size()).isEqualTo(5);
    assertThat(cache.record(names.get(0))).isNull();
    assertThat(cache.record(names.get(1))).isNotNull();
    assertThat(cache.names(100)).isEqualTo(names.subList(1, 6));
    assertThat(cache.names(2)).isEqualTo(names.subList(4, 6));
  }

  @Test
  void aStrongerVoucherReplacesAWeakerOneAndNeverTheOtherWayRound() {
    VerificationCache cache = new VerificationCache(2, 0);
    Hash name = new Gen(0).hash();
    cache.addRecord(name, new Voucher(3, false));
    cache.addRecord(name, new Voucher(1, true));
    assertThat(cache.record(name)).isEqualTo(new Voucher(1, true));
    cache.addRecord(name, new Voucher(2, false));
    assertThat(cache.record(name)).isEqualTo(new Voucher(1, true));
  }
}
