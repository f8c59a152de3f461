package holdfast.store;

import holdfast.base.Hash;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.rocksdb.ReadOptions;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.rocksdb.Slice;

/** Reads a capsule's names and statements in the order of their keys. */
final class Listing {
  private Listing() {}

  /** Up to {@code limit} record names that begin with the given hexadecimal digits. */
  static List<Hash> namesThatBegin(Tables tables, int number, String hexPrefix, int limit) {
    byte[] from = Hash.parse((hexPrefix + "0".repeat(64)).substring(0, 64)).toBytes();
    byte[] to = Hash.parse((hexPrefix + "f".repeat(64)).substring(0, 64)).toBytes();
    List<Hash> names = new ArrayList<>();
    try (ReadOptions options = new ReadOptions();
        RocksIterator entries = tables.db.newIterator(tables.names, options)) {
      byte[] end = Keys.within(number, to, 0);
      for (entries.seek(Keys.within(number, from, 0)); entries.isValid(); entries.next()) {
        byte[] key = entries.key();
        if (Arrays.compareUnsigned(key, end) > 0 || names.size() == limit) {
          break;
        }
        names.add(Hash.read(key, 4));
      }
      entries.status();
    } catch (RocksDBException e) {
      throw Tables.failure("cannot read record names", e);
    }
    return names;
  }

  /** Up to {@code limit} encoded statements from one key up to another. */
  static StoredCapsule.StatementPage statements(Tables tables, byte[] from, byte[] to, int limit) {
    List<byte[]> found = new ArrayList<>();
    byte[] last = new byte[0];
    try (Slice end = new Slice(to);
        ReadOptions options = new ReadOptions().setIterateUpperBound(end);
        RocksIterator entries = tables.db.newIterator(tables.statements, options)) {
      for (entries.seek(from); entries.isValid(); entries.next()) {
        if (found.size() == limit) {
          return new StoredCapsule.StatementPage(found, last, false);
        }
        found.add(entries.value());
        byte[] key = entries.key();
        last = Arrays.copyOfRange(key, 4, key.length);
      }
      entries.status();
    } catch (RocksDBException e) {
      throw Tables.failure("cannot read statements", e);
    }
    return new StoredCapsule.StatementPage(found, last, true);
  }

  /** The names of capsules whose entries are noted as lost. */
  static List<Hash> withoutEntry(Tables tables) throws RocksDBException {
    List<Hash> names = new ArrayList<>();
    byte[] from = Keys.lost(Hash.ZERO);
    try (RocksIterator entries = tables.db.newIterator(tables.settings)) {
      for (entries.seek(from); entries.isValid(); entries.next()) {
        byte[] key = entries.key();
        if (key[0] != from[0] || key.length != from.length) {
          break;
        }
        names.add(Hash.read(key, 1));
      }
      entries.status();
    }
    return names;
  }
}
