package holdfast.capsule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The packed map answers as a tree does, and a name in it takes little memory. */
class PackedOrderedMapTest {
  private final Random random = new Random(5);

  private byte[] key(int table, int size) {
    byte[] key = new byte[size];
    random.nextBytes(key);
    key[0] = (byte) table;
    return key;
  }

  private static byte[] number(long value) {
    return ByteBuffer.allocate(8).putLong(value).array();
  }

  private static List<String> scanned(OrderedMap map, byte[] from, byte[] to) {
    List<String> found = new ArrayList<>();
    map.scan(
        from,
        to,
        (key, value) -> {
          found.add(new java.math.BigInteger(1, key) + "=" + new java.math.BigInteger(1, value));
          return found.size() < 50;
        });
    return found;
  }

  @Test
  void itAnswersAsATreeDoes() {
    PackedOrderedMap packed = new PackedOrderedMap();
    InMemoryOrderedMap tree = new InMemoryOrderedMap();
    List<byte[]> names = new ArrayList<>();
    List<byte[]> others = new ArrayList<>();
    for (int i = 0; i < 200_000; i++) {
      byte[] name = i % 10 == 9 ? names.get(random.nextInt(names.size())) : key('N', 33);
      // Names that begin alike meet in the table.
      if (i % 10 == 3) {
        System.arraycopy(names.getLast(), 1, name, 1, 20);
      }
      names.add(name);
      packed.put(name, number(i));
      tree.put(name, number(i));
      if (i % 50 == 0) {
        byte[] other = key("GHM".charAt(random.nextInt(3)), 1 + random.nextInt(50));
        others.add(other);
        packed.put(other, name);
        tree.put(other, name);
        byte[] gone = others.get(random.nextInt(others.size()));
        packed.remove(gone);
        tree.remove(gone);
      }
    }
    for (byte[] name : names) {
      assertThat(packed.get(name)).isEqualTo(tree.get(name)).isNotNull();
    }
    for (byte[] other : others) {
      assertThat(packed.get(other)).isEqualTo(tree.get(other));
    }
    for (int i = 0; i < 1000; i++) {
      assertThat(packed.get(key('N', 33))).isNull();
    }
    assertThat(scanned(packed, new byte[] {'G'}, new byte[] {'I'}))
        .isEqualTo(scanned(tree, new byte[] {'G'}, new byte[] {'I'}))
        .isNotEmpty();
  }

  @Test
  void aNameTakesLittleMemory() {
    PackedOrderedMap packed = new PackedOrderedMap();
    int count = 1 << 18;
    for (int i = 0; i < count; i++) {
      packed.put(key('N', 33), number(i));
    }
    assertThat(packed.memoryBytes() / count).isBetween(40L, 56L);
    long before = packed.memoryBytes();
    byte[] block = key('G', 9);
    packed.put(block, new byte[2000]);
    assertThat(packed.memoryBytes() - before).isBetween(2000L, 2200L);
    packed.put(block, new byte[1000]);
    packed.remove(block);
    assertThat(packed.memoryBytes()).isEqualTo(before);
  }

  @Test
  void whatItDoesNotDoItRefuses() {
    PackedOrderedMap packed = new PackedOrderedMap();
    byte[] name = key('N', 33);
    assertThatThrownBy(() -> packed.remove(name)).isInstanceOf(AssertionError.class);
    assertThatThrownBy(() -> packed.put(name, new byte[4])).isInstanceOf(AssertionError.class);
    assertThatThrownBy(() -> packed.scan(name, new byte[] {'O'}, (k, v) -> true))
        .isInstanceOf(AssertionError.class);
  }
}
