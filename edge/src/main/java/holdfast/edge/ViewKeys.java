package holdfast.edge;

import holdfast.base.Hash;
import holdfast.device.Claim;
import holdfast.device.Octets;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The keys of the view's table. A letter says what an entry is; a zero byte ends a name, which
 * holds none.
 *
 * <pre>
 *   v space 0 key                    → the value a key has now
 *   h space 0 u16 size key ~number   → a version of a key, newest first
 *   l space 0 number                 → the key that changed then
 *   s space                          → what is in a space, and its limits
 *   u name                           → a user
 *   d name                           → a device
 *   i device 0 incarnation           → the last sequence number taken
 *   c device 0 incarnation first     → a claim that was taken
 *   x user 0 hash                    → what answered an idempotency key
 *   y time user 0 hash               → the same by time, to be forgotten
 *   e hash                           → an erasure that is settled
 *   m                                → how far the view has come
 * </pre>
 */
final class ViewKeys {
  static final byte[] MARK = {'m'};

  private ViewKeys() {}

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] named(char what, String name) {
    byte[] utf8 = utf8(name);
    byte[] key = new byte[1 + utf8.length];
    key[0] = (byte) what;
    System.arraycopy(utf8, 0, key, 1, utf8.length);
    return key;
  }

  private static ByteBuffer under(char what, String name, int more) {
    byte[] utf8 = utf8(name);
    return ByteBuffer.allocate(2 + utf8.length + more).put((byte) what).put(utf8).put((byte) 0);
  }

  static byte[] value(String space, String key) {
    return value(space, utf8(key));
  }

  static byte[] value(String space, byte[] key) {
    return under('v', space, key.length).put(key).array();
  }

  /** The key in the table's key of a value. */
  static String keyOfValue(String space, byte[] tableKey) {
    int from = space.length() + 2;
    return new String(tableKey, from, tableKey.length - from, StandardCharsets.UTF_8);
  }

  static byte[] history(String space, String key, long number) {
    byte[] utf8 = utf8(key);
    return under('h', space, 2 + utf8.length + 8)
        .putShort((short) utf8.length)
        .put(utf8)
        .putLong(~number)
        .array();
  }

  static byte[] log(String space, long number) {
    return under('l', space, 8).putLong(number).array();
  }

  static long numberOfLog(byte[] tableKey) {
    return ByteBuffer.wrap(tableKey).getLong(tableKey.length - 8);
  }

  static byte[] space(String space) {
    return named('s', space);
  }

  static byte[] user(String name) {
    return named('u', name);
  }

  static byte[] device(String name) {
    return named('d', name);
  }

  static byte[] incarnation(String device, Octets incarnation) {
    return under('i', device, incarnation.size()).put(incarnation.unsafeArray()).array();
  }

  static byte[] claim(String device, Octets incarnation, long first) {
    return under('c', device, incarnation.size() + 8)
        .put(incarnation.unsafeArray())
        .putLong(first)
        .array();
  }

  static byte[] answer(String user, Hash key) {
    return under('x', user, Hash.SIZE).put(key.toBytes()).array();
  }

  static byte[] answerByTime(long timeMillis, String user, Hash key) {
    byte[] utf8 = utf8(user);
    return ByteBuffer.allocate(1 + 8 + utf8.length + 1 + Hash.SIZE)
        .put((byte) 'y')
        .putLong(timeMillis)
        .put(utf8)
        .put((byte) 0)
        .put(key.toBytes())
        .array();
  }

  /** When the answer was given to which an entry by time belongs. */
  static long timeOfAnswer(byte[] byTime) {
    return ByteBuffer.wrap(byTime).getLong(1);
  }

  /** The key of the answer to which an entry by time belongs. */
  static byte[] answerOfTime(byte[] byTime) {
    byte[] key = new byte[byTime.length - 8];
    key[0] = 'x';
    System.arraycopy(byTime, 9, key, 1, key.length - 1);
    return key;
  }

  static byte[] settled(Hash statement) {
    return ByteBuffer.allocate(1 + Hash.SIZE).put((byte) 'e').put(statement.toBytes()).array();
  }

  /** Takes the key of a version apart. */
  static VersionOf versionOf(byte[] tableKey) {
    ByteBuffer in = ByteBuffer.wrap(tableKey);
    int end = 1;
    while (tableKey[end] != 0) {
      end++;
    }
    int size = in.getShort(end + 1);
    return new VersionOf(
        new String(tableKey, 1, end - 1, StandardCharsets.UTF_8),
        new String(tableKey, end + 3, size, StandardCharsets.UTF_8),
        ~in.getLong(end + 3 + size));
  }

  /** What the key and the value of a claim say together. */
  static EdgeLeaf.LastTaken lastTaken(byte[] tableKey, View.Taken taken) {
    int incarnation = tableKey.length - 8 - Claim.INCARNATION_SIZE;
    return new EdgeLeaf.LastTaken(
        new String(tableKey, 1, incarnation - 2, StandardCharsets.UTF_8),
        Octets.wrap(Arrays.copyOfRange(tableKey, incarnation, tableKey.length - 8)),
        ByteBuffer.wrap(tableKey).getLong(tableKey.length - 8),
        taken.last(),
        taken.claim(),
        taken.place());
  }

  /** Which version of which key. */
  record VersionOf(String space, String key, long number) {}

  /** The first key of entries of a kind. */
  static byte[] first(char what) {
    return new byte[] {(byte) what};
  }

  /** The key after all entries of a kind. */
  static byte[] end(char what) {
    return new byte[] {(byte) (what + 1)};
  }

  /** The smallest key above all that begin with these bytes. */
  static byte[] after(byte[] prefix) {
    for (int i = prefix.length - 1; i >= 0; i--) {
      if (prefix[i] != (byte) 0xFF) {
        byte[] next = java.util.Arrays.copyOf(prefix, i + 1);
        next[i]++;
        return next;
      }
    }
    throw new AssertionError("every key begins with a letter");
  }
}
