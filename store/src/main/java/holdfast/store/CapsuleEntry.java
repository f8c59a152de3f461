package holdfast.store;

import holdfast.base.Hash;
import holdfast.base.ProofException;
import holdfast.base.Violation;
import holdfast.capsule.Metadata;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.function.Predicate;
import org.rocksdb.ReadOptions;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;

/**
 * What the list of capsules says of one: its number in this database (4 bytes, big-endian), the
 * owner's signature under its creation (64 bytes), and its metadata, encoded.
 */
@SuppressWarnings("ArrayRecordComponent") // handed over, not compared
record CapsuleEntry(Hash name, byte[] stored) {
  private static final int KEY_BYTES = 1 + Hash.SIZE;
  private static final int SIGNATURE_AT = 4;
  private static final int METADATA_AT = SIGNATURE_AT + 64;

  /** The entry of a capsule that is new. */
  static CapsuleEntry of(Hash name, int number, byte[] signature, byte[] metadata) {
    return new CapsuleEntry(
        name,
        ByteBuffer.allocate(4 + signature.length + metadata.length)
            .putInt(number)
            .put(signature)
            .put(metadata)
            .array());
  }

  /** The number by which the capsule's keys begin. */
  int number() {
    return ByteBuffer.wrap(stored).getInt();
  }

  /** The owner's signature under the capsule's creation. */
  byte[] signature() throws ProofException {
    return part(SIGNATURE_AT, METADATA_AT);
  }

  /** The capsule's metadata; not checked against the name. */
  Metadata metadata() throws ProofException {
    return Metadata.decode(encodedMetadata());
  }

  byte[] encodedMetadata() throws ProofException {
    return part(METADATA_AT, stored.length);
  }

  private byte[] part(int from, int to) throws ProofException {
    if (stored.length < METADATA_AT) {
      throw new ProofException(
          Violation.MALFORMED, "the entry of capsule " + name.brief() + " is cut off");
    }
    return Arrays.copyOfRange(stored, from, to);
  }

  /**
   * Visits the entries in the order of their names.
   *
   * @param from the first name that is wanted
   * @param visitor says whether it wants to go on
   */
  static void visit(Tables tables, ReadOptions reads, Hash from, Predicate<CapsuleEntry> visitor)
      throws RocksDBException {
    try (RocksIterator entries = tables.db.newIterator(tables.settings, reads)) {
      for (entries.seek(Keys.capsule(from)); entries.isValid(); entries.next()) {
        byte[] key = entries.key();
        if (key[0] != 'c' || key.length != KEY_BYTES) {
          break;
        }
        if (!visitor.test(new CapsuleEntry(Hash.read(key, 1), entries.value()))) {
          return;
        }
      }
      entries.status();
    }
  }

  /** Visits all of them. */
  static void visit(Tables tables, Visitor visitor) throws RocksDBException {
    visit(
        tables,
        tables.reads,
        Hash.ZERO,
        entry -> {
          visitor.visit(entry);
          return true;
        });
  }

  /** Hears of one entry after the other. */
  @FunctionalInterface
  interface Visitor {
    void visit(CapsuleEntry entry);
  }
}
