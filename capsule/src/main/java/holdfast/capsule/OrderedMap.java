package holdfast.capsule;

import org.jspecify.annotations.Nullable;

/**
 * The port through which a {@link RecordGraph} keeps its state: a map from byte strings to byte
 * strings, ordered by unsigned bytes. The server gives it RocksDB, tests and simulation a tree in
 * memory.
 *
 * <p>Writes made by {@link #put} and {@link #remove} become visible to {@link #get} and {@link
 * #scan} only when the host commits them; the graph does not read what it has put but not seen
 * committed.
 */
public interface OrderedMap {
  /** The value of a key, or null. */
  byte @Nullable [] get(byte[] key);

  /** The values of many keys, in their order; absent ones are null. */
  default byte[] @Nullable [] getAll(byte[][] keys) {
    byte[] @Nullable [] values = new byte[keys.length] @Nullable [];
    for (int i = 0; i < keys.length; i++) {
      values[i] = get(keys[i]);
    }
    return values;
  }

  /** Sets a value. */
  void put(byte[] key, byte[] value);

  /** Removes a key; nothing happens when it is absent. */
  void remove(byte[] key);

  /** Visits the entries with {@code from ≤ key < to} in ascending order until told to stop. */
  void scan(byte[] from, byte[] to, Visitor visitor);

  /** Receives entries of a scan. */
  interface Visitor {
    /** Takes an entry; false ends the scan. */
    boolean visit(byte[] key, byte[] value);
  }
}
