package holdfast.capsule;

import holdfast.base.Hash;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a reader has verified: names of records, and nodes of their Merkle trees. The server keeps a
 * {@link CacheMirror} of it, so that proofs stop at what is here.
 *
 * <p>First in, first out: look-ups never change the order, so the two sides stay equal as long as
 * they make the same additions in the same order. The reader keeps {@code slack} further entries
 * beyond the mirrored capacity, because the server may still rely on an entry that answers under
 * way have pushed out here. Everything in it was verified, so keeping more is always safe.
 *
 * <p>Entries are numbered as they are added. The mirror holds exactly the newest {@code capacity}
 * of them: an entry that is added again while it is among those stays where it is, one that is only
 * kept as slack becomes the newest, as it does in the mirror, which has forgotten it.
 */
public final class VerificationCache {
  /** A node of a record's Merkle tree. */
  record NodeKey(Hash record, int node) {}

  private final int capacity;
  private final int slack;
  private final LinkedHashMap<Object, Entry> entries = new LinkedHashMap<>();
  private long added;

  /** What is known under a key, and the number of the addition that brought it. */
  private record Entry(Object value, long number) {}

  /** A cache whose mirror holds {@code capacity} entries. */
  public VerificationCache(int capacity, int slack) {
    this.capacity = capacity;
    this.slack = slack;
  }

  /** Entries that the mirror holds at most. */
  public int capacity() {
    return capacity;
  }

  /** Entries held. */
  public int size() {
    return entries.size();
  }

  /** Who vouches for a record; null when it is not in the cache. */
  public @Nullable Voucher record(Hash name) {
    Entry entry = entries.get(name);
    return entry == null ? null : (Voucher) entry.value();
  }

  /** The verified hash of a Merkle node; null when it is not in the cache. */
  @Nullable Hash node(NodeKey key) {
    Entry entry = entries.get(key);
    return entry == null ? null : (Hash) entry.value();
  }

  void addRecord(Hash name, Voucher voucher) {
    Voucher known = record(name);
    add(name, known == null || voucher.strongerThan(known) ? voucher : known);
  }

  void addNode(NodeKey key, Hash hash) {
    add(key, hash);
  }

  private void add(Object key, Object value) {
    Entry known = entries.get(key);
    if (known != null && known.number() > added - capacity) {
      entries.put(key, new Entry(value, known.number()));
      return;
    }
    entries.remove(key);
    entries.put(key, new Entry(value, ++added));
    evict();
  }

  private void evict() {
    if (entries.size() > capacity + slack) {
      var oldest = entries.keySet().iterator();
      oldest.next();
      oldest.remove();
    }
  }

  /**
   * The newest {@code limit} record names, oldest first: what resumes this cache in a new session.
   */
  public List<Hash> names(int limit) {
    List<Hash> names = new ArrayList<>();
    for (Object key : entries.keySet()) {
      if (key instanceof Hash name) {
        names.add(name);
      }
    }
    return names.size() <= limit
        ? names
        : new ArrayList<>(names.subList(names.size() - limit, names.size()));
  }

  /**
   * A cache of another capacity that holds these names of this one, in this order, and no nodes.
   */
  public VerificationCache resumed(List<Hash> names, int newCapacity) {
    VerificationCache made = new VerificationCache(newCapacity, slack);
    for (Hash name : names) {
      Voucher voucher = record(name);
      if (voucher != null) {
        made.addRecord(name, voucher);
      }
    }
    return made;
  }

  /** Forgets everything. */
  public void clear() {
    entries.clear();
  }
}
