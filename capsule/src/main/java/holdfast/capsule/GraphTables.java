package holdfast.capsule;

import holdfast.base.Hash;
import java.nio.ByteBuffer;

/**
 * The tables of a {@link RecordGraph} within its map, and the keys in them: a byte for the table,
 * then a name or a number. {@link ProvenLog} has two more.
 */
final class GraphTables {
  /** Name → arrival number. */
  static final byte NAMES = 'N';

  /** Number of a block → {@link GraphBlock}. */
  static final byte BLOCKS = 'G';

  /** Arrivals at which no present record points. */
  static final byte TIPS = 'H';

  /** Proven arrivals at which no proven record points. */
  static final byte PROVEN_HEADS = 'P';

  /** Arrivals that point at no present record. */
  static final byte ROOTS = 'R';

  /** Missing name ‖ arrival of the record that points at it ‖ u16 which of its pointers. */
  static final byte MISSING_NAMES = 'M';

  /** One entry: what is counted. */
  static final byte STATE = 'S';

  /** The value where the key says it all. */
  static final byte[] PRESENT = new byte[0];

  private GraphTables() {}

  static byte[] key(byte table, long number) {
    return ByteBuffer.allocate(9).put(table).putLong(number).array();
  }

  static byte[] key(byte table, Hash name) {
    byte[] key = new byte[1 + Hash.SIZE];
    key[0] = table;
    name.write(key, 1);
    return key;
  }

  /** The end of the range of keys that begin so. */
  static byte[] after(byte... prefix) {
    byte[] end = prefix.clone();
    for (int i = end.length - 1; i >= 0; i--) {
      if (++end[i] != 0) {
        return end;
      }
    }
    throw new AssertionError("a table byte is never 0xFF");
  }
}
