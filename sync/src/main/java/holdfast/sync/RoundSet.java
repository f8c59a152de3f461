package holdfast.sync;

import holdfast.base.Hash;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What one side holds of what a round is about: a bit for each record and each signature, by
 * arrival number, and the digest of them.
 */
final class RoundSet {
  /** Some of this side's entries, by arrival number. */
  static final class Bits {
    final BitSet records = new BitSet();
    final Map<Integer, BitSet> signatures = new TreeMap<>();

    boolean add(long arrival, int signer) {
      BitSet bits = of(signer);
      int at = Math.toIntExact(arrival);
      boolean fresh = !bits.get(at);
      bits.set(at);
      return fresh;
    }

    boolean contains(long arrival, int signer) {
      BitSet bits = signer == Entry.RECORD ? records : signatures.get(signer);
      return bits != null && bits.get(Math.toIntExact(arrival));
    }

    private BitSet of(int signer) {
      return signer == Entry.RECORD
          ? records
          : signatures.computeIfAbsent(signer, none -> new BitSet());
    }
  }

  private final Bits bits = new Bits();
  private final SetDigest digest;
  private long count;

  RoundSet(Hash salt) {
    digest = new SetDigest(salt);
  }

  /** Adds an entry; true if it was not in the set. */
  boolean add(long arrival, Hash record, int signer) {
    if (!bits.add(arrival, signer)) {
      return false;
    }
    digest.add(Entry.nameOf(record, signer));
    count++;
    return true;
  }

  boolean contains(long arrival, int signer) {
    return bits.contains(arrival, signer);
  }

  long count() {
    return count;
  }

  SetDigest digest() {
    return digest;
  }

  Bits bits() {
    return bits;
  }

  /** The names of all entries in the set, by what the replica says of them. */
  List<Hash> names(Replica replica) {
    List<Hash> names = new ArrayList<>(Math.toIntExact(count));
    each(replica, (arrival, record, signer) -> names.add(Entry.nameOf(record, signer)));
    return names;
  }

  /** The entries whose names are among these. */
  Bits pick(Replica replica, java.util.Set<Hash> wanted) {
    Bits picked = new Bits();
    each(
        replica,
        (arrival, record, signer) -> {
          if (wanted.contains(Entry.nameOf(record, signer))) {
            picked.add(arrival, signer);
          }
        });
    return picked;
  }

  private interface Each {
    void entry(long arrival, Hash record, int signer);
  }

  private void each(Replica replica, Each each) {
    for (int at = bits.records.nextSetBit(0); at >= 0; at = bits.records.nextSetBit(at + 1)) {
      each.entry(at, replica.nameOf(at), Entry.RECORD);
    }
    bits.signatures.forEach((signer, signed) -> {
      for (int at = signed.nextSetBit(0); at >= 0; at = signed.nextSetBit(at + 1)) {
        each.entry(at, replica.nameOf(at), signer);
      }
    });
  }
}
