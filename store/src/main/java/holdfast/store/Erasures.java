package holdfast.store;

import holdfast.base.ErrorCode;
import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Statement;
import holdfast.capsule.Statement.Erased;
import holdfast.capsule.Statement.Erasure;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The erasures of one capsule, as standing rules: they meet what is stored and what arrives later.
 * Safe to read while one thread adds.
 */
final class Erasures implements Record.ErasedBodies {
  private final List<Erasure> ranges = new ArrayList<>();
  private final Map<Hash, Erasure> records = new HashMap<>();
  private final Map<Hash, Map<Integer, Erasure>> leaves = new HashMap<>();

  /** The erasures of a capsule as they are stored. */
  static Erasures stored(Tables tables, int capsule) {
    Erasures found = new Erasures();
    byte[] from = Keys.statement(capsule, 2, Hash.ZERO);
    byte[] to = Keys.within(capsule + 1, new byte[0], 0);
    try {
      for (byte[] encoded : Listing.statements(tables, from, to, Integer.MAX_VALUE).statements()) {
        if (Statement.decode(encoded) instanceof Erasure erasure) {
          found.add(erasure);
        }
      }
    } catch (ProofException e) {
      throw new HoldfastException(ErrorCode.DAMAGED, "a statement of the owner is damaged", e);
    }
    return found;
  }

  synchronized void add(Erasure erasure) {
    switch (erasure.erased()) {
      case Erased.OfRecord(Hash record) -> records.putIfAbsent(record, erasure);
      case Erased.OfLeaf(Hash record, int leaf) ->
          leaves.computeIfAbsent(record, none -> new HashMap<>()).putIfAbsent(leaf, erasure);
      case Erased.OfTimes times -> ranges.add(erasure);
    }
  }

  synchronized boolean isEmpty() {
    return ranges.isEmpty() && records.isEmpty() && leaves.isEmpty();
  }

  /** How many statements there are. */
  synchronized long size() {
    return ranges.size() + records.size() + leaves.values().stream().mapToLong(Map::size).sum();
  }

  /** The statement that erases a record's whole body; null when there is none. */
  synchronized @Nullable Erasure ofRecord(RecordHeader header) {
    Erasure direct = records.get(header.name());
    if (direct != null) {
      return direct;
    }
    for (Erasure erasure : ranges) {
      if (erasure.erased() instanceof Erased.OfTimes times && times.covers(header.timeMillis())) {
        return erasure;
      }
    }
    return null;
  }

  @Override
  public boolean body(RecordHeader header) {
    return ofRecord(header) != null;
  }

  @Override
  public synchronized boolean leaf(Hash record, int leaf) {
    return leaves.getOrDefault(record, Map.of()).containsKey(leaf);
  }

  /** The statements that erase single leaves of a record, by leaf. */
  synchronized Map<Integer, Erasure> ofLeaves(Hash record) {
    return Map.copyOf(leaves.getOrDefault(record, Map.of()));
  }
}
