package holdfast.capsule;

import holdfast.base.Hash;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An {@link OrderedMap} in memory for a {@link RecordGraph} of many records that is made once,
 * used, and thrown away. Writes are visible at once.
 *
 * <p>Names are most of what such a graph holds. They lie side by side in large arrays, 40 bytes
 * each, and are found through a hash table of their numbers, four bytes a slot; what a name is the
 * hash of makes it spread by itself. All else, a few bytes a record in blocks of 256, is in a tree.
 * So a record takes about 60 bytes, where a tree of names takes several hundred.
 *
 * <p>A name is looked up and put, as the graph does, and neither removed nor scanned.
 */
public final class PackedOrderedMap implements OrderedMap {
  private static final int KEY = 1 + Hash.SIZE;
  private static final int ENTRY = Hash.SIZE + 8;
  private static final int SEGMENT_SHIFT = 16;
  private static final int SEGMENT = 1 << SEGMENT_SHIFT;

  /** About what a tree takes for an entry beside its bytes. */
  private static final int NODE_BYTES = 96;

  private final InMemoryOrderedMap others = new InMemoryOrderedMap();
  private final List<byte[]> segments = new ArrayList<>();

  /** Numbers of names, from 1; 0 where there is none. At most three quarters are used. */
  private int[] slots = new int[1 << 10];

  private int count;
  private long otherBytes;

  private static boolean named(byte[] key) {
    return key[0] == GraphTables.NAMES && key.length == KEY;
  }

  private byte[] segment(int number) {
    return segments.get(number >>> SEGMENT_SHIFT);
  }

  private static int offset(int number) {
    return (number & (SEGMENT - 1)) * ENTRY;
  }

  /** The slot of a name, or the one in which it would be. */
  private int slot(byte[] bytes, int at) {
    int slot = (int) ByteBuffer.wrap(bytes).getLong(at) & (slots.length - 1);
    while (slots[slot] != 0) {
      int number = slots[slot] - 1;
      int from = offset(number);
      if (Arrays.equals(segment(number), from, from + Hash.SIZE, bytes, at, at + Hash.SIZE)) {
        return slot;
      }
      slot = (slot + 1) & (slots.length - 1);
    }
    return slot;
  }

  private void grow() {
    slots = new int[2 * slots.length];
    for (int number = 0; number < count; number++) {
      slots[slot(segment(number), offset(number))] = number + 1;
    }
  }

  @Override
  public byte @Nullable [] get(byte[] key) {
    if (!named(key)) {
      return others.get(key);
    }
    int number = slots[slot(key, 1)] - 1;
    if (number < 0) {
      return null;
    }
    int from = offset(number) + Hash.SIZE;
    return Arrays.copyOfRange(segment(number), from, from + 8);
  }

  @Override
  public void put(byte[] key, byte[] value) {
    if (!named(key)) {
      byte[] before = others.get(key);
      otherBytes += value.length - (before == null ? -key.length - NODE_BYTES : before.length);
      others.put(key, value);
      return;
    }
    if (value.length != 8) {
      throw new AssertionError("a name leads to a number of 8 bytes, not of " + value.length);
    }
    int slot = slot(key, 1);
    if (slots[slot] == 0) {
      if (count >= slots.length / 4 * 3) {
        grow();
        slot = slot(key, 1);
      }
      if (count >>> SEGMENT_SHIFT == segments.size()) {
        segments.add(new byte[SEGMENT * ENTRY]);
      }
      System.arraycopy(key, 1, segment(count), offset(count), Hash.SIZE);
      slots[slot] = ++count;
    }
    int number = slots[slot] - 1;
    System.arraycopy(value, 0, segment(number), offset(number) + Hash.SIZE, 8);
  }

  @Override
  public void remove(byte[] key) {
    if (named(key)) {
      throw new AssertionError("names stay");
    }
    byte[] before = others.get(key);
    if (before != null) {
      otherBytes -= before.length + key.length + NODE_BYTES;
      others.remove(key);
    }
  }

  @Override
  public void scan(byte[] from, byte[] to, Visitor visitor) {
    if (from[0] == GraphTables.NAMES) {
      throw new AssertionError("names are looked up, not scanned");
    }
    others.scan(from, to, visitor);
  }

  /** About how many bytes of memory it takes. */
  public long memoryBytes() {
    return (long) segments.size() * SEGMENT * ENTRY + 4L * slots.length + otherBytes;
  }
}
