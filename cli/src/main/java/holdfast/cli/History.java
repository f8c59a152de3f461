package holdfast.cli;

import holdfast.base.Hash;
import holdfast.base.HoldfastException;
import holdfast.base.ProofException;
import holdfast.capsule.Record;
import holdfast.capsule.RecordHeader;
import holdfast.capsule.Voucher;
import holdfast.client.CapsuleReader;
import holdfast.client.ProofMaterial;
import holdfast.client.ReadResult;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The newest part of a capsule's history, children before parents. Every record in it is proven
 * from a signature, or marked as unproven. Of a closed capsule it has what the final heads include.
 */
final class History {
  private static final Comparator<Item> NEWEST_FIRST =
      Comparator.comparingLong((Item item) -> item.header().timeMillis())
          .thenComparingLong(item -> item.header().counter())
          .reversed()
          .thenComparing(item -> item.header().name());

  private final CapsuleReader reader;
  private final Map<Hash, Item> loaded = new LinkedHashMap<>();
  private final Set<Hash> absent = new HashSet<>();

  History(CapsuleReader reader) {
    this.reader = reader;
  }

  /**
   * A record in the history.
   *
   * @param voucher who stands behind it; null when nobody does yet
   * @param signed whether it carries a signature itself
   */
  record Item(RecordHeader header, @Nullable Voucher voucher, boolean signed) {
    boolean proven() {
      return voucher != null;
    }
  }

  /** Walks back from the heads. */
  List<Item> walk(List<Hash> heads, int limit) throws ProofException {
    PriorityQueue<Item> next = new PriorityQueue<>(NEWEST_FIRST);
    Set<Hash> queued = new HashSet<>();
    for (Hash head : heads) {
      offer(head, next, queued);
    }
    int taken = 0;
    // A few more than shown, so that late claimed times do not hide a child of what is shown.
    while (!next.isEmpty() && taken < limit + 8) {
      Item item = next.remove();
      taken++;
      for (Hash parent : parents(item.header())) {
        offer(parent, next, queued);
      }
    }
    return ordered(limit);
  }

  private void offer(Hash name, PriorityQueue<Item> next, Set<Hash> queued) throws ProofException {
    Item item = load(name);
    if (item != null && queued.add(name)) {
      next.add(item);
    }
  }

  /** Takes exactly these records. */
  List<Item> only(List<Hash> names) throws ProofException {
    for (Hash name : names) {
      load(name);
    }
    return ordered(names.size());
  }

  private @Nullable Item load(Hash name) throws ProofException {
    Item known = loaded.get(name);
    if (known != null || absent.contains(name)) {
      return known;
    }
    Item item;
    try {
      ProofMaterial proof = reader.proofMaterial(name, -1);
      var last = proof.chain().getLast();
      item = new Item(last.header(), last.voucher(), proof.chain().size() == 1);
    } catch (HoldfastException e) {
      switch (e.code()) {
        case UNPROVEN, NOT_FOUND -> item = unproven(name);
        case SUCCEEDED -> item = null;
        default -> throw e;
      }
    }
    if (item == null) {
      absent.add(name);
    } else {
      loaded.put(name, item);
    }
    return item;
  }

  private @Nullable Item unproven(Hash name) throws ProofException {
    return reader.readHeaders(List.of(name)).getFirst()
            instanceof ReadResult.Unproven(Hash ignored, Record record)
        ? new Item(record.header(), null, false)
        : null;
  }

  /**
   * The records that a record follows. Within a session of a writer each record follows the one
   * before; its other pointers are short cuts, which say nothing about branches.
   */
  List<Hash> parents(RecordHeader header) throws ProofException {
    List<Hash> pointers = header.pointers();
    if (pointers.size() < 2) {
      return pointers;
    }
    Item first = load(pointers.getFirst());
    boolean sameSession =
        first != null
            && first.header().writer() == header.writer()
            && Arrays.equals(first.header().salt(), header.salt());
    return sameSession ? pointers.subList(0, 1) : pointers;
  }

  /** Children before parents; among those that are free, the newest first. */
  private List<Item> ordered(int limit) throws ProofException {
    Map<Hash, Integer> children = new HashMap<>();
    for (Item item : List.copyOf(loaded.values())) {
      for (Hash parent : parents(item.header())) {
        children.merge(parent, 1, Integer::sum);
      }
    }
    PriorityQueue<Item> free = new PriorityQueue<>(NEWEST_FIRST);
    for (Item item : loaded.values()) {
      if (!children.containsKey(item.header().name())) {
        free.add(item);
      }
    }
    List<Item> order = new ArrayList<>();
    while (!free.isEmpty() && order.size() < limit) {
      Item item = free.remove();
      order.add(item);
      for (Hash parent : parents(item.header())) {
        Item above = loaded.get(parent);
        if (children.merge(parent, -1, Integer::sum) == 0 && above != null) {
          free.add(above);
        }
      }
    }
    return order;
  }
}
