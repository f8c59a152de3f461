package holdfast.sync;

import holdfast.base.Hash;
import holdfast.testkit.Gen;
import java.util.ArrayList;
import java.util.List;

/**
 * Two sets of names.
 *
 * @param common names that both have
 * @param first names that only the initiator has
 * @param second names that only the other side has
 */
record SetPair(Hash salt, List<Hash> common, List<Hash> first, List<Hash> second) {
  static SetPair of(Gen gen, int common, int first, int second) {
    return new SetPair(
        gen.hash(),
        gen.list(common, gen::hash),
        gen.list(first, gen::hash),
        gen.list(second, gen::hash));
  }

  /** Sizes of many kinds: equal, disjoint, empty, one within the other. */
  static SetPair any(Gen gen) {
    int common = gen.oneIn(4) ? 0 : gen.between(0, gen.oneIn(4) ? 5000 : 200);
    int first = gen.oneIn(4) ? 0 : gen.between(0, gen.oneIn(4) ? 2000 : 20);
    int second = gen.oneIn(4) ? 0 : gen.between(0, gen.oneIn(4) ? 2000 : 20);
    return of(gen, common, first, second);
  }

  List<Hash> initiators() {
    return joined(common, first);
  }

  List<Hash> others() {
    return joined(common, second);
  }

  private static List<Hash> joined(List<Hash> some, List<Hash> more) {
    List<Hash> all = new ArrayList<>(some);
    all.addAll(more);
    return all;
  }

  Exchange exchange(Way strategy) {
    return new Exchange(
        strategy.side(true, salt, initiators()), strategy.side(false, salt, others()));
  }

  @Override
  public String toString() {
    return common.size() + " common, " + first.size() + " and " + second.size();
  }
}
